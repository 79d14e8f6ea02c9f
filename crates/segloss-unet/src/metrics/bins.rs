//! Confidences in bins, and how far they are from what came true: calibration.
//!
//! With n_b pixels in bin b, of which the fraction a_b came true, at a mean confidence of q_b,
//!
//! ```text
//! ECE = Σ_b n_b/n · |a_b − q_b|
//! ```
//!
//! - Of the predicted class's probability: the expected calibration error of Guo et al. 2017, *On Calibration of Modern
//!   Neural Networks*, with their 15 bins of equal width.
//! - Of the probability of one class c at every pixel, where "came true" is "the truth is c": the class-wise ECE of Kull et
//!   al. 2019, *Beyond temperature scaling*, also the static calibration error of Nixon et al. 2019, whose mean over classes is reported.
//!   Theirs is over all classes; here, as everywhere, over those in the truth.
//!
//! A bin holds its right end, as in Guo 2017; torchmetrics' hold their left ends, and it has a bin more for exactly 1.

use serde::{Deserialize, Serialize};

/// Bins of equal width over 0..=1, closed on the right.
pub const BINS: usize = 15;

/// Confidences are added in units of 2⁻³²: integers add up to the same sum in any order.
const UNIT: f64 = (1_u64 << 32) as f64;

/// Counts of any number of pixels. Adding pixels in any grouping gives the same counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bins([Counts; BINS]);

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counts {
    pixels: u64,
    correct: u64,
    /// 4 billion pixels of confidence 1 would overflow 64 bits.
    confidence: u128,
}

/// The pixels whose confidence was about the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, f64)", into = "(u64, u64, f64)")]
pub struct Bin {
    /// How many there are.
    pub pixels: u64,
    /// How many of them came true.
    pub correct: u64,
    /// Their confidences, added.
    pub confidence: f64,
}

impl From<(u64, u64, f64)> for Bin {
    fn from((pixels, correct, confidence): (u64, u64, f64)) -> Self {
        Self { pixels, correct, confidence }
    }
}

impl From<Bin> for (u64, u64, f64) {
    fn from(bin: Bin) -> Self {
        (bin.pixels, bin.correct, bin.confidence)
    }
}

impl Bins {
    /// Counts one pixel.
    pub fn add(&mut self, confidence: f64, correct: bool) {
        let bin = (confidence * BINS as f64).ceil() as usize;
        let bin = &mut self.0[bin.clamp(1, BINS) - 1];
        bin.pixels += 1;
        bin.correct += u64::from(correct);
        bin.confidence += u128::from((confidence * UNIT) as u64);
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            a.pixels += b.pixels;
            a.correct += b.correct;
            a.confidence += b.confidence;
        }
    }

    /// As they are kept.
    pub fn sums(&self) -> [Bin; BINS] {
        self.0.map(|Counts { pixels, correct, confidence }| Bin {
            pixels,
            correct,
            confidence: confidence as f64 / UNIT,
        })
    }
}

/// Σ_b |came true − confidence| / n; none of no pixels.
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let pixels: u64 = bins.iter().map(|bin| bin.pixels).sum();
    let errors = bins.iter().map(|bin| (bin.correct as f64 - bin.confidence).abs() / pixels as f64);
    (pixels > 0).then(|| errors.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Two pixels at 0.8 (bin (0.733, 0.8]), one right; one at 0.3 (bin (0.267, 0.333]), right.
        let mut bins = Bins::default();
        bins.add(0.8, true);
        bins.add(0.8, false);
        bins.add(0.3, true);
        let error = calibration_error(&bins.sums()).unwrap();
        let expected = (2.0 * 0.3 + 1.0 * 0.7) / 3.0;
        // Confidences are kept to 2⁻³².
        assert!((error - expected).abs() < 1e-9, "{error} {expected}");
        assert_eq!(calibration_error(&Bins::default().sums()), None);
    }

    #[test]
    fn a_bin_holds_its_right_end() {
        let mut bins = Bins::default();
        [0.0, 1.0 / 15.0, 1.0].iter().for_each(|&confidence| bins.add(confidence, true));
        let pixels = bins.sums().map(|bin| bin.pixels);
        assert_eq!((pixels[0], pixels[1], pixels[BINS - 1]), (2, 0, 1));
    }

    #[test]
    fn more_confidence_than_64_bits_hold() {
        let mut bins = Bins::default();
        bins.add(1.0, true);
        for _ in 0..40 {
            let twin = bins.clone();
            bins.merge(&twin);
        }
        assert_eq!(bins.sums()[BINS - 1].confidence, (1_u64 << 40) as f64);
        assert_eq!(calibration_error(&bins.sums()), Some(0.0));
    }
}
