//! From samples to what the net takes in: choose, crop, flip, normalise, pad.
//!
//! The net halves the resolution `depth` times, so a batch is padded to a multiple of 2^depth, at the
//! bottom and at the right. The image is continued by its mirror image (…c b a | a b c…), as in
//! Ronneberger 2015, so that no artificial edge appears; the labels of padding are the ignored label.

use rayon::prelude::*;

use crate::classes::Classes;
use crate::config::{DataConfig, Flips};
use crate::dataset::Normalisation;
use crate::pixels::{Image, Values};
use crate::random::{Purpose, Stream};
use crate::real::Real;
use crate::sample::Sample;

/// Images of equal size with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<E> {
    /// (N, H, W, C): the size of `images`.
    pub shape: (usize, usize, usize, usize),
    /// Normalised, channels last.
    pub images: Vec<E>,
    /// (N, H, W): class indices, and the padding label around the images.
    pub labels: Vec<u8>,
    /// (N, H, W): a weight for each pixel, 1 in images without weights; empty where no image has any.
    pub weights: Vec<E>,
    /// (height, width) of each image without its padding.
    pub sizes: Vec<(usize, usize)>,
}

/// Which part of which sample, and how it is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Position among the samples.
    pub sample: usize,
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Left to right.
    pub mirrored: bool,
    /// Top to bottom.
    pub upside_down: bool,
}

impl View {
    /// The whole sample as it is.
    pub fn whole(sample: usize, samples: &[Sample]) -> Self {
        let (height, width) = (samples[sample].height(), samples[sample].width());
        Self { sample, top: 0, left: 0, height, width, mirrored: false, upside_down: false }
    }
}

/// The views of one training epoch, in their random order, `batch_size` at a time. Depends on the seed,
/// the epoch and the sizes of the samples, and on nothing else.
pub fn training_views(
    samples: &[Sample],
    config: &DataConfig,
    batch_size: usize,
    seed: u64,
    epoch: usize,
) -> Vec<Vec<View>> {
    let epoch = epoch as u32;
    let mut order: Vec<usize> = (0..samples.len()).collect();
    Stream::new(seed, Purpose::Order, epoch).shuffle(&mut order);
    let mut stream = Stream::new(seed, Purpose::Augmentation, epoch);
    let views: Vec<View> =
        order.into_iter().map(|sample| view(sample, samples, config, &mut stream)).collect();
    views.chunks(batch_size.max(1)).map(<[View]>::to_vec).collect()
}

fn view(sample: usize, samples: &[Sample], config: &DataConfig, stream: &mut Stream) -> View {
    let mut view = View::whole(sample, samples);
    if let [height, width] = config.crop[..] {
        // An image smaller than the crop is taken whole; the batch pads it.
        let (full_height, full_width) = (view.height, view.width);
        view.height = height.min(full_height);
        view.width = width.min(full_width);
        view.top = stream.below(full_height - view.height + 1);
        view.left = stream.below(full_width - view.width + 1);
    }
    view.mirrored = config.flips != Flips::None && stream.coin();
    view.upside_down = config.flips == Flips::Both && stream.coin();
    view
}

/// The views of an evaluation: every sample whole and in order, up to `batch_size` neighbours of equal
/// size at a time. (An image is never padded to the size of another one, so its result does not depend on
/// its company.)
pub fn evaluation_views(samples: &[Sample], batch_size: usize) -> Vec<Vec<View>> {
    let mut batches: Vec<Vec<View>> = Vec::new();
    for sample in 0..samples.len() {
        let view = View::whole(sample, samples);
        match batches.last_mut() {
            Some(batch)
                if batch.len() < batch_size
                    && (batch[0].height, batch[0].width) == (view.height, view.width) =>
            {
                batch.push(view);
            }
            _ => batches.push(vec![view]),
        }
    }
    batches
}

/// What turns views into batches.
#[derive(Debug, Clone)]
pub struct Batcher<'a> {
    /// Where the views look.
    pub samples: &'a [Sample],
    /// Applied to every pixel.
    pub normalisation: &'a Normalisation,
    /// Says which label padding gets.
    pub classes: &'a Classes,
    /// Height and width of a batch are multiples of this: 2^depth.
    pub multiple: usize,
}

impl Batcher<'_> {
    /// Builds a batch, its images in parallel.
    pub fn build<E: Real>(&self, views: &[View]) -> Batch<E> {
        let channels = self.normalisation.mean.len();
        let largest = |side: fn(&View) -> usize| views.iter().map(side).max().unwrap_or(0);
        let height = largest(|view| view.height).next_multiple_of(self.multiple);
        let width = largest(|view| view.width).next_multiple_of(self.multiple);
        let shape = (views.len(), height, width, channels);
        let mut images = vec![E::zero(); views.len() * height * width * channels];
        let mut labels = vec![self.classes.padding_label(); views.len() * height * width];
        let scale = Scale::<E>::new(self.normalisation);
        let image_chunks = images.par_chunks_mut((height * width * channels).max(1));
        let label_chunks = labels.par_chunks_mut((height * width).max(1));
        image_chunks.zip(label_chunks).zip(views).for_each(|((image, labels), view)| {
            let sample = &self.samples[view.sample];
            fill(image, width, view, &sample.image, &scale);
            for y in 0..view.height {
                for x in 0..view.width {
                    labels[y * width + x] = sample.labels[source(view, y, x, sample.width())];
                }
            }
        });
        let weights = self.weights(views, (height, width));
        Batch {
            shape,
            images,
            labels,
            weights,
            sizes: views.iter().map(|view| (view.height, view.width)).collect(),
        }
    }
}

impl Batcher<'_> {
    fn weights<E: Real>(&self, views: &[View], (height, width): (usize, usize)) -> Vec<E> {
        if views.iter().all(|view| self.samples[view.sample].weights.is_none()) {
            return Vec::new();
        }
        let mut weights = vec![E::one(); views.len() * height * width];
        for (into, view) in weights.chunks_exact_mut(height * width).zip(views) {
            let sample = &self.samples[view.sample];
            let Some(from) = &sample.weights else { continue };
            for y in 0..view.height {
                for x in 0..view.width {
                    into[y * width + x] = E::of(from[source(view, y, x, sample.width())].into());
                }
            }
        }
        weights
    }
}

/// A batch of one image without labels, for a prediction.
pub fn single<E: Real>(image: &Image, normalisation: &Normalisation, multiple: usize) -> Batch<E> {
    let (height, width) = (image.height, image.width);
    let view = View { sample: 0, top: 0, left: 0, height, width, mirrored: false, upside_down: false };
    let shape = (1, height.next_multiple_of(multiple), width.next_multiple_of(multiple), image.channels);
    let mut images = vec![E::zero(); shape.1 * shape.2 * shape.3];
    fill(&mut images, shape.2, &view, image, &Scale::new(normalisation));
    Batch { shape, images, labels: Vec::new(), weights: Vec::new(), sizes: vec![(height, width)] }
}

/// (v − μ_c) / σ_c of a value v in channel c.
struct Scale<'a, E> {
    /// Of each of the 256 values that 8 bits have.
    table: Vec<[E; 256]>,
    normalisation: &'a Normalisation,
}

impl<'a, E: Real> Scale<'a, E> {
    fn new(normalisation: &'a Normalisation) -> Self {
        let table = (0..normalisation.mean.len())
            .map(|c| std::array::from_fn(|v| Self::of(normalisation, c, v as f64)))
            .collect();
        Self { table, normalisation }
    }

    fn of(normalisation: &Normalisation, c: usize, value: f64) -> E {
        E::of((value - normalisation.mean[c]) / normalisation.deviation[c])
    }

    fn byte(&self, c: usize, value: u8) -> E {
        self.table[c][usize::from(value)]
    }

    fn number(&self, c: usize, value: f64) -> E {
        Self::of(self.normalisation, c, value)
    }
}

/// Fills a padded image of the given width: the view, then its mirror image.
fn fill<E: Real>(into: &mut [E], width: usize, view: &View, from: &Image, scale: &Scale<'_, E>) {
    match &from.values {
        Values::Eight(values) => fill_with(into, width, view, from, |c, at| scale.byte(c, values[at])),
        Values::Sixteen(values) => {
            fill_with(into, width, view, from, |c, at| scale.number(c, values[at].into()));
        }
        Values::Float(values) => {
            fill_with(into, width, view, from, |c, at| scale.number(c, values[at].into()))
        }
    }
}

fn fill_with<E>(into: &mut [E], width: usize, view: &View, from: &Image, value: impl Fn(usize, usize) -> E) {
    let channels = from.channels;
    for (y, row) in into.chunks_exact_mut(width * channels).enumerate() {
        let y = mirror(y, view.height);
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let at = source(view, y, mirror(x, view.width), from.width) * channels;
            for (c, into) in pixel.iter_mut().enumerate() {
                *into = value(c, at + c);
            }
        }
    }
}

/// The pixel of the sample, in row-major order, that stands at (y, x) of the view.
fn source(view: &View, y: usize, x: usize, width: usize) -> usize {
    let y = if view.upside_down { view.height - 1 - y } else { y };
    let x = if view.mirrored { view.width - 1 - x } else { x };
    (view.top + y) * width + view.left + x
}

/// Continues 0, 1, …, n−1 by n−1, …, 1, 0, 0, 1, … without end.
fn mirror(i: usize, n: usize) -> usize {
    let i = i % (2 * n);
    if i < n { i } else { 2 * n - 1 - i }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(ignore_index: Option<u8>) -> Classes {
        Classes::numbered(200, ignore_index)
    }

    /// A sample whose label is the image's value, so that every move that treats them apart shows.
    fn sample(height: usize, width: usize) -> Sample {
        let data: Vec<u8> = (0..height * width).map(|i| i as u8).collect();
        let image = Image { height, width, channels: 1, values: Values::Eight(data.clone()) };
        Sample { name: format!("{height}x{width}"), image, labels: data, weights: None, origin: "m".into() }
    }

    fn plain() -> Normalisation {
        Normalisation { mean: vec![0.0], deviation: vec![1.0], depth: Default::default() }
    }

    #[test]
    fn image_and_mask_move_together_and_crops_vary() {
        let samples: Vec<Sample> = (0..20).map(|_| sample(9, 13)).collect();
        let config = DataConfig { flips: Flips::Both, crop: vec![5, 6], ..DataConfig::default() };
        let (normalisation, classes) = (plain(), classes(Some(255)));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 4 };
        let mut seen = std::collections::BTreeSet::new();
        for views in training_views(&samples, &config, 8, 1, 0) {
            let batch: Batch<f32> = batcher.build(&views);
            assert_eq!((batch.shape.1, batch.shape.2), (8, 8));
            for (i, view) in views.iter().enumerate() {
                seen.insert((view.top, view.left, view.mirrored, view.upside_down));
                for y in 0..5 {
                    for x in 0..6 {
                        let at = (i * 8 + y) * 8 + x;
                        assert_eq!(batch.images[at], f32::from(batch.labels[at]));
                    }
                }
            }
        }
        assert!(seen.len() > 10, "{seen:?}");
        for (mirrored, upside_down) in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(seen.iter().any(|view| (view.2, view.3) == (mirrored, upside_down)), "{seen:?}");
        }
    }

    #[test]
    fn flips_do_what_they_say() {
        let samples = [sample(2, 3)];
        let (normalisation, classes) = (plain(), classes(None));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 1 };
        let mut view = View::whole(0, &samples);
        view.mirrored = true;
        assert_eq!(batcher.build::<f64>(&[view]).labels, [2, 1, 0, 5, 4, 3]);
        view.upside_down = true;
        assert_eq!(batcher.build::<f64>(&[view]).labels, [5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn weights_move_with_their_pixels() {
        let plain_sample = sample(2, 3);
        let weighted =
            Sample { weights: Some((0..6).map(|i| i as f32 / 2.0).collect()), ..plain_sample.clone() };
        let samples = [weighted, plain_sample];
        let (normalisation, classes) = (plain(), classes(None));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 2 };
        let mut view = View::whole(0, &samples);
        view.mirrored = true;
        let batch: Batch<f64> = batcher.build(&[view, View::whole(1, &samples)]);
        assert_eq!(batch.weights[..8], [1.0, 0.5, 0.0, 1.0, 2.5, 2.0, 1.5, 1.0]);
        assert_eq!(batch.weights[8..], [1.0; 8]);
        assert!(batcher.build::<f64>(&[View::whole(1, &samples)]).weights.is_empty());
    }

    #[test]
    fn padding_mirrors_the_image_and_ignores_its_labels() {
        let samples = [sample(1, 3)];
        let (normalisation, classes) = (plain(), classes(Some(77)));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 8 };
        let batch: Batch<f32> = batcher.build(&[View::whole(0, &samples)]);
        assert_eq!(batch.shape, (1, 8, 8, 1));
        assert_eq!(batch.images[..8], [0.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(batch.labels[..8], [0, 1, 2, 77, 77, 77, 77, 77]);
        assert!(batch.labels[8..].iter().all(|&label| label == 77));
        let alone: Batch<f32> = single(&samples[0].image, &normalisation, 8);
        assert_eq!((alone.images, alone.sizes), (batch.images, batch.sizes));
    }

    #[test]
    fn deep_values_are_normalised_like_bytes() {
        let (mean, deviation) = (vec![1.5], vec![0.5]);
        let normalisation = Normalisation { mean, deviation, depth: Default::default() };
        let of = |values| {
            let image = Image { height: 1, width: 2, channels: 1, values };
            single::<f32>(&image, &normalisation, 1).images
        };
        for values in [Values::Eight(vec![1, 3]), Values::Sixteen(vec![1, 3]), Values::Float(vec![1.0, 3.0])]
        {
            assert_eq!(of(values), [-1.0, 3.0]);
        }
        assert_eq!(of(Values::Sixteen(vec![60_000, 0])), [119_997.0, -3.0]);
    }

    #[test]
    fn a_batch_of_several_sizes_takes_the_largest() {
        let samples = [sample(3, 5), sample(6, 2)];
        let (normalisation, classes) = (plain(), classes(None));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 2 };
        let batch: Batch<f32> = batcher.build(&[View::whole(0, &samples), View::whole(1, &samples)]);
        assert_eq!(batch.shape, (2, 6, 6, 1));
        assert_eq!(batch.sizes, [(3, 5), (6, 2)]);
        assert_eq!(batch.labels.iter().filter(|&&label| label != 255).count(), 15 + 12);
    }

    #[test]
    fn evaluation_never_mixes_sizes() {
        let samples = [sample(2, 2), sample(2, 2), sample(2, 2), sample(4, 2), sample(2, 2)];
        let batches = evaluation_views(&samples, 2);
        let names: Vec<Vec<usize>> = batches.iter().map(|b| b.iter().map(|v| v.sample).collect()).collect();
        assert_eq!(names, [vec![0, 1], vec![2], vec![3], vec![4]]);
    }

    #[test]
    fn epochs_differ_and_repeat() {
        let samples: Vec<Sample> = (0..10).map(|_| sample(4, 4)).collect();
        let config = DataConfig::default();
        let views = |epoch| training_views(&samples, &config, 4, 9, epoch);
        assert_eq!(views(3), views(3));
        assert_ne!(views(3), views(4));
        assert_eq!(views(0).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    }
}
