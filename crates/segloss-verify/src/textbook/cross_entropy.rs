//! Softmax cross-entropy: Σ_c w_c·y_c·(−ln p_c), p_c = e^(z_c)/Σ_j e^(z_j).

use super::pixel::{Pixel, softmax};
use super::reduce::{self, Definition};
use crate::number::{Number, sum};
use segloss::SmoothingWeight;
use segloss::kinds::CrossEntropy;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &CrossEntropy,
    _: &[Pixel<T>],
) -> Definition<T> {
    let case = case.clone();
    let smoothing = options.label_smoothing;
    let of = if options.smoothing_weight == Some(SmoothingWeight::Class) { by_class } else { pixel };
    Box::new(move |all| reduce::pixels(&case, all, |_, x| of(x, smoothing)))
}

/// The loss of one pixel. With smoothing s, which gives s of every label to all classes alike and leaves the
/// pixel the weight of its label: (1 − s)·Σ_c w_c·y_c·(−ln p_c) + s/C·(Σ_c w_c·y_c)·Σ_c −ln p_c.
pub fn pixel<T: Number>(x: &Pixel<T>, smoothing: f64) -> T {
    of(&x.z, &x.y, &x.w, smoothing)
}

/// The same, of any logits and weights.
pub fn of<T: Number>(z: &[T], y: &[T], w: &[T], smoothing: f64) -> T {
    let p = softmax(z);
    let cost = |c: usize| -p[c].ln();
    let classes = 0..z.len();
    let labelled = |c: usize| w[c].clone() * y[c].clone();
    let own = sum(classes.clone().map(|c| labelled(c) * cost(c)));
    let spread = sum(classes.clone().map(labelled)) * sum(classes.map(cost));
    let s = T::from_f64(smoothing);
    (T::one() - s.clone()) * own + s / T::from_f64(z.len() as f64) * spread
}

/// The loss of one pixel whose smoothed label is weighed class by class: Σ_c w_c·y'_c·(−ln p_c) with
/// y' = (1 − s)·y + s/C.
pub fn by_class<T: Number>(x: &Pixel<T>, smoothing: f64) -> T {
    let p = softmax(&x.z);
    let (s, classes) = (T::from_f64(smoothing), T::from_f64(x.z.len() as f64));
    let smoothed = |c: usize| (T::one() - s.clone()) * x.y[c].clone() + s.clone() / classes.clone();
    sum((0..x.z.len()).map(|c| x.w[c].clone() * smoothed(c) * -p[c].ln()))
}
