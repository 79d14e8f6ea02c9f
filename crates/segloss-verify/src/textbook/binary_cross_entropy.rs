//! Sigmoid cross-entropy: w⁺·y·(−ln σ(z)) + w⁻·(1 − y)·(−ln(1 − σ(z))).

use super::sigmoid;
use crate::number::Number;

/// The loss of one channel of one pixel.
pub fn entry<T: Number>(z: T, y: T, negative: T, positive: T) -> T {
    // 1 − σ(z) = σ(−z), without the cancellation.
    let for_positives = positive * y.clone() * -sigmoid(z.clone()).ln();
    let for_negatives = negative * (T::one() - y) * -sigmoid(-z).ln();
    for_positives + for_negatives
}
