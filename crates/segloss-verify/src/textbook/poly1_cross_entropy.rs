//! Poly-1 (Leng et al. 2022, eq. 5): Σ_c w_c·y_c·(−ln p_c + ε·(1 − p_c)).

use super::{Pixel, others, softmax};
use crate::number::{Number, sum};
use segloss::LossSpec;

/// The loss of one pixel.
pub fn pixel<T: Number>(x: &Pixel<T>, spec: &LossSpec) -> T {
    let p = softmax(&x.z);
    let epsilon = T::from_f64(spec.epsilon.unwrap_or(1.0));
    let cost = |c: usize| -p[c].ln() + epsilon.clone() * others(&p, c);
    sum((0..p.len()).map(|c| x.w[c].clone() * x.y[c].clone() * cost(c)))
}
