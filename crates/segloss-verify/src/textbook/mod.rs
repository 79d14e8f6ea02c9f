//! One definition per loss, slow and obvious: what the fast code is judged by.
//!
//! Written from the papers and the source document alone: no code is shared with `segloss`, only the
//! specification's types. Each file has the name that its kind has in `segloss` and defines one pixel;
//! the loop over pixels, the weights and the denominator are here and in [`weights`].
//!
//! The definitions take logarithms of probabilities as they stand in the books, so that they hold for
//! moderate logits (|z| < 30 in `f64`); larger ones have closed forms of their own in the checks.

pub mod binary_cross_entropy;
pub mod class_prediction;
pub mod cross_entropy;
pub mod document_binary;
pub mod document_categorical;
pub mod document_sigmoid;
pub mod weights;

use crate::case::Case;
use crate::number::{Number, sum};
use segloss::{Denominator, Kind, Threshold};

/// A loss by its definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// numerator / denominator, or 0 where no pixel counts.
    pub value: T,
    /// Σ of the loss map.
    pub numerator: T,
    /// What it is divided by.
    pub denominator: T,
    /// The weighted loss of each pixel, (N, P), or of each pixel and class, laid out like the logits.
    pub map: Vec<T>,
    /// The weights, a row for each image.
    pub weights: Vec<Vec<T>>,
}

/// Whether every channel is a problem of its own: the map has an entry for each, and weights come in
/// (negative, positive) pairs.
pub fn is_binary(kind: Kind) -> bool {
    match kind {
        Kind::BinaryCrossEntropy | Kind::DocumentBinary | Kind::DocumentSigmoid => true,
        Kind::CrossEntropy | Kind::DocumentCategorical => false,
    }
}

/// The loss of `case` at `logits`, which lie as the case's own do.
pub fn evaluate<T: Number>(case: &Case, logits: &[T]) -> Answer<T> {
    evaluate_with(case, logits, weights::rows(case))
}

/// The same with weights that were computed before: they do not depend on the logits.
pub fn evaluate_with<T: Number>(case: &Case, logits: &[T], weights: Vec<Vec<T>>) -> Answer<T> {
    let (grid, kind) = (&case.grid, case.spec.kind);
    let binary = is_binary(kind);
    let size = if binary { grid.len() } else { grid.images * grid.pixels() };
    let mut map = vec![T::zero(); size];
    let mut weight_sum = T::zero();
    let mut valid_pixels = 0;
    for n in 0..grid.images {
        for p in 0..grid.pixels() {
            if case.is_ignored(n, p) {
                continue;
            }
            valid_pixels += 1;
            let w = &weights[n];
            let z: Vec<T> =
                (0..grid.classes).map(|c| shifted(case, c, logits[case.at(n, c, p)].clone())).collect();
            let y: Vec<T> = (0..grid.classes).map(|c| T::from_f64(case.target(n, p, c))).collect();
            if !binary {
                map[n * grid.pixels() + p] = match kind {
                    Kind::DocumentCategorical => document_categorical::pixel(&z, &y, w),
                    _ => cross_entropy::pixel(&z, &y, w),
                };
                weight_sum = weight_sum + sum((0..grid.classes).map(|c| w[c].clone() * y[c].clone()));
                continue;
            }
            for c in 0..grid.classes {
                let (negative, positive) = (w[2 * c].clone(), w[2 * c + 1].clone());
                let (z, y) = (z[c].clone(), y[c].clone());
                weight_sum =
                    weight_sum + positive.clone() * y.clone() + negative.clone() * (T::one() - y.clone());
                map[case.at(n, c, p)] = match kind {
                    Kind::DocumentBinary => {
                        document_binary::entry(z, y, negative, positive, document_binary::threshold(case))
                    }
                    Kind::DocumentSigmoid => document_sigmoid::entry(z, y),
                    _ => binary_cross_entropy::entry(z, y, negative, positive),
                };
            }
        }
    }
    let numerator = sum(map.iter().cloned());
    let count = |n: usize| T::from_f64(n as f64);
    let denominator = match case.spec.denominator() {
        Denominator::WeightSum => weight_sum,
        Denominator::ValidPixels => count(valid_pixels),
        Denominator::Elements => count(size),
        Denominator::Images => count(grid.images),
        Denominator::PerPixel => T::one(),
        Denominator::Constant(x) => T::from_f64(x),
    };
    let value = match denominator > T::zero() {
        true => numerator.clone() / denominator.clone(),
        false => T::zero(),
    };
    Answer { value, numerator, denominator, map, weights }
}

/// z' = z − ln τ_c, or z − ln(th/(1 − th)) for a channel that is a problem of its own.
fn shifted<T: Number>(case: &Case, class: usize, z: T) -> T {
    let Some(Threshold::LogitShift(thresholds)) = &case.spec.threshold else { return z };
    let threshold = T::from_f64(thresholds[class]);
    match is_binary(case.spec.kind) {
        true => z - (threshold.clone() / (T::one() - threshold)).ln(),
        false => z - threshold.ln(),
    }
}

/// σ(z) = 1/(1 + e^(−z)).
pub(crate) fn sigmoid<T: Number>(z: T) -> T {
    T::one() / (T::one() + (-z).exp())
}
