//! Convolution with stride 1 and zero padding that keeps the size.

mod backward;
pub(crate) mod blocks;
mod forward;

use dfdx::prelude::{Cpu, Gradients, HasShape, SplitTape, Tape};

use crate::gradient::{backward_error, record, record_with_result};
use crate::view::view;
use crate::{Element, Error, Image, Kernel, Vector, channels, relu};
use blocks::Sizes;

const NAME: &str = "conv2d";

/// What [`conv2d_with`] can be asked for besides the plain convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Compute the gradient with respect to `x` (default). Switch it off for the first layer of a
    /// network, whose input is data: nobody asks for that gradient, and no operation can know this.
    /// With `false`, everything that `x` was computed from gets no gradient through this operation.
    pub input_gradient: bool,
    /// Applied to the result within the same pass over memory; default [`Activation::Identity`].
    pub activation: Activation,
}

/// What to apply to each element of a result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// max(·, 0), as [`relu`](crate::relu()) computes it. Fused, it needs no second image in memory and
    /// no second gradient.
    Relu,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self { input_gradient: true, activation: Activation::Identity }
    }
}

/// 2-D convolution (cross-correlation, as everywhere in deep learning) with stride 1 and zero padding
/// such that the output is as large as the input:
///
/// > y\[n, r, s, o\] = b\[o\] + Σ_{i,j,c} x\[n, r+i−⌊Kh/2⌋, s+j−⌊Kw/2⌋, c\] · w\[i, j, c, o\]
///
/// | argument | shape |
/// |---|---|
/// | `x` | (N, H, W, Cin) |
/// | `weight` | (Kh, Kw, Cin, Cout), Kh and Kw odd |
/// | `bias` | (Cout) |
/// | result | (N, H, W, Cout) |
///
/// Gradients are added to those of `x`, `weight` and `bias`. Results and gradients are bit-identical
/// for any number of threads.
///
/// # Errors
/// [`Error::Shape`] for an even kernel or for channels that do not agree; [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, Kernel, conv2d, data};
/// let device = Cpu::default();
/// // A 3×3 box filter counts the pixels around each pixel of a 2×3 image of ones.
/// let x: Image<f32> = device.ones_like(&(1, 2, 3, 1));
/// let box_filter: Kernel<f32> = device.ones_like(&(3, 3, 1, 1));
/// let y = conv2d(x, &box_filter, None)?;
/// assert_eq!(data(&y)?, [4.0, 6.0, 4.0, 4.0, 6.0, 4.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn conv2d<E: Element, T: Tape<E, Cpu>>(
    x: Image<E, T>,
    weight: &Kernel<E>,
    bias: Option<&Vector<E>>,
) -> Result<Image<E, T>, Error> {
    conv2d_with(x, weight, bias, Conv2dOptions::default())
}

/// [`conv2d`] with [`Conv2dOptions`].
///
/// # Errors
/// As [`conv2d`].
pub fn conv2d_with<E: Element, T: Tape<E, Cpu>>(
    x: Image<E, T>,
    weight: &Kernel<E>,
    bias: Option<&Vector<E>>,
    options: Conv2dOptions,
) -> Result<Image<E, T>, Error> {
    let sizes = check(&x, weight, bias, NAME)?;
    let (x, tape) = x.split_tape();
    let y = {
        let bias = bias.map(|b| view(b, NAME)).transpose()?;
        forward::convolve(&sizes, view(&x, NAME)?, view(weight, NAME)?, bias, options.activation)
    };
    let shape = (sizes.images, sizes.height, sizes.width, sizes.outputs);
    let device = x.device().clone();
    let (weight, bias) = (weight.clone(), bias.cloned());
    let backward = move |gradients: &mut Gradients<E, Cpu>, dy: Vec<E>| {
        if options.input_gradient {
            let w = view(&weight, NAME).map_err(backward_error)?;
            backward::add_input_gradient(&sizes, w, &dy, gradients.get_or_alloc_mut(&x)?);
        }
        let values = view(&x, NAME).map_err(backward_error)?;
        backward::add_weight_gradient(&sizes, values, &dy, gradients.get_or_alloc_mut(&weight)?);
        if let Some(bias) = &bias {
            channels::add_sums(&dy, gradients.get_or_alloc_mut(bias)?);
        }
        Ok(())
    };
    match options.activation {
        Activation::Identity => record(&device, y, shape, tape, backward),
        Activation::Relu => record_with_result(&device, y, shape, tape, move |gradients, mut dy, y| {
            relu::mask(&mut dy, y);
            backward(gradients, dy)
        }),
    }
}

/// The sizes of a convolution, or what is wrong with them, in the name of `operation`.
pub(crate) fn check<E: Element, T>(
    x: &Image<E, T>,
    weight: &Kernel<E>,
    bias: Option<&Vector<E>>,
    operation: &'static str,
) -> Result<Sizes, Error> {
    let &(images, height, width, inputs) = x.shape();
    let &(kernel_height, kernel_width, weight_inputs, outputs) = weight.shape();
    if kernel_height % 2 == 0 || kernel_width % 2 == 0 {
        return Err(Error::shape(operation, "a kernel of odd height and width", weight.shape()));
    }
    if weight_inputs != inputs {
        let expected = format!("a kernel (Kh, Kw, Cin, Cout) with Cin = {inputs}, the channels of x");
        return Err(Error::shape(operation, expected, weight.shape()));
    }
    if let Some(bias) = bias
        && bias.shape().0 != outputs
    {
        let expected = format!("a bias of {outputs} elements, one for each output channel");
        return Err(Error::shape(operation, expected, bias.shape().0));
    }
    Ok(Sizes { images, height, width, inputs, outputs, kernel_height, kernel_width })
}
