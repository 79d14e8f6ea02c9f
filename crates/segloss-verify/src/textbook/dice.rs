//! Soft Dice (Milletari et al. 2016, section 3; Drozdzal et al. 2016): 1 − (2·TP + s)/(2·TP + FP + FN + s).

use super::{Pixel, overlap};
use crate::number::{Number, ratio};
use segloss::LossSpec;

/// The loss of a class in a region. Squared: Σ m·(p − y)²/(Σ m·p² + Σ m·y² + s).
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, spec: &LossSpec) -> T {
    let (sums, s) = (overlap::of(region, c, spec), overlap::smooth(spec, 1e-5));
    if spec.squared == Some(true) {
        return ratio(sums.squared_error, sums.squares + s);
    }
    let error = sums.false_alarms + sums.misses;
    ratio(error.clone(), sums.hits.clone() + sums.hits + error + s)
}
