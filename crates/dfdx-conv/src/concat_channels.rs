//! Joining two images along their channels: the skip connection of a U-Net.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape};

use crate::gradient::record;
use crate::output::Runs;
use crate::view::view;
use crate::{Element, Error, Image, output};

const NAME: &str = "concat_channels";

/// The channels of `a` followed by those of `b`, pixel by pixel:
/// (N, H, W, Ca) and (N, H, W, Cb) give (N, H, W, Ca + Cb).
///
/// `b` carries no tape, because there is one tape only and `a` has it. Its gradient flows all the
/// same, by its identity: if `b` is a clone of an image computed earlier on the same tape (for example
/// `skip.retaped::<NoneTape>()`), then that image receives it.
///
/// # Errors
/// [`Error::Shape`] when N, H or W differ; [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, concat_channels, data};
/// let device = Cpu::default();
/// let a: Image<f32> = device.tensor_from_vec(vec![1.0, 2.0], (1, 1, 2, 1));
/// let b: Image<f32> = device.tensor_from_vec(vec![7.0, 8.0], (1, 1, 2, 1));
/// assert_eq!(data(&concat_channels(a, b)?)?, [1.0, 7.0, 2.0, 8.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn concat_channels<E: Element, T: Tape<E, Cpu>>(
    a: Image<E, T>,
    b: Image<E>,
) -> Result<Image<E, T>, Error> {
    let &(images, height, width, of_a) = a.shape();
    let &(_, _, _, of_b) = b.shape();
    if (images, height, width, of_b) != *b.shape() {
        let expected = format!("a second image with N, H, W = {images}, {height}, {width}");
        return Err(Error::shape(NAME, expected, b.shape()));
    }
    let (a, tape) = a.split_tape();
    let both = of_a + of_b;
    let runs = Runs::new(images * height * width, both);
    let y = {
        let (a, b) = (view(&a, NAME)?, view(&b, NAME)?);
        output::build(&runs.lengths(), |run, y| {
            for (y, p) in y.chunks_exact_mut(both.max(1)).zip(runs.items(run)) {
                y[..of_a].copy_from_slice(&a[p * of_a..(p + 1) * of_a]);
                y[of_a..].copy_from_slice(&b[p * of_b..(p + 1) * of_b]);
            }
        })
    };
    let device = a.device().clone();
    record(&device, y, (images, height, width, both), tape, move |gradients, dy| {
        // One after the other: `a` and `b` may be the same image.
        add_part(&dy, both, 0, of_a, gradients.get_or_alloc_mut(&a)?);
        add_part(&dy, both, of_a, of_b, gradients.get_or_alloc_mut(&b)?);
        Ok(())
    })
}

/// dx\[p, c\] += dy\[p, first + c\] for `channels` channels c of all pixels p.
fn add_part<E: Element>(dy: &[E], both: usize, first: usize, channels: usize, dx: &mut [E]) {
    if channels == 0 {
        return;
    }
    let runs = Runs::new(dx.len() / channels, channels);
    output::update(dx, &runs.lengths(), |run, dx| {
        for (dx, p) in dx.chunks_exact_mut(channels).zip(runs.items(run)) {
            let dy = &dy[p * both + first..p * both + first + channels];
            dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += *dy);
        }
    });
}
