//! Sigmoid losses of pixels with a class each, channel by channel: the formulas of
//! [`kinds::binary_cross_entropy`](crate::kinds::binary_cross_entropy) and, with γ > 0, of
//! [`kinds::focal`](crate::kinds::focal).

use super::block::{Ahead, BlockKernel, Places, PlacesOfClasses, Plane, Planes, steps_abreast};
use super::functions::ln_1p_nonnegative_each;
use super::power::Power;
use super::vector::{Vector, is_zero};
use crate::element::Element;

/// Writes gradient and losses, and adds up the losses of each channel.
pub struct Binary<'a, T> {
    /// The weights of a negative and a positive of each channel in the loss.
    pub w_loss: &'a [T],
    /// The same divided by the denominator.
    pub w_gradient: &'a [T],
    pub power: Power,
    /// Σ of the losses of each channel.
    pub sums: PlacesOfClasses,
}

impl<T: Element> BlockKernel<T> for Binary<'_, T> {
    #[inline(always)]
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<'_, T>) -> bool {
        let Self { w_loss, w_gradient, power, ref mut sums } = *self;
        let Planes { class, m, loss, z, .. } = planes;
        // A single channel tells class 1 from class 0; of more, each tells its own from the rest.
        let first = usize::from(sums.len() == 1);
        let mut doubt = V::splat(T::zero());
        for (channel, ((z, loss), sums)) in z.iter_mut().zip(loss).zip(sums.iter_mut()).enumerate() {
            let of = |numbers: &[T]| [0, 1].map(|i| V::splat(numbers[2 * channel + i]));
            let (w, v) = (of(w_loss), of(w_gradient));
            let number = V::splat(T::of_class((first + channel) as u16));
            let mut channel = Channel { number, class, m, w, v, power, z, loss, sums, doubt };
            for at in steps_abreast::<V, 4>() {
                channel.pixels::<4>(at, ahead);
            }
            doubt = channel.doubt;
        }
        is_zero(doubt)
    }
}

/// A channel: a problem of its own.
struct Channel<'a, V: Vector> {
    /// Of the class that is its positive one.
    number: V,
    class: &'a Plane<V::Real>,
    m: &'a Plane<V::Real>,
    /// The weights of a negative and a positive in the loss, and in the gradient.
    w: [V; 2],
    v: [V; 2],
    power: Power,
    /// Its logits. Out: its gradient.
    z: &'a mut Plane<V::Real>,
    loss: &'a mut Plane<V::Real>,
    sums: &'a mut Places,
    doubt: V,
}

impl<V: Vector> Channel<'_, V> {
    /// Several registers of pixels, from number `at` on.
    #[inline(always)]
    fn pixels<const N: usize>(&mut self, at: usize, ahead: &mut Ahead<'_, V::Real>) {
        let (zero, one) = (V::splat(V::Real::of(0.0)), V::splat(V::Real::of(1.0)));
        let ([w_negative, w_positive], [v_negative, v_positive]) = (self.w, self.v);
        ahead.ask::<V>(N);
        let (mut s, mut minus) = ([zero; N], [zero; N]);
        for i in 0..N {
            let at = at + i * V::LANES;
            let z = V::load(&self.z[at..]);
            // A positive at z costs what a negative does at −z.
            s[i] = V::select(V::load(&self.class[at..]).equal(self.number), zero - z, z);
            minus[i] = V::select(s[i].less(zero), s[i], zero - s[i]);
            self.doubt = z.mul_add(zero, self.doubt);
        }
        let e = V::exp_nonpositive_each(minus);
        let l = ln_1p_nonnegative_each(e);
        for i in 0..N {
            let at = at + i * V::LANES;
            let positive = V::load(&self.class[at..]).equal(self.number);
            let is_far = s[i].less(zero);
            let softplus = V::select(is_far, zero, s[i]) + l[i];
            // σ(s) and σ(−s), neither as a difference from 1.
            let near = one / (one + e[i]);
            let far = e[i] * near;
            let (q, p) = (V::select(is_far, far, near), V::select(is_far, near, far));

            let (cost, slope) = match self.power.is_one() {
                true => (softplus, q),
                false => {
                    let faded = self.power.of(q);
                    (faded * softplus, faded * (self.power.gamma::<V>() * p).mul_add(softplus, q))
                }
            };
            let m = V::load(&self.m[at..]);
            let loss = V::select(positive, w_positive, w_negative) * m * cost;
            let g = V::select(positive, zero - v_positive, v_negative) * m * slope;
            loss.store(&mut self.loss[at..]);
            g.store(&mut self.z[at..]);
            loss.add_to(self.sums, at);
            self.doubt = g.mul_add(zero, loss.mul_add(zero, self.doubt));
        }
    }
}
