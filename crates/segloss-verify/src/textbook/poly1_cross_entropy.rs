//! Poly-1 (Leng et al. 2022, eq. 5): Σ_c w_c·y_c·(−ln p_c + ε·(1 − p_c)).

use super::pixel::{Pixel, others, softmax};
use super::reduce::{self, Definition};
use crate::number::{Number, sum};
use segloss::kinds::Poly1CrossEntropy;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &Poly1CrossEntropy,
    _: &[Pixel<T>],
) -> Definition<T> {
    let case = case.clone();
    let epsilon = options.epsilon;
    Box::new(move |all| reduce::pixels(&case, all, |_, x| pixel(x, epsilon)))
}

/// The loss of one pixel.
pub fn pixel<T: Number>(x: &Pixel<T>, epsilon: f64) -> T {
    let p = softmax(&x.z);
    let epsilon = T::from_f64(epsilon);
    let cost = |c: usize| -p[c].ln() + epsilon.clone() * others(&p, c);
    sum((0..p.len()).map(|c| x.w[c].clone() * x.y[c].clone() * cost(c)))
}
