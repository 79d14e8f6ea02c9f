//! The number types a loss computes in.

use crate::families::blocks::Compiled;
use crate::kernels::instructions::Registers;
use crate::kernels::real::Real;
use num_traits::Float;
use std::fmt::{Debug, Display};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A number type of logits, gradients and per-pixel maps: `f32` or `f64`.
///
/// Each pixel is computed in this type; sums over pixels are always kept in `f64`.
pub trait Element:
    Real + Registers + Compiled + Float + Debug + Display + Send + Sync + sealed::Sealed + 'static
{
    /// The type's name as Rust and NumPy users know it.
    const NAME: &'static str;

    /// The nearest value of this type.
    fn of(value: f64) -> Self;

    /// The same value as `f64`, exactly.
    fn wide(self) -> f64;
}

impl Element for f32 {
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Element for f64 {
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}
