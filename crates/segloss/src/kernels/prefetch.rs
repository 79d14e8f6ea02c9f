//! Memory that is asked for two blocks before it is used.

use super::block::Block;
use super::plane::steps;
use crate::simd::{InstructionSets, Kernel, Simd};

/// Blocks between the one that is computed and the one that is fetched meanwhile.
pub(super) const DISTANCE: usize = 2;

/// The memory that is read and written after the next block, to be fetched meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Prefetch<'a, T> {
    /// The logits from there on.
    pub from: &'a [T],
    /// The gradient.
    pub to: &'a [T],
    /// From plane to plane; none where the classes of a pixel lie side by side.
    pub stride: Option<usize>,
}

impl<T> Prefetch<'_, T> {
    /// Nothing.
    pub fn nothing() -> Self {
        Self { from: &[], to: &[], stride: None }
    }
}

impl<T: InstructionSets> Prefetch<'_, T> {
    /// Where the line lies that each register of each class stands for, in whatever order they lie: of a class's first
    /// register, from pixel to pixel, and from class to class.
    #[inline(always)]
    pub(super) fn lines<S: Simd<Real = T>>(
        &self,
        _: S,
        classes: usize,
        class: usize,
    ) -> (usize, usize, usize) {
        match self.stride {
            Some(stride) => (class * stride, 1, stride),
            None => (class * S::LANES, classes, S::LANES),
        }
    }
}

impl<T: InstructionSets> Block<T> {
    /// Fetches the memory that is read and written after the next block, for what computes no softmax of the logits.
    pub fn prefetch(&self, prefetch: Prefetch<'_, T>) {
        self.set.run(PrefetchLines { classes: self.z.len(), prefetch });
    }
}

/// See [`Block::prefetch`].
struct PrefetchLines<'a, T> {
    classes: usize,
    prefetch: Prefetch<'a, T>,
}

impl<T: InstructionSets> Kernel<T> for PrefetchLines<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let (line, step, next) = self.prefetch.lines(simd, self.classes, 0);
        for c in 0..self.classes {
            for at in steps::<S, 1>() {
                simd.prefetch(self.prefetch.from, line + at * step + c * next);
                simd.prefetch(self.prefetch.to, line + at * step + c * next);
            }
        }
    }
}
