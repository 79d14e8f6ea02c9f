//! Sigmoid losses of pixels with a class each, channel by channel: the formulas of
//! [`kinds::binary_cross_entropy`](crate::kinds::binary_cross_entropy) and, with γ > 0, of
//! [`kinds::focal`](crate::kinds::focal).

use super::block::{Ahead, BlockKernel, Plane, Planes, steps};
use super::power::Power;
use super::vector::{Vector, exp_nonpositive, is_zero, ln_1p_nonnegative};
use crate::element::Element;

/// Writes gradient and losses, and adds up the losses of each channel.
pub struct Binary<'a, T> {
    /// The weights of a negative and a positive of each channel in the loss.
    pub w_loss: &'a [T],
    /// The same divided by the denominator.
    pub w_gradient: &'a [T],
    pub power: Power,
    /// Σ of the losses of each channel, pixel by pixel of the block.
    pub sums: Vec<Plane<f64>>,
}

impl<T: Element> BlockKernel<T> for Binary<'_, T> {
    #[inline(always)]
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<'_, T>) -> bool {
        let Self { w_loss, w_gradient, power, ref mut sums } = *self;
        let Planes { class, m, loss, z, .. } = planes;
        let (zero, one) = (V::splat(T::zero()), V::splat(T::one()));
        // A single channel tells class 1 from class 0; of more, each tells its own from the rest.
        let mut c = if sums.len() == 1 { one } else { zero };
        let mut doubt = zero;
        for (channel, (plane, loss)) in z.iter_mut().zip(loss).enumerate() {
            let [w_negative, w_positive] = [0, 1].map(|i| V::splat(w_loss[2 * channel + i]));
            let [v_negative, v_positive] = [0, 1].map(|i| V::splat(w_gradient[2 * channel + i]));
            for at in steps::<V>() {
                ahead.ask::<V>(1);
                let label = V::load(&class[at..]);
                let positive = label.equal(c);
                let z = V::load(&plane[at..]);
                // A positive at z costs what a negative does at −z.
                let s = V::select(positive, zero - z, z);
                let is_far = s.less(zero);
                let e = exp_nonpositive(V::select(is_far, s, zero - s));
                let softplus = V::select(is_far, zero, s) + ln_1p_nonnegative(e);
                // σ(s) and σ(−s), neither as a difference from 1.
                let near = one / (one + e);
                let far = e * near;
                let (q, p) = (V::select(is_far, far, near), V::select(is_far, near, far));

                let (cost, slope) = match power.is_one() {
                    true => (softplus, q),
                    false => {
                        let faded = power.of(q);
                        (faded * softplus, faded * (power.gamma::<V>() * p).mul_add(softplus, q))
                    }
                };
                let m = V::load(&m[at..]);
                let l = V::select(positive, w_positive, w_negative) * m * cost;
                let g = V::select(positive, zero - v_positive, v_negative) * m * slope;
                l.store(&mut loss[at..]);
                g.store(&mut plane[at..]);
                l.add_to(&mut sums[channel][at..]);
                doubt = g.mul_add(zero, l.mul_add(zero, z.mul_add(zero, doubt)));
            }
            c = c + one;
        }
        is_zero(doubt)
    }
}
