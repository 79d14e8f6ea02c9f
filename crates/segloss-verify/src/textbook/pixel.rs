//! A pixel as a definition sees it, and its probabilities.

use crate::number::{Number, sum};

/// A pixel that is not ignored, with all that a definition may want of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixel<T> {
    /// Its image.
    pub n: usize,
    /// Its place there.
    pub p: usize,
    /// m, what it counts for.
    pub m: T,
    /// z, after any shift.
    pub z: Vec<T>,
    /// What it should be.
    pub y: Vec<T>,
    /// A weight for each class, or a (negative, positive) pair for each channel.
    pub w: Vec<T>,
}

/// p_c = e^(z_c)/Σ_j e^(z_j).
pub(crate) fn softmax<T: Number>(z: &[T]) -> Vec<T> {
    let total = sum(z.iter().map(T::exp));
    z.iter().map(|z| z.exp() / total.clone()).collect()
}

/// 1 − p_c = Σ_{j≠c} p_j, without the cancellation.
pub(crate) fn others<T: Number>(p: &[T], c: usize) -> T {
    sum((0..p.len()).filter(|&j| j != c).map(|j| p[j].clone()))
}

/// σ(z) = 1/(1 + e^(−z)).
pub(crate) fn sigmoid<T: Number>(z: T) -> T {
    T::one() / (T::one() + (-z).exp())
}
