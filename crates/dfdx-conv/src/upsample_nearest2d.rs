//! Doubling an image by repeating pixels.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape};

use crate::gradient::record;
use crate::output::Runs;
use crate::view::view;
use crate::{Element, Error, Image, output};

const NAME: &str = "upsample_nearest2d";

/// Repeats every pixel in a 2×2 square:
///
/// > y\[n, r, s, c\] = x\[n, ⌊r/2⌋, ⌊s/2⌋, c\]
///
/// `x` is (N, H, W, C), the result (N, 2H, 2W, C). The gradient of a pixel is the sum of its four
/// copies' gradients.
///
/// # Errors
/// [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, data, upsample_nearest2d};
/// let x: Image<f32> = Cpu::default().tensor_from_vec(vec![1.0, 2.0], (1, 1, 2, 1));
/// assert_eq!(data(&upsample_nearest2d(x)?)?, [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn upsample_nearest2d<E: Element, T: Tape<E, Cpu>>(x: Image<E, T>) -> Result<Image<E, T>, Error> {
    let &(images, height, width, channels) = x.shape();
    let (x, tape) = x.split_tape();
    let y = forward(view(&x, NAME)?, images * height, width, channels);
    let device = x.device().clone();
    record(&device, y, (images, 2 * height, 2 * width, channels), tape, move |gradients, dy| {
        add_gradient(&dy, gradients.get_or_alloc_mut(&x)?, images * height, width, channels);
        Ok(())
    })
}

/// The rows of all images are numbered through: row r of x gives the rows 2r and 2r + 1 of y.
fn forward<E: Element>(x: &[E], rows: usize, width: usize, channels: usize) -> Vec<E> {
    let row = width * channels;
    let runs = Runs::new(rows, 4 * row);
    output::build(&runs.lengths(), |run, y| {
        if row == 0 {
            return;
        }
        for (y, r) in y.chunks_exact_mut(4 * row).zip(runs.items(run)) {
            let (upper, lower) = y.split_at_mut(2 * row);
            let pixels = x[r * row..(r + 1) * row].chunks_exact(channels);
            for (two, pixel) in upper.chunks_exact_mut(2 * channels).zip(pixels) {
                two[..channels].copy_from_slice(pixel);
                two[channels..].copy_from_slice(pixel);
            }
            lower.copy_from_slice(upper);
        }
    })
}

/// dx\[n, r, s, c\] += Σ_{i,j ∈ {0,1}} dy\[n, 2r+i, 2s+j, c\]
fn add_gradient<E: Element>(dy: &[E], dx: &mut [E], rows: usize, width: usize, channels: usize) {
    let row = width * channels;
    if row == 0 {
        return;
    }
    let runs = Runs::new(rows, row);
    output::update(dx, &runs.lengths(), |run, dx| {
        for (dx, r) in dx.chunks_exact_mut(row).zip(runs.items(run)) {
            let (upper, lower) = dy[4 * r * row..4 * (r + 1) * row].split_at(2 * row);
            let copies = upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels));
            for (dx, (upper, lower)) in dx.chunks_exact_mut(channels).zip(copies) {
                let ((a, b), (c, d)) = (upper.split_at(channels), lower.split_at(channels));
                for ((((dx, &a), &b), &c), &d) in dx.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *dx += (a + b) + (c + d);
                }
            }
        }
    });
}
