//! Focal loss (Lin et al. 2017, eq. 5): (1 − p)^γ·(−ln p), p the probability of what is right.

use super::reduce::entry as of;
use super::{Pixel, others, sigmoid, softmax};
use crate::number::{Number, power, sum};
use segloss::LossSpec;

fn gamma<T: Number>(spec: &LossSpec) -> T {
    T::from_f64(spec.gamma.unwrap_or(2.0))
}

/// Softmax: Σ_c w_c·y_c·(1 − p_c)^γ·(−ln p_c).
pub fn pixel<T: Number>(x: &Pixel<T>, spec: &LossSpec) -> T {
    let p = softmax(&x.z);
    let focused = |c: usize| power(others(&p, c), gamma(spec)) * -p[c].ln();
    sum((0..p.len()).map(|c| x.w[c].clone() * x.y[c].clone() * focused(c)))
}

/// Sigmoid: w⁺·y·(1 − σ)^γ·(−ln σ) + w⁻·(1 − y)·σ^γ·(−ln(1 − σ)).
pub fn entry<T: Number>(x: &Pixel<T>, c: usize, spec: &LossSpec) -> T {
    let (negative, positive, y) = of(x, c);
    let (p, q) = (sigmoid(x.z[c].clone()), sigmoid(-x.z[c].clone()));
    let for_positives = positive * y.clone() * power(q.clone(), gamma(spec)) * -p.ln();
    let for_negatives = negative * (T::one() - y) * power(p, gamma(spec)) * -q.ln();
    for_positives + for_negatives
}
