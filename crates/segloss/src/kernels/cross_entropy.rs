//! Softmax cross-entropy of pixels with a class each: the formulas of
//! [`kinds::cross_entropy`](crate::kinds::cross_entropy) and, with γ > 0, of
//! [`kinds::focal`](crate::kinds::focal); of [`kinds::poly1_cross_entropy`](crate::kinds::poly1_cross_entropy).

use super::block::{NO_CLASS, Planes};
use super::instructions::Kernel;
use super::power::Power;
use super::vector::{Vector, exp_nonpositive, is_zero, ln_1p_nonnegative};
use crate::element::Element;

/// What is made of −ln p of the pixel's class.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Cross-entropy: nothing.
    Plain,
    /// Focal: (1 − p)^γ times it.
    Focal(Power),
    /// Poly-1: ε·(1 − p) more.
    Poly1 { epsilon: f64 },
}

/// Writes gradient and losses. Returns whether all logits of pixels that count, all losses and all of the gradient are
/// finite.
pub(crate) struct CrossEntropy<'a, 'b, T> {
    pub planes: Planes<'a, 'b, T>,
    /// The weight of each class in the loss.
    pub w_loss: &'a [T],
    /// The same divided by the denominator.
    pub w_gradient: &'a [T],
    pub shape: Shape,
}

impl<T: Element> Kernel<T> for CrossEntropy<'_, '_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<V: Vector<Real = T>>(self) -> bool {
        let Self { planes: Planes { z, gradient, class, m, loss }, w_loss, w_gradient, shape } = self;
        let (zero, one) = (V::splat(T::zero()), V::splat(T::one()));
        let no_class = V::splat(T::of(NO_CLASS));
        // 0·x is 0 for a finite x, and NaN for any other: a sum of them tells.
        let mut doubt = zero;

        for at in (0..class.len()).step_by(V::LANES) {
            let label = V::load(&class[at..]);
            // What does not count may be anything: it is taken for 0.
            let ignored = label.equal(no_class);

            let mut max = V::splat(T::min_value());
            for z in z {
                let z_c = V::select(ignored, zero, V::load(&z[at..]));
                doubt = z_c.mul_add(zero, doubt);
                max = V::select(max.less(z_c), z_c, max);
            }

            // Σ exp(z_j − max) without the first largest logit, whose exponential is 1: the largest are counted
            // instead, and one of them is taken off.
            let (mut others, mut lost, mut largest) = (zero, zero, zero - one);
            let (mut z_y, mut e_y, mut w, mut v) = (zero, zero, zero, zero);
            let mut c = zero;
            for ((z, gradient), (&w_c, &v_c)) in
                z.iter().zip(&mut *gradient).zip(w_loss.iter().zip(w_gradient))
            {
                let d = V::select(ignored, zero, V::load(&z[at..])) - max;
                let e = exp_nonpositive(d);
                e.store(&mut gradient[at..]);
                let is_largest = d.equal(zero);
                largest = V::select(is_largest, largest + one, largest);
                let term = V::select(is_largest, zero, e);
                // What the addition rounds away is kept (Knuth's two-sum).
                let sum = others + term;
                let taken = sum - others;
                lost = lost + ((others - (sum - taken)) + (term - taken));
                others = sum;
                let is_label = label.equal(c);
                z_y = V::select(is_label, d, z_y);
                e_y = V::select(is_label, e, e_y);
                w = V::select(is_label, V::splat(w_c), w);
                v = V::select(is_label, V::splat(v_c), v);
                c = c + one;
            }

            let others = (others + lost) + largest;
            let sum = one + others;
            // 1 − p_y: of a largest class the others' share, never a difference from 1.
            let complement = V::select(z_y.equal(zero), others, sum - e_y);
            let surprise = ln_1p_nonnegative(others) - z_y;
            // The loss, and −∂loss/∂z_y divided by 1 − p.
            let (cost, pull) = match shape {
                Shape::Plain => (surprise, v),
                Shape::Focal(power) => {
                    let (p, q) = (e_y / sum, complement / sum);
                    // At q = 0 the limits: q^γ is 0, or 1 for γ = 0, and −ln p/q is 1.
                    let ratio = V::select(zero.less(q), surprise / q, one);
                    let faded = power.of(q);
                    (faded * surprise, v * (faded * (power.gamma::<V>() * p).mul_add(ratio, one)))
                }
                Shape::Poly1 { epsilon } => {
                    let epsilon = V::splat(T::of(epsilon));
                    let (p, q) = (e_y / sum, complement / sum);
                    (epsilon.mul_add(q, surprise), v * epsilon.mul_add(p, one))
                }
            };
            let m = V::load(&m[at..]);
            let scale = pull * m / sum;
            let own = zero - scale * complement;
            let l = w * m * cost;
            l.store(&mut loss[at..]);
            doubt = l.mul_add(zero, scale.mul_add(zero, doubt));

            let mut c = zero;
            for gradient in &mut *gradient {
                let g = V::load(&gradient[at..]) * scale;
                V::select(label.equal(c), own, g).store(&mut gradient[at..]);
                c = c + one;
            }
        }
        is_zero(doubt)
    }
}
