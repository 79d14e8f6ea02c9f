//! Convolution, pooling, up-sampling and batch norm for dfdx on stable Rust.

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
