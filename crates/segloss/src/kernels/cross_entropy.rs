//! Softmax cross-entropy of pixels with a class each: the formulas of
//! [`kinds::cross_entropy`](crate::kinds::cross_entropy) and, with γ > 0, of
//! [`kinds::focal`](crate::kinds::focal); of [`kinds::poly1_cross_entropy`](crate::kinds::poly1_cross_entropy).

use super::block::{
    Ahead, BlockKernel, PlacesOfClasses, Plane, Planes, add_by_class, no_class, steps, steps_abreast,
};
use super::functions::ln_1p_nonnegative_each;
use super::power::Power;
use super::vector::{Classes, Vector, abreast, is_zero};
use crate::element::Element;
use crate::families::top_k::Cut;

/// What is made of −ln p of the pixel's class.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Cross-entropy: nothing.
    Plain,
    /// Focal: (1 − p)^γ times it.
    Focal(Power),
    /// Poly-1: ε·(1 − p) more.
    Poly1 { epsilon: f64 },
    /// Of the hardest pixels all of it, of those at the threshold their share.
    Hardest(Cut),
}

/// Writes gradient and losses, and adds up the losses of each class.
pub struct CrossEntropy<T> {
    /// The weight of each class in the loss, and 0 of none.
    pub w_loss: Vec<T>,
    /// The same divided by the denominator.
    pub w_gradient: Vec<T>,
    shape: Shape,
    pixels: Pixels<T>,
    /// Σ of the losses of each class, and of none.
    pub sums: PlacesOfClasses,
}

/// Exponentials that are added up before what their sum rounds away is caught.
const GROUP: usize = 8;

/// Numbers of a table that registers can look up at once.
const TABLE: usize = 32;

impl<T: Element> CrossEntropy<T> {
    /// With the weights of each class.
    pub fn new(classes: usize, mut w_loss: Vec<T>, mut w_gradient: Vec<T>, shape: Shape) -> Self {
        w_loss.resize(Self::weights(classes), T::zero());
        w_gradient.resize(Self::weights(classes), T::zero());
        let none = no_class(classes) + 1;
        Self { w_loss, w_gradient, shape, pixels: Pixels::zeros(), sums: PlacesOfClasses::zeros(none) }
    }

    /// How many weights it has of so many classes: none is one more, and what is missing to a table weighs nothing, too.
    pub fn weights(classes: usize) -> usize {
        (no_class(classes) + 1).next_multiple_of(TABLE)
    }

    /// Whether it is cross-entropy, and nothing is made of it.
    pub fn is_plain(&self) -> bool {
        matches!(self.shape, Shape::Plain)
    }
}

/// What the logits of a pixel come to, side by side for the pixels of a block: the block is gone through three times,
/// so that the long chain of the logarithm is computed of many pixels at once, none waiting for another.
struct Pixels<T> {
    /// Σ exp(z_j − max) over all classes but the pixel's own: 1 − p of a confident pixel has all its information in these.
    others: Plane<T>,
    /// z_y − max.
    d_y: Plane<T>,
    /// Its exponential.
    e_y: Plane<T>,
    /// The gradient of every other class divided by its exponential.
    scale: Plane<T>,
    /// The gradient of the pixel's own.
    own: Plane<T>,
}

impl<T: Element> BlockKernel<T> for CrossEntropy<T> {
    #[inline(always)]
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<'_, T>) -> bool {
        let Self { w_loss, w_gradient, pixels, sums, .. } = self;
        let shape = self.shape;
        let Planes { class, m, largest, loss: [loss, ..], z } = planes else { return false };
        let mut doubt = V::splat(T::zero());
        for at in steps::<V>() {
            let (max, label) = (V::load(&largest[at..]), V::load(&class[at..]));
            pixels.exponentials(Exponentials { at, max, label, z, ahead, so_far: Running::new() });
        }
        for at in steps_abreast::<V, 4>() {
            let surprise = pixels.surprise::<V, 4>(at);
            for (i, surprise) in surprise.into_iter().enumerate() {
                let at = at + i * V::LANES;
                let (label, m) = (V::load(&class[at..]), V::load(&m[at..]));
                let (w, v) = (label.lookup(w_loss) * m, label.lookup(w_gradient) * m);
                pixels.loss(at, surprise, w, v, shape, &mut doubt).store(&mut loss[at..]);
            }
        }
        add_by_class::<V>(class, loss, sums);
        is_zero(doubt)
    }

    /// All but the pixel's own are multiples of their exponentials.
    #[inline(always)]
    fn gradient<V: Vector<Real = T>>(&self, e: V, label: V, c: V, at: usize) -> V {
        let (scale, own) = (V::load(&self.pixels.scale[at..]), V::load(&self.pixels.own[at..]));
        V::select(label.differs(c), e * scale, own)
    }
}

/// The exponentials of all classes of some pixels, on their way.
struct Exponentials<'a, 'b, V: Vector> {
    /// The first pixel.
    at: usize,
    max: V,
    label: V,
    z: &'a mut [Plane<V::Real>],
    ahead: &'a mut Ahead<'b, V::Real>,
    so_far: Running<V>,
}

/// What the classes of a pixel have come to so far.
struct Running<V> {
    /// The number of the next class.
    c: V,
    d_y: V,
    e_y: V,
    /// Σ exp(z_j − max) of other classes: of the last group, and of those before it.
    group: V,
    others: V,
    /// What the latter's additions have rounded away.
    lost: V,
}

impl<V: Vector> Running<V> {
    #[inline(always)]
    fn new() -> Self {
        let zero = V::splat(V::Real::of(0.0));
        Self { c: zero, d_y: zero, e_y: zero, group: zero, others: zero, lost: zero }
    }

    /// Puts the last group with those before it.
    #[inline(always)]
    fn end_group(&mut self, is_first: bool) {
        // Nothing is rounded where there are none yet, and nothing waits for what was.
        self.others = if is_first { self.group } else { add(self.others, self.group, &mut self.lost) };
        self.group = V::splat(V::Real::of(0.0));
    }
}

impl<V: Vector> Classes for Exponentials<'_, '_, V> {
    /// Their exponentials take the places of their logits.
    #[inline(always)]
    fn some<const N: usize>(&mut self, first: usize) {
        let Self { at, max, label, ref mut z, ref mut ahead, ref mut so_far } = *self;
        let (zero, one) = (V::splat(V::Real::of(0.0)), V::splat(V::Real::of(1.0)));
        // Not all at once.
        ahead.ask::<V>(N.div_ceil(2));
        if first.is_multiple_of(GROUP) && first > 0 {
            // Known when this is compiled but where a group is computed at once: elsewhere all became longer by it.
            so_far.end_group(V::ABREAST == GROUP && first == GROUP);
        }
        let planes = &mut z[first..][..N];
        let mut d = [zero; N];
        for (d, plane) in d.iter_mut().zip(&*planes) {
            *d = V::load(&plane[at..]) - max;
        }
        let e = V::exp_nonpositive_each(d);
        ahead.ask::<V>(N / 2);
        let mut pair = zero;
        for i in 0..N {
            e[i].store(&mut planes[i][at..]);
            let is_other = label.differs(so_far.c);
            so_far.d_y = V::select(is_other, so_far.d_y, d[i]);
            so_far.e_y = V::select(is_other, so_far.e_y, e[i]);
            so_far.c = so_far.c + one;
            // Two by two: half as many wait for each other.
            if i % 2 == 0 {
                pair = V::select(is_other, e[i], zero);
            } else {
                pair = pair.add_where(is_other, e[i]);
            }
            if i % 2 == 1 || i == N - 1 {
                so_far.group = so_far.group + pair;
            }
        }
    }
}

/// Adds, and keeps what the addition rounds away (Knuth's two-sum).
#[inline(always)]
fn add<V: Vector>(sum: V, term: V, lost: &mut V) -> V {
    let both = sum + term;
    let taken = both - sum;
    *lost = *lost + ((sum - (both - taken)) + (term - taken));
    both
}

impl<T: Element> Pixels<T> {
    #[inline(always)]
    fn zeros() -> Self {
        let zeros = Plane::of(T::zero());
        Self { others: zeros, d_y: zeros, e_y: zeros, scale: zeros, own: zeros }
    }

    /// Leaves exp(z_j − max) of every class in place of its logit. No number here is finite where a logit is not: −∞ has
    /// no exponential, and beside +∞ or NaN nothing else has.
    #[inline(always)]
    fn exponentials<V: Vector<Real = T>>(&mut self, mut exponentials: Exponentials<'_, '_, V>) {
        abreast::<V>(exponentials.z.len(), &mut exponentials);
        let Exponentials { at, z, mut so_far, .. } = exponentials;
        if z.len() > GROUP {
            so_far.end_group(false);
        } else {
            so_far.others = so_far.group;
        }
        (so_far.others + so_far.lost).store(&mut self.others[at..]);
        so_far.d_y.store(&mut self.d_y[at..]);
        so_far.e_y.store(&mut self.e_y[at..]);
    }

    /// Leaves −ln p of the pixel's class, of several registers.
    #[inline(always)]
    fn surprise<V: Vector<Real = T>, const N: usize>(&self, at: usize) -> [V; N] {
        let (zero, one) = (V::splat(T::zero()), V::splat(T::one()));
        let (mut rest, mut d) = ([zero; N], [zero; N]);
        for i in 0..N {
            let at = at + i * V::LANES;
            let (others, d_y, e_y) =
                (V::load(&self.others[at..]), V::load(&self.d_y[at..]), V::load(&self.e_y[at..]));
            // −ln p = ln Σ exp(z_j − max) − d_y. Of a largest logit d_y = 0, and its own exponential is the 1 of ln(1 + x);
            // of any other, the others' sum has a 1 already.
            rest[i] = V::select(d_y.equal(zero), others, (others - one) + e_y);
            d[i] = d_y;
        }
        let mut surprise = ln_1p_nonnegative_each(rest);
        for i in 0..N {
            surprise[i] = surprise[i] - d[i];
        }
        surprise
    }

    /// The weighted loss; leaves what the gradient is made of. `w`, `v`: the weights of the pixel's class in the loss and in
    /// the gradient, times its own in the map.
    #[inline(always)]
    fn loss<V: Vector<Real = T>>(
        &mut self,
        at: usize,
        surprise: V,
        w: V,
        v: V,
        shape: Shape,
        doubt: &mut V,
    ) -> V {
        let (zero, one) = (V::splat(T::zero()), V::splat(T::one()));
        let (others, e_y) = (V::load(&self.others[at..]), V::load(&self.e_y[at..]));
        let sum = others + e_y;
        // The loss, and −∂loss/∂z_y divided by 1 − p.
        let (cost, pull) = match shape {
            Shape::Plain => (surprise, v),
            Shape::Focal(power) => {
                let (p, q) = (e_y / sum, others / sum);
                // At q = 0 the limits: q^γ is 0, or 1 for γ = 0, and −ln p/q is 1.
                let ratio = V::select(zero.less(q), surprise / q, one);
                let faded = power.of(q);
                (faded * surprise, v * (faded * (power.gamma::<V>() * p).mul_add(ratio, one)))
            }
            Shape::Hardest(cut) => {
                let kept = cut.shares(surprise);
                (kept * surprise, kept * v)
            }
            Shape::Poly1 { epsilon } => {
                let epsilon = V::splat(T::of(epsilon));
                let (p, q) = (e_y / sum, others / sum);
                (epsilon.mul_add(q, surprise), v * epsilon.mul_add(p, one))
            }
        };
        let scale = pull / sum;
        let loss = w * cost;
        scale.store(&mut self.scale[at..]);
        (zero - scale * others).store(&mut self.own[at..]);
        *doubt = loss.mul_add(zero, scale.mul_add(zero, *doubt));
        loss
    }
}
