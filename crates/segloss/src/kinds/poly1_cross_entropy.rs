//! Poly-1: cross-entropy with the first coefficient of its expansion in 1 − p moved by ε.
//!
//! ```text
//! value     L = Σ_c w_c·y_c·(−ln p_c + ε·(1 − p_c))
//! gradient  ∂L/∂z_k = p_k·Σ_{c≠k} a_c − a_k·(1 − p_k),    a_c = w_c·y_c·(1 + ε·p_c)
//! ```
//!
//! −ln p = Σ_j (1 − p)^j/j; ε changes what a pixel costs that is nearly right, and leaves the rest.
//!
//! - Shapes, targets, weights: as for [`cross_entropy`](super::cross_entropy).
//! - Denominator: [`WeightSum`](crate::Denominator::WeightSum).
//! - ε ≥ −1 (1); 0 is cross-entropy. At −1 the gradient of a right pixel vanishes to second order.
//! - Confidently wrong: p → 0, the gradient tends to ±w; never zero.
//! - An absent class meets no pixel. All ignored: 0.
//!
//! Reference: Leng, Tan, Liu, Cubuk, Shi, Cheng & Anguelov 2022, "PolyLoss: a polynomial expansion perspective of
//! classification loss functions", eq. 5 (Poly-1).

use crate::families::pointwise::Pointwise;
use crate::kernels::pointwise::{Cost, Point};
use crate::simd::{Simd, Vector};
use crate::spec::{LossSpec, Number};

pub(crate) fn family(spec: &LossSpec) -> Pointwise<Poly1> {
    Pointwise::new(Poly1 { epsilon: spec.number(Number::Epsilon) })
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Poly1 {
    /// ε.
    epsilon: f64,
}

impl Cost for Poly1 {
    #[inline(always)]
    fn cost_and_pull<V: Vector>(self, at: Point<V>) -> (V, V) {
        let simd = at.q.simd();
        let epsilon = simd.constant(self.epsilon);
        (epsilon.mul_add(at.q, at.nll), epsilon.mul_add(at.p, simd.constant(1.0)))
    }
}
