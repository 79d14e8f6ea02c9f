//! Sigmoid cross-entropy: w⁺·y·(−ln σ(z)) + w⁻·(1 − y)·(−ln(1 − σ(z))).

use super::pixel::{Pixel, sigmoid};
use super::reduce::{self, Definition, entry as of};
use crate::number::Number;
use segloss::kinds::BinaryCrossEntropy;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &BinaryCrossEntropy,
    _: &[Pixel<T>],
) -> Definition<T> {
    let case = case.clone();
    let smoothing = options.label_smoothing;
    Box::new(move |all| reduce::entries(&case, all, |x, c| entry(x, c, smoothing)))
}

/// The loss of one channel of one pixel. With smoothing s both sides get s/2, and the entry keeps its
/// weight ω = w⁺·y + w⁻·(1 − y): (1 − s)·L + s/2·ω·(−ln σ(z) − ln(1 − σ(z))).
pub fn entry<T: Number>(x: &Pixel<T>, c: usize, smoothing: f64) -> T {
    let (negative, positive, y) = of(x, c);
    let z = x.z[c].clone();
    // 1 − σ(z) = σ(−z), without the cancellation.
    let (of_positive, of_negative) = (-sigmoid(z.clone()).ln(), -sigmoid(-z).ln());
    let (positive, negative) = (positive * y.clone(), negative * (T::one() - y));
    let own = positive.clone() * of_positive.clone() + negative.clone() * of_negative.clone();
    let spread = (positive + negative) * (of_positive + of_negative);
    let s = T::from_f64(smoothing);
    (T::one() - s.clone()) * own + s / T::from_f64(2.0) * spread
}
