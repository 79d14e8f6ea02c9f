//! Convolution, pooling, up-sampling and batch norm for [dfdx] 0.13 on **stable** Rust.
//!
//! dfdx keeps `conv2d`, `convtrans2d` and `pool2d` behind its `nightly` feature, which no longer compiles.
//! This crate adds such operations from outside, through dfdx's public hooks: its tensors, tapes,
//! gradients and remaining operations work with them as they are. All sizes are known at run time only.
//!
//! ```
//! use dfdx::prelude::*;
//! use dfdx_conv::{Image, Kernel, Vector, conv2d, data_mut, max_pool2d, parameter_gradient, relu};
//!
//! let device = Cpu::default();
//! let x: Image<f32> = device.sample_normal_like(&(2, 8, 8, 3)); // N, H, W, C
//! let mut w: Kernel<f32> = device.sample_normal_like(&(3, 3, 3, 16)); // Kh, Kw, Cin, Cout
//! let b: Vector<f32> = device.zeros_like(&(16,));
//!
//! // Forward: the tape travels with the image, as everywhere in dfdx.
//! let y = max_pool2d(relu(conv2d(x.leaky_trace(), &w, Some(&b))?)?)?;
//! assert_eq!(*y.shape(), (2, 4, 4, 16));
//! // Backward, then one step of gradient descent, in place.
//! let mut gradients = y.square().mean().backward();
//! let gradient = parameter_gradient(&mut gradients, &w)?.to_vec();
//! for (w, g) in data_mut(&mut w)?.iter_mut().zip(gradient) {
//!     *w -= 0.1 * g;
//! }
//! # Ok::<(), dfdx_conv::Error>(())
//! ```
//!
//! | operation | |
//! |---|---|
//! | [`conv2d`], [`conv2d_with`] | stride 1, same size, any odd kernel; optionally with relu in one pass |
//! | [`conv_transpose2d`] | 2×2, stride 2 |
//! | [`max_pool2d`], [`upsample_nearest2d`] | 2×2 |
//! | [`upsample_conv2d`] | the latter and a 3×3 convolution in 4/9 of the work |
//! | [`batch_norm2d`] | training and evaluation |
//! | [`relu`], [`concat_channels`] | |
//! | [`to_channels_last`], [`to_channels_first`] | from and to PyTorch's layout of images |
//! | [`hwio_from_oihw`], [`oihw_from_hwio`] | from and to PyTorch's layout of weights |
//! | [`external_loss`] | puts a loss that is computed elsewhere on the tape |
//! | [`data`], [`data_mut`] | a tensor's elements as a slice, without a copy |
//! | [`parameter_gradient`] | a gradient as a slice; zeros instead of a panic |
//!
//! # Layout
//! Images are (N, H, W, C), channels last; weights (Kh, Kw, Cin, Cout). So the channels of neighbouring
//! pixels are neighbours in memory, and a convolution is a few matrix products without a rearranged copy
//! of the image.
//!
//! # Gradients
//! Every operation **adds** to the gradients of its inputs and parameters, so a tensor may be used any
//! number of times, and clones of a tensor (same identity) share one gradient.
//!
//! The gradient of an operation's **result** is released as soon as it has been passed on, which lowers
//! the peak of memory. Ask for gradients of inputs and parameters, not of intermediate images
//! ([`Error::GradientConsumed`]; dfdx's own `Gradients::get` would return a tensor without elements).
//! To look at the gradient in the middle of a network, put an [`external_loss`] or an operation of dfdx
//! there.
//!
//! # Same bits for any number of threads
//! Work is cut into blocks by sizes alone; sums over blocks run in a fixed order. Threads come from the
//! rayon pool that the call runs in. Between machines results may differ in rounding: matrix products
//! use the widest vector instructions of the processor.
//!
//! # Memory
//! A program that trains should use [`KeepLarge`] as its global allocator (or another one that does not
//! return large blocks to the system).
//!
//! # Traps of dfdx 0.13
//! - `use dfdx::prelude::*` and `use dfdx_conv::*` together make `relu` ambiguous: import it by name.
//! - `permute` and `broadcast` make views; the operations here refuse them ([`Error::NotContiguous`]).
//!   Call `try_contiguous()` **before** taking the tape off: after that, it silently cuts the gradient.
//! - Tensors with run-time shapes cannot be part of a `TensorCollection`, so dfdx's optimizers do not
//!   reach them: use [`data_mut`], or keep parameters in const shapes and `realize` them in the forward
//!   pass (identity and data stay the same).
//! - There is one tape. Of two images to be joined, one carries it and the other is passed without
//!   (`retaped::<NoneTape>()`), see [`concat_channels`]; joining two tapes would lose gradients.
//! - `enable_cache()` on the device grows without bound with tensors made from a `Vec`, which all results
//!   here are.

mod allocator;
mod batch_norm2d;
mod channels;
mod concat_channels;
mod conv2d;
mod conv_transpose2d;
mod element;
mod error;
mod external_loss;
mod gemm;
mod gradient;
mod layout;
mod max_pool2d;
mod output;
pub mod reference;
mod relu;
mod scratch;
mod upsample_conv2d;
mod upsample_nearest2d;
mod view;

use dfdx::prelude::{Cpu, NoneTape, Tensor};

pub use allocator::KeepLarge;
pub use batch_norm2d::{BatchNormMode, RunningStatistics, batch_norm2d};
pub use concat_channels::concat_channels;
pub use conv_transpose2d::conv_transpose2d;
pub use conv2d::{Activation, Conv2dOptions, conv2d, conv2d_with};
pub use element::Element;
pub use error::Error;
pub use external_loss::external_loss;
pub use gradient::parameter_gradient;
pub use layout::{hwio_from_oihw, oihw_from_hwio, to_channels_first, to_channels_last};
pub use max_pool2d::max_pool2d;
pub use relu::relu;
pub use upsample_conv2d::upsample_conv2d;
pub use upsample_nearest2d::upsample_nearest2d;
pub use view::{data, data_mut};

/// Four sizes that are known at run time.
pub type Shape4 = (usize, usize, usize, usize);

/// Images, channels last: (N, H, W, C).
pub type Image<E, T = NoneTape> = Tensor<Shape4, E, Cpu, T>;

/// The weights of a convolution: (Kh, Kw, Cin, Cout), "HWIO".
pub type Kernel<E> = Tensor<Shape4, E, Cpu>;

/// One number per channel.
pub type Vector<E> = Tensor<(usize,), E, Cpu>;
