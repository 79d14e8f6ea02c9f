//! What a textbook definition needs of its numbers.

pub mod big;
pub mod dual;

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A real number that the textbook computes with.
///
/// `f64`, for values and finite differences; [`Big`](big::Big), for values without rounding; and
/// [`Dual`](dual::Dual) of either, for gradients. Nothing here is `Copy`, no precision is assumed, and constants
/// come in through [`Number::from_f64`].
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

/// x^exponent for x ≥ 0, as e^(exponent·ln x), with 0⁰ = 1. Of other powers of 0 the definitions say that they
/// vanish, and their slope with them.
pub(crate) fn power<T: Number>(x: T, exponent: T) -> T {
    match (exponent == T::zero(), x == T::zero()) {
        (true, _) => T::one(),
        (_, true) => T::zero(),
        _ => (exponent * x.ln()).exp(),
    }
}

/// The larger of two numbers.
pub(crate) fn larger<T: Number>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

/// The smaller of two numbers.
pub(crate) fn smaller<T: Number>(a: T, b: T) -> T {
    if b < a { b } else { a }
}

/// Whichever way the number points.
pub(crate) fn absolute<T: Number>(x: T) -> T {
    if x < T::zero() { -x } else { x }
}

/// a/b; nothing of nothing is nothing.
pub(crate) fn ratio<T: Number>(a: T, b: T) -> T {
    if b == T::zero() { T::zero() } else { a / b }
}

/// Σ of the terms, by halves: in machine numbers the error then grows with the logarithm of their number.
pub(crate) fn sum<T: Number>(terms: impl IntoIterator<Item = T>) -> T {
    let mut terms: Vec<T> = terms.into_iter().collect();
    while terms.len() > 1 {
        let mut left = terms.into_iter();
        terms = Vec::with_capacity(left.len().div_ceil(2));
        while let Some(first) = left.next() {
            terms.push(match left.next() {
                Some(second) => first + second,
                None => first,
            });
        }
    }
    terms.pop().unwrap_or_else(T::zero)
}
