//! Soft Jaccard (Rahman & Wang 2016, eq. 3): 1 − (TP + s)/(TP + FP + FN + s).

use super::overlap;
use super::pixel::Pixel;
use super::reduce::{self, Definition};
use crate::number::{Number, ratio};
use segloss::kinds::Jaccard;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, options: &Jaccard, _: &[Pixel<T>]) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| reduce::classes(&case, all, |_, x, c| class(x, c, &options)))
}

/// The loss of a class in a region. Squared: the error is D = Σ m·(p − y)².
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, options: &Jaccard) -> T {
    let (sums, s) = (overlap::of(region, c, options.activation), T::from_f64(options.smooth));
    let error = if options.squared { sums.squared_error } else { sums.false_alarms + sums.misses };
    ratio(error.clone(), sums.hits + error + s)
}
