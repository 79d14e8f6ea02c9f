//! The document's S3: w · softmax cross-entropy, with one scalar w = Σy/size(y).

use super::{Pixel, cross_entropy};
use crate::number::Number;

/// The loss of one pixel; every column of `w` holds the scalar.
pub fn pixel<T: Number>(x: &Pixel<T>) -> T {
    let ones = vec![T::one(); x.z.len()];
    x.w[0].clone() * cross_entropy::of(&x.z, &x.y, &ones, 0.0)
}
