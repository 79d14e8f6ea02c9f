//! Soft Dice (Milletari et al. 2016, section 3; Drozdzal et al. 2016): 1 − (2·TP + s)/(2·TP + FP + FN + s).

use super::overlap;
use super::pixel::Pixel;
use super::reduce::{self, Definition};
use crate::number::{Number, ratio};
use segloss::kinds::Dice;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, options: &Dice, _: &[Pixel<T>]) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| reduce::classes(&case, all, |_, x, c| class(x, c, &options)))
}

/// The loss of a class in a region. Squared: Σ m·(p − y)²/(Σ m·p² + Σ m·y² + s).
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, options: &Dice) -> T {
    let (sums, s) = (overlap::of(region, c, options.activation), T::from_f64(options.smooth));
    if options.squared {
        return ratio(sums.squared_error, sums.squares + s);
    }
    let error = sums.false_alarms + sums.misses;
    ratio(error.clone(), sums.hits.clone() + sums.hits + error + s)
}
