//! Runs of rows. Their gradient never passes the caches: in one stream of lines, that took up to a tenth longer.

use super::{AHEAD, Gradient, Logits, RUN};
use crate::element::Element;
use crate::kernels::vector::Vector;

/// Rows of logits.
pub(crate) struct RowLogits<'a, T, const C: usize>(pub &'a [[T; C]; RUN]);

impl<V: Vector, const C: usize> Logits<V, C> for RowLogits<'_, V::Real, C> {
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

/// Rows of the gradient.
pub(crate) struct RowGradient<'a, T, const C: usize>(pub &'a mut [[T; C]; RUN]);

impl<V: Vector, const C: usize> Gradient<V, C> for RowGradient<'_, V::Real, C> {
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
