//! Runs of planes.

use super::{AHEAD, Gradient, Logits, RUN};
use crate::element::Element;
use crate::kernels::block::Plane;
use crate::kernels::stream::{PlaneLines, Stream, whole_block};
use crate::kernels::vector::Vector;

/// Planes of logits, and what follows a run of them.
pub(crate) struct PlaneLogits<'a, T, const C: usize> {
    planes: [&'a [T; RUN]; C],
}

impl<'a, T, const C: usize> PlaneLogits<'a, T, C> {
    pub fn new(planes: [&'a [T; RUN]; C]) -> Self {
        Self { planes }
    }
}

impl<V: Vector, const C: usize> Logits<V, C> for PlaneLogits<'_, V::Real, C> {
    #[inline(always)]
    fn load(&self, at: usize) -> [V; C] {
        let mut z = [V::splat(V::Real::of(0.0)); C];
        for (z, plane) in z.iter_mut().zip(self.planes) {
            *z = V::load(&plane[at..]);
            V::prefetch(plane, at + AHEAD);
        }
        z
    }
}

/// Planes of the gradient.
pub(crate) struct PlaneGradient<'a, T, const C: usize>(pub [&'a mut [T; RUN]; C]);

impl<V: Vector, const C: usize> Gradient<V, C> for PlaneGradient<'_, V::Real, C> {
    #[inline(always)]
    fn put(&mut self, at: usize, gradient: [V; C]) {
        for (x, plane) in gradient.into_iter().zip(&mut self.0) {
            x.store(&mut plane[at..]);
            V::prefetch(*plane, at + AHEAD);
        }
    }
}

/// The same past the caches.
pub(crate) struct PlaneLineGradient<'a, V: Vector, const C: usize> {
    to: [PlaneLines<'a, V::Real, RUN>; C],
    /// What waits for the rest of its line.
    waiting: [V; C],
}

impl<'a, V: Vector, const C: usize> PlaneLineGradient<'a, V, C> {
    #[inline(always)]
    pub fn new(to: [PlaneLines<'a, V::Real, RUN>; C]) -> Self {
        let mut waiting = [V::splat(V::Real::of(0.0)); C];
        for (waiting, to) in waiting.iter_mut().zip(&to) {
            *waiting = V::load(to.waiting);
        }
        Self { to, waiting }
    }
}

impl<V: Vector, const C: usize> Gradient<V, C> for PlaneLineGradient<'_, V, C> {
    #[inline(always)]
    fn put(&mut self, at: usize, gradient: [V; C]) {
        for c in 0..C {
            let to = &mut self.to[c];
            gradient[c].behind(self.waiting[c], to.begun).stream_in(to.lines, at);
        }
        self.waiting = gradient;
    }

    #[inline(always)]
    fn end(self) {
        for (waiting, to) in self.waiting.into_iter().zip(self.to) {
            waiting.store(to.waiting);
        }
    }
}

/// As many planes as there are classes, one by one: loops over them were found not to be taken apart.
pub(crate) trait Abreast<const C: usize> {
    /// A run of each, from pixel number `start` of a tile on.
    fn runs<'a, T>(planes: &'a mut [&mut [T]; C], start: usize) -> [&'a mut [T; RUN]; C];

    /// The same, in lines.
    fn lines<'a, T: Element>(
        planes: &'a mut [&mut [T]; C],
        start: usize,
        stream: &'a mut Stream<T>,
    ) -> [PlaneLines<'a, T, RUN>; C];

    /// Runs of their own.
    fn spare<T>(planes: &mut [Plane<T, RUN>; C]) -> [&mut [T; RUN]; C];
}

/// Numbers of classes that are few.
pub(crate) struct Known;

macro_rules! abreast {
    ($($n:literal: $($plane:ident)*;)*) => { $(
        impl Abreast<$n> for Known {
            #[inline(always)]
            fn runs<'a, T>([$($plane),*]: &'a mut [&mut [T]; $n], start: usize) -> [&'a mut [T; RUN]; $n] {
                [$(whole_block($plane, start)),*]
            }

            #[inline(always)]
            fn lines<'a, T: Element>(
                [$($plane),*]: &'a mut [&mut [T]; $n],
                start: usize,
                stream: &'a mut Stream<T>,
            ) -> [PlaneLines<'a, T, RUN>; $n] {
                let mut lines = stream.lines();
                [$(PlaneLines::new($plane, start, lines.next().unwrap_or_default())),*]
            }

            #[inline(always)]
            fn spare<T>([$($plane),*]: &mut [Plane<T, RUN>; $n]) -> [&mut [T; RUN]; $n] {
                [$($plane),*]
            }
        }
    )* };
}
abreast! {
    2: a b;
    3: a b c;
    4: a b c d;
}
