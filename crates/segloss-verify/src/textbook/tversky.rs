//! Tversky (Salehi et al. 2017, eq. 2): 1 − (TP + s)/(TP + α·FP + β·FN + s).

use super::overlap::{self, Overlap};
use super::pixel::Pixel;
use super::reduce::{self, Definition};
use crate::number::{Number, ratio};
use segloss::kinds::Tversky;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, options: &Tversky, _: &[Pixel<T>]) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| reduce::classes(&case, all, |_, x, c| class(x, c, &options)))
}

/// The loss of a class in a region.
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, options: &Tversky) -> T {
    let Tversky { activation, alpha, beta, smooth, .. } = *options;
    of(overlap::of(region, c, activation), T::from_f64(alpha), T::from_f64(beta), T::from_f64(smooth))
}

/// The same of any sums, at any prices and smoothing.
pub fn of<T: Number>(sums: Overlap<T>, alpha: T, beta: T, s: T) -> T {
    let error = alpha * sums.false_alarms + beta * sums.misses;
    ratio(error.clone(), sums.hits + error + s)
}
