//! The document's S2: −y·ln σ(z).

use super::pixel::{Pixel, sigmoid};
use super::reduce::{self, Definition};
use crate::number::Number;
use segloss::kinds::DocumentSigmoid;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, _: &DocumentSigmoid, _: &[Pixel<T>]) -> Definition<T> {
    let case = case.clone();
    Box::new(move |all| reduce::entries(&case, all, entry))
}

/// The loss of one channel of one pixel.
pub fn entry<T: Number>(x: &Pixel<T>, c: usize) -> T {
    -(x.y[c].clone() * sigmoid(x.z[c].clone()).ln())
}
