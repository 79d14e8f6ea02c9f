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
//! - Reduction: [`Mean`](crate::Reduction::Mean).
//! - ε ≥ −1 (1); 0 is cross-entropy. At −1 the gradient of a right pixel vanishes to second order.
//! - Confidently wrong: p → 0, the gradient tends to ±w; never zero.
//! - An absent class meets no pixel. All ignored: 0.
//!
//! Reference: Leng, Tan, Liu, Cubuk, Shi, Cheng & Anguelov 2022, "PolyLoss: a polynomial expansion perspective of
//! classification loss functions", eq. 5 (Poly-1).

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::pointwise::Pointwise;
use crate::kernels::pointwise::{Cost, Point};
use crate::kind::{Info, LossKind};
use crate::options::{SharedKeys, number, options};
use crate::simd::{Simd, Vector};

options! {
    /// The options of [`poly1_cross_entropy`](self).
    #[derive(Copy)]
    pub struct Poly1CrossEntropy {
        /// ε ≥ −1; 0 is cross-entropy.
        pub epsilon: f64 = 1.0, samples [-1.0, 0.0, 2.5],
    }
}

impl LossKind for Poly1CrossEntropy {
    const INFO: Info = Info {
        summary: "Poly-1: cross-entropy with its first polynomial coefficient moved by ε.",
        formula: "Σ_c w_c·y_c·(−ln p_c + ε·(1 − p_c))",
        reference: "Leng et al. 2022, PolyLoss, eq. 5 (Poly-1)",
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &["", "epsilon = -0.5\n[weights]\nsource = 'per_sample'"];

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        // Below −1 a pixel that is almost right costs more than one that is right.
        number("epsilon", self.epsilon, self.epsilon >= -1.0, "a finite number ≥ −1")
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Pointwise::new(*self)))
    }
}

impl Cost for Poly1CrossEntropy {
    #[inline(always)]
    fn cost_and_pull<V: Vector>(self, at: Point<V>) -> (V, V) {
        let simd = at.q.simd();
        let epsilon = simd.constant(self.epsilon);
        (epsilon.mul_add(at.q, at.nll), epsilon.mul_add(at.p, simd.constant(1.0)))
    }
}
