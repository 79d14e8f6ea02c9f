//! Matthews' correlation coefficient: one minus the correlation of what is predicted and what is there.
//!
//! ```text
//! value     L_c = 1 − (TP·TN − FP·FN)/√((TP + FP)·(TP + FN)·(TN + FP)·(TN + FN) + s)
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! ```
//!
//! TP, FP, FN and TN are sums of m·p·y, m·p·(1 − y), m·(1 − p)·y and m·(1 − p)·(1 − y) over a region. Unlike an overlap it
//! counts what is rightly left out: of a class that covers most of an image, Dice is near 0 whatever is predicted.
//!
//! Where the correlation is near 1, it and the slopes are taken as sums of terms of one sign, never as a difference.
//!
//! - Shapes, targets, activation, regions, classes, reduction: as for [`dice`](super::dice).
//! - Between 0 and 2: 1 of a prediction that says nothing, 2 of one that is all wrong.
//! - A class without a pixel, or without a pixel of any other, correlates with nothing: L_c = 1, without a slope, wherever
//!   something of it is predicted (of the other); 0 where nothing is. `classes = "present"` leaves out the former.
//! - s (`smooth`) is 0, as in the paper.
//! - Dialects: MONAI's `MCCLoss` is this with s = 1e-5 (its `smooth_dr`) and `smooth_nr` = 0; segmentation_models_pytorch's
//!   takes probabilities, adds ε to each of the four sums, and has one correlation for all classes together.
//! - Confidently wrong: as for [`dice`](super::dice), the gradient vanishes with p·(1 − p) by the definition.
//!
//! Reference: Abhishek & Hamarneh 2021, "Matthews correlation coefficient loss for deep convolutional networks:
//! application to skin lesion segmentation", eqs. 3 to 5.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::kernels::overlap::Form;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{Activation, Average, Classes, Region, SharedKeys, average_acts, options, smooth};
use crate::regions::overlap::{Overlaps, Score, Slopes};
use ndarray::ArrayView1;

options! {
    /// The options of [`mcc`](self).
    pub struct Mcc {
        /// softmax, or sigmoid for classes that may overlap.
        pub activation: Activation = Activation::Softmax,
        /// s ≥ 0, beneath the root.
        pub smooth: f64 = 0.0, samples [0.1, 1.0],
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
        /// beside region = image: over all (image, class) pairs, or over images, of the means over their classes.
        pub average: Option<Average> = None, samples [Average::Pairs, Average::Images],
        /// all, present, or foreground: which classes of a region count.
        pub classes: Classes = Classes::All, samples [Classes::All, Classes::Present, Classes::Foreground],
    }
}

impl LossKind for Mcc {
    const INFO: Info = Info {
        summary: "Matthews' correlation: one minus the correlation of prediction and label, true negatives included.",
        formula: "mean_c w_c·(1 − (TP·TN − FP·FN)/√((TP + FP)·(TP + FN)·(TN + FP)·(TN + FN)))",
        reference: "Abhishek & Hamarneh 2021, Matthews correlation coefficient loss for deep convolutional networks, eqs. 3-5",
        structure: Structure::Overlap,
        activation: None,
        reach: Reach::WithSlope,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "activation = 'sigmoid'\nregion = 'image'",
        "classes = 'present'\nregion = 'image'\naverage = 'images'",
        "classes = 'foreground'",
        "[weights]\nsource = 'per_batch'",
    ];

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        smooth(self.smooth)?;
        average_acts(self.average, self.region, self.classes, shared.weights)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        let score = Correlation { smooth: self.smooth };
        Some(Box::new(Overlap { score, form: Form::Confusion, sigmoid: self.activation.is_sigmoid() }))
    }
}

/// Of each class by itself.
struct Correlation {
    /// s.
    smooth: f64,
}

impl Score for Correlation {
    fn score(&self, sums: &Overlaps, w: ArrayView1<'_, f64>) -> Slopes {
        let mut slopes = Slopes::zeros(w.len());
        for c in (0..w.len()).filter(|&c| w[c] > 0.0) {
            let counts = [sums.tp[c], sums.fp[c], sums.fn_[c], sums.tn[c]];
            let (loss, [tp, fp, fn_, tn]) = correlation(counts, self.smooth);
            slopes.loss[c] = w[c] * loss;
            (slopes.tp[c], slopes.fp[c]) = (w[c] * tp, w[c] * fp);
            (slopes.fn_[c], slopes.tn[c]) = (w[c] * fn_, w[c] * tn);
        }
        slopes
    }
}

/// 1 − ρ and its derivatives by a = TP, b = FP, c = FN and d = TN, with
///
/// ```text
/// ρ = N/D,   N = ad − bc,   D² = (a + b)(a + c)(d + b)(d + c) + s
/// D² − N² = 4abcd + (ad + bc)(ab + cd + ac + bd) + (ac + bd)(ab + cd) + s
/// ∂ρ/∂a =   (½(d + b)(d + c)·(d(ab + ac + 2bc) + bc(2a + b + c)) + ds)/D³        and so for d
/// ∂ρ/∂b = − (½(a + c)(d + c)·(ad(a + d + 2b + 2c) + bc(a + d)) + cs)/D³          and so for c
/// ```
fn correlation([a, b, c, d]: [f64; 4], s: f64) -> (f64, [f64; 4]) {
    let square = (a + b) * (a + c) * (d + b) * (d + c) + s;
    // Nothing wrong is no error, whatever there is.
    if !(b + c > 0.0) {
        return (0.0, [0.0; 4]);
    }
    // One side is empty, and correlates with nothing.
    if !(square > 0.0) {
        return (1.0, [0.0; 4]);
    }
    let (n, root) = (a * d - b * c, square.sqrt());
    let loss = if n > 0.5 * root {
        let apart = 4.0 * a * b * c * d
            + (a * d + b * c) * (a * b + c * d + a * c + b * d)
            + (a * c + b * d) * (a * b + c * d)
            + s;
        apart / (root * (root + n))
    } else {
        1.0 - n / root
    };
    // D³ lies below the smallest number where a + b is 1e-300, of a class that is predicted nowhere; D² and D do not.
    let gained = |a: f64, d: f64| {
        let common = d * (a * b + a * c + 2.0 * b * c) + b * c * (2.0 * a + b + c);
        ((d + b) * (d + c) / 2.0 * common + d * s) / square / root
    };
    let lost = |b: f64, c: f64| {
        let common = a * d * (a + d + 2.0 * b + 2.0 * c) + b * c * (a + d);
        ((a + c) * (d + c) / 2.0 * common + c * s) / square / root
    };
    (loss, [-gained(a, d), lost(b, c), lost(c, b), -gained(d, a)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_correlation_of_counts_is_the_textbook_s() {
        let counts = [6.0, 2.0, 1.0, 3.0];
        for s in [0.0, 5.0] {
            let by_hand = |[a, b, c, d]: [f64; 4]| {
                1.0 - (a * d - b * c) / ((a + b) * (a + c) * (d + b) * (d + c) + s).sqrt()
            };
            let (loss, slopes) = correlation(counts, s);
            assert!((loss - by_hand(counts)).abs() <= 1e-15);
            for i in 0..4 {
                let step = |h: f64| {
                    let mut counts = counts;
                    counts[i] += h;
                    by_hand(counts)
                };
                let slope = (step(1e-5) - step(-1e-5)) / 2e-5;
                assert!((slopes[i] - slope).abs() <= 1e-9, "{i}: {} {slope}", slopes[i]);
            }
        }
    }

    #[test]
    fn nearly_right_keeps_its_digits_and_one_sided_counts_have_no_slope() {
        // b = c = h beside a = d = 1: ρ = (1 − h²)/(1 + h)² = (1 − h)/(1 + h).
        let h = 1e-12;
        let (loss, _) = correlation([1.0, h, h, 1.0], 0.0);
        assert!((loss / (2.0 * h / (1.0 + h)) - 1.0).abs() <= 1e-15, "{loss:e}");
        assert_eq!(correlation([0.0, 0.0, 0.0, 4.0], 0.0), (0.0, [0.0; 4]));
        assert_eq!(correlation([0.0, 1.0, 0.0, 3.0], 0.0), (1.0, [0.0; 4]));
        assert_eq!(correlation([0.0, 2.0, 2.0, 0.0], 0.0).0, 2.0);
        // A class of a pixel that is predicted nowhere: ρ = a/√(a·1·2·3).
        let (loss, slopes) = correlation([1e-300, 0.0, 1.0, 2.0], 0.0);
        assert_eq!(loss, 1.0);
        assert!(slopes.iter().all(|slope| slope.is_finite()), "{slopes:?}");
    }
}
