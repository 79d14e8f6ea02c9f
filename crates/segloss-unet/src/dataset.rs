//! Samples in memory with what they share: classes, channels and the normalisation.

use rayon::prelude::*;
use segloss::ClassCounts;
use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::config::{Channels, DataConfig};
use crate::error::Result;
use crate::folder::{Source, Split};
use crate::sample::Sample;

/// What a training run needs of a data set.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What the labels mean.
    pub classes: Classes,
    /// 1 for grey, 3 for RGB; every image has been converted.
    pub channels: usize,
    /// Mean and deviation of the training images.
    pub normalisation: Normalisation,
    /// How often each class occurs in the training masks.
    pub counts: ClassCounts,
    /// To learn from.
    pub train: Vec<Sample>,
    /// To choose the best epoch by.
    pub val: Vec<Sample>,
}

impl Dataset {
    /// Loads the training and validation splits into memory, as 8-bit pixels.
    ///
    /// # Errors
    /// [`crate::Error::Data`] naming the first file at fault.
    pub fn load(config: &DataConfig) -> Result<Self> {
        let source = Source::new(config.folder.as_deref());
        let description = source.description()?;
        let train = source.load(Split::Train)?;
        let classes = Classes::resolve(&description, config.ignore_index, &train)?;
        let coloured = train.iter().any(|sample| sample.image.channels == 3);
        let channels = match config.channels {
            Channels::Auto if coloured => 3,
            Channels::Auto | Channels::Grey => 1,
            Channels::Rgb => 3,
        };
        let train = prepare(train, &classes, channels)?;
        let val = load_split(&source, Split::Val, &classes, channels)?;
        let normalisation = Normalisation::of(&train, channels);
        let labels = train.iter().map(|sample| sample.labels.as_slice());
        let counts = count(labels, &classes);
        Ok(Self { classes, channels, normalisation, counts, train, val })
    }
}

/// Counts the classes of some masks, image by image; ignored pixels count for nothing.
pub fn count<'a>(masks: impl IntoIterator<Item = &'a [u8]>, classes: &Classes) -> ClassCounts {
    let mut counts = ClassCounts::new(classes.count());
    for labels in masks {
        let mut pixels = [0.0; 256];
        labels.iter().for_each(|&label| pixels[usize::from(label)] += 1.0);
        // The label of padding is ignored even where no label of the data is.
        pixels[usize::from(classes.padding_label())] = 0.0;
        counts.add_image(pixels.iter().sum(), &pixels[..classes.count()]);
    }
    counts
}

/// Loads one split for a net whose classes and channels are known.
///
/// # Errors
/// [`crate::Error::Data`] naming the first file at fault.
pub fn load_split(source: &Source, split: Split, classes: &Classes, channels: usize) -> Result<Vec<Sample>> {
    prepare(source.load(split)?, classes, channels)
}

fn prepare(samples: Vec<Sample>, classes: &Classes, channels: usize) -> Result<Vec<Sample>> {
    for sample in &samples {
        classes.check(sample)?;
    }
    let convert = |sample: Sample| Sample { image: sample.image.with_channels(channels), ..sample };
    Ok(samples.into_par_iter().map(convert).collect())
}

/// Per channel, the mean μ and the deviation σ of the training pixels: the net sees (v − μ) / σ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// μ per channel, in 0..=255.
    pub mean: Vec<f64>,
    /// σ per channel; 1 where every pixel is the same.
    pub deviation: Vec<f64>,
}

impl Normalisation {
    /// μ = Σv/n, σ = √(Σv²/n − μ²). The sums are of integers, so they are exact in any order.
    pub fn of(samples: &[Sample], channels: usize) -> Self {
        let sums = |sample: &Sample| {
            let mut sums = vec![(0_u64, 0_u64); channels];
            for pixel in sample.image.data.chunks_exact(channels) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    sum.0 += u64::from(value);
                    sum.1 += u64::from(value) * u64::from(value);
                }
            }
            sums
        };
        let add = |a: Vec<(u64, u64)>, b: Vec<(u64, u64)>| {
            a.into_iter().zip(b).map(|(a, b)| (a.0 + b.0, a.1 + b.1)).collect()
        };
        let total = samples.par_iter().map(sums).reduce(|| vec![(0, 0); channels], add);
        let n: usize = samples.iter().map(|sample| sample.labels.len()).sum();
        let n = n.max(1) as f64;
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        for (sum, squares) in total {
            let mu = sum as f64 / n;
            let sigma = (squares as f64 / n - mu * mu).max(0.0).sqrt();
            mean.push(mu);
            deviation.push(if sigma > 1e-6 { sigma } else { 1.0 });
        }
        Self { mean, deviation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Pixels;

    #[test]
    fn mean_and_deviation_per_channel() {
        let image = Pixels { height: 1, width: 2, channels: 3, data: vec![0, 7, 10, 4, 7, 30] };
        let sample = Sample { name: "a".into(), image, labels: vec![0, 0], origin: "a".into() };
        let n = Normalisation::of(&[sample], 3);
        assert_eq!(n.mean, [2.0, 7.0, 20.0]);
        assert_eq!(n.deviation, [2.0, 1.0, 10.0]);
    }

    #[test]
    fn the_embedded_set_loads() {
        let data = Dataset::load(&DataConfig::default()).unwrap();
        assert_eq!((data.train.len(), data.val.len(), data.channels), (8, 4, 1));
        assert_eq!(data.classes.names, ["background", "nucleus", "boundary"]);
        let test = load_split(&Source::embedded(), Split::Test, &data.classes, 3).unwrap();
        assert_eq!((test.len(), test[0].image.channels), (4, 3));
    }
}
