//! The document's S3: w · softmax cross-entropy, with one scalar w = Σy/size(y).

use super::cross_entropy;
use crate::number::Number;

/// The loss of one pixel; every column of `w` holds the scalar.
pub fn pixel<T: Number>(z: &[T], y: &[T], w: &[T]) -> T {
    let ones = vec![T::one(); z.len()];
    w[0].clone() * cross_entropy::pixel(z, y, &ones)
}
