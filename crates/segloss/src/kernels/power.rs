//! Powers of focal losses.

use super::vector::Vector;
use crate::element::Element;

/// The largest exponent that products are taken for.
const MOST: f64 = 8.0;

/// x^γ for a γ that is a whole number or half of one: products and a root, each rounded once. Any other power needs a
/// logarithm better than the numbers themselves, which is left to the scalar formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    gamma: f64,
    whole: u32,
    half: bool,
}

impl Power {
    /// `None` where γ is no such number, or a large one.
    pub fn new(gamma: f64) -> Option<Self> {
        let is_half = (2.0 * gamma).fract() == 0.0;
        (is_half && (0.0..=MOST).contains(&gamma)).then_some(Self {
            gamma,
            whole: gamma as u32,
            half: gamma.fract() != 0.0,
        })
    }

    /// γ.
    #[inline(always)]
    pub fn gamma<V: Vector>(self) -> V {
        V::splat(V::Real::of(self.gamma))
    }

    /// Whether it is 1 for every x.
    #[inline(always)]
    pub fn is_one(self) -> bool {
        self.gamma == 0.0
    }

    /// x^γ for x ≥ 0; 0⁰ is 1.
    #[inline(always)]
    pub fn of<V: Vector>(self, x: V) -> V {
        let mut power = if self.half { x.sqrt() } else { V::splat(V::Real::of(1.0)) };
        for _ in 0..self.whole {
            power = power * x;
        }
        power
    }
}
