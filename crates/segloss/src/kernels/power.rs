//! Powers of focal losses.

use crate::simd::{Real, Simd, Vector};

/// The largest exponent that products are taken for.
const MOST: f64 = 8.0;

/// x^γ for x ≥ 0; 0⁰ is 1. Where γ is a whole number or half of one, products and a root, each rounded once; any other
/// power is taken number by number, as it needs a logarithm better than the numbers themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Power {
    gamma: f64,
    /// γ in halves, where that is a small whole number.
    halves: Option<u32>,
}

impl Power {
    /// For a finite γ.
    pub fn new(gamma: f64) -> Self {
        let is_half = (2.0 * gamma).fract() == 0.0 && (0.0..=MOST).contains(&gamma);
        Self { gamma, halves: is_half.then_some((2.0 * gamma) as u32) }
    }

    /// γ in all lanes.
    #[inline(always)]
    pub fn gamma<S: Simd>(self, simd: S) -> S::Vector {
        simd.constant(self.gamma)
    }

    /// x^γ.
    #[inline(always)]
    pub fn of<V: Vector>(self, x: V) -> V {
        let Some(halves) = self.halves else {
            let gamma = V::Real::of(self.gamma);
            return x.lanewise(|x| num_traits::Float::powf(x, gamma));
        };
        let mut power = if halves % 2 == 1 { x.sqrt() } else { x.one() };
        for _ in 0..halves / 2 {
            power = power * x;
        }
        power
    }
}
