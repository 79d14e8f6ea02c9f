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

use super::{Pixel, PixelLoss};
use crate::element::Element;
use crate::families::blocks::BlockLoss;
use crate::kernels::cross_entropy::Shape;
use crate::stable::Softmax;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Poly1 {
    /// ε.
    pub epsilon: f64,
}

impl<T: Element> PixelLoss<T> for Poly1 {
    fn kernel(&self) -> Option<BlockLoss> {
        Some(BlockLoss::Softmax(Shape::Poly1 { epsilon: self.epsilon }))
    }

    fn pixel(&self, Pixel { z, y, w, loss, gradient, scratch, .. }: Pixel<'_, T>) {
        let epsilon = T::of(self.epsilon);
        let softmax = Softmax::new(z, gradient);
        let pulls = &mut scratch[..z.len()];
        for c in 0..z.len() {
            let share = y.of(c);
            if !(share > T::zero()) {
                (loss[c], pulls[c]) = (T::zero(), T::zero());
                continue;
            }
            let (p, q) = (softmax.probability(gradient[c]), softmax.complement(c, gradient[c]));
            loss[c] = w.loss[c] * share * (softmax.surprise(z[c]) + epsilon * q);
            pulls[c] = w.gradient[c] * share * epsilon.mul_add(p, T::one());
        }
        let total = pulls.iter().fold(T::zero(), |sum, &pull| sum + pull);
        for (k, g) in gradient.iter_mut().enumerate() {
            *g = softmax.probability(*g) * (total - pulls[k]) - pulls[k] * softmax.complement(k, *g);
        }
    }
}
