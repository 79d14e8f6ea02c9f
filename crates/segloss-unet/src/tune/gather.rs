//! Logits and truth of some images, in memory.

use crate::batch::Batcher;
use crate::error::Result;
use crate::evaluate::each_batch;
use crate::unet::UNet;

/// So many logits are kept at most: half a gigabyte. Of more, every k-th pixel.
const MOST: usize = 128 << 20;

/// What a net says of the pixels whose truth is known.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// Which outputs are scored.
    pub scored: Vec<bool>,
    /// In the order of the names.
    pub images: Vec<Known>,
    /// Every so many pixels one was kept.
    pub stride: usize,
}

/// The pixels of one image that are not ignored.
#[derive(Debug, Clone)]
pub struct Known {
    /// The image's name.
    pub name: String,
    /// Pixel after pixel, the outputs of each.
    pub logits: Vec<f32>,
    /// The truth of each pixel.
    pub truth: Vec<u8>,
}

impl Known {
    /// Logits and truth, pixel by pixel.
    pub fn pixels(&self) -> impl Iterator<Item = (&[f32], usize)> {
        let outputs = self.logits.len() / self.truth.len().max(1);
        self.logits.chunks_exact(outputs.max(1)).zip(self.truth.iter().map(|&truth| truth.into()))
    }
}

impl Gathered {
    /// Pixels that are known.
    pub fn pixels(&self) -> usize {
        self.images.iter().map(|image| image.truth.len()).sum()
    }
}

/// Lets the net look at whole images. `progress` is told how many are done.
///
/// # Errors
/// If the net refuses a batch.
pub fn gather(
    net: &UNet<f32>,
    batcher: &Batcher<'_>,
    batch_size: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Gathered> {
    let outputs = batcher.classes.count();
    let scored = batcher.classes.scored();
    let all: usize = batcher.samples.iter().map(|sample| sample.labels.len()).sum();
    let stride = (all * outputs).div_ceil(MOST).max(1);
    let mut images = Vec::new();
    each_batch(net, batcher, batch_size, progress, |views, logits, batch| {
        let (_, height, width, _) = batch.shape;
        let values = dfdx_conv::data(&logits)?;
        for (i, (view, &(rows, columns))) in views.iter().zip(&batch.sizes).enumerate() {
            let name = batcher.samples[view.sample].name.clone();
            let mut known = Known { name, logits: Vec::new(), truth: Vec::new() };
            let places = (0..rows).flat_map(|y| (0..columns).map(move |x| (i * height + y) * width + x));
            let is_known =
                |&at: &usize| scored.get(usize::from(batch.labels[at])).is_some_and(|&scored| scored);
            for at in places.filter(is_known).step_by(stride) {
                known.logits.extend_from_slice(&values[at * outputs..(at + 1) * outputs]);
                known.truth.push(batch.labels[at]);
            }
            images.push(known);
        }
        Ok(())
    })?;
    Ok(Gathered { scored, images, stride })
}
