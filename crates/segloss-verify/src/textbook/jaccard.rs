//! Soft Jaccard (Rahman & Wang 2016, eq. 3): 1 − (TP + s)/(TP + FP + FN + s).

use super::{Pixel, overlap};
use crate::number::{Number, ratio};
use segloss::LossSpec;

/// The loss of a class in a region. Squared: the error is D = Σ m·(p − y)².
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, spec: &LossSpec) -> T {
    let (sums, s) = (overlap::of(region, c, spec), overlap::smooth(spec, 1e-5));
    let squared = spec.squared == Some(true);
    let error = if squared { sums.squared_error } else { sums.false_alarms + sums.misses };
    ratio(error.clone(), sums.hits + error + s)
}
