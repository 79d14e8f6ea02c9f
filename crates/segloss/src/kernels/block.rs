//! Pixels as kernels want them: class by class, the pixels side by side, in the first cache.

use super::lines::LINE;
use super::real::Real;
use super::vector::Vector;
use crate::element::Element;
use std::ops::{Deref, DerefMut};

/// Pixels of a block: the logits of a few dozen classes fit the first cache.
pub(crate) const PIXELS: usize = 64;

/// A number for each pixel of a block. It begins with a cache line: a register is loaded from one, not from two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Plane<T>([T; PIXELS]);

impl<T: Copy> Plane<T> {
    /// The same number for each.
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

/// Where the registers of a plane begin. The mask changes nothing; the compiler sees by it that a register fits, and
/// checks no bounds.
#[inline(always)]
pub(crate) fn steps<V: Vector>() -> impl Iterator<Item = usize> {
    (0..PIXELS).step_by(V::LANES).map(|at| at & (PIXELS - V::LANES))
}

/// The same of N registers that lie side by side.
#[inline(always)]
pub(crate) fn steps_abreast<V: Vector, const N: usize>() -> impl Iterator<Item = usize> {
    (0..PIXELS).step_by(N * V::LANES).map(|at| at & (PIXELS - N * V::LANES))
}

/// A loss, block by block.
pub(crate) trait BlockKernel<T> {
    /// Whether what is written is read again before it is the caller's: then it stays in the caches.
    const IS_READ_SOON: bool = false;

    /// Computes a block, and leaves in the plane of each class what its gradient is made of. Returns whether all logits
    /// of pixels that count, all losses and all of the gradient are finite. On the way it [asks](Ahead::ask) for what is
    /// ahead.
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<T>) -> bool;

    /// The gradient of class number `c` by the last block's pixels from `at` on, whose classes are `label`: made of what
    /// was left in its plane on the way to where it is written, instead of being stored and loaded once more.
    #[inline(always)]
    fn gradient<V: Vector<Real = T>>(&self, left: V, _label: V, _c: V, _at: usize) -> V {
        left
    }
}

/// Where what is read next lies in memory. Its lines are asked for one by one while a block is computed: many at once
/// would be waited for, and the memory be idle afterwards.
pub(crate) struct Ahead<T> {
    /// Its first logit.
    pub from: *const T,
    /// The same of its gradient, where that is written through the caches.
    pub to: Option<*const T>,
    /// In which order lines are asked for.
    order: Order,
    /// The number in both that is asked for next.
    next: usize,
    /// Where the first plane's lines of this turn begin.
    turn: usize,
    /// Lines of this plane, and planes, that are still to be asked for in this turn.
    lines: usize,
    planes: usize,
}

/// Some lines of each plane in turn.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub planes: usize,
    /// Numbers from plane to plane.
    pub stride: usize,
    /// Lines of a plane at a time.
    pub lines: usize,
}

impl<T> Ahead<T> {
    /// Numbers of a line.
    const LINE: usize = LINE / size_of::<T>();

    pub fn new(from: *const T, to: Option<*const T>, order: Order) -> Self {
        let Order { planes, lines, .. } = order;
        Self { from, to, order, next: 0, turn: 0, lines, planes }
    }

    /// Asks for as many registers as have been computed.
    #[inline(always)]
    pub fn ask<V: Vector<Real = T>>(&mut self, registers: usize) {
        let Order { planes, stride, lines } = self.order;
        for _ in 0..(registers * V::LANES).div_ceil(Self::LINE) {
            V::prefetch(self.from.wrapping_add(self.next));
            if let Some(to) = self.to {
                V::prefetch(to.wrapping_add(self.next));
            }
            self.next += Self::LINE;
            self.lines -= 1;
            if self.lines == 0 {
                (self.next, self.lines) = (self.next - lines * Self::LINE + stride, lines);
                self.planes -= 1;
            }
            if self.planes == 0 {
                self.turn += lines * Self::LINE;
                (self.next, self.planes) = (self.turn, planes);
            }
        }
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

/// Adds what each pixel has to the sum of its class and place.
#[inline(always)]
pub(crate) fn add_by_class<V: Vector>(class: &Plane<V::Real>, x: &Plane<V::Real>, sums: &mut [Plane<f64>]) {
    let (zero, none) = (V::splat(V::Real::of(0.0)), sums.len() - 1);
    for at in steps::<V>() {
        let (label, x_here) = (V::load(&class[at..]), V::load(&x[at..]));
        // Neighbours are mostly of the class of the first, of that of the last, or of none.
        let [first, last] = [class[at], class[at + V::LANES - 1]];
        let (is_first, is_last) = (label.equal(V::splat(first)), label.equal(V::splat(last)));
        let none = V::splat(V::Real::of(none as f64));
        let rest = V::select(is_first, none, V::select(is_last, none, label));
        if V::any(rest.differs(none)) {
            for at in at..at + V::LANES {
                sums[class[at].class()][at] += x[at].wide();
            }
            continue;
        }
        V::select(is_first, x_here, zero).add_to(&mut sums[first.class()][at..]);
        // Mostly the same.
        if first.class() != last.class() {
            V::select(is_last, x_here, zero).add_to(&mut sums[last.class()][at..]);
        }
    }
}
