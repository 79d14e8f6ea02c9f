//! The document's S1, to the letter:
//! (1 − w)·y·−ln(max(0, σ(z) + 0.5 − th)) + (1 − y)·w·−ln(1 − max(0, σ(z) + 0.5 − th)).

use super::pixel::{Pixel, sigmoid};
use super::reduce::{self, Definition, entry as of};
use crate::number::{Number, larger};
use segloss::Threshold;
use segloss::kinds::DocumentBinary;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, _: &DocumentBinary, _: &[Pixel<T>]) -> Definition<T> {
    let (case, threshold) = (case.clone(), threshold(case));
    Box::new(move |all| reduce::entries(&case, all, |x, c| entry(x, c, threshold)))
}

/// The loss of one channel of one pixel; NaN and ∞ where the formula gives them.
pub fn entry<T: Number>(x: &Pixel<T>, c: usize, threshold: f64) -> T {
    let (w, one_minus_w, y) = of(x, c);
    let u = larger(T::zero(), sigmoid(x.z[c].clone()) + T::from_f64(0.5 - threshold));
    one_minus_w * y.clone() * -u.ln() + (T::one() - y) * w * -(T::one() - u).ln()
}

/// th, "default 1/nClasses"; one channel tells two classes apart.
pub fn threshold(case: &Case) -> f64 {
    match case.spec.threshold {
        Some(Threshold::Document(th)) => th,
        _ => 1.0 / case.grid.classes.max(2) as f64,
    }
}
