//! Pixels as kernels want them: class by class, the pixels side by side, in the first cache.

use super::lines::{LINE, Lines};
use super::real::Real;
use super::vector::Vector;
use crate::element::Element;
use std::ops::{Deref, DerefMut};

/// Pixels of a block: the logits of a few dozen classes fit the first cache.
pub(crate) const PIXELS: usize = 64;

/// A number for each pixel of a block. It begins with a cache line: a register is loaded from one, not from two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Plane<T, const P: usize = PIXELS>([T; P]);

impl<T: Copy, const P: usize> Plane<T, P> {
    /// The same number for each.
    pub fn of(x: T) -> Self {
        Self([x; P])
    }
}

impl<T, const P: usize> Deref for Plane<T, P> {
    type Target = [T; P];

    #[inline(always)]
    fn deref(&self) -> &[T; P] {
        &self.0
    }
}

impl<T, const P: usize> DerefMut for Plane<T, P> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; P] {
        &mut self.0
    }
}

/// Sums of what the pixels of a block have, each added to that of its place among eight: one waits for another no longer
/// than for its neighbour, and in whatever registers the pixels are, the sums are the same.
pub type Places = [f64; PLACES];

/// How many places there are.
pub(crate) const PLACES: usize = 8;

/// Such sums of each of several classes, each in a cache line: without the allocator's own alignment, which takes longer
/// than adding up a small image's.
pub struct PlacesOfClasses(Lines<f64>);

impl PlacesOfClasses {
    /// Of nothing.
    pub fn zeros(classes: usize) -> Self {
        Self(Lines::zeros(classes * PLACES))
    }

    /// Σ over the places of each class.
    pub fn totals(&self) -> impl Iterator<Item = f64> {
        self.iter().map(|sums| sums.iter().sum())
    }
}

impl Deref for PlacesOfClasses {
    type Target = [Places];

    #[inline(always)]
    fn deref(&self) -> &[Places] {
        self.0.as_chunks().0
    }
}

impl DerefMut for PlacesOfClasses {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [Places] {
        self.0.as_chunks_mut().0
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
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>, ahead: &mut Ahead<'_, T>) -> bool;

    /// The gradient of class number `c` by the last block's pixels from `at` on, whose classes are `label`: made of what
    /// was left in its plane on the way to where it is written, instead of being stored and loaded once more.
    #[inline(always)]
    fn gradient<V: Vector<Real = T>>(&self, left: V, _label: V, _c: V, _at: usize) -> V {
        left
    }
}

/// Where what is read next lies in memory. Its lines are asked for one by one while a block is computed: many at once
/// would be waited for, and the memory be idle afterwards.
pub(crate) struct Ahead<'a, T> {
    /// Its logits, and what follows them.
    pub from: &'a [T],
    /// The same of its gradient, where it is written through the caches.
    pub to: Option<&'a [T]>,
    /// From plane to plane; in rows, what as many pixels of one class take.
    pub stride: usize,
    /// What is asked for next: the number of the block, plane after plane; in turn, the number in both.
    pub next: usize,
    /// Where not all lines of a plane are asked for, but one of each plane in turn.
    pub turns: Option<Turns>,
}

/// A line of each plane in turn.
pub(crate) struct Turns {
    pub planes: usize,
    /// Those that have not had their turn.
    pub left: usize,
    /// Where the first one's line begins.
    pub line: usize,
}

impl<T> Ahead<'_, T> {
    /// Where number `next` of the block, plane after plane, lies in both.
    #[inline(always)]
    fn place(&self, next: usize) -> usize {
        next / PIXELS * self.stride + next % PIXELS
    }

    /// Asks for as many registers as have been computed.
    #[inline(always)]
    pub fn ask<V: Vector<Real = T>>(&mut self, registers: usize) {
        let (numbers, line) = (registers * V::LANES, LINE / size_of::<T>());
        // Which registers hurry is known when this is compiled: to others it costs nothing.
        if let (true, Some(turns)) = (V::HURRIES, &mut self.turns) {
            for _ in 0..numbers.div_ceil(line) {
                V::prefetch(self.from, self.next);
                if let Some(to) = self.to {
                    V::prefetch(to, self.next);
                }
                self.next += self.stride;
                turns.left -= 1;
                if turns.left == 0 {
                    (turns.left, turns.line) = (turns.planes, turns.line + line);
                    self.next = turns.line;
                }
            }
            return;
        }
        for line in (0..numbers).step_by(line) {
            let number = self.place(self.next + line);
            V::prefetch(self.from, number);
            if let Some(to) = self.to {
                V::prefetch(to, number);
            }
        }
        self.next += numbers;
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
pub(crate) fn add_by_class<V: Vector>(class: &Plane<V::Real>, x: &Plane<V::Real>, sums: &mut [Places]) {
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
                sums[class[at].class()][at % PLACES] += x[at].wide();
            }
            continue;
        }
        V::select(is_first, x_here, zero).add_to(&mut sums[first.class()], at);
        // Mostly the same.
        if first.class() != last.class() {
            V::select(is_last, x_here, zero).add_to(&mut sums[last.class()], at);
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::super::x86::{F32x8, F32x16, F64x8};
    use super::*;
    use crate::element::Element;

    const STRIDE: usize = 1000;
    const PLANES: usize = 3;

    /// What is asked for while two blocks of three planes are computed, a register at a time.
    fn asked<V: Vector>(in_turn: bool) -> Vec<usize> {
        let logits = [V::Real::of(0.0); PLANES * STRIDE];
        let mut all = Vec::new();
        for block in [0, PIXELS] {
            let turns = in_turn.then_some(Turns { planes: PLANES, left: PLANES, line: 0 });
            let mut ahead = Ahead { from: &logits[block..], to: None, stride: STRIDE, next: 0, turns };
            for _ in 0..PLANES * PIXELS / V::LANES {
                let next = if in_turn { ahead.next } else { ahead.place(ahead.next) };
                all.push(block + next);
                ahead.ask::<V>(1);
            }
        }
        all
    }

    /// Where registers of so many numbers begin in the planes.
    fn registers(numbers: usize) -> Vec<usize> {
        (0..PLANES).flat_map(|c| (0..2 * PIXELS).step_by(numbers).map(move |at| c * STRIDE + at)).collect()
    }

    fn sorted(mut numbers: Vec<usize>) -> Vec<usize> {
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn everything_ahead_is_asked_for_once() {
        assert_eq!(sorted(asked::<F32x16>(true)), registers(16));
        assert_eq!(sorted(asked::<F32x16>(false)), registers(16));
        assert_eq!(sorted(asked::<F64x8>(false)), registers(8));
        assert_eq!(sorted(asked::<F32x8>(false)), registers(8));
    }

    #[test]
    fn planes_have_their_turns_or_are_asked_for_one_after_the_other() {
        assert_eq!(asked::<F32x16>(true)[..5], [0, STRIDE, 2 * STRIDE, 16, STRIDE + 16]);
        assert_eq!(asked::<F32x16>(false)[..5], [0, 16, 32, 48, STRIDE]);
    }
}
