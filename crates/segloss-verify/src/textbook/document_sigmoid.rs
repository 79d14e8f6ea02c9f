//! The document's S2: −y·ln σ(z).

use super::{Pixel, sigmoid};
use crate::number::Number;

/// The loss of one channel of one pixel.
pub fn entry<T: Number>(x: &Pixel<T>, c: usize) -> T {
    -(x.y[c].clone() * sigmoid(x.z[c].clone()).ln())
}
