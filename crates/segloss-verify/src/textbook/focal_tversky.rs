//! Focal Tversky (Abraham & Khan 2019, eq. 4): the Tversky loss of a class to the power 1/γ.

use super::pixel::Pixel;
use super::reduce::{self, Definition};
use super::{overlap, tversky};
use crate::number::{Number, power};
use segloss::kinds::FocalTversky;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &FocalTversky,
    _: &[Pixel<T>],
) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| reduce::classes(&case, all, |_, x, c| class(x, c, &options)))
}

/// The loss of a class in a region.
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, options: &FocalTversky) -> T {
    let FocalTversky { activation, alpha, beta, smooth, gamma, .. } = *options;
    let sums = overlap::of(region, c, activation);
    let loss = tversky::of(sums, T::from_f64(alpha), T::from_f64(beta), T::from_f64(smooth));
    // The paper's 4/3, which is no number of 64 bits, is meant by the nearest one.
    let thirds = T::from_f64(4.0) / T::from_f64(3.0);
    let gamma = if gamma == 4.0 / 3.0 { thirds } else { T::from_f64(gamma) };
    power(loss, T::one() / gamma)
}
