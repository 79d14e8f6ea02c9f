//! The one softmax: exponentials, probabilities, and the way back from probabilities to logits. Sigmoids beside it.
//!
//! With the largest logit subtracted no exponential overflows, and the largest is exactly 1. One class is left out of the
//! sum of the others: that of the pixel's label, or where a pixel is of several classes, one with the largest logit. A
//! confident pixel has all its information in the others, and 1 + others would round them away.
//!
//! ```text
//! d_c = z_c − max,  e_c = exp d_c,  others = Σ e_c over all classes but r,  sum = others + e_r
//! −ln p_c = ln sum − d_c        ln sum = ln(1 + x),  x = others if d_r = 0, (others − 1) + e_r if not
//! p_c = e_c/sum                 1 − p_r = others/sum
//! ```

use super::block::{Block, is_finite, no_class, reserve};
use super::plane::{PIXELS, Plane, steps};
use super::prefetch::Prefetch;
use crate::simd::{InstructionSets, Kernel, Simd, Vector, exp_nonpositive};

/// Exponentials that are added up before what their sum rounds away is kept.
const GROUP: usize = 8;

/// Below it every exponential is 0.
pub(super) const FAR: f64 = -1e4;

impl<T: InstructionSets> Block<T> {
    /// Computes the exponentials and their sums; whether all logits are finite.
    pub fn softmax(&mut self, prefetch: Prefetch<'_, T>) -> bool {
        reserve(&mut self.e, self.z.len());
        if self.is_soft {
            self.refer_to_largest();
        }
        let Self { set, z, max, e, others, d_own, e_own, label, .. } = self;
        if set.run(Exponentials { z, max, e, others, d_own, e_own, label, prefetch }) {
            return true;
        }
        self.softmax_of_far_logits();
        self.has_finite_logits()
    }

    /// Whether no logit is NaN or infinite.
    pub fn has_finite_logits(&self) -> bool {
        !self.set.run(AnyNonFinite(&self.z))
    }

    /// Takes the first class with the largest logit for each pixel's own.
    fn refer_to_largest(&mut self) {
        let Self { set, z, max, label, .. } = self;
        set.run(ReferToLargest { z, max, label });
    }

    /// The same number by number, where logits lie further apart than the vectorised exponential can tell.
    fn softmax_of_far_logits(&mut self) {
        for at in 0..PIXELS {
            let (mut others, own) = (T::zero(), self.label[at].class());
            for (c, (z, e)) in self.z.iter().zip(&mut self.e).enumerate() {
                e[at] = (z[at] - self.max[at]).exp();
                if c == own {
                    (self.d_own[at], self.e_own[at]) = (z[at] - self.max[at], e[at]);
                } else {
                    others = others + e[at];
                }
            }
            self.others[at] = others;
        }
    }

    /// Computes the probabilities of the softmax, which must have been computed. 1 − p keeps its digits where it is asked
    /// for: of the class that was left out of the sum.
    pub fn probabilities(&mut self) {
        let classes = self.z.len();
        reserve(&mut self.p, classes);
        reserve(&mut self.q, classes);
        let Self { set, label, e, others, e_own, p, q, .. } = self;
        set.run(Probabilities { label, e, others, e_own, p, q });
    }

    /// Computes the probabilities of sigmoids instead.
    pub fn sigmoids(&mut self) {
        let classes = self.z.len();
        reserve(&mut self.p, classes);
        reserve(&mut self.q, classes);
        let Self { set, z, p, q, .. } = self;
        set.run(Sigmoids { z, p, q });
    }

    /// Brings all forms of the gradient to ∂L/∂z; `sigmoid`: what the probabilities are of.
    pub fn back_to_logits(&mut self, sigmoid: bool) {
        let Self { set, z, max, e, p, q, label, gradient, .. } = self;
        let classes = z.len();
        reserve(&mut gradient.by_z, classes);
        reserve(&mut gradient.by_p, classes);
        // Planes of nothing stand in for what was not computed.
        for planes in [&mut *p, &mut *q, &mut *e] {
            reserve(planes, classes);
        }
        let form = Form {
            sigmoid,
            has_scale: gradient.has_scale,
            has_by_p: gradient.has_by_p,
            has_by_z: gradient.has_by_z,
        };
        let (scale, own) = (&gradient.scale, &gradient.own);
        let (by_p, by_z) = (&gradient.by_p, &mut gradient.by_z);
        set.run(BackToLogits { form, z, max, e, p, q, label, scale, own, by_p, by_z });
        gradient.clear();
        gradient.has_by_z = true;
    }
}

/// See [`Block::has_finite_logits`].
struct AnyNonFinite<'a, T>(&'a [Plane<T>]);

impl<T: InstructionSets> Kernel<T> for AnyNonFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) -> bool {
        let zero = simd.constant(0.0);
        let mut non_finite = zero;
        for z in self.0 {
            for at in steps::<S, 1>() {
                non_finite = simd.load(&z[at..]).mul_add(zero, non_finite);
            }
        }
        !is_finite(simd, non_finite)
    }
}

/// See [`Block::refer_to_largest`].
struct ReferToLargest<'a, T> {
    z: &'a [Plane<T>],
    max: &'a Plane<T>,
    label: &'a mut Plane<T>,
}

impl<T: InstructionSets> Kernel<T> for ReferToLargest<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { z, max, label } = self;
        let none = simd.splat(T::of_class(no_class(z.len())));
        for at in steps::<S, 1>() {
            let max = simd.load(&max[at..]);
            let mut top = simd.constant(0.0);
            // From the last to the first, which so remains.
            for (c, z) in z.iter().enumerate().rev() {
                top = Vector::select(simd.load(&z[at..]).equal(max), simd.splat(T::of_class(c)), top);
            }
            let counts = simd.load(&label[at..]).differs(none);
            Vector::select(counts, top, none).store(&mut label[at..]);
        }
    }
}

/// See [`Block::softmax`].
struct Exponentials<'a, T> {
    z: &'a [Plane<T>],
    max: &'a Plane<T>,
    e: &'a mut [Plane<T>],
    others: &'a mut Plane<T>,
    d_own: &'a mut Plane<T>,
    e_own: &'a mut Plane<T>,
    label: &'a Plane<T>,
    prefetch: Prefetch<'a, T>,
}

impl<T: InstructionSets> Kernel<T> for Exponentials<'_, T> {
    type Output = bool;

    /// Class after class for all pixels, as many classes at once as there are registers for; the rest by halves.
    #[inline(always)]
    fn run<S: Simd<Real = T>>(mut self, simd: S) -> bool {
        let (classes, zero) = (self.z.len(), simd.constant(0.0));
        // Σ of the groups before the last, and what its additions have rounded away.
        let (mut before, mut lost) = (Plane::of(T::zero()), Plane::of(T::zero()));
        let mut first = 0;
        while first < classes {
            if first > 0 && first.is_multiple_of(GROUP) {
                end_group(simd, self.others, &mut before, &mut lost);
            }
            first += match classes - first {
                8.. if S::Vector::UNROLL == 8 => self.some::<S, 8>(simd, first),
                4.. => self.some::<S, 4>(simd, first),
                2.. => self.some::<S, 2>(simd, first),
                _ => self.some::<S, 1>(simd, first),
            };
        }
        let mut non_finite = zero;
        if classes > GROUP {
            end_group(simd, self.others, &mut before, &mut lost);
        }
        for at in steps::<S, 1>() {
            let mut others = simd.load(&self.others[at..]);
            if classes > GROUP {
                others = simd.load(&before[at..]) + simd.load(&lost[at..]);
                others.store(&mut self.others[at..]);
            }
            // NaN beside a logit that is NaN or infinite: −∞ has no exponential here, and beside +∞ nothing has.
            non_finite = (others + simd.load(&self.e_own[at..])).mul_add(zero, non_finite);
        }
        is_finite(simd, non_finite)
    }
}

/// Adds the last group to those before it, and keeps what the addition rounds away (Knuth's two-sum).
#[inline(always)]
fn end_group<S: Simd>(
    simd: S,
    group: &Plane<S::Real>,
    before: &mut Plane<S::Real>,
    lost: &mut Plane<S::Real>,
) {
    for at in steps::<S, 1>() {
        let (x, group) = (simd.load(&before[at..]), simd.load(&group[at..]));
        let both = x + group;
        let taken = both - x;
        (simd.load(&lost[at..]) + ((x - (both - taken)) + (group - taken))).store(&mut lost[at..]);
        both.store(&mut before[at..]);
    }
}

impl<T: InstructionSets> Exponentials<'_, T> {
    /// N classes of all pixels, which are added to those of their group before them; N.
    #[inline(always)]
    fn some<S: Simd<Real = T>, const N: usize>(&mut self, simd: S, first: usize) -> usize {
        let (zero, classes) = (simd.constant(0.0), self.z.len());
        let (z, e) = (&self.z[first..][..N], &mut self.e[first..][..N]);
        let (line, step, next) = self.prefetch.lines(simd, classes, first);
        let mut number = [simd.splat(T::of_class(first)); N];
        for (i, number) in number.iter_mut().enumerate() {
            *number = *number + simd.splat(T::of_class(i));
        }
        for at in steps::<S, 1>() {
            let (max, label) = (simd.load(&self.max[at..]), simd.load(&self.label[at..]));
            let mut d = [zero; N];
            for i in 0..N {
                d[i] = simd.load(&z[i][at..]) - max;
                simd.prefetch(self.prefetch.from, line + at * step + i * next);
                simd.prefetch(self.prefetch.to, line + at * step + i * next);
            }
            let exponentials = S::Vector::exp_nonpositive(d);
            let (mut d_own, mut e_own, mut group) = (zero, zero, zero);
            if first > 0 {
                (d_own, e_own) = (simd.load(&self.d_own[at..]), simd.load(&self.e_own[at..]));
            }
            if !first.is_multiple_of(GROUP) {
                group = simd.load(&self.others[at..]);
            }
            let mut pair = zero;
            for i in 0..N {
                exponentials[i].store(&mut e[i][at..]);
                let is_other = label.differs(number[i]);
                d_own = Vector::select(is_other, d_own, d[i]);
                e_own = Vector::select(is_other, e_own, exponentials[i]);
                // Two by two: half as many additions wait for each other.
                pair = match i % 2 {
                    0 => Vector::select(is_other, exponentials[i], zero),
                    _ => pair.add_where(is_other, exponentials[i]),
                };
                if i % 2 == 1 || i == N - 1 {
                    group = group + pair;
                }
            }
            d_own.store(&mut self.d_own[at..]);
            e_own.store(&mut self.e_own[at..]);
            group.store(&mut self.others[at..]);
        }
        N
    }
}

/// See [`Block::probabilities`].
struct Probabilities<'a, T> {
    label: &'a Plane<T>,
    e: &'a [Plane<T>],
    others: &'a Plane<T>,
    e_own: &'a Plane<T>,
    p: &'a mut [Plane<T>],
    q: &'a mut [Plane<T>],
}

impl<T: InstructionSets> Kernel<T> for Probabilities<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { label, e, others, e_own, p, q } = self;
        let one = simd.constant(1.0);
        for at in steps::<S, 1>() {
            let (label, others) = (simd.load(&label[at..]), simd.load(&others[at..]));
            let inverse = one / (others + simd.load(&e_own[at..]));
            let complement = others * inverse;
            let mut c = simd.constant(0.0);
            for ((e, p), q) in e.iter().zip(p.iter_mut()).zip(q.iter_mut()) {
                let here = simd.load(&e[at..]) * inverse;
                here.store(&mut p[at..]);
                Vector::select(label.equal(c), complement, one - here).store(&mut q[at..]);
                c = c + one;
            }
        }
    }
}

/// See [`Block::sigmoids`].
struct Sigmoids<'a, T> {
    z: &'a [Plane<T>],
    p: &'a mut [Plane<T>],
    q: &'a mut [Plane<T>],
}

impl<T: InstructionSets> Kernel<T> for Sigmoids<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        for ((z, p), q) in self.z.iter().zip(self.p).zip(self.q) {
            for at in steps::<S, 1>() {
                let (positive, negative) = sigmoid_pair(simd.load(&z[at..]));
                positive.store(&mut p[at..]);
                negative.store(&mut q[at..]);
            }
        }
    }
}

/// σ(z) and σ(−z), neither as a difference from 1.
#[inline(always)]
pub(crate) fn sigmoid_pair<V: Vector>(z: V) -> (V, V) {
    let simd = z.simd();
    let (zero, one) = (simd.constant(0.0), simd.constant(1.0));
    let is_negative = z.less(zero);
    let e = exp_nonpositive(V::select(is_negative, z, zero - z).max(simd.constant(FAR)));
    let near = one / (one + e);
    let far = e * near;
    (V::select(is_negative, far, near), V::select(is_negative, near, far))
}

/// Which forms of a gradient there are, and what its probabilities are of.
#[derive(Clone, Copy)]
struct Form {
    sigmoid: bool,
    has_scale: bool,
    has_by_p: bool,
    has_by_z: bool,
}

/// See [`Block::back_to_logits`].
struct BackToLogits<'a, T> {
    form: Form,
    z: &'a [Plane<T>],
    max: &'a Plane<T>,
    e: &'a [Plane<T>],
    p: &'a [Plane<T>],
    q: &'a [Plane<T>],
    label: &'a Plane<T>,
    scale: &'a Plane<T>,
    own: &'a Plane<T>,
    by_p: &'a [Plane<T>],
    by_z: &'a mut [Plane<T>],
}

impl<T: InstructionSets> Kernel<T> for BackToLogits<'_, T> {
    type Output = ();

    /// Softmax: p_k·(g_k − Σ_c p_c·g_c). Where one class has nearly all of p, its own g is nearly the whole sum and would
    /// cancel; with the g of a class with the largest logit, which then is the one, every difference is taken first:
    /// p_k·((g_k − g_top) + Σ_c p_c·(g_top − g_c)).
    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { form, z, max, e, p, q, label, scale, own, by_p, by_z } = self;
        let zero = simd.constant(0.0);
        let classes = z.len();
        for at in steps::<S, 1>() {
            let (mut top, mut drop) = (zero, zero);
            if form.has_by_p && !form.sigmoid {
                let max = simd.load(&max[at..]);
                for c in 0..classes {
                    let is_top = simd.load(&z[c][at..]).equal(max);
                    top = Vector::select(is_top, simd.load(&by_p[c][at..]), top);
                }
                for c in 0..classes {
                    drop = simd.load(&p[c][at..]).mul_add(top - simd.load(&by_p[c][at..]), drop);
                }
            }
            let (label, scale, own) =
                (simd.load(&label[at..]), simd.load(&scale[at..]), simd.load(&own[at..]));
            for c in 0..classes {
                let mut g = if form.has_by_z { simd.load(&by_z[c][at..]) } else { zero };
                if form.has_by_p {
                    let (p, by_p) = (simd.load(&p[c][at..]), simd.load(&by_p[c][at..]));
                    g = g + match form.sigmoid {
                        true => by_p * p * simd.load(&q[c][at..]),
                        false => p * ((by_p - top) + drop),
                    };
                }
                if form.has_scale {
                    let is_own = label.equal(simd.splat(T::of_class(c)));
                    g = g + Vector::select(is_own, own, simd.load(&e[c][at..]) * scale);
                }
                g.store(&mut by_z[c][at..]);
            }
        }
    }
}
