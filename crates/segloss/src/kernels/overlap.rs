//! Overlap losses of pixels with a class each: the sums and the gradient of
//! [`families::overlap`](crate::families::overlap).

use super::block::{Ahead, BlockKernel, PlacesOfClasses, Plane, Planes, add_by_class, no_class, steps};
use super::softmax::{Softmax, pair, pull_back};
use super::vector::{Vector, is_zero};
use crate::element::Element;

/// What an error costs, and what p is.
#[derive(Clone, Copy, Debug)]
pub struct Form<T> {
    /// Whether p is a sigmoid; else it is the softmax.
    pub sigmoid: bool,
    /// α and β; none where errors are squared.
    pub prices: Option<(T, T)>,
}

impl<T> Form<T> {
    /// The number of the first channel's class: a single sigmoid tells class 1 from class 0.
    fn first_class(&self, channels: usize) -> usize {
        usize::from(self.sigmoid && channels == 1)
    }
}

/// Adds up Σ m·p·y and E of each class. No loss is written.
pub struct OverlapSums<T> {
    form: Form<T>,
    /// The p of each class.
    p: Vec<Plane<T>>,
    /// [`Softmax::complement`].
    complement: Plane<T>,
    /// m·p of the pixel's class.
    hit: Plane<T>,
    /// By the number of a class, and of none.
    hits: PlacesOfClasses,
    /// By channel.
    errors: PlacesOfClasses,
}

impl<T: Element> OverlapSums<T> {
    pub fn new(form: Form<T>, classes: usize) -> Self {
        let (zeros, none) = (Plane::of(T::zero()), no_class(classes) + 1);
        let (hits, errors) = (PlacesOfClasses::zeros(none), PlacesOfClasses::zeros(classes));
        Self { form, p: vec![zeros; classes], complement: zeros, hit: zeros, hits, errors }
    }

    /// Σ m·p·y of each channel.
    pub fn hits(&self) -> Vec<f64> {
        let first = self.form.first_class(self.errors.len());
        self.hits.totals().skip(first).take(self.errors.len()).collect()
    }

    /// E of each channel.
    pub fn errors(&self) -> Vec<f64> {
        self.errors.totals().collect()
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
        let Self { form, ref mut p, ref mut complement, ref mut hit, ref mut hits, ref mut errors } = *self;
        // A slice, not what owns it: that would be read anew after every store.
        let (probabilities, hits, errors) = (&mut p[..], &mut hits[..], &mut errors[..]);
        let Planes { z, class, m, largest, .. } = planes;
        let zero = V::splat(T::zero());
        let mut doubt = zero;
        for at in steps::<V>() {
            let softmax =
                Softmax::new(form.sigmoid, z, V::load(&largest[at..]), probabilities, at, ahead, &mut doubt);
            softmax.complement.store(&mut complement[at..]);
            zero.store(&mut hit[at..]);
        }
        let first = form.first_class(z.len());
        for (i, (z, p)) in z.iter().zip(probabilities.iter()).enumerate() {
            let c = V::splat(T::of_class((first + i) as u16));
            let mut sums = errors[i];
            for at in steps::<V>() {
                let (is_label, m) = (V::load(&class[at..]).equal(c), V::load(&m[at..]));
                let softmax =
                    Softmax { max: V::load(&largest[at..]), complement: V::load(&complement[at..]) };
                let (p, q) = pair(form.sigmoid, V::load(&z[at..]), &p[at..], softmax);
                let error = match form.prices {
                    Some((alpha, beta)) => V::select(is_label, V::splat(beta) * q, V::splat(alpha) * p),
                    None => V::select(is_label, q * q, p * p),
                };
                V::load(&hit[at..]).add_where(is_label, m * p).store(&mut hit[at..]);
                (m * error).add_to(&mut sums, at);
            }
            errors[i] = sums;
        }
        add_by_class::<V>(class, hit, hits);
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
                Softmax::new(form.sigmoid, z, V::load(&largest[at..]), probabilities, at, ahead, &mut doubt);

            // ∂L/∂p of every class, and of one with the largest logit.
            let mut most = zero;
            let mut c = V::splat(T::of_class(form.first_class(z.len()) as u16));
            for (i, (plane, p)) in z.iter_mut().zip(probabilities.iter()).enumerate() {
                let z = V::load(&plane[at..]);
                let (p, q) = pair(form.sigmoid, z, &p[at..], softmax);
                let is_label = label.equal(c);
                c = c + one;
                let slope = match form.prices {
                    Some((alpha, beta)) => V::select(is_label, zero - V::splat(beta), V::splat(alpha)),
                    None => V::select(is_label, zero - two * q, two * p),
                };
                let hit = V::select(is_label, V::splat(by_hits[i]), zero);
                let by_p = m * V::splat(by_errors[i]).mul_add(slope, hit);
                let left = match form.sigmoid {
                    true => by_p * p * q,
                    false => {
                        most = V::select(z.equal(softmax.max), by_p, most);
                        by_p
                    }
                };
                doubt = left.mul_add(zero, doubt);
                left.store(&mut plane[at..]);
            }
            if !form.sigmoid {
                pull_back(z, probabilities, most, at, &mut doubt);
            }
        }
        is_zero(doubt)
    }
}
