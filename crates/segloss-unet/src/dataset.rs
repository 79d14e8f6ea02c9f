//! Samples in memory with what they share: classes, channels and the normalisation.

use std::path::Path;

use rayon::prelude::*;
use segloss::ClassCounts;
use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::config::{Channels, DataConfig};
use crate::error::{ConfigProblem, DataProblem, Error, Result};
use crate::fingerprint::Fingerprint;
use crate::folder::{Source, Split};
use crate::pixels::{Depth, Image, Values};
use crate::reading::Reading;
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
    /// Of the training split, and not learned from (`data.held_out`).
    pub held_out: Vec<Sample>,
    /// What was guessed and what was left out, a sentence each.
    pub notes: Vec<String>,
    /// What is likely to disappoint, a sentence each.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Loads the training and validation splits into memory, in the range that they were stored in.
    ///
    /// # Errors
    /// [`crate::Error::Data`] naming the first file at fault.
    pub fn load(config: &DataConfig) -> Result<Self> {
        let source = Source::new(config.folder.as_deref());
        let reading = Reading::open(&source, &[Split::Train, Split::Val], config.ignore_index)?;
        let train = reading.load(Split::Train, config.maps)?;
        let coloured = train.iter().any(|sample| sample.image.channels == 3);
        let channels = match config.channels {
            Channels::Auto if coloured => 3,
            Channels::Auto | Channels::Grey => 1,
            Channels::Rgb => 3,
        };
        let (held_out, train) = hold_out(in_channels(train, channels), &config.held_out)?;
        let normalisation = Normalisation::of(&train, channels);
        let val = load_split(&reading, Split::Val, &normalisation, config.maps)?;
        let Reading { catalogue, classes, mut notes, warnings, .. } = reading;
        if !config.maps && catalogue.maps() > 0 {
            notes.push(format!(
                "left out: {} weight maps; data.maps=true multiplies each pixel's loss with its weight",
                catalogue.maps()
            ));
        }
        let labels = train.iter().map(|sample| sample.labels.as_slice());
        let counts = count(labels, &classes)?;
        Ok(Self { classes, channels, normalisation, counts, train, val, held_out, notes, warnings })
    }
}

impl Dataset {
    /// 16 hexadecimal digits that differ where the training and validation images or their masks do, wherever they lie and whatever
    /// of them is held out.
    pub fn fingerprint(&self) -> String {
        let of_sample = |sample: &Sample| -> (String, u64) {
            let mut hash = Fingerprint::default();
            [sample.height(), sample.width()].iter().for_each(|side| hash.add(&side.to_le_bytes()));
            hash.add(&sample.labels);
            let values = &sample.image.values;
            match values {
                Values::Eight(values) => hash.add(values),
                _ => (0..values.len()).for_each(|at| hash.add(&values.get(at).to_le_bytes())),
            }
            (sample.name.clone(), hash.number())
        };
        let mut all = Fingerprint::default();
        for samples in [vec![&self.train, &self.held_out], vec![&self.val]] {
            let samples: Vec<&Sample> = samples.into_iter().flatten().collect();
            let mut hashes: Vec<(String, u64)> = samples.into_par_iter().map(of_sample).collect();
            hashes.sort();
            all.add(&hashes.len().to_le_bytes());
            for (name, hash) in hashes {
                all.add(name.as_bytes());
                all.add(&hash.to_le_bytes());
            }
        }
        all.text()
    }
}

/// Images of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// Of a split; those of train without what was held out.
    Split(Split),
    /// Of train, and not learned from (`data.held_out`).
    HeldOut,
}

impl Images {
    /// `train`, `val`, `test` or `held_out`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Split(split) => split.name(),
            Self::HeldOut => "held_out",
        }
    }
}

/// Takes the samples whose names begin with one of `beginnings` out of the training images: those, and the others.
///
/// # Errors
/// [`ConfigProblem::Contradiction`] if a beginning is that of no name, or of all.
pub fn hold_out(samples: Vec<Sample>, beginnings: &[String]) -> Result<(Vec<Sample>, Vec<Sample>)> {
    let contradiction = |text: String| Err(ConfigProblem::Contradiction(text).into());
    if let Some(idle) =
        beginnings.iter().find(|b| b.is_empty() || !samples.iter().any(|sample| sample.name.starts_with(*b)))
    {
        return contradiction(format!(
            "`data.held_out` has \"{idle}\", with which no training image's name begins"
        ));
    }
    let (held, train): (Vec<_>, Vec<_>) = samples
        .into_iter()
        .partition(|sample| beginnings.iter().any(|beginning| sample.name.starts_with(beginning)));
    if train.is_empty() && !held.is_empty() {
        return contradiction("`data.held_out` leaves no image to learn from".to_owned());
    }
    Ok((held, train))
}

/// Counts the classes of some masks, image by image; ignored pixels count for nothing.
///
/// # Errors
/// [`crate::Error::Loss`] as [`ClassCounts::add_image`].
pub fn count<'a>(masks: impl IntoIterator<Item = &'a [u8]>, classes: &Classes) -> Result<ClassCounts> {
    let mut counts = ClassCounts::new(classes.count());
    for labels in masks {
        let mut pixels = [0.0; 256];
        labels.iter().for_each(|&label| pixels[usize::from(label)] += 1.0);
        // The label of padding is ignored even where no label of the data is.
        pixels[usize::from(classes.padding_label())] = 0.0;
        counts.add_image(pixels.iter().sum(), &pixels[..classes.count()])?;
    }
    Ok(counts)
}

/// Loads one split for a net whose channels and depth are those of `normalisation`.
///
/// # Errors
/// [`crate::Error::Data`] naming the first file at fault.
pub fn load_split(
    reading: &Reading,
    split: Split,
    normalisation: &Normalisation,
    maps: bool,
) -> Result<Vec<Sample>> {
    let samples = reading.load(split, maps)?;
    // All of a split have one depth.
    if let Some(sample) = samples.first() {
        normalisation.check_depth(&sample.image, &reading.first_image(split)?)?;
    }
    Ok(in_channels(samples, normalisation.mean.len()))
}

fn in_channels(samples: Vec<Sample>, channels: usize) -> Vec<Sample> {
    let convert = |sample: Sample| Sample { image: sample.image.with_channels(channels), ..sample };
    samples.into_par_iter().map(convert).collect()
}

/// Per channel, the mean μ and the deviation σ of the training pixels: the net sees (v − μ) / σ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// μ per channel, in the images' own range.
    pub mean: Vec<f64>,
    /// σ per channel; 1 where every pixel is the same.
    pub deviation: Vec<f64>,
    /// The range of the images.
    #[serde(default, skip_serializing_if = "Depth::is_default")]
    pub depth: Depth,
}

/// n, Σv/n and Σ(v − Σv/n)² of some values.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (n, sum) = values.clone().fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
        let mean = sum / n;
        Self { n, mean, squares: values.map(|value| (value - mean) * (value - mean)).sum() }
    }

    /// Of both together (Chan, Golub & LeVeque 1979): no difference of large sums, as Σv² − n·μ² has it.
    fn with(self, other: Self) -> Self {
        let n = self.n + other.n;
        if n == 0.0 {
            return self;
        }
        let apart = other.mean - self.mean;
        Self {
            n,
            mean: self.mean + apart * other.n / n,
            squares: self.squares + other.squares + apart * apart * self.n * other.n / n,
        }
    }
}

impl Normalisation {
    /// Of the images of some samples, which have so many channels and one depth.
    pub fn of(samples: &[Sample], channels: usize) -> Self {
        let depth = samples.first().map(|sample| sample.image.depth()).unwrap_or_default();
        let variances =
            if depth == Depth::Eight { bytes(samples, channels) } else { deep(samples, channels) };
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        for (mu, variance) in variances {
            let sigma = variance.max(0.0).sqrt();
            mean.push(mu);
            // Of equal values, rounding leaves a deviation that is nothing beside them.
            let smallest = if depth == Depth::Eight { 1e-6 } else { 1e-12 * mu.abs() };
            deviation.push(if sigma > smallest { sigma } else { 1.0 });
        }
        Self { mean, deviation, depth }
    }

    /// Checks that an image has the range of those that the net learned from.
    ///
    /// # Errors
    /// [`DataProblem::OtherDepth`] naming `path`.
    pub fn check_depth(&self, image: &Image, path: &Path) -> Result<()> {
        let found = image.depth();
        if found == self.depth {
            return Ok(());
        }
        let problem = DataProblem::OtherDepth { found: found.name(), expected: self.depth.name() };
        Err(Error::data(path, problem))
    }
}

/// μ and σ² of each channel of 8-bit images: μ = Σv/n, σ² = Σv²/n − μ². The sums are of integers, so they are
/// exact in any order.
fn bytes(samples: &[Sample], channels: usize) -> Vec<(f64, f64)> {
    let sums = |sample: &Sample| {
        let mut sums = vec![(0_u64, 0_u64); channels];
        if let Values::Eight(values) = &sample.image.values {
            for pixel in values.chunks_exact(channels) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    sum.0 += u64::from(value);
                    sum.1 += u64::from(value) * u64::from(value);
                }
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
    let moments = |(sum, squares): (u64, u64)| {
        let mu = sum as f64 / n;
        (mu, squares as f64 / n - mu * mu)
    };
    total.into_iter().map(moments).collect()
}

/// The same of any numbers, added up in the order of the images.
fn deep(samples: &[Sample], channels: usize) -> Vec<(f64, f64)> {
    let of = |sample: &Sample| -> Vec<Moments> {
        let values = &sample.image.values;
        let channel = |c: usize| Moments::of((c..values.len()).step_by(channels).map(|at| values.get(at)));
        (0..channels).map(channel).collect()
    };
    let images: Vec<Vec<Moments>> = samples.par_iter().map(of).collect();
    let total = |c: usize| images.iter().map(|image| image[c]).fold(Moments::default(), Moments::with);
    (0..channels).map(total).map(|moments| (moments.mean, moments.squares / moments.n.max(1.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(channels: usize, values: Values) -> Sample {
        let image = Image { height: 1, width: values.len() / channels, channels, values };
        let labels = vec![0; image.width];
        Sample { name: "a".into(), image, labels, weights: None, origin: "a".into() }
    }

    #[test]
    fn mean_and_deviation_per_channel() {
        let n = Normalisation::of(&[sample(3, Values::Eight(vec![0, 7, 10, 4, 7, 30]))], 3);
        assert_eq!(n.mean, [2.0, 7.0, 20.0]);
        assert_eq!(n.deviation, [2.0, 1.0, 10.0]);
    }

    #[test]
    fn deep_images_keep_their_range() {
        let two =
            [sample(1, Values::Sixteen(vec![1000, 1000, 3000])), sample(1, Values::Sixteen(vec![3000]))];
        let n = Normalisation::of(&two, 1);
        assert_eq!((n.mean[0], n.depth), (2000.0, Depth::Sixteen));
        assert!((n.deviation[0] - 1000.0).abs() <= 1e-12 * 1000.0, "{:?}", n.deviation);
        // σ = 1 beside a mean of ten million: Σv² − n·μ² would leave no digit of it in f32.
        let far = [
            sample(1, Values::Float(vec![1e7 - 1.0, 1e7 + 1.0])),
            sample(1, Values::Float(vec![1e7 - 1.0, 1e7 + 1.0])),
        ];
        let n = Normalisation::of(&far, 1);
        assert_eq!((n.mean, n.deviation), (vec![1e7], vec![1.0]));
        let flat = Normalisation::of(&[sample(1, Values::Float(vec![0.1; 7]))], 1);
        assert_eq!(flat.deviation, [1.0]);
    }

    #[test]
    fn what_is_held_out_is_not_learned_from() {
        let load = |held_out: &[&str]| {
            let held_out = held_out.iter().map(|&text| text.to_owned()).collect();
            Dataset::load(&DataConfig { held_out, ..DataConfig::default() })
        };
        let (all, data) = (load(&[]).unwrap(), load(&["r1", "r0c3"]).unwrap());
        assert_eq!((all.train.len(), data.train.len(), data.held_out.len()), (8, 3, 5));
        assert_eq!(all.fingerprint(), data.fingerprint());
        let mut other = data.clone();
        other.val[1].labels[7] ^= 1;
        assert_ne!(other.fingerprint(), data.fingerprint());
        assert_ne!((all.normalisation, all.counts), (data.normalisation, data.counts));
        for (bad, expected) in [
            (&["r1", "r7"][..], "`data.held_out` has \"r7\", with which no training image's name begins"),
            (&[""], "`data.held_out` has \"\", with"),
            (&["r"], "`data.held_out` leaves no image to learn from"),
        ] {
            let text = load(bad).unwrap_err().to_string();
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn one_set_has_one_depth() {
        let mixed = [sample(1, Values::Eight(vec![0])), sample(1, Values::Sixteen(vec![0]))];
        let n = Normalisation::of(&mixed[..1], 1);
        assert!(n.check_depth(&mixed[0].image, Path::new("b")).is_ok());
        let text = n.check_depth(&mixed[1].image, Path::new("b")).unwrap_err().to_string();
        assert_eq!(
            text,
            "b: is a 16-bit image; the net was trained on 8-bit ones: convert it to the same range"
        );
    }

    #[test]
    fn the_embedded_set_loads() {
        let data = Dataset::load(&DataConfig::default()).unwrap();
        assert_eq!((data.train.len(), data.val.len(), data.channels), (8, 4, 1));
        assert_eq!(data.classes.names, ["background", "nucleus", "boundary"]);
        assert_eq!((data.notes, data.warnings), (vec![], vec![]));
        let reading = Reading::with_classes(&Source::embedded(), &data.classes).unwrap();
        let test = load_split(&reading, Split::Test, &data.normalisation, false).unwrap();
        assert_eq!((test.len(), test[0].image.channels), (4, 1));
    }
}
