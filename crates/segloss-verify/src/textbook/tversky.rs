//! Tversky (Salehi et al. 2017, eq. 2): 1 − (TP + s)/(TP + α·FP + β·FN + s).

use super::{Pixel, overlap};
use crate::number::{Number, ratio};
use segloss::LossSpec;

/// The loss of a class in a region.
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, spec: &LossSpec) -> T {
    let (alpha, beta) = (spec.alpha.unwrap_or(0.3), spec.beta.unwrap_or(0.7));
    of(region, c, spec, T::from_f64(alpha), T::from_f64(beta), overlap::smooth(spec, 1e-5))
}

/// The same at any prices and smoothing.
pub fn of<T: Number>(region: &[&Pixel<T>], c: usize, spec: &LossSpec, alpha: T, beta: T, s: T) -> T {
    let sums = overlap::of(region, c, spec);
    let error = alpha * sums.false_alarms + beta * sums.misses;
    ratio(error.clone(), sums.hits + error + s)
}
