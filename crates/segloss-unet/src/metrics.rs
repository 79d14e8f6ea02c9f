//! How good a segmentation is: counts first, scores from the counts.
//!
//! Pixels with the ignored label are not counted at all. With TP, FP and FN the pixels of a class that
//! were found, wrongly claimed and missed:
//!
//! | score | formula |
//! |---|---|
//! | IoU | TP / (TP + FP + FN) |
//! | Dice | 2·TP / (2·TP + FP + FN) |
//! | precision | TP / (TP + FP); none if the class was never predicted |
//! | recall | TP / (TP + FN) |
//! | accuracy | Σ TP / valid pixels |
//! | class average | mean recall of the classes present |
//! | mean IoU, mean Dice | mean over the classes present |
//! | calibration error | Σ_b n_b/n · \|accuracy_b − confidence_b\| (Guo 2017), see [`Tally::BINS`] |
//!
//! **A class without a pixel in the truth is absent**: its scores are `None` and no mean counts it. Where
//! it was predicted all the same, those pixels are misses of the classes that are there.

use serde::Serialize;

use crate::classes::Classes;
use crate::real::Real;

/// Counts over any number of images. Adding images in any grouping gives the same counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    classes: usize,
    /// `confusion[truth · classes + predicted]`, in pixels.
    confusion: Vec<u64>,
    bins: [Bin; Tally::BINS],
}

/// The pixels whose prediction had about the same confidence.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bin {
    pixels: u64,
    correct: u64,
    /// Σ confidence, in units of 2⁻³²: integers add up to the same sum in any order.
    confidence: u64,
}

/// The class a pixel is given, and the probability the net gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The scored class of the largest logit; the first of equals.
    pub class: usize,
    /// Its softmax probability among the scored classes.
    pub confidence: f64,
}

/// Decides one pixel from its logits; `scored` says which classes may win.
pub fn decide<E: Real>(logits: &[E], scored: &[bool]) -> Decision {
    let mut class = 0;
    let mut largest = E::neg_infinity();
    for (c, (&logit, _)) in logits.iter().zip(scored).enumerate().filter(|(_, (_, scored))| **scored) {
        // The first scored class is taken even if its logit is NaN or −∞.
        if logit > largest || !scored[class] {
            (class, largest) = (c, logit);
        }
    }
    let exponentials = logits.iter().zip(scored).filter(|(_, scored)| **scored);
    // The largest logit is taken out, so its own term is exactly 1 and nothing overflows.
    let sum: f64 = exponentials.map(|(&logit, _)| (logit - largest).wide().exp()).sum();
    Decision { class, confidence: 1.0 / sum }
}

impl Tally {
    /// Confidences fall into 15 bins of equal width over 0..=1, closed on the right, as in Guo 2017.
    pub const BINS: usize = 15;

    /// Nothing counted yet, for a net of so many outputs.
    pub fn new(classes: usize) -> Self {
        Self { classes, confusion: vec![0; classes * classes], bins: [Bin::default(); Self::BINS] }
    }

    /// Counts one pixel whose truth is a class (ignored pixels are the caller's to leave out).
    pub fn add(&mut self, truth: usize, decision: Decision) {
        self.confusion[truth * self.classes + decision.class] += 1;
        let bin = (decision.confidence * Self::BINS as f64).ceil() as usize;
        let bin = &mut self.bins[bin.clamp(1, Self::BINS) - 1];
        bin.pixels += 1;
        bin.correct += u64::from(truth == decision.class);
        bin.confidence += (decision.confidence * (1_u64 << 32) as f64) as u64;
    }

    /// Adds the counts of another tally of the same classes.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.confusion.iter_mut().zip(&other.confusion) {
            *a += b;
        }
        for (a, b) in self.bins.iter_mut().zip(&other.bins) {
            a.pixels += b.pixels;
            a.correct += b.correct;
            a.confidence += b.confidence;
        }
    }

    /// Pixels of class `truth` that were given class `predicted`.
    pub fn pixels(&self, truth: usize, predicted: usize) -> u64 {
        self.confusion[truth * self.classes + predicted]
    }

    /// The scores of what has been counted.
    pub fn scores(&self, classes: &Classes) -> Scores {
        let scored = (0..self.classes).filter(|&class| classes.is_scored(class));
        let per_class: Vec<ClassScores> = scored.map(|class| self.class_scores(class, classes)).collect();
        let valid: u64 = self.confusion.iter().sum();
        let correct: u64 = (0..self.classes).map(|class| self.pixels(class, class)).sum();
        let calibration_error = self.bins.iter().filter(|bin| bin.pixels > 0).map(|bin| {
            (bin.correct as f64 - bin.confidence as f64 / (1_u64 << 32) as f64).abs() / valid as f64
        });
        Scores {
            valid_pixels: valid,
            accuracy: ratio(correct, valid),
            class_average: mean(per_class.iter().map(|class| class.recall)),
            mean_iou: mean(per_class.iter().map(|class| class.iou)),
            mean_dice: mean(per_class.iter().map(|class| class.dice)),
            calibration_error: (valid > 0).then(|| calibration_error.sum()),
            classes: per_class,
        }
    }

    fn class_scores(&self, class: usize, classes: &Classes) -> ClassScores {
        let found = self.pixels(class, class);
        let pixels: u64 = (0..self.classes).map(|predicted| self.pixels(class, predicted)).sum();
        let predicted: u64 = (0..self.classes).map(|truth| self.pixels(truth, class)).sum();
        let present = |score: Option<f64>| score.filter(|_| pixels > 0);
        ClassScores {
            label: class,
            name: classes.names.get(class).cloned().unwrap_or_default(),
            pixels,
            predicted,
            iou: present(ratio(found, pixels + predicted - found)),
            dice: present(ratio(2 * found, pixels + predicted)),
            precision: present(ratio(found, predicted)),
            recall: present(ratio(found, pixels)),
        }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(scores: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let present: Vec<f64> = scores.flatten().collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

/// The scores of a set of images. All are parts of 1; `None` where there was nothing to score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Pixels that are not ignored.
    pub valid_pixels: u64,
    /// The part of the valid pixels that are right.
    pub accuracy: Option<f64>,
    /// Mean recall of the classes present.
    pub class_average: Option<f64>,
    /// Mean IoU of the classes present.
    pub mean_iou: Option<f64>,
    /// Mean Dice of the classes present.
    pub mean_dice: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: Option<f64>,
    /// Every class but an ignored one, in the order of the labels.
    pub classes: Vec<ClassScores>,
}

/// The scores of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScores {
    /// Its label in the masks.
    pub label: usize,
    /// Its name.
    pub name: String,
    /// Pixels of the class in the truth; if 0, the class is absent and has no scores.
    pub pixels: u64,
    /// Valid pixels predicted to be of the class.
    pub predicted: u64,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// Dice coefficient, the F1 score.
    pub dice: Option<f64>,
    /// Precision.
    pub precision: Option<f64>,
    /// Recall.
    pub recall: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(count: usize, ignore_index: Option<u8>) -> Classes {
        Classes::numbered(count, ignore_index)
    }

    fn sure(class: usize) -> Decision {
        Decision { class, confidence: 1.0 }
    }

    #[test]
    fn scores_by_hand() {
        // truth \ predicted:  c0: 3 1 0   c1: 2 4 0   c2: absent, claimed once from c0.
        let mut tally = Tally::new(3);
        for (truth, predicted, n) in [(0, 0, 3), (0, 1, 1), (1, 0, 2), (1, 1, 4), (0, 2, 1)] {
            for _ in 0..n {
                tally.add(truth, sure(predicted));
            }
        }
        let scores = tally.scores(&classes(3, None));
        let [c0, c1, c2] = &scores.classes[..] else { panic!("three classes") };
        assert_eq!((c0.pixels, c0.predicted), (5, 5));
        assert_eq!(c0.iou, Some(3.0 / 7.0));
        assert_eq!(c0.dice, Some(6.0 / 10.0));
        assert_eq!((c0.precision, c0.recall), (Some(3.0 / 5.0), Some(3.0 / 5.0)));
        assert_eq!(c1.iou, Some(4.0 / 7.0));
        assert_eq!((c1.precision, c1.recall), (Some(4.0 / 5.0), Some(4.0 / 6.0)));
        assert_eq!((c2.pixels, c2.predicted), (0, 1));
        assert_eq!((c2.iou, c2.dice, c2.precision, c2.recall), (None, None, None, None));
        assert_eq!(scores.accuracy, Some(7.0 / 11.0));
        assert_eq!(scores.mean_iou, Some(0.5));
        assert_eq!(scores.class_average, Some((3.0 / 5.0 + 4.0 / 6.0) / 2.0));
        // Every prediction was sure, 4 of 11 wrong.
        assert_eq!(scores.calibration_error, Some(4.0 / 11.0));
    }

    #[test]
    fn a_class_never_predicted_scores_zero_but_has_no_precision() {
        let mut tally = Tally::new(2);
        tally.add(1, sure(0));
        let scores = tally.scores(&classes(2, None));
        assert_eq!((scores.classes[1].iou, scores.classes[1].precision), (Some(0.0), None));
        assert_eq!(scores.mean_iou, Some(0.0));
    }

    #[test]
    fn nothing_counted_is_none_and_not_nan() {
        let scores = Tally::new(2).scores(&classes(2, None));
        assert_eq!((scores.accuracy, scores.mean_iou, scores.calibration_error), (None, None, None));
    }

    #[test]
    fn calibration_by_hand() {
        // Two pixels at 0.8 (bin (0.733, 0.8]), one right; one at 0.3 (bin (0.267, 0.333]), right.
        let mut tally = Tally::new(2);
        tally.add(0, Decision { class: 0, confidence: 0.8 });
        tally.add(1, Decision { class: 0, confidence: 0.8 });
        tally.add(1, Decision { class: 1, confidence: 0.3 });
        let error = tally.scores(&classes(2, None)).calibration_error.unwrap();
        let expected = (2.0 * 0.3 + 1.0 * 0.7) / 3.0;
        // Confidences are kept to 2⁻³².
        assert!((error - expected).abs() < 1e-9, "{error} {expected}");
    }

    #[test]
    fn an_ignored_class_within_the_range_never_wins_and_has_no_row() {
        let classes = classes(3, Some(0));
        let scored: Vec<bool> = (0..3).map(|c| classes.is_scored(c)).collect();
        let decision = decide(&[9.0_f32, 1.0, 1.0], &scored);
        assert_eq!(decision, Decision { class: 1, confidence: 0.5 });
        let mut tally = Tally::new(3);
        tally.add(1, decision);
        assert_eq!(tally.scores(&classes).classes.iter().map(|c| c.label).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn decisions_at_the_extremes() {
        assert_eq!(decide(&[1e30_f64, -1e30], &[true, true]), sure(0));
        assert_eq!(decide(&[0.0_f32, 0.0, 0.0, 0.0], &[true; 4]).confidence, 0.25);
        assert_eq!(decide(&[f32::NEG_INFINITY, 0.0], &[false, true]).class, 1);
    }

    #[test]
    fn merging_is_adding() {
        let (mut a, mut b, mut both) = (Tally::new(2), Tally::new(2), Tally::new(2));
        for i in 0..100 {
            let decision = Decision { class: i % 2, confidence: 0.5 + i as f64 / 250.0 };
            both.add(i / 50, decision);
            if i % 3 == 0 { a.add(i / 50, decision) } else { b.add(i / 50, decision) }
        }
        a.merge(&b);
        assert_eq!(a, both);
    }
}
