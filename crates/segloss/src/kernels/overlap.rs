//! Overlap losses of pixels with a class each: the sums and the gradient of
//! [`families::overlap`](crate::families::overlap).

use super::block::{Ahead, BlockKernel, Plane, Planes, steps};
use super::vector::{Vector, exp_nonpositive, exp_nonpositive_each, is_zero};
use crate::element::Element;

/// What an error costs, and what p is.
#[derive(Clone, Copy, Debug)]
pub struct Form<T> {
    /// Whether p is a sigmoid; else it is the softmax.
    pub sigmoid: bool,
    /// α and β; none where errors are squared.
    pub prices: Option<(T, T)>,
}

/// Adds up Σ m·p·y and E, class by class and pixel by pixel of the block. No loss is written.
pub struct OverlapSums<T> {
    form: Form<T>,
    /// The p of each class.
    p: Vec<Plane<T>>,
    pub hits: Vec<Plane<f64>>,
    pub errors: Vec<Plane<f64>>,
}

impl<T: Element> OverlapSums<T> {
    pub fn new(form: Form<T>, classes: usize) -> Self {
        let sums = vec![Plane::of(0.0); classes];
        Self { form, p: vec![Plane::of(T::zero()); classes], hits: sums.clone(), errors: sums }
    }
}

/// Writes the gradient, and no loss.
pub struct OverlapGradient<'a, T> {
    form: Form<T>,
    /// The p of each class.
    p: Vec<Plane<T>>,
    by_hits: &'a [T],
    by_errors: &'a [T],
}

impl<'a, T: Element> OverlapGradient<'a, T> {
    /// With ∂L/∂TP and ∂L/∂E of each class.
    pub fn new(form: Form<T>, by_hits: &'a [T], by_errors: &'a [T]) -> Self {
        Self { form, p: vec![Plane::of(T::zero()); by_hits.len()], by_hits, by_errors }
    }
}

impl<T: Element> BlockKernel<T> for OverlapSums<T> {
    #[inline(always)]
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<'_, T>) -> bool {
        let Self { form, ref mut p, ref mut hits, ref mut errors } = *self;
        // Slices, not what owns them: that would be read anew after every store.
        let (probabilities, hits, errors) = (&mut p[..], &mut hits[..], &mut errors[..]);
        let Planes { z, class, m, largest, .. } = planes;
        let (zero, one) = (V::splat(T::zero()), V::splat(T::one()));
        let mut doubt = zero;
        for at in steps::<V>() {
            let label = V::load(&class[at..]);
            let m = V::load(&m[at..]);
            let softmax =
                Softmax::new(form, z, V::load(&largest[at..]), probabilities, at, ahead, &mut doubt);
            let mut c = first_class(form, z.len());
            for (i, (z, p)) in z.iter().zip(probabilities.iter()).enumerate() {
                let z = V::load(&z[at..]);
                let (p, q) = pair(form, z, &p[at..], softmax);
                let is_label = label.equal(c);
                let error = match form.prices {
                    Some((alpha, beta)) => V::select(is_label, V::splat(beta) * q, V::splat(alpha) * p),
                    None => V::select(is_label, q * q, p * p),
                };
                V::select(is_label, m * p, zero).add_to(&mut hits[i][at..]);
                (m * error).add_to(&mut errors[i][at..]);
                c = c + one;
            }
        }
        is_zero(doubt)
    }
}

impl<T: Element> BlockKernel<T> for OverlapGradient<'_, T> {
    #[inline(always)]
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<'_, T>) -> bool {
        let Self { form, ref mut p, by_hits, by_errors } = *self;
        let probabilities = &mut p[..];
        let Planes { z, class, m, largest, .. } = planes;
        let (zero, one) = (V::splat(T::zero()), V::splat(T::one()));
        let two = one + one;
        let mut doubt = zero;
        for at in steps::<V>() {
            let label = V::load(&class[at..]);
            let m = V::load(&m[at..]);
            let softmax =
                Softmax::new(form, z, V::load(&largest[at..]), probabilities, at, ahead, &mut doubt);

            // Softmax: p_k·((g_k − g_top) + Σ_c p_c·(g_top − g_c)), as `Probabilities::pull_back` has it.
            let (mut most, mut drop) = (zero, zero);
            let rounds = if form.sigmoid { 1 } else { 3 };
            for round in 0..rounds {
                let mut c = first_class(form, z.len());
                for (i, (plane, p)) in z.iter_mut().zip(probabilities.iter()).enumerate() {
                    let z = V::load(&plane[at..]);
                    let (p, q) = pair(form, z, &p[at..], softmax);
                    let is_label = label.equal(c);
                    c = c + one;
                    let slope = match form.prices {
                        Some((alpha, beta)) => V::select(is_label, zero - V::splat(beta), V::splat(alpha)),
                        None => V::select(is_label, zero - two * q, two * p),
                    };
                    let hit = V::select(is_label, V::splat(by_hits[i]), zero);
                    let by_p = m * V::splat(by_errors[i]).mul_add(slope, hit);
                    match round {
                        _ if form.sigmoid => {
                            let g = by_p * p * q;
                            doubt = g.mul_add(zero, doubt);
                            g.store(&mut plane[at..]);
                        }
                        0 => most = V::select(z.equal(softmax.max), by_p, most),
                        1 => drop = p.mul_add(most - by_p, drop),
                        _ => {
                            let g = p * ((by_p - most) + drop);
                            doubt = g.mul_add(zero, doubt);
                            g.store(&mut plane[at..]);
                        }
                    }
                }
            }
        }
        is_zero(doubt)
    }
}

/// What the exponentials of a pixel have come to so far.
struct Running<V> {
    max: V,
    /// Of classes with the largest logit but one: it is left out of the sum, as a confident pixel has all its information
    /// in the others.
    others: V,
    /// Of all other classes.
    rest: V,
}

impl<V: Vector> Running<V> {
    /// Leaves the exponentials of some classes.
    #[inline(always)]
    fn classes<const N: usize>(
        &mut self,
        z: &[Plane<V::Real>; N],
        e_out: &mut [Plane<V::Real>; N],
        at: usize,
        doubt: &mut V,
    ) {
        let (zero, one) = (V::splat(V::Real::of(0.0)), V::splat(V::Real::of(1.0)));
        let mut d = [zero; N];
        for (d, z) in d.iter_mut().zip(z) {
            let z = V::load(&z[at..]);
            *doubt = z.mul_add(zero, *doubt);
            *d = z - self.max;
        }
        for ((d, e), e_out) in d.into_iter().zip(exp_nonpositive_each(d)).zip(e_out) {
            e.store(&mut e_out[at..]);
            let is_largest = d.equal(zero);
            self.others = V::select(is_largest, self.others + one, self.others);
            self.rest = self.rest + V::select(is_largest, zero, e);
        }
    }
}

/// What the classes of a pixel share.
#[derive(Clone, Copy)]
struct Softmax<V> {
    max: V,
    /// 1 − p of a class with the largest logit.
    complement: V,
}

impl<V: Vector> Softmax<V> {
    /// Leaves the p of each class, of a softmax.
    #[inline(always)]
    fn new(
        form: Form<V::Real>,
        z: &[Plane<V::Real>],
        max: V,
        probabilities: &mut [Plane<V::Real>],
        at: usize,
        ahead: &mut Ahead<'_, V::Real>,
        doubt: &mut V,
    ) -> Self {
        let of = |x: f64| V::splat(V::Real::of(x));
        let (zero, one) = (of(0.0), of(1.0));
        if form.sigmoid {
            for z in z {
                ahead.ask::<V>(1);
                *doubt = V::load(&z[at..]).mul_add(zero, *doubt);
            }
            return Self { max, complement: zero };
        }
        let mut running = Running { max, others: zero - one, rest: zero };
        let fours = if V::FOUR_ABREAST { z.len() / 4 } else { 0 };
        let ((fours, last), (to_fours, to_last)) =
            (z.split_at(4 * fours), probabilities.split_at_mut(4 * fours));
        let (fours, to_fours) = (fours.as_chunks::<4>().0, to_fours.as_chunks_mut::<4>().0);
        for (z, e_out) in fours.iter().zip(to_fours) {
            ahead.ask::<V>(4);
            running.classes(z, e_out, at, doubt);
        }
        for (z, e_out) in last.iter().zip(to_last) {
            ahead.ask::<V>(1);
            running.classes(std::array::from_ref(z), std::array::from_mut(e_out), at, doubt);
        }
        let others = running.others + running.rest;
        let sum = one + others;
        for p in probabilities {
            (V::load(&p[at..]) / sum).store(&mut p[at..]);
        }
        Self { max, complement: others / sum }
    }
}

/// p and 1 − p, neither as a difference that rounds the other away.
#[inline(always)]
fn pair<V: Vector>(form: Form<V::Real>, z: V, p: &[V::Real], softmax: Softmax<V>) -> (V, V) {
    let of = |x: f64| V::splat(V::Real::of(x));
    let (zero, one) = (of(0.0), of(1.0));
    if form.sigmoid {
        let is_far = z.less(zero);
        let e = exp_nonpositive(V::select(is_far, z, zero - z));
        let near = one / (one + e);
        let far = e * near;
        return (V::select(is_far, far, near), V::select(is_far, near, far));
    }
    let p = V::load(p);
    (p, V::select(z.equal(softmax.max), softmax.complement, one - p))
}

/// The number of the first channel's class: a single sigmoid tells class 1 from class 0.
#[inline(always)]
fn first_class<V: Vector>(form: Form<V::Real>, channels: usize) -> V {
    V::splat(V::Real::of(if form.sigmoid && channels == 1 { 1.0 } else { 0.0 }))
}
