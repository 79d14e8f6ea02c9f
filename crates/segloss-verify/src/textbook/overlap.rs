//! What the overlap losses are ratios of: TP = Σ m·p·y, FP = Σ m·p·(1 − y), FN = Σ m·(1 − p)·y.

use super::pixel::{Pixel, sigmoid, softmax};
use crate::number::{Number, absolute, smaller, sum};
use segloss::Activation;

/// The sums of a class over a region.
pub struct Overlap<T> {
    /// TP.
    pub hits: T,
    /// FP.
    pub false_alarms: T,
    /// FN.
    pub misses: T,
    /// Σ m·(p − y)².
    pub squared_error: T,
    /// Σ m·p² + Σ m·y².
    pub squares: T,
    /// TN = Σ m·(1 − p)·(1 − y).
    pub rejections: T,
    /// Σ m·min(p, y).
    pub common: T,
    /// Σ m·|p − y|.
    pub distance: T,
}

/// p of a class.
fn probability<T: Number>(x: &Pixel<T>, c: usize, activation: Activation) -> T {
    match activation {
        Activation::Softmax => softmax(&x.z)[c].clone(),
        Activation::Sigmoid => sigmoid(x.z[c].clone()),
    }
}

/// The overlap of a class with what is predicted of it.
pub fn of<T: Number>(region: &[&Pixel<T>], c: usize, activation: Activation) -> Overlap<T> {
    let p: Vec<T> = region.iter().map(|x| probability(x, c, activation)).collect();
    let total = |term: fn(T, T) -> T| {
        sum(region.iter().zip(&p).map(|(x, p)| x.m.clone() * term(p.clone(), x.y[c].clone())))
    };
    Overlap {
        hits: total(|p, y| p * y),
        false_alarms: total(|p, y| p * (T::one() - y)),
        misses: total(|p, y| (T::one() - p) * y),
        squared_error: total(|p, y| (p.clone() - y.clone()) * (p - y)),
        squares: total(|p, y| p.clone() * p + y.clone() * y),
        rejections: total(|p, y| (T::one() - p) * (T::one() - y)),
        common: total(smaller),
        distance: total(|p, y| absolute(p - y)),
    }
}
