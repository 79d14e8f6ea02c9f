//! Between this crate's layouts and PyTorch's.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape, TensorFromVec};

use crate::gradient::record;
use crate::view::view;
use crate::{Element, Error, Image, Kernel, output};

/// (N, C, H, W) to (N, H, W, C). Differentiable.
///
/// # Errors
/// [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, data, to_channels_last};
/// // Two channels of two pixels: a₁ a₂ b₁ b₂ become a₁ b₁ a₂ b₂.
/// let x: Image<f32> = Cpu::default().tensor_from_vec(vec![1.0, 2.0, 7.0, 8.0], (1, 2, 1, 2));
/// assert_eq!(data(&to_channels_last(x)?)?, [1.0, 7.0, 2.0, 8.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn to_channels_last<E: Element, T: Tape<E, Cpu>>(x: Image<E, T>) -> Result<Image<E, T>, Error> {
    let &(n, c, h, w) = x.shape();
    transpose_images(x, (n, h, w, c), c, h * w, "to_channels_last")
}

/// (N, H, W, C) to (N, C, H, W). Differentiable.
///
/// # Errors
/// [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, data, to_channels_first};
/// let x: Image<f32> = Cpu::default().tensor_from_vec(vec![1.0, 7.0, 2.0, 8.0], (1, 1, 2, 2));
/// assert_eq!(data(&to_channels_first(x)?)?, [1.0, 2.0, 7.0, 8.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn to_channels_first<E: Element, T: Tape<E, Cpu>>(x: Image<E, T>) -> Result<Image<E, T>, Error> {
    let &(n, h, w, c) = x.shape();
    transpose_images(x, (n, c, h, w), h * w, c, "to_channels_first")
}

/// A convolution's weights from PyTorch's order (Cout, Cin, Kh, Kw) to (Kh, Kw, Cin, Cout). For
/// loading weights, not differentiable.
///
/// The weights of PyTorch's `ConvTranspose2d` are (Cin, Cout, Kh, Kw); swap the roles of the first two
/// sizes for these.
///
/// # Errors
/// [`Error::NotContiguous`].
pub fn hwio_from_oihw<E: Element>(weight: &Kernel<E>) -> Result<Kernel<E>, Error> {
    let &(outputs, inputs, height, width) = weight.shape();
    let taps = height * width;
    let w = view(weight, "hwio_from_oihw")?;
    let mut hwio = Vec::with_capacity(w.len());
    for tap in 0..taps {
        for i in 0..inputs {
            hwio.extend((0..outputs).map(|o| w[(o * inputs + i) * taps + tap]));
        }
    }
    Ok(weight.device().try_tensor_from_vec(hwio, (height, width, inputs, outputs))?)
}

/// A convolution's weights from (Kh, Kw, Cin, Cout) to PyTorch's order (Cout, Cin, Kh, Kw).
///
/// # Errors
/// [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Kernel, data, hwio_from_oihw, oihw_from_hwio};
/// let w: Kernel<f32> = Cpu::default().sample_normal_like(&(3, 3, 4, 5));
/// assert_eq!(data(&hwio_from_oihw(&oihw_from_hwio(&w)?)?)?, data(&w)?);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn oihw_from_hwio<E: Element>(weight: &Kernel<E>) -> Result<Kernel<E>, Error> {
    let &(height, width, inputs, outputs) = weight.shape();
    let w = view(weight, "oihw_from_hwio")?;
    let mut oihw = Vec::with_capacity(w.len());
    for o in 0..outputs {
        for i in 0..inputs {
            oihw.extend((0..height * width).map(|tap| w[(tap * inputs + i) * outputs + o]));
        }
    }
    Ok(weight.device().try_tensor_from_vec(oihw, (outputs, inputs, height, width))?)
}

/// Transposes the `rows` × `columns` matrix that each image is.
fn transpose_images<E: Element, T: Tape<E, Cpu>>(
    x: Image<E, T>,
    shape: crate::Shape4,
    rows: usize,
    columns: usize,
    operation: &'static str,
) -> Result<Image<E, T>, Error> {
    let (x, tape) = x.split_tape();
    let images = vec![rows * columns; shape.0];
    let y = {
        let x = view(&x, operation)?;
        output::build(&images, |image, y| add_transposed(&x[image * rows * columns..], rows, columns, y))
    };
    let device = x.device().clone();
    record(&device, y, shape, tape, move |gradients, dy| {
        let dx = gradients.get_or_alloc_mut(&x)?;
        output::update(dx, &images, |image, dx| {
            add_transposed(&dy[image * rows * columns..], columns, rows, dx);
        });
        Ok(())
    })
}

/// y\[j, i\] += x\[i, j\] for i < `rows`, j < `columns`
fn add_transposed<E: Element>(x: &[E], rows: usize, columns: usize, y: &mut [E]) {
    // Tiles keep the lines read and the lines written in the L1 cache together.
    const TILE: usize = 32;
    for i0 in (0..rows).step_by(TILE) {
        for j0 in (0..columns).step_by(TILE) {
            for j in j0..columns.min(j0 + TILE) {
                for i in i0..rows.min(i0 + TILE) {
                    y[j * rows + i] += x[i * columns + j];
                }
            }
        }
    }
}
