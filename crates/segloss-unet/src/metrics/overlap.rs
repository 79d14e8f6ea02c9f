//! TP, FP and FN of a class, and the ratios of them.
//!
//! IoU is Jaccard 1912's coefficient, Dice that of Dice 1945, and F_β van Rijsbergen's (1979): recall counts β times
//! as much as precision, and F_1 is Dice.

use serde::{Deserialize, Serialize};

/// The pixels of a class that were found, claimed wrongly and missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlap {
    /// TP: of the class, and predicted to be.
    pub found: u64,
    /// FP: of another class, and predicted to be of this one.
    pub claimed: u64,
    /// FN: of the class, and predicted to be of another.
    pub missed: u64,
}

impl Overlap {
    /// Pixels of the class in the truth.
    pub fn truth(&self) -> u64 {
        self.found + self.missed
    }

    /// Pixels predicted to be of the class.
    pub fn predicted(&self) -> u64 {
        self.found + self.claimed
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.found += other.found;
        self.claimed += other.claimed;
        self.missed += other.missed;
    }

    /// TP / (TP + FP + FN); none if the class is not in the truth.
    pub fn iou(&self) -> Option<f64> {
        self.of_present(ratio(self.found, self.found + self.claimed + self.missed))
    }

    /// 2·TP / (2·TP + FP + FN); none if the class is not in the truth.
    pub fn dice(&self) -> Option<f64> {
        self.of_present(ratio(2 * self.found, 2 * self.found + self.claimed + self.missed))
    }

    /// TP / (TP + FP); none if the class is not in the truth, or was never predicted.
    pub fn precision(&self) -> Option<f64> {
        self.of_present(ratio(self.found, self.predicted()))
    }

    /// TP / (TP + FN); none if the class is not in the truth.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.found, self.truth())
    }

    /// (1 + β²)·TP / ((1 + β²)·TP + FP + β²·FN); none if the class is not in the truth.
    pub fn f_beta(&self, beta: f64) -> Option<f64> {
        // Divided by β² where 1 is nothing beside it, so that a β of any size comes to recall.
        if beta > 1e8 {
            let rest = 1.0 / beta / beta;
            let found = (1.0 + rest) * self.found as f64;
            let whole = found + rest * self.claimed as f64 + self.missed as f64;
            return self.of_present(Some(if self.found == 0 { 0.0 } else { found / whole }));
        }
        let (found, square) = ((1.0 + beta * beta) * self.found as f64, beta * beta);
        // β = 0 is precision, and 0 where nothing was predicted, as the limit is.
        let whole = found + self.claimed as f64 + square * self.missed as f64;
        self.of_present(Some(if self.found == 0 { 0.0 } else { found / whole }))
    }

    fn of_present(&self, score: Option<f64>) -> Option<f64> {
        score.filter(|_| self.truth() > 0)
    }
}

/// None of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Of the scores that there are; none if there is none.
pub(crate) fn mean(scores: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, n) = scores.flatten().fold((0.0, 0_usize), |(sum, n), score| (sum + score, n + 1));
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_in_both_in_one_and_in_neither() {
        let of = |found, claimed, missed| {
            let overlap = Overlap { found, claimed, missed };
            let scores = (overlap.iou(), overlap.dice(), overlap.precision(), overlap.recall());
            (scores, overlap.f_beta(2.0))
        };
        // F_2 by hand: 5·3 / (5·3 + 1 + 4·2).
        assert_eq!(of(3, 1, 2), ((Some(0.5), Some(6.0 / 9.0), Some(0.75), Some(0.6)), Some(15.0 / 24.0)));
        assert_eq!(of(0, 0, 2), ((Some(0.0), Some(0.0), None, Some(0.0)), Some(0.0)));
        assert_eq!(of(0, 7, 0), ((None, None, None, None), None));
        assert_eq!(of(0, 0, 0), ((None, None, None, None), None));
    }

    #[test]
    fn f_1_is_dice_and_the_limits_are_precision_and_recall() {
        let overlap = Overlap { found: 3, claimed: 1, missed: 2 };
        assert_eq!(overlap.f_beta(1.0), overlap.dice());
        assert_eq!(overlap.f_beta(0.0), overlap.precision());
        // 1e-10: the precision's share is 1/β².
        assert!((overlap.f_beta(1e6).unwrap() - overlap.recall().unwrap()).abs() < 1e-10);
        for beta in [1e8, 1.1e8, 1e160, 1e200, f64::MAX] {
            assert!((overlap.f_beta(beta).unwrap() - overlap.recall().unwrap()).abs() < 1e-15, "{beta}");
        }
        assert_eq!(Overlap { found: 0, ..overlap }.f_beta(1e200), Some(0.0));
    }
}
