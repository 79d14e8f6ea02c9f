//! A number for each pixel of a block, and sums over such.

use crate::simd::{ACCUMULATORS, LaneSums, MOST_LANES, Real, Simd, Vector};
use std::ops::{Deref, DerefMut};

/// Pixels of a block: the logits of a few dozen classes fit the first cache.
pub(crate) const PIXELS: usize = 64;

/// A number for each pixel of a block, aligned to a cache line: a register is loaded from one line, not from two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Plane<T>([T; PIXELS]);

impl<T: Copy> Plane<T> {
    /// The same number for each.
    #[inline(always)]
    pub fn of(x: T) -> Self {
        Self([x; PIXELS])
    }
}

impl<T> Deref for Plane<T> {
    type Target = [T; PIXELS];

    #[inline(always)]
    fn deref(&self) -> &[T; PIXELS] {
        &self.0
    }
}

impl<T> DerefMut for Plane<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; PIXELS] {
        &mut self.0
    }
}

/// Where the registers of a plane begin, N of them side by side. The mask changes nothing; by it the compiler sees that a
/// register fits, and checks no bounds.
#[inline(always)]
pub(crate) fn steps<S: Simd, const N: usize>() -> impl Iterator<Item = usize> {
    (0..PIXELS).step_by(N * S::LANES).map(|at| at & (PIXELS - N * S::LANES))
}

/// Sums over pixels by class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SumsByClass(Vec<Line>);

/// Accumulators in a cache line of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
struct Line(LaneSums);

impl SumsByClass {
    /// Of no pixel yet.
    pub fn zeros(classes: usize) -> Self {
        Self(vec![Line([0.0; ACCUMULATORS]); classes])
    }

    /// The accumulators of a class.
    #[inline(always)]
    pub fn of(&mut self, class: usize) -> &mut LaneSums {
        &mut self.0[class].0
    }

    /// Σ over the accumulators of each class.
    pub fn totals(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|line| line.0.iter().sum())
    }

    /// Adds a number of each pixel to the sum of its class. The last class is that of pixels that do not count.
    #[inline(always)]
    pub fn add_by_label<S: Simd>(&mut self, simd: S, label: &Plane<S::Real>, x: &Plane<S::Real>) {
        let (zero, none) = (simd.constant(0.0), simd.splat(S::Real::of_class(self.0.len() - 1)));
        for at in steps::<S, 1>() {
            let (labels, numbers) = (simd.load(&label[at..]), simd.load(&x[at..]));
            // Neighbours are mostly of the class of the first, of that of the last, or do not count.
            let [first, last] = [label[at], label[at + S::LANES - 1]];
            let (is_first, is_last) = (labels.equal(simd.splat(first)), labels.equal(simd.splat(last)));
            let rest = Vector::select(is_first, none, Vector::select(is_last, none, labels));
            if simd.any(rest.differs(none)) {
                for at in at..at + S::LANES {
                    self.of(label[at].class())[at % ACCUMULATORS] += x[at].wide();
                }
                continue;
            }
            Vector::select(is_first, numbers, zero).add_to(self.of(first.class()), at);
            if first.class() != last.class() {
                Vector::select(is_last, numbers, zero).add_to(self.of(last.class()), at);
            }
        }
    }

    /// Adds a number of each pixel to the sum of a class.
    ///
    /// Pixels 16 apart are added in their own type first, so that fewer are converted to `f64`.
    #[inline(always)]
    pub fn add_plane<S: Simd>(&mut self, simd: S, class: usize, x: &Plane<S::Real>) {
        let sums = self.of(class);
        for x in x.as_chunks::<{ 4 * MOST_LANES }>().0 {
            for at in (0..MOST_LANES).step_by(S::LANES) {
                let near = simd.load(&x[at..]) + simd.load(&x[at + MOST_LANES..]);
                let far = simd.load(&x[at + 2 * MOST_LANES..]) + simd.load(&x[at + 3 * MOST_LANES..]);
                (near + far).add_to(sums, at);
            }
        }
    }
}
