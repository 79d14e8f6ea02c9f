//! The document's S2: −y·ln σ(z).

use super::sigmoid;
use crate::number::Number;

/// The loss of one channel of one pixel.
pub fn entry<T: Number>(z: T, y: T) -> T {
    -(y * sigmoid(z).ln())
}
