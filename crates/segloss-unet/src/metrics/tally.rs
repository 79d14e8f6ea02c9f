//! Counts over all pixels of all images, and the usual scores of them: what training looks at after each epoch.
//!
//! The definitions are those of [`Overlap`] and of [`bins`](super::bins); [`Report`](super::Report) has more of them.

use serde::Serialize;

use super::bins::{Bins, calibration_error};
use super::decision::Decision;
use super::overlap::{Overlap, mean, ratio};
use crate::classes::Classes;

/// Counts over any number of images. Adding images in any grouping gives the same counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    classes: usize,
    /// `confusion[truth · classes + predicted]`, in pixels.
    confusion: Vec<u64>,
    bins: Bins,
}

impl Tally {
    /// Nothing counted yet, for a net of so many outputs.
    pub fn new(classes: usize) -> Self {
        Self { classes, confusion: vec![0; classes * classes], bins: Bins::default() }
    }

    /// Counts one pixel whose truth is a class (ignored pixels are the caller's to leave out).
    pub fn add(&mut self, truth: usize, decision: Decision) {
        self.confusion[truth * self.classes + decision.class] += 1;
        self.bins.add(decision.confidence, truth == decision.class);
    }

    /// Adds the counts of another tally of the same classes.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.confusion.iter_mut().zip(&other.confusion) {
            *a += b;
        }
        self.bins.merge(&other.bins);
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
        Scores {
            valid_pixels: valid,
            accuracy: ratio(correct, valid),
            class_average: mean(per_class.iter().map(|class| class.recall)),
            mean_iou: mean(per_class.iter().map(|class| class.iou)),
            mean_dice: mean(per_class.iter().map(|class| class.dice)),
            calibration_error: calibration_error(&self.bins.sums()),
            classes: per_class,
        }
    }

    fn class_scores(&self, class: usize, classes: &Classes) -> ClassScores {
        let found = self.pixels(class, class);
        let pixels: u64 = (0..self.classes).map(|predicted| self.pixels(class, predicted)).sum();
        let predicted: u64 = (0..self.classes).map(|truth| self.pixels(truth, class)).sum();
        let overlap = Overlap { found, claimed: predicted - found, missed: pixels - found };
        ClassScores {
            label: class,
            name: classes.names.get(class).cloned().unwrap_or_default(),
            pixels,
            predicted,
            iou: overlap.iou(),
            dice: overlap.dice(),
            precision: overlap.precision(),
            recall: overlap.recall(),
        }
    }
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
    use super::super::decision::decide;
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
