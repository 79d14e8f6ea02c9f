//! The document's S3: w · softmax cross-entropy, with one scalar w = Σy/size(y).

use super::cross_entropy;
use super::pixel::Pixel;
use super::reduce::{self, Definition};
use crate::number::Number;
use segloss::kinds::DocumentCategorical;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    _: &DocumentCategorical,
    _: &[Pixel<T>],
) -> Definition<T> {
    let case = case.clone();
    Box::new(move |all| reduce::pixels(&case, all, |_, x| pixel(x)))
}

/// The loss of one pixel; every column of `w` holds the scalar.
pub fn pixel<T: Number>(x: &Pixel<T>) -> T {
    let ones = vec![T::one(); x.z.len()];
    x.w[0].clone() * cross_entropy::of(&x.z, &x.y, &ones, 0.0)
}
