//! Soft Jaccard: one minus intersection over union (IoU) of each class, averaged over the classes.
//!
//! ```text
//! value     L_c = 1 − (Σ m·p·y + s)/(Σ m·p + Σ m·y − Σ m·p·y + s) = (FP + FN)/(TP + FP + FN + s)
//! squared   L_c = Σ m·(p − y)²/(Σ m·p² + Σ m·y² − Σ m·p·y + s)
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! ```
//!
//! All else as for [`dice`], of which it is a function: J = 2·D/(1 + D).
//!
//! Reference: Rahman & Wang 2016, "Optimizing intersection-over-union in deep neural networks for image
//! segmentation", eq. 3.

use super::dice;
use crate::families::overlap::{Overlap, Ratio};
use crate::spec::LossSpec;

pub(crate) fn family(spec: &LossSpec, classes: usize) -> Overlap<Ratio> {
    let dice = dice::family(spec, classes);
    Overlap { score: Ratio { intersection: 1.0, ..dice.score }, ..dice }
}
