//! Numbers that carry their derivatives: a + Σ b_i·ε_i with ε_i·ε_j = 0.

use super::Number;
use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value and its derivatives by any number of variables, in any number type: over [`Big`](super::big::Big) all
/// are right to the last bit of a machine number.
///
/// Derivatives that are 0 are not stored: what a pixel computes depends on its own logits alone.
#[derive(Clone, Debug)]
pub struct Dual<T> {
    /// a.
    pub value: T,
    /// (i, b_i), by i.
    slopes: Vec<(usize, T)>,
}

impl<T: Number> Dual<T> {
    /// Variable number `i`, at `x`.
    pub fn variable(i: usize, x: T) -> Self {
        Self { value: x, slopes: vec![(i, T::one())] }
    }

    /// x at a point that moves along several directions at once: `slopes[i]` is its own rate along direction i.
    pub fn moving(x: T, slopes: impl IntoIterator<Item = T>) -> Self {
        Self { value: x, slopes: slopes.into_iter().enumerate().collect() }
    }

    /// Anything that depends on no variable.
    pub fn constant(x: T) -> Self {
        Self { value: x, slopes: Vec::new() }
    }

    /// The derivative by variable number `i`.
    pub fn slope(&self, i: usize) -> T {
        match self.slopes.binary_search_by_key(&i, |(i, _)| *i) {
            Ok(at) => self.slopes[at].1.clone(),
            Err(_) => T::zero(),
        }
    }

    /// Every slope times the outer derivative.
    fn chained(self, value: T, outer: &T) -> Self {
        let slopes = self.slopes.into_iter().map(|(i, slope)| (i, slope * outer.clone())).collect();
        Self { value, slopes }
    }

    /// `value` with the slopes b_i·mine + d_i·theirs.
    fn joined(self, other: Self, value: T, mine: &T, theirs: &T) -> Self {
        let mut slopes = Vec::with_capacity(self.slopes.len().max(other.slopes.len()));
        let (mut left, mut right) = (self.slopes.into_iter().peekable(), other.slopes.into_iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some((i, _)), Some((j, _))) => i.cmp(j),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Self { value, slopes },
            };
            let of_mine = if order.is_le() { left.next() } else { None };
            let of_theirs = if order.is_ge() { right.next() } else { None };
            slopes.extend(match (of_mine, of_theirs) {
                (Some((i, b)), Some((_, d))) => Some((i, b * mine.clone() + d * theirs.clone())),
                (Some((i, b)), None) => Some((i, b * mine.clone())),
                (None, Some((i, d))) => Some((i, d * theirs.clone())),
                (None, None) => None,
            });
        }
    }
}

impl<T: Number> Number for Dual<T> {
    fn from_f64(x: f64) -> Self {
        Self::constant(T::from_f64(x))
    }

    fn to_f64(&self) -> f64 {
        self.value.to_f64()
    }

    /// (eᵃ)' = eᵃ·b
    fn exp(&self) -> Self {
        let value = self.value.exp();
        self.clone().chained(value.clone(), &value)
    }

    /// (ln a)' = b/a
    fn ln(&self) -> Self {
        let outer = T::one() / self.value.clone();
        self.clone().chained(self.value.ln(), &outer)
    }
}

impl<T: Number + dfdx_conv::reference::Number> dfdx_conv::reference::Number for Dual<T> {
    fn constant(x: f64) -> Self {
        Self::from_f64(x)
    }

    /// (√a)' = b/(2·√a)
    fn square_root(&self) -> Self {
        let value = self.value.square_root();
        let outer = T::one() / (value.clone() + value.clone());
        self.clone().chained(value, &outer)
    }
}

/// Duals compare by their values: a comparison has no derivative.
impl<T: Number> PartialEq for Dual<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Number> PartialOrd for Dual<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Number> Add for Dual<T> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let value = self.value.clone() + other.value.clone();
        self.joined(other, value, &T::one(), &T::one())
    }
}

impl<T: Number> Sub for Dual<T> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let value = self.value.clone() - other.value.clone();
        self.joined(other, value, &T::one(), &-T::one())
    }
}

impl<T: Number> Mul for Dual<T> {
    type Output = Self;

    /// (a·c)' = b·c + d·a
    fn mul(self, other: Self) -> Self {
        let (a, c) = (self.value.clone(), other.value.clone());
        self.joined(other, a.clone() * c.clone(), &c, &a)
    }
}

impl<T: Number> Div for Dual<T> {
    type Output = Self;

    /// (a/c)' = b/c − d·(a/c)/c
    fn div(self, other: Self) -> Self {
        let (a, c) = (self.value.clone(), other.value.clone());
        let value = a / c.clone();
        let theirs = -(value.clone() / c.clone());
        self.joined(other, value, &(T::one() / c), &theirs)
    }
}

impl<T: Number> Neg for Dual<T> {
    type Output = Self;

    fn neg(self) -> Self {
        let value = -self.value.clone();
        self.chained(value, &-T::one())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::big::Big;

    /// f(x) = ln(1 + e^x)·x / (3 − x), whose derivative is written out.
    fn function<T: Number>(x: T) -> T {
        (T::one() + x.exp()).ln() * x.clone() / (T::from_f64(3.0) - x)
    }

    fn derivative(x: f64) -> f64 {
        let (soft, sigmoid) = (x.exp().ln_1p(), 1.0 / (1.0 + (-x).exp()));
        (sigmoid * x + soft) / (3.0 - x) + soft * x / (3.0 - x).powi(2)
    }

    #[test]
    fn the_slope_is_the_derivative() {
        for x in [-4.0, -0.3, 0.0, 0.1, 2.0, 7.0] {
            let by_f64 = function(Dual::variable(0, x)).slope(0);
            let by_big = function(Dual::variable(0, Big::from_f64(x))).slope(0).to_f64();
            assert!((by_f64 - derivative(x)).abs() <= 1e-14 * derivative(x).abs().max(0.1), "{x}");
            assert!((by_big - derivative(x)).abs() <= 1e-14 * derivative(x).abs().max(0.1), "{x}");
        }
    }

    #[test]
    fn each_variable_has_its_own_slope() {
        let (x, y) = (Dual::variable(3, 2.0), Dual::variable(1, 5.0));
        let product = x.clone() * y.clone() - x / y;
        assert_eq!((product.slope(3), product.slope(1)), (5.0 - 1.0 / 5.0, 2.0 + 2.0 / 25.0));
        assert_eq!(product.slope(2), 0.0);
    }

    #[test]
    fn a_constant_has_no_slope() {
        assert_eq!(function(Dual::constant(0.5)).slope(0), 0.0);
        assert_eq!((-Dual::variable(0, 2.0)).slope(0), -1.0);
    }

    #[test]
    fn a_root_has_its_slope() {
        use dfdx_conv::reference::Number as _;
        let root = Dual::variable(0, 2.25).square_root();
        assert_eq!((root.value, root.slope(0)), (1.5, 1.0 / 3.0));
        let root = Dual::moving(Big::from_f64(2.25), [Big::from_f64(6.0)]).square_root();
        assert_eq!((root.value.to_f64(), root.slope(0).to_f64()), (1.5, 2.0));
    }
}
