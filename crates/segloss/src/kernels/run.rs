//! Runs of pixels on their way from the logits to registers of each class, and back to the gradient, without a plane in
//! between.

use super::vector::Vector;
use crate::element::Element;

/// Pixels of a run: so many that what is done once for each is soon forgotten.
pub(crate) const RUN: usize = 512;

/// How many pixels ahead lines are asked for.
const AHEAD: usize = 128;

/// Where a run's logits are.
pub(crate) trait Logits<V: Vector, const C: usize> {
    /// Those of a register of pixels from number `at` on, class by class.
    fn load(&self, at: usize) -> [V; C];
}

/// Where a run's gradient goes.
pub(crate) trait Gradient<V: Vector, const C: usize> {
    /// That of a register of pixels from number `at` on, class by class.
    fn put(&mut self, at: usize, gradient: [V; C]);
}

/// A plane for each class.
pub(crate) struct RunOfPlanes<P, const C: usize>(pub [P; C]);

/// All classes of a pixel side by side.
pub(crate) struct RunOfRows<R>(pub R);

impl<V: Vector, const C: usize> Logits<V, C> for RunOfPlanes<&[V::Real; RUN], C> {
    #[inline(always)]
    fn load(&self, at: usize) -> [V; C] {
        let mut z = [V::splat(V::Real::of(0.0)); C];
        for (z, plane) in z.iter_mut().zip(self.0) {
            *z = V::load(&plane[at..]);
            V::prefetch(plane, at + AHEAD);
        }
        z
    }
}

impl<V: Vector, const C: usize> Gradient<V, C> for RunOfPlanes<&mut [V::Real; RUN], C> {
    #[inline(always)]
    fn put(&mut self, at: usize, gradient: [V; C]) {
        for (x, plane) in gradient.into_iter().zip(&mut self.0) {
            x.store(&mut plane[at..]);
            V::prefetch(*plane, at + AHEAD);
        }
    }
}

impl<V: Vector, const C: usize> Logits<V, C> for RunOfRows<&[[V::Real; C]; RUN]> {
    #[inline(always)]
    fn load(&self, at: usize) -> [V; C] {
        let numbers = self.0.as_flattened();
        let mut rows = [V::splat(V::Real::of(0.0)); C];
        for (i, rows) in rows.iter_mut().enumerate() {
            let number = at * C + i * V::LANES;
            *rows = V::load(&numbers[number..]);
            V::prefetch(numbers, number + AHEAD * C);
        }
        V::split_rows(rows)
    }
}

impl<V: Vector, const C: usize> Gradient<V, C> for RunOfRows<&mut [[V::Real; C]; RUN]> {
    #[inline(always)]
    fn put(&mut self, at: usize, gradient: [V; C]) {
        let numbers = self.0.as_flattened_mut();
        for (i, x) in V::join_rows(gradient).into_iter().enumerate() {
            let number = at * C + i * V::LANES;
            x.store(&mut numbers[number..]);
            V::prefetch(numbers, number + AHEAD * C);
        }
    }
}
