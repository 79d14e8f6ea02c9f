//! From views of samples to what the net takes in: look, normalise, pad.
//!
//! The net halves the resolution `depth` times, so a batch is padded to a multiple of 2^depth, at the
//! bottom and at the right. The image is continued by its mirror image (…c b a | a b c…), as in
//! Ronneberger 2015, so that no artificial edge appears; the labels of padding are the ignored label.

use rayon::prelude::*;

use crate::classes::Classes;
use crate::dataset::Normalisation;
use crate::pixels::Image;
use crate::real::Real;
use crate::sample::Sample;
use crate::view::{Colour, View};

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
        let image_chunks = images.par_chunks_mut((height * width * channels).max(1));
        let label_chunks = labels.par_chunks_mut((height * width).max(1));
        image_chunks.zip(label_chunks).zip(views).for_each(|((image, labels), view)| {
            let sample = &self.samples[view.sample];
            fill(image, width, view, &sample.image, self.normalisation);
            let places = view.places();
            for y in 0..view.height {
                for x in 0..view.width {
                    if let Some(at) = nearest(places(y, x), sample.height(), sample.width()) {
                        labels[y * width + x] = sample.labels[at];
                    }
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

    fn weights<E: Real>(&self, views: &[View], (height, width): (usize, usize)) -> Vec<E> {
        if views.iter().all(|view| self.samples[view.sample].weights.is_none()) {
            return Vec::new();
        }
        let mut weights = vec![E::one(); views.len() * height * width];
        for (into, view) in weights.chunks_exact_mut(height * width).zip(views) {
            let sample = &self.samples[view.sample];
            let Some(from) = &sample.weights else { continue };
            let places = view.places();
            for y in 0..view.height {
                for x in 0..view.width {
                    if let Some(at) = nearest(places(y, x), sample.height(), sample.width()) {
                        into[y * width + x] = E::of(from[at].into());
                    }
                }
            }
        }
        weights
    }
}

/// A batch of one image without labels, for a prediction.
pub fn single<E: Real>(image: &Image, normalisation: &Normalisation, multiple: usize) -> Batch<E> {
    let size = (image.height, image.width);
    let shape = (1, size.0.next_multiple_of(multiple), size.1.next_multiple_of(multiple), image.channels);
    let mut images = vec![E::zero(); shape.1 * shape.2 * shape.3];
    fill(&mut images, shape.2, &View::whole(0, size), image, normalisation);
    Batch { shape, images, labels: Vec::new(), weights: Vec::new(), sizes: vec![size] }
}

/// Fills a padded image of the given width: the view, then its mirror image. A value v of channel c becomes
/// (v − μ_c) / σ_c, after the view's colours.
fn fill<E: Real>(into: &mut [E], width: usize, view: &View, from: &Image, normalisation: &Normalisation) {
    let channels = from.channels;
    let places = view.places();
    for (y, row) in into.chunks_exact_mut(width * channels).enumerate() {
        let y = mirror(y as i64, view.height);
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let x = mirror(x as i64, view.width);
            let mut values = between(from, places(y, x));
            if view.colour != Colour::PLAIN {
                coloured(&mut values[..channels], view.colour, normalisation, from.values.largest());
            }
            for (c, into) in pixel.iter_mut().enumerate() {
                *into = E::of((values[c] - normalisation.mean[c]) / normalisation.deviation[c]);
            }
        }
    }
}

/// The values at a place, linear between the four pixels around it; the image is continued by its mirror image.
fn between(image: &Image, (y, x): (f64, f64)) -> [f64; 3] {
    let (top, left) = (y.floor(), x.floor());
    let (fy, fx) = (y - top, x - left);
    let (top, left) = (top as i64, left as i64);
    let at = |dy, dx| {
        (mirror(top + dy, image.height) * image.width + mirror(left + dx, image.width)) * image.channels
    };
    let corners =
        if (fy, fx) == (0.0, 0.0) { [at(0, 0); 4] } else { [at(0, 0), at(0, 1), at(1, 0), at(1, 1)] };
    std::array::from_fn(|c| {
        if c >= image.channels {
            return 0.0;
        }
        let corner = corners.map(|corner| image.values.number(corner + c));
        // a + f·(b − a) is a for f = 0, and for b = a.
        let row = |left: f64, right: f64| left + fx * (right - left);
        let (above, below) = (row(corner[0], corner[1]), row(corner[2], corner[3]));
        above + fy * (below - above)
    })
}

/// Saturation, then contrast, then brightness; what leaves the range of whole numbers is held at its end.
fn coloured(values: &mut [f64], colour: Colour, normalisation: &Normalisation, largest: Option<f64>) {
    if let [red, green, blue] = *values {
        let grey = 0.299 * red + 0.587 * green + 0.114 * blue;
        values.iter_mut().for_each(|value| *value = grey + colour.saturation * (*value - grey));
    }
    for (value, mean) in values.iter_mut().zip(&normalisation.mean) {
        *value = colour.brightness * (mean + colour.contrast * (*value - mean));
        if let Some(largest) = largest {
            *value = value.clamp(0.0, largest);
        }
    }
}

/// The pixel of the sample, in row-major order, whose middle is nearest to a place; none outside.
fn nearest((y, x): (f64, f64), height: usize, width: usize) -> Option<usize> {
    let (y, x) = ((y + 0.5).floor(), (x + 0.5).floor());
    let is_inside = (0.0..height as f64).contains(&y) && (0.0..width as f64).contains(&x);
    is_inside.then(|| y as usize * width + x as usize)
}

/// Continues 0, 1, …, n−1 by n−1, …, 1, 0, 0, 1, … without end, to both sides.
fn mirror(i: i64, n: usize) -> usize {
    let i = i.rem_euclid(2 * n as i64) as usize;
    if i < n { i } else { 2 * n - 1 - i }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AugmentConfig, DataConfig, Flips};
    use crate::pixels::Values;
    use crate::view::training_views;
    use segloss::ClassCounts;

    fn classes(ignore_index: Option<u8>) -> Classes {
        Classes::numbered(200, ignore_index)
    }

    /// A sample whose label is the image's value, so that every move that treats them apart shows.
    fn sample(height: usize, width: usize) -> Sample {
        let data: Vec<u8> = (0..height * width).map(|i| i as u8).collect();
        let image = Image { height, width, channels: 1, values: Values::Eight(data.clone()) };
        Sample { name: format!("{height}x{width}"), image, labels: data, weights: None, origin: "m".into() }
    }

    fn whole(samples: &[Sample], number: usize) -> View {
        View::whole(number, (samples[number].height(), samples[number].width()))
    }

    fn plain() -> Normalisation {
        Normalisation { mean: vec![0.0], deviation: vec![1.0], depth: Default::default() }
    }

    #[test]
    fn image_and_mask_move_together_and_crops_vary() {
        let samples: Vec<Sample> = (0..20).map(|_| sample(9, 13)).collect();
        let config = DataConfig { flips: Flips::Both, crop: vec![5, 6], ..DataConfig::default() };
        let counts = ClassCounts::new(200);
        let (normalisation, classes) = (plain(), classes(Some(255)));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 4 };
        let mut seen = std::collections::BTreeSet::new();
        for views in training_views(&samples, &config, &AugmentConfig::default(), &counts, 8, 1, 0) {
            let batch: Batch<f32> = batcher.build(&views);
            assert_eq!((batch.shape.1, batch.shape.2), (8, 8));
            for (i, view) in views.iter().enumerate() {
                seen.insert((
                    view.centre.0 as usize,
                    view.centre.1 as usize,
                    view.mirrored,
                    view.upside_down,
                ));
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
        let mut view = whole(&samples, 0);
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
        let mut view = whole(&samples, 0);
        view.mirrored = true;
        let batch: Batch<f64> = batcher.build(&[view, whole(&samples, 1)]);
        assert_eq!(batch.weights[..8], [1.0, 0.5, 0.0, 1.0, 2.5, 2.0, 1.5, 1.0]);
        assert_eq!(batch.weights[8..], [1.0; 8]);
        assert!(batcher.build::<f64>(&[whole(&samples, 1)]).weights.is_empty());
    }

    #[test]
    fn padding_mirrors_the_image_and_ignores_its_labels() {
        let samples = [sample(1, 3)];
        let (normalisation, classes) = (plain(), classes(Some(77)));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 8 };
        let batch: Batch<f32> = batcher.build(&[whole(&samples, 0)]);
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
        let batch: Batch<f32> = batcher.build(&[whole(&samples, 0), whole(&samples, 1)]);
        assert_eq!(batch.shape, (2, 6, 6, 1));
        assert_eq!(batch.sizes, [(3, 5), (6, 2)]);
        assert_eq!(batch.labels.iter().filter(|&&label| label != 255).count(), 15 + 12);
    }

    /// A quarter turn moves each pixel, and its label, to where it belongs; what lay outside is ignored.
    #[test]
    fn a_turned_view_takes_its_labels_along() {
        let samples = [sample(4, 4)];
        let (normalisation, classes) = (plain(), classes(Some(255)));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 1 };
        let mut view = whole(&samples, 0);
        view.angle = std::f64::consts::FRAC_PI_2;
        let batch: Batch<f64> = batcher.build(&[view]);
        // The first column is the last row.
        let expected: Vec<u8> = (0..16).map(|i| 4 * (3 - i % 4) + i / 4).collect();
        assert_eq!(batch.labels, expected);
        for (value, &label) in batch.images.iter().zip(&batch.labels) {
            assert!((value - f64::from(label)).abs() < 1e-9, "{value} {label}");
        }
        view.angle /= 2.0;
        let batch: Batch<f64> = batcher.build(&[view]);
        assert_eq!([0, 3, 12, 15].map(|corner| batch.labels[corner]), [255; 4]);
        assert!(batch.labels[5] != 255 && batch.labels[10] != 255);
    }

    /// Half the size shows all of the image in the middle, and twice the size its middle.
    #[test]
    fn a_scaled_view_is_linear_between_pixels_and_its_labels_are_the_nearest() {
        let samples = [sample(2, 4)];
        let (normalisation, classes) = (plain(), classes(Some(255)));
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 1 };
        let view = View { scale: 2.0, ..whole(&samples, 0) };
        let batch: Batch<f64> = batcher.build(&[view]);
        // Rows at ¼ and ¾, columns at ¾, 1¼, 1¾, 2¼.
        assert_eq!(batch.images, [1.75, 2.25, 2.75, 3.25, 3.75, 4.25, 4.75, 5.25]);
        assert_eq!(batch.labels, [1, 1, 2, 2, 5, 5, 6, 6]);
        let view = View { scale: 0.5, ..whole(&samples, 0) };
        assert_eq!(batcher.build::<f64>(&[view]).labels, [255, 1, 3, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn colours_change_about_the_mean_and_stay_in_range() {
        let image = Image { height: 1, width: 1, channels: 3, values: Values::Eight(vec![100, 150, 250]) };
        let sample = Sample { name: "s".into(), image, labels: vec![0], weights: None, origin: "m".into() };
        let samples = [sample];
        let mean = vec![110.0; 3];
        let normalisation = Normalisation { mean, deviation: vec![1.0; 3], depth: Default::default() };
        let classes = classes(None);
        let batcher =
            Batcher { samples: &samples, normalisation: &normalisation, classes: &classes, multiple: 1 };
        let seen = |colour| {
            let view = View { colour, ..whole(&samples, 0) };
            batcher.build::<f64>(&[view]).images.iter().map(|v| v + 110.0).collect::<Vec<f64>>()
        };
        assert_eq!(seen(Colour::PLAIN), [100.0, 150.0, 250.0]);
        assert_eq!(seen(Colour { contrast: 2.0, ..Colour::PLAIN }), [90.0, 190.0, 255.0]);
        assert_eq!(seen(Colour { brightness: 0.5, ..Colour::PLAIN }), [50.0, 75.0, 125.0]);
        let grey = 0.299 * 100.0 + 0.587 * 150.0 + 0.114 * 250.0;
        for value in seen(Colour { saturation: 0.0, ..Colour::PLAIN }) {
            assert!((value - grey).abs() < 1e-9);
        }
    }
}
