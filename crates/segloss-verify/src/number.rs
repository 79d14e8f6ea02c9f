//! What a textbook definition needs of its numbers.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A real number that the textbook computes with.
///
/// Today that is `f64`. Big floats and forward dual numbers fit as well: nothing here is `Copy`, no
/// precision is assumed, and constants come in through [`Number::from_f64`].
pub trait Number:
    Clone
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// A constant; exact.
    fn from_f64(x: f64) -> Self;
    /// The nearest `f64`.
    fn to_f64(&self) -> f64;
    /// e to this power.
    fn exp(&self) -> Self;
    /// The natural logarithm: −∞ at 0, NaN below.
    fn ln(&self) -> Self;

    /// 0.
    fn zero() -> Self {
        Self::from_f64(0.0)
    }

    /// 1.
    fn one() -> Self {
        Self::from_f64(1.0)
    }
}

impl Number for f64 {
    fn from_f64(x: f64) -> Self {
        x
    }

    fn to_f64(&self) -> f64 {
        *self
    }

    fn exp(&self) -> Self {
        Self::exp(*self)
    }

    fn ln(&self) -> Self {
        Self::ln(*self)
    }
}

/// Σ of the terms, in order.
pub(crate) fn sum<T: Number>(terms: impl IntoIterator<Item = T>) -> T {
    terms.into_iter().fold(T::zero(), |total, term| total + term)
}
