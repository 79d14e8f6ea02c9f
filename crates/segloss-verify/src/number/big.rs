//! Numbers of 320 bits: what the textbook makes of them is right to the last bit of any machine number.

use super::Number;
use astro_float_num::{BigFloat, Consts, Radix, RoundingMode};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Bits of a mantissa. The definitions take 1 − p where p is 1 − e^−160 (logits of ±80): 231 bits are gone
/// there, and more are left than an `f64` has.
const PRECISION: usize = 320;
const ROUNDING: RoundingMode = RoundingMode::ToEven;

thread_local! {
    /// ln 2 and the like, computed once. `None` only if there is no memory for them.
    static CONSTANTS: RefCell<Option<Consts>> = RefCell::new(Consts::new().ok());
}

/// A floating-point number with a mantissa of 320 bits.
#[derive(Clone, Debug)]
pub struct Big(BigFloat);

impl Big {
    /// The nearest `f32`, rounded once.
    pub fn to_f32(&self) -> f32 {
        match self.scaled() {
            // In the range of normal numbers; 2^exponent in two factors, as it may itself lie beyond it.
            Some((mantissa, exponent)) if (-125..=126).contains(&exponent) => {
                let half = exponent / 2;
                let near = mantissa as f32 / 2f32.powi(64) * 2f32.powi(half) * 2f32.powi(exponent - half);
                if self.0.is_negative() { -near } else { near }
            }
            _ => self.parsed(f32::NAN, f32::INFINITY),
        }
    }

    /// (m, e) of |x| = m/2⁶⁴·2ᵉ with ½ ≤ m/2⁶⁴ < 1. What 64 bits cannot hold is left as a lowest bit that is
    /// not 0, which is all that rounding m to the nearest asks of it.
    fn scaled(&self) -> Option<(u64, i32)> {
        let (words, _, _, exponent, _) = self.0.as_raw_parts()?;
        let (&top, rest) = words.split_last()?;
        let normal = top >> 63 == 1;
        normal.then(|| (top | u64::from(rest.iter().any(|&word| word != 0)), exponent))
    }

    /// Through decimal digits, all that the mantissa has: reading them back rounds to the nearest. Slow, for
    /// what is no normal number.
    fn parsed<T: std::str::FromStr + Neg<Output = T> + Copy>(&self, nan: T, infinity: T) -> T {
        if self.0.is_nan() {
            return nan;
        }
        if self.0.is_inf() {
            return if self.0.is_negative() { -infinity } else { infinity };
        }
        let digits = with_constants(|constants| self.0.format(Radix::Dec, ROUNDING, constants).ok());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(nan)
    }
}

fn with_constants<R>(compute: impl FnOnce(&mut Consts) -> Option<R>) -> Option<R> {
    CONSTANTS.with_borrow_mut(|constants| constants.as_mut().and_then(compute))
}

fn or_nan(number: Option<BigFloat>) -> Big {
    Big(number.unwrap_or_else(|| BigFloat::nan(None)))
}

impl Number for Big {
    fn from_f64(x: f64) -> Self {
        let exact = |x| Self(BigFloat::from_f64(x, PRECISION));
        // astro-float 0.3.7 halves subnormal numbers: they go in as normal ones.
        let up = 2f64.powi(200);
        if x.is_subnormal() { exact(x * up) / exact(up) } else { exact(x) }
    }

    fn to_f64(&self) -> f64 {
        match self.scaled() {
            Some((mantissa, exponent)) if (-1021..=1022).contains(&exponent) => {
                let half = exponent / 2;
                let near = mantissa as f64 / 2f64.powi(64) * 2f64.powi(half) * 2f64.powi(exponent - half);
                if self.0.is_negative() { -near } else { near }
            }
            _ => self.parsed(f64::NAN, f64::INFINITY),
        }
    }

    fn exp(&self) -> Self {
        or_nan(with_constants(|constants| Some(self.0.exp(PRECISION, ROUNDING, constants))))
    }

    fn ln(&self) -> Self {
        or_nan(with_constants(|constants| Some(self.0.ln(PRECISION, ROUNDING, constants))))
    }
}

impl dfdx_conv::reference::Number for Big {
    fn constant(x: f64) -> Self {
        Self::from_f64(x)
    }

    fn square_root(&self) -> Self {
        Self(self.0.sqrt(PRECISION, ROUNDING))
    }
}

impl PartialEq for Big {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0.cmp(&other.0).map(|sign| sign.cmp(&0))
    }
}

macro_rules! operators {
    ($($name:ident $function:ident),*) => { $(
        impl $name for Big {
            type Output = Self;

            fn $function(self, other: Self) -> Self {
                Self(self.0.$function(&other.0, PRECISION, ROUNDING))
            }
        }
    )* };
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl Neg for Big {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_numbers_come_back_as_they_went_in() {
        for x in [0.0, -0.0, 1.0, -2.5, 0.1, 1e300, -1e-300, f64::MIN_POSITIVE / 8.0, f64::MAX, f64::INFINITY]
        {
            assert_eq!(Big::from_f64(x).to_f64(), x);
            assert_eq!(Big::from_f64(-x).to_f64(), -x);
        }
        assert!(Big::from_f64(f64::NAN).to_f64().is_nan());
        assert_eq!(Big::from_f64(0.1).to_f32(), 0.1_f64 as f32);
    }

    #[test]
    fn both_ways_to_a_machine_number_round_alike() {
        for i in 0..2000 {
            let x = Big::from_f64(f64::from(i) * 0.37 - 350.0).exp() / Big::from_f64(3.0);
            assert_eq!(x.to_f64(), x.parsed(f64::NAN, f64::INFINITY));
            assert_eq!(x.to_f32(), x.parsed(f32::NAN, f32::INFINITY));
        }
        // Halfway between two numbers, and a bit beyond, far down.
        let one = || Big::one();
        let half = Big::from_f64(f64::EPSILON / 2.0);
        assert_eq!((one() + half.clone()).to_f64(), 1.0);
        assert_eq!((one() + half + Big::from_f64(1e-60)).to_f64(), 1.0 + f64::EPSILON);
    }

    #[test]
    fn exponentials_and_logarithms_are_those_of_machine_numbers_rounded() {
        for x in [-700.0, -80.0, -1.5, 0.0, 1e-9, 0.7, 80.0, 700.0] {
            let big = Big::from_f64(x);
            assert!((big.exp().to_f64() / f64::exp(x) - 1.0).abs() <= 2.0 * f64::EPSILON, "{x}");
            assert_eq!(big.exp().ln().to_f64(), x);
        }
        assert_eq!(Big::zero().ln().to_f64(), f64::NEG_INFINITY);
        assert!((-Big::one()).ln().to_f64().is_nan());
        assert_eq!(Big::from_f64(f64::NEG_INFINITY).exp().to_f64(), 0.0);
    }

    #[test]
    fn what_cancels_in_f64_does_not_here() {
        let small = Big::from_f64(-160.0).exp();
        let back = Big::one() - (Big::one() - small.clone());
        assert!((back.to_f64() / small.to_f64() - 1.0).abs() <= f64::EPSILON);
    }

    #[test]
    fn nan_compares_with_nothing() {
        let nan = Big::from_f64(f64::NAN);
        assert!(!(nan <= Big::one()) && !(nan >= Big::one()) && nan != nan);
        assert!(Big::one() > Big::zero() && Big::from_f64(-3.0) < Big::zero());
    }
}
