//! The probabilities of a block: of a softmax, or of sigmoids that stand for themselves.

use super::block::{Ahead, Plane};
use super::functions::exp_nonpositive;
use super::vector::{Classes, Vector, abreast};
use crate::element::Element;

/// The exponentials of some pixels, and what they have come to so far.
struct Exponentials<'a, 'b, V: Vector> {
    /// The first pixel.
    at: usize,
    max: V,
    z: &'a [Plane<V::Real>],
    /// Where they are left.
    e: &'a mut [Plane<V::Real>],
    ahead: &'a mut Ahead<'b, V::Real>,
    /// Of classes with the largest logit but one: it is left out of the sum, as a confident pixel has all its information
    /// in the others.
    others: V,
    /// Of all other classes.
    rest: V,
}

impl<V: Vector> Classes for Exponentials<'_, '_, V> {
    #[inline(always)]
    fn some<const N: usize>(&mut self, first: usize) {
        let (zero, one) = (V::splat(V::Real::of(0.0)), V::splat(V::Real::of(1.0)));
        let at = self.at;
        let (z, e_out) = (&self.z[first..][..N], &mut self.e[first..][..N]);
        self.ahead.ask::<V>(N);
        let mut d = [zero; N];
        for (d, z) in d.iter_mut().zip(z) {
            *d = V::load(&z[at..]) - self.max;
        }
        let e = V::exp_nonpositive_each(d);
        for i in 0..N {
            e[i].store(&mut e_out[i][at..]);
            let is_largest = d[i].equal(zero);
            self.others = V::select(is_largest, self.others + one, self.others);
            self.rest = self.rest + V::select(is_largest, zero, e[i]);
        }
    }
}

/// What the classes of a pixel share.
#[derive(Clone, Copy)]
pub(crate) struct Softmax<V> {
    pub max: V,
    /// 1 − p of a class with the largest logit.
    pub complement: V,
}

impl<V: Vector> Softmax<V> {
    /// Leaves the p of each class, of a softmax; of sigmoids only judges their logits.
    #[inline(always)]
    pub fn new(
        sigmoid: bool,
        z: &[Plane<V::Real>],
        max: V,
        probabilities: &mut [Plane<V::Real>],
        at: usize,
        ahead: &mut Ahead<'_, V::Real>,
        doubt: &mut V,
    ) -> Self {
        let of = |x: f64| V::splat(V::Real::of(x));
        let (zero, one) = (of(0.0), of(1.0));
        if sigmoid {
            for z in z {
                ahead.ask::<V>(1);
                *doubt = V::load(&z[at..]).mul_add(zero, *doubt);
            }
            return Self { max, complement: zero };
        }
        let (others, e) = (zero - one, &mut *probabilities);
        let mut exponentials = Exponentials { at, max, z, e, ahead, others, rest: zero };
        abreast::<V>(z.len(), &mut exponentials);
        let others = exponentials.others + exponentials.rest;
        // Not finite where a logit is not: −∞ has no exponential, and beside +∞ or NaN nothing else has.
        *doubt = others.mul_add(zero, *doubt);
        let sum = one + others;
        let inverse = one / sum;
        for p in probabilities {
            (V::load(&p[at..]) * inverse).store(&mut p[at..]);
        }
        Self { max, complement: others / sum }
    }
}

/// p and 1 − p, neither as a difference that rounds the other away.
#[inline(always)]
pub(crate) fn pair<V: Vector>(sigmoid: bool, z: V, p: &[V::Real], softmax: Softmax<V>) -> (V, V) {
    let of = |x: f64| V::splat(V::Real::of(x));
    let (zero, one) = (of(0.0), of(1.0));
    if sigmoid {
        let is_far = z.less(zero);
        let e = exp_nonpositive(V::select(is_far, z, zero - z));
        let near = one / (one + e);
        let far = e * near;
        return (V::select(is_far, far, near), V::select(is_far, near, far));
    }
    let p = V::load(p);
    (p, V::select(z.equal(softmax.max), softmax.complement, one - p))
}

/// From ∂L/∂p, which stands in the planes, to ∂L/∂z: p_k·((g_k − g_top) + Σ_c p_c·(g_top − g_c)), as
/// [`Probabilities::pull_back`](crate::families::overlap::Probabilities::pull_back) has it. `most` is that of a class with
/// the largest logit.
#[inline(always)]
pub(crate) fn pull_back<V: Vector>(
    planes: &mut [Plane<V::Real>],
    probabilities: &[Plane<V::Real>],
    most: V,
    at: usize,
    doubt: &mut V,
) {
    let zero = V::splat(V::Real::of(0.0));
    let mut drop = zero;
    for (by_p, p) in planes.iter().zip(probabilities) {
        drop = V::load(&p[at..]).mul_add(most - V::load(&by_p[at..]), drop);
    }
    for (plane, p) in planes.iter_mut().zip(probabilities) {
        let g = V::load(&p[at..]) * ((V::load(&plane[at..]) - most) + drop);
        g.store(&mut plane[at..]);
    }
    *doubt = drop.mul_add(zero, *doubt);
}
