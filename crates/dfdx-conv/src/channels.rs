//! Sums over all pixels, channel by channel, in a fixed order and carried in `f64`.

use rayon::prelude::*;

use crate::Element;
use crate::output::Runs;

/// Σ over pixels of K quantities for each channel. `terms(pixel, sums)` adds one pixel's contribution
/// to `sums`, which has K groups of `channels` elements each; a pixel is `channels` elements, given by
/// its position in the image's memory.
pub(crate) fn sums(
    len: usize,
    channels: usize,
    quantities: usize,
    add_pixel: impl Fn(usize, &mut [f64]) + Sync,
) -> Vec<f64> {
    let runs = Runs::new(len / channels.max(1), channels);
    let partial: Vec<Vec<f64>> = (0..runs.count())
        .into_par_iter()
        .map(|run| {
            let mut sums = vec![0.0; quantities * channels];
            runs.items(run).for_each(|pixel| add_pixel(pixel * channels, &mut sums));
            sums
        })
        .collect();
    let mut total = vec![0.0; quantities * channels];
    for partial in partial {
        total.iter_mut().zip(partial).for_each(|(t, p)| *t += p);
    }
    total
}

/// total\[c\] += Σ over pixels of `images`\[…, c\]
pub(crate) fn add_sums<E: Element>(images: &[E], total: &mut [E]) {
    let channels = total.len();
    let sums = sums(images.len(), channels, 1, |pixel, sums| {
        sums.iter_mut().zip(&images[pixel..pixel + channels]).for_each(|(s, x)| *s += x.widen());
    });
    total.iter_mut().zip(sums).for_each(|(t, s)| *t += E::narrow(s));
}
