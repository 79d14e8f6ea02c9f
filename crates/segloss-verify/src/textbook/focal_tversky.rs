//! Focal Tversky (Abraham & Khan 2019, eq. 4): the Tversky loss of a class to the power 1/γ.

use super::{Pixel, tversky};
use crate::number::{Number, power};
use segloss::LossSpec;

/// The loss of a class in a region.
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, spec: &LossSpec) -> T {
    let gamma = spec.gamma.map_or(T::from_f64(4.0) / T::from_f64(3.0), T::from_f64);
    power(tversky::class(region, c, spec), T::one() / gamma)
}
