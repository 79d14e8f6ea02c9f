//! Pixels as kernels want them: class by class, the pixels side by side, in the first cache.

use super::vector::Vector;

/// Pixels of a block: the logits of a few dozen classes fit the first cache.
pub(crate) const PIXELS: usize = 64;

/// A number for each pixel of a block.
pub(crate) type Plane<T> = [T; PIXELS];

/// Where the registers of a plane begin. The mask changes nothing; the compiler sees by it that a register fits, and
/// checks no bounds.
#[inline(always)]
pub(crate) fn steps<V: Vector>() -> impl Iterator<Item = usize> {
    (0..PIXELS).step_by(V::LANES).map(|at| at & (PIXELS - V::LANES))
}

/// A loss, block by block.
pub(crate) trait BlockKernel<T> {
    /// Computes a block, and leaves in the plane of each class what its gradient is made of. Returns whether all logits
    /// of pixels that count, all losses and all of the gradient are finite. On the way it [asks](Ahead::ask) for what is
    /// ahead, once for each class and register.
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: Ahead<'_, T>) -> bool;

    /// The gradient of class number `c` by the last block's pixels from `at` on, whose classes are `label`: made of what
    /// was left in its plane on the way to where it is written, instead of being stored and loaded once more.
    #[inline(always)]
    fn gradient<V: Vector<Real = T>>(&self, left: V, _label: V, _c: V, _at: usize) -> V {
        left
    }
}

/// Where the next block lies in memory. Its lines are asked for one by one while a block is computed: many at once would
/// be waited for, and the memory be idle afterwards.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<'a, T> {
    /// Its logits, and what follows them.
    pub from: &'a [T],
    /// The same of its gradient; of the logits, where no gradient is wanted.
    pub to: &'a [T],
    /// From class to class; in rows, where classes lie side by side, a register.
    pub class: usize,
    /// From pixel to pixel.
    pub pixel: usize,
}

impl<T> Ahead<'_, T> {
    /// Asks for what a class and the pixels of a register take.
    #[inline(always)]
    pub fn ask<V: Vector<Real = T>>(&self, class: usize, at: usize) {
        let number = class * self.class + at * self.pixel;
        V::prefetch(self.from, number);
        V::prefetch(self.to, number);
    }
}

/// What a kernel reads and writes: a whole block, whose pixels behind the end of a tile do not count.
pub(crate) struct Planes<'a, T> {
    /// The number of each pixel's class; [`no_class`] of one that does not count, whose logits and weight are 0.
    pub class: &'a Plane<T>,
    /// The weight of each pixel in the map.
    pub m: &'a Plane<T>,
    /// The largest logit of each pixel; beside NaN, of the rest.
    pub largest: &'a Plane<T>,
    /// Out: the weighted loss of each pixel; of channels that are problems of their own, each channel's.
    pub loss: &'a mut [Plane<T>],
    /// The logits of each class. Out: what the [gradient](BlockKernel::gradient) is made of.
    pub z: &'a mut [Plane<T>],
}

/// The number of no class.
pub(crate) fn no_class(classes: usize) -> usize {
    // A single channel tells two classes apart.
    classes.max(2)
}
