//! Focal loss (Lin et al. 2017, eq. 5): (1 − p)^γ·(−ln p), p the probability of what is right.

use super::pixel::{Pixel, others, sigmoid, softmax};
use super::reduce::{self, Definition, entry as of};
use crate::number::{Number, power, sum};
use segloss::Activation;
use segloss::kinds::Focal;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, options: &Focal, _: &[Pixel<T>]) -> Definition<T> {
    let case = case.clone();
    let gamma = options.gamma;
    match options.activation {
        Activation::Softmax => Box::new(move |all| reduce::pixels(&case, all, |_, x| pixel(x, gamma))),
        Activation::Sigmoid => Box::new(move |all| reduce::entries(&case, all, |x, c| entry(x, c, gamma))),
    }
}

/// Softmax: Σ_c w_c·y_c·(1 − p_c)^γ·(−ln p_c).
pub fn pixel<T: Number>(x: &Pixel<T>, gamma: f64) -> T {
    let (p, gamma) = (softmax(&x.z), T::from_f64(gamma));
    let focused = |c: usize| power(others(&p, c), gamma.clone()) * -p[c].ln();
    sum((0..p.len()).map(|c| x.w[c].clone() * x.y[c].clone() * focused(c)))
}

/// Sigmoid: w⁺·y·(1 − σ)^γ·(−ln σ) + w⁻·(1 − y)·σ^γ·(−ln(1 − σ)).
pub fn entry<T: Number>(x: &Pixel<T>, c: usize, gamma: f64) -> T {
    let gamma = T::from_f64(gamma);
    let (negative, positive, y) = of(x, c);
    let (p, q) = (sigmoid(x.z[c].clone()), sigmoid(-x.z[c].clone()));
    let for_positives = positive * y.clone() * power(q.clone(), gamma.clone()) * -p.ln();
    let for_negatives = negative * (T::one() - y) * power(p, gamma.clone()) * -q.ln();
    for_positives + for_negatives
}
