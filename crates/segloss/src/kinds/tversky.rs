//! Tversky: an overlap in which false positives and false negatives have prices of their own.
//!
//! ```text
//! value     L_c = 1 − (TP + s)/(TP + α·FP + β·FN + s) = (α·FP + β·FN)/(TP + α·FP + β·FN + s)
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! ```
//!
//! α (0.3) is the price of what is taken for the class and is not, β (0.7) of what is missed. α = β = ½ is
//! [`dice`](super::dice) with half its s, α = β = 1 is [`jaccard`](super::jaccard).
//!
//! The ratio is taken class by class. Over all classes together Σ FP = Σ FN under softmax, and α and β would
//! be the same number.
//!
//! All else as for [`dice`](super::dice).
//!
//! Reference: Salehi, Erdogmus & Gholipour 2017, "Tversky loss function for image segmentation using 3D fully
//! convolutional deep networks", eq. 2.

use super::dice;
use crate::families::overlap::{Overlap, Ratio};
use crate::spec::{LossSpec, Number};

pub(crate) fn family(spec: &LossSpec, classes: usize) -> Overlap<Ratio> {
    let dice = dice::family(spec, classes);
    let (alpha, beta) = (spec.number(Number::Alpha), spec.number(Number::Beta));
    Overlap { score: Ratio { intersection: 1.0, alpha, beta, ..dice.score }, ..dice }
}
