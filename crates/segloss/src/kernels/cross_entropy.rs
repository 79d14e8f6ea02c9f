//! Softmax cross-entropy of a block of pixels with a class each: the formulas of
//! [`kinds::cross_entropy`](crate::kinds::cross_entropy), many pixels side by side.

use super::block::{Block, NO_CLASS};
use super::instructions::Kernel;
use super::vector::{Vector, exp_nonpositive, ln_1p_nonnegative};
use crate::element::Element;

/// Turns the logits of a block into its gradient, and writes the losses. Returns whether all logits of pixels that
/// count, all losses and all of the gradient are finite.
pub(crate) struct CrossEntropy<'a, T> {
    pub block: &'a mut Block<T>,
    /// The weight of each class in the loss.
    pub w_loss: &'a [T],
    /// The same divided by the denominator.
    pub w_gradient: &'a [T],
}

impl<T: Element> Kernel<T> for CrossEntropy<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<V: Vector<Real = T>>(self) -> bool {
        let Self { block, w_loss, w_gradient } = self;
        let (pixels, classes) = (block.padded(), w_loss.len());
        let (z, class, m, loss) = block.parts();
        let (zero, one) = (V::splat(T::zero()), V::splat(T::one()));
        let no_class = V::splat(T::of(NO_CLASS));
        let weights = || w_loss.iter().zip(w_gradient);
        // 0·x is 0 for a finite x, and NaN for any other: a sum of them tells.
        let mut doubt = zero;

        for at in (0..pixels).step_by(V::LANES) {
            let label = V::load(&class[at..]);
            // What does not count may be anything: it is taken for 0.
            let ignored = label.equal(no_class);
            let rows = || (at..at + classes * pixels).step_by(pixels);

            let mut max = V::splat(T::min_value());
            for row in rows() {
                let z_c = V::select(ignored, zero, V::load(&z[row..]));
                doubt = z_c.mul_add(zero, doubt);
                max = V::select(max.less(z_c), z_c, max);
            }

            // Σ exp(z_j − max) without the first largest logit, whose exponential is 1: the largest are counted
            // instead, and one of them is taken off.
            let (mut others, mut lost, mut largest) = (zero, zero, zero - one);
            let (mut z_y, mut e_y, mut w, mut v) = (zero, zero, zero, zero);
            let mut c = zero;
            for (row, (&w_c, &v_c)) in rows().zip(weights()) {
                let d = V::select(ignored, zero, V::load(&z[row..])) - max;
                let e = exp_nonpositive(d);
                e.store(&mut z[row..]);
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
            let m = V::load(&m[at..]);
            let scale = v * m / sum;
            let own = zero - scale * complement;
            let l = w * m * (ln_1p_nonnegative(others) - z_y);
            l.store(&mut loss[at..]);
            doubt = l.mul_add(zero, scale.mul_add(zero, doubt));

            let mut c = zero;
            for row in rows() {
                let g = V::load(&z[row..]) * scale;
                V::select(label.equal(c), own, g).store(&mut z[row..]);
                c = c + one;
            }
        }
        let mut lanes = [T::zero(); 16];
        doubt.store(&mut lanes);
        lanes.iter().all(|&doubt| doubt == T::zero())
    }
}
