//! The document's S2: −y·ln σ(z).

use super::{Definition, Pixel, reduce, sigmoid};
use crate::case::Case;
use crate::number::Number;
use segloss::kinds::DocumentSigmoid;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, _: &DocumentSigmoid, _: &[Pixel<T>]) -> Definition<T> {
    let case = case.clone();
    Box::new(move |all| reduce::entries(&case, all, entry))
}

/// The loss of one channel of one pixel.
pub fn entry<T: Number>(x: &Pixel<T>, c: usize) -> T {
    -(x.y[c].clone() * sigmoid(x.z[c].clone()).ln())
}
