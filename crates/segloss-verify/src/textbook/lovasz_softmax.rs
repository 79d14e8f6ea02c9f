//! Lovász-softmax (Berman et al. 2018, eqs. 8 and 9): errors 1 − p where the class is, p elsewhere.

use super::lovasz;
use super::pixel::{Pixel, others, softmax};
use super::reduce::{self, Definition};
use crate::number::{Number, sum};
use segloss::kinds::LovaszSoftmax;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    _: &LovaszSoftmax,
    here: &[Pixel<T>],
) -> Definition<T> {
    let (case, slopes) = (case.clone(), lovasz::slopes(case, here, error));
    Box::new(move |all| reduce::classes(&case, all, |r, x, c| class(x, c, &slopes[r][c])))
}

/// How wrong a pixel is about a class.
pub fn error<T: Number>(x: &Pixel<T>, c: usize) -> T {
    let p = softmax(&x.z);
    if x.y[c] > T::zero() { others(&p, c) } else { p[c].clone() }
}

/// The loss of a class in a region.
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, slopes: &[T]) -> T {
    sum(region.iter().zip(slopes).map(|(x, slope)| slope.clone() * error(x, c)))
}
