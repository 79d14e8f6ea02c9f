//! Dice semimetric loss (Wang et al. 2023, eq. 7): Σ|p − y|/(2·Σ min(p, y) + Σ|p − y| + s).

use super::overlap;
use super::pixel::Pixel;
use super::reduce::{self, Definition};
use crate::number::{Number, ratio};
use segloss::kinds::DiceSemimetric;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &DiceSemimetric,
    _: &[Pixel<T>],
) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| reduce::classes(&case, all, |_, x, c| class(x, c, &options)))
}

/// The loss of a class in a region.
fn class<T: Number>(region: &[&Pixel<T>], c: usize, options: &DiceSemimetric) -> T {
    let (sums, s) = (overlap::of(region, c, options.activation), T::from_f64(options.smooth));
    let error = sums.distance;
    ratio(error.clone(), sums.common.clone() + sums.common + error + s)
}
