//! Errors that are sorted, and their slopes on the way back to the logits: what
//! [`families::lovasz`](crate::families::lovasz) does pixel by pixel.

use super::block::{Ahead, BlockKernel, PIXELS, Plane, Planes, no_class, steps};
use super::softmax::{Softmax, pair, pull_back};
use super::vector::{Vector, is_zero};
use crate::element::Element;
use crate::families::lovasz::ErrorForm;

/// Leaves the error of every class, with a minus where it is the pixel's own, and NaN of a pixel that does not count.
pub struct LovaszErrors<T> {
    form: ErrorForm,
    /// The number of the first channel's class.
    first: usize,
    /// The p of each class.
    p: Vec<Plane<T>>,
}

impl<T: Element> LovaszErrors<T> {
    pub fn new(form: ErrorForm, first: usize, classes: usize) -> Self {
        Self { form, first, p: vec![Plane::of(T::zero()); classes] }
    }
}

impl<T: Element> BlockKernel<T> for LovaszErrors<T> {
    const IS_READ_SOON: bool = true;

    #[inline(always)]
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<'_, T>) -> bool {
        let Self { form, first, ref mut p } = *self;
        let probabilities = &mut p[..];
        let Planes { z, class, largest, .. } = planes;
        let of = |x: f64| V::splat(T::of(x));
        let (zero, one, nothing) = (of(0.0), of(1.0), V::splat(T::nan()));
        let none = V::splat(T::of_class(no_class(z.len()) as u16));
        let is_hinge = form == ErrorForm::Hinge;
        let mut doubt = zero;
        for at in steps::<V>() {
            let label = V::load(&class[at..]);
            let max = V::load(&largest[at..]);
            let softmax = Softmax::new(is_hinge, z, max, probabilities, at, ahead, &mut doubt);
            let mut c = V::splat(T::of_class(first as u16));
            for (plane, p) in z.iter_mut().zip(probabilities.iter()) {
                let z = V::load(&plane[at..]);
                let is_label = label.equal(c);
                c = c + one;
                let error = match form {
                    // What lies below 0 costs nothing, however far.
                    ErrorForm::Hinge => V::select(is_label, one - z, one + z).max(zero),
                    ErrorForm::Probability => {
                        let (p, q) = pair(false, z, &p[at..], softmax);
                        V::select(is_label, q, p)
                    }
                };
                // Also 0 has a minus.
                let signed = V::select(is_label, of(-1.0) * error, error);
                V::select(label.differs(none), signed, nothing).store(&mut plane[at..]);
            }
        }
        is_zero(doubt)
    }
}

/// Writes the gradient of softmax probabilities.
pub struct PullBack<'a, T> {
    /// ∂L/∂p of a tile, class by class, each of whole blocks.
    by_p: &'a [T],
    /// The next pixel.
    next: usize,
    /// The p of each class.
    p: Vec<Plane<T>>,
}

impl<'a, T: Element> PullBack<'a, T> {
    /// What [`room`](Self::room) has made room for.
    pub fn new(by_p: &'a [T], classes: usize) -> Self {
        Self { by_p, next: 0, p: vec![Plane::of(T::zero()); classes] }
    }

    /// How many numbers each class takes.
    pub fn room(pixels: usize) -> usize {
        pixels.next_multiple_of(PIXELS)
    }
}

impl<T: Element> BlockKernel<T> for PullBack<'_, T> {
    #[inline(always)]
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<'_, T>) -> bool {
        let Self { by_p, ref mut next, ref mut p } = *self;
        let probabilities = &mut p[..];
        let Planes { z, largest, .. } = planes;
        let room = by_p.len() / z.len();
        let mut doubt = V::splat(T::zero());
        for at in steps::<V>() {
            let max = V::load(&largest[at..]);
            let softmax = Softmax::new(false, z, max, probabilities, at, ahead, &mut doubt);
            let mut most = V::splat(T::zero());
            for (plane, by_p) in z.iter_mut().zip(by_p.chunks_exact(room)) {
                let by_p = V::load(&by_p[*next + at..]);
                most = V::select(V::load(&plane[at..]).equal(softmax.max), by_p, most);
                by_p.store(&mut plane[at..]);
            }
            pull_back(z, probabilities, most, at, &mut doubt);
        }
        *next += PIXELS;
        is_zero(doubt)
    }
}
