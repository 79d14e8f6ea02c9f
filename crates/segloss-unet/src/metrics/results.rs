//! All images of an evaluation: enough to make every score again.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::bins::{BINS, Bin};
use super::decision::Rule;
use super::image::{ClassResult, ImageResult, Measures, Pooled};
use super::overlap::Overlap;
use super::surface::UNKNOWN;
use crate::classes::Classes;

/// What was evaluated, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The run's configuration, as [`Config::fingerprint`](crate::Config::fingerprint) has it.
    pub config: String,
    /// Which checkpoint: `best` or `last`.
    pub checkpoint: String,
    /// Its epoch.
    pub epoch: usize,
    /// The name of the data set's folder; `embedded` for the tiles that are compiled in.
    pub data: String,
    /// `train`, `val` or `test`.
    pub split: String,
    /// From logits to a class.
    pub rule: Rule,
    /// Tolerances.
    pub measures: Measures,
}

/// A class that is scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoredClass {
    /// In the masks.
    pub label: u8,
    /// For tables.
    pub name: String,
}

/// Counts and sums of all images of an evaluation. See [`Results::save`] for the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// What was evaluated, and how.
    pub origin: Origin,
    /// Outputs of the net, an ignored one within their range included.
    pub outputs: usize,
    /// Every class but an ignored one, in the order of the labels.
    pub classes: Vec<ScoredClass>,
    /// Mean over the images of the loss of their batch.
    pub loss: f64,
    /// Confidences of the predicted classes.
    pub decided: Vec<Bin>,
    /// For each of the scored classes, its probability at every pixel.
    pub class_bins: Vec<Vec<Bin>>,
    /// Pixels of all images by their true (row) and their predicted class.
    pub confusion: Vec<Vec<u64>>,
    /// In the order of the names.
    pub images: Vec<ImageResult>,
}

impl Results {
    /// Of images that have been counted.
    pub fn new(
        origin: Origin,
        classes: &Classes,
        loss: f64,
        pooled: &Pooled,
        images: Vec<ImageResult>,
    ) -> Self {
        let scored: Vec<usize> = (0..classes.count()).filter(|&class| classes.is_scored(class)).collect();
        // At most 255 classes.
        let row = |&truth: &usize| scored.iter().map(|&class| pooled.confusion[truth][class]).collect();
        let named = |&class: &usize| ScoredClass { label: class as u8, name: classes.names[class].clone() };
        Self {
            origin,
            outputs: classes.count(),
            classes: scored.iter().map(named).collect(),
            loss,
            decided: pooled.decided.sums().to_vec(),
            class_bins: scored.iter().map(|&class| pooled.classes[class].sums().to_vec()).collect(),
            confusion: scored.iter().map(row).collect(),
            images,
        }
    }

    /// Whether the numbers are those of some evaluation: nothing that is read of a file is believed before.
    ///
    /// # Errors
    /// What is contradictory, in words.
    pub fn check(&self) -> Result<(), String> {
        let Self { origin, outputs, classes, loss, decided, class_bins, confusion, images } = self;
        let Measures { tolerance, band_ratio } = origin.measures;
        if !(1..=255).contains(outputs) || classes.is_empty() {
            return Err(format!("{outputs} outputs, {} of them scored; a net has 1 to 255", classes.len()));
        }
        let ascending = classes.windows(2).all(|pair| pair[0].label < pair[1].label);
        if !ascending || classes.iter().any(|class| usize::from(class.label) >= *outputs) {
            return Err(format!("the labels of the classes do not ascend, or are not below {outputs}"));
        }
        if !origin.rule.fits(*outputs) {
            return Err(format!("the rule is not one for {outputs} outputs"));
        }
        let measurable = tolerance >= 0.0 && band_ratio > 0.0;
        if !(measurable && tolerance.is_finite() && band_ratio.is_finite()) {
            return Err(format!("a tolerance of {tolerance} with a band of {band_ratio} of the diagonal"));
        }
        if !loss.is_finite() {
            return Err(format!("a loss of {loss}"));
        }
        // Then no sum of pixels overflows.
        if images.len() > 1 << 22 {
            return Err(format!("{} images", images.len()));
        }
        let mut names = HashSet::new();
        for (position, image) in images.iter().enumerate() {
            let name = &image.name;
            if !names.insert(name) {
                return Err(format!("image `{name}` is there twice"));
            }
            self.check_image(image)
                .map_err(|problem| format!("image {} `{name}`: {problem}", position + 1))?;
        }
        let valid: u64 = images.iter().map(ImageResult::valid_pixels).sum();
        let found: u64 =
            images.iter().flat_map(|image| &image.classes).map(|class| class.overlap.found).sum();
        check_bins(decided, valid, found).map_err(|problem| format!("decided: {problem}"))?;
        if class_bins.len() != classes.len() {
            return Err(format!("bins of {} classes, and {} classes", class_bins.len(), classes.len()));
        }
        if confusion.len() != classes.len() || confusion.iter().any(|row| row.len() != classes.len()) {
            return Err(format!("the confusion matrix is not one of {} classes", classes.len()));
        }
        for (at, (bins, ScoredClass { label, name })) in class_bins.iter().zip(classes).enumerate() {
            let of_class =
                images.iter().flat_map(|image| &image.classes).filter(|class| class.label == *label);
            let mut overlap = Overlap::default();
            of_class.for_each(|class| overlap.add(&class.overlap));
            check_bins(bins, valid, overlap.truth())
                .map_err(|problem| format!("bins of class `{name}`: {problem}"))?;
            let sum = |counts: &mut dyn Iterator<Item = u64>| counts.map(u128::from).sum::<u128>();
            let truth = sum(&mut confusion[at].iter().copied());
            let predicted = sum(&mut confusion.iter().map(|row| row[at]));
            let expected = [overlap.truth(), overlap.predicted(), overlap.found].map(u128::from);
            if [truth, predicted, confusion[at][at].into()] != expected {
                return Err(format!("the confusion matrix's class `{name}` is not that of the images"));
            }
        }
        Ok(())
    }

    fn check_image(&self, image: &ImageResult) -> Result<(), String> {
        let ImageResult { height, width, classes, .. } = image;
        let pixels = match height.checked_mul(*width) {
            Some(pixels) if (1..=1 << 36).contains(&pixels) => pixels as u64,
            _ => return Err(format!("{height} rows of {width} pixels")),
        };
        if !classes.windows(2).all(|pair| pair[0].label < pair[1].label) {
            return Err("the labels do not ascend".to_owned());
        }
        // The largest distance there is; distances are kept to nine digits.
        let diagonal = (*height as f64).hypot(*width as f64) * (1.0 + 1e-8);
        let (mut truth, mut predicted) = (0_u64, 0_u64);
        for class in classes {
            let ClassResult { label, overlap, surface, band, brier, surprise } = class;
            let contradiction = |what: &str| Err(format!("class {label}: {what}"));
            if *label == UNKNOWN || !self.classes.iter().any(|class| class.label == *label) {
                return contradiction("is not among the scored classes");
            }
            let counts = [overlap.found, overlap.claimed, overlap.missed];
            if counts.iter().any(|&count| count > pixels) || counts == [0; 3] {
                return contradiction("has no pixel, or more than the image");
            }
            truth += overlap.truth();
            predicted += overlap.predicted();
            let near = surface.truth_near <= surface.truth && surface.predicted_near <= surface.predicted;
            if !near || surface.truth > overlap.truth() || surface.predicted > overlap.predicted() {
                return contradiction("its outlines are larger than the class");
            }
            let both = surface.truth > 0 && surface.predicted > 0;
            if surface.hd95.is_some() != both || !surface.hd95.is_none_or(|d| (0.0..=diagonal).contains(&d)) {
                return contradiction("its HD95 is no distance between its outlines");
            }
            if (surface.truth_near > 0) != (surface.predicted_near > 0) || (surface.truth_near > 0 && !both) {
                return contradiction("only one of its outlines is near the other");
            }
            let either = overlap.found + overlap.claimed + overlap.missed;
            if band.both > band.either.min(overlap.found) || band.either > either {
                return contradiction("its bands are larger than the class");
            }
            // Each pixel's is at most 2; and nine digits.
            let most = 2.0 * overlap.truth() as f64 * (1.0 + 1e-8);
            let proper = (0.0..=most).contains(brier) && *surprise >= 0.0;
            if !(proper && surprise.is_finite()) {
                return contradiction("its Brier or NLL sum is not one of its pixels");
            }
            if overlap.truth() == 0 && *surprise > 0.0 {
                return contradiction("has an NLL sum and no pixel");
            }
        }
        if truth != predicted || truth > pixels {
            return Err(format!(
                "{truth} pixels in the truth and {predicted} in the prediction, of {pixels} in the image"
            ));
        }
        Ok(())
    }
}

/// Whether bins hold so many pixels, so many of which came true.
fn check_bins(bins: &[Bin], pixels: u64, correct: u64) -> Result<(), String> {
    let total = |count: fn(&Bin) -> u64| bins.iter().map(|bin| u128::from(count(bin))).sum::<u128>();
    let each = bins.iter().all(|bin| {
        // Sums are cut to units of 2⁻³², and rounded once.
        bin.correct <= bin.pixels && (0.0..=bin.pixels as f64).contains(&bin.confidence)
    });
    let (found, came_true) = (total(|bin| bin.pixels), total(|bin| bin.correct));
    if bins.len() != BINS || !each || found != u128::from(pixels) || came_true != u128::from(correct) {
        return Err(format!(
            "{} bins of {found} pixels, {came_true} of which came true; expected {BINS} of {pixels}, {correct}",
            bins.len()
        ));
    }
    Ok(())
}
