//! Cross-entropy of two to four classes: a pixel stays in registers from its logits to its gradient.
//!
//! With few logits to a pixel, what the stages leave in planes for each other costs more than the arithmetic. That is
//! theirs, to the bit; whatever this kernel does not finish, they compute.

use super::block::{Block, is_finite, reserve};
use super::plane::{PIXELS, Plane, SumsByClass, steps};
use super::pointwise::{Weights, beyond_one};
use super::prefetch::DISTANCE;
use super::staging::{Place, whole};
use crate::simd::{COLUMNS, InstructionSets, Kernel, Real, Simd, Vector, ln_1p_nonnegative};
use crate::tiles::TileMut;

/// Pixels between those that are computed and those that are fetched meanwhile.
const PREFETCH_DISTANCE: usize = DISTANCE * PIXELS;

impl<T: InstructionSets> Block<T> {
    /// Computes losses, their sums and the gradient of a block whose labels and weights have been read; whether it did. It
    /// does not where there are more classes, where a block is short or its last row is the last of a tile, and where
    /// anything is not finite: nothing has been added up then.
    pub fn cross_entropy_of_few(
        &mut self,
        logits: &[T],
        place: Place<'_>,
        weights: &Weights<T>,
        sums: &mut SumsByClass,
        out: &mut TileMut<'_, T>,
        start: usize,
    ) -> bool {
        reserve(&mut self.loss, 1);
        let Self { set, label, m, loss, .. } = self;
        let (loss, out) = (&mut loss[0], Some(out));
        let classes = place.geometry.classes;
        // What a transpose reads and writes beyond a block is inside the tile.
        let numbers = (PIXELS - 1) * classes + COLUMNS;
        let fits = match &out {
            Some(TileMut::Planes(planes)) => planes[0].len() >= start + PIXELS,
            Some(TileMut::Rows { values, .. }) => values.len() >= start * classes + numbers,
            _ => false,
        };
        if !fits {
            return false;
        }
        match classes {
            2 => set.run(FewClasses::<T, 2, 4> { logits, place, label, m, weights, sums, loss, out, start }),
            3 => set.run(FewClasses::<T, 3, 2> { logits, place, label, m, weights, sums, loss, out, start }),
            4 => set.run(FewClasses::<T, 4, 2> { logits, place, label, m, weights, sums, loss, out, start }),
            _ => false,
        }
    }
}

/// See [`Block::cross_entropy_of_few`]: C classes, N registers side by side.
struct FewClasses<'a, 'b, T, const C: usize, const N: usize> {
    logits: &'a [T],
    place: Place<'a>,
    label: &'a Plane<T>,
    m: &'a Plane<T>,
    weights: &'a Weights<T>,
    sums: &'a mut SumsByClass,
    loss: &'a mut Plane<T>,
    /// Taken when it is written.
    out: Option<&'a mut TileMut<'b, T>>,
    start: usize,
}

impl<T: InstructionSets, const C: usize, const N: usize> Kernel<T> for FewClasses<'_, '_, T, C, N> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Real = T>>(mut self, simd: S) -> bool {
        let logits = &self.logits[self.place.offset..];
        let (stride, start) = (self.place.geometry.pixels, self.start);
        match self.out.take() {
            Some(TileMut::Planes(planes)) => {
                let to: &mut [_; C] = planes.first_chunk_mut::<C>().expect("a plane for each class");
                let block = |c| logits[c * stride..].first_chunk().expect("a whole block is read");
                let to = to.each_mut().map(|plane| whole(plane, start));
                self.compute(simd, Planes { from: std::array::from_fn(block), to })
            }
            Some(TileMut::Rows { values, .. }) => {
                self.compute(simd, Rows { from: logits, to: &mut values[start * C..] })
            }
            Some(TileMut::Nothing) | None => false,
        }
    }
}

impl<T: InstructionSets, const C: usize, const N: usize> FewClasses<'_, '_, T, C, N> {
    #[inline(always)]
    fn compute<S: Simd<Real = T>>(&mut self, simd: S, mut memory: impl Memory<S, C>) -> bool {
        let Self { label, m, weights, sums, loss, .. } = self;
        let zero = simd.constant(0.0);
        let mut non_finite = zero;
        let (mut by_loss, mut by_gradient) = ([zero; C], [zero; C]);
        for c in 0..C {
            by_loss[c] = simd.splat(weights.loss[c]);
            by_gradient[c] = simd.splat(weights.gradient[c]);
        }
        let mut by_class: [_; C] = std::array::from_fn(|c| *sums.of(c));
        for start in steps::<S, N>() {
            // The logarithm is a long chain: of several registers side by side, none waits for another's.
            let mut terms = [Terms { e: [zero; C], others: zero, e_own: zero, d_own: zero }; N];
            let mut log_sum = [zero; N];
            for i in 0..N {
                let at = start + i * S::LANES;
                terms[i] = Terms::new(memory.load(simd, at), simd.load(&label[at..]));
                log_sum[i] = beyond_one(terms[i].others, terms[i].d_own, terms[i].e_own);
            }
            log_sum = ln_1p_nonnegative(log_sum);
            for i in 0..N {
                let at = start + i * S::LANES;
                let (label, m) = (simd.load(&label[at..]), simd.load(&m[at..]));
                let Terms { e, others, e_own, d_own } = terms[i];
                let sum = others + e_own;
                let (mut w, mut v) = (zero, zero);
                for c in 0..C {
                    let is_own = label.equal(simd.splat(T::of_class(c)));
                    w = Vector::select(is_own, by_loss[c], w);
                    v = Vector::select(is_own, by_gradient[c], v);
                }
                let cost = w * m * (log_sum[i] - d_own);
                let scale = v * m / sum;
                let own = zero - scale * others;
                non_finite = cost.mul_add(zero, scale.mul_add(zero, sum.mul_add(zero, non_finite)));
                cost.store(&mut loss[at..]);
                let mut gradient = e;
                for c in 0..C {
                    let is_own = label.equal(simd.splat(T::of_class(c)));
                    gradient[c] = Vector::select(is_own, own, e[c] * scale);
                    Vector::select(is_own, cost, zero).add_to(&mut by_class[c], at);
                }
                memory.store(simd, at, gradient);
            }
        }
        let is_finite = is_finite(simd, non_finite);
        if is_finite {
            by_class.into_iter().enumerate().for_each(|(c, by_class)| *sums.of(c) = by_class);
        }
        is_finite
    }
}

/// Where the logits and the gradient of a block lie.
trait Memory<S: Simd, const C: usize> {
    /// The logits of a register of pixels from number `at` on, class by class.
    fn load(&self, simd: S, at: usize) -> [S::Vector; C];

    /// Writes their gradient.
    fn store(&mut self, simd: S, at: usize, gradient: [S::Vector; C]);
}

/// A plane for each class.
struct Planes<'a, T, const C: usize> {
    from: [&'a [T; PIXELS]; C],
    to: [&'a mut [T; PIXELS]; C],
}

/// The classes of a pixel side by side.
struct Rows<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
}

impl<S: Simd, const C: usize> Memory<S, C> for Planes<'_, S::Real, C> {
    #[inline(always)]
    fn load(&self, simd: S, at: usize) -> [S::Vector; C] {
        let mut z = [simd.constant(0.0); C];
        for (z, plane) in z.iter_mut().zip(self.from) {
            *z = simd.load(&plane[at..]);
            simd.prefetch(plane, at + PREFETCH_DISTANCE);
        }
        z
    }

    #[inline(always)]
    fn store(&mut self, simd: S, at: usize, gradient: [S::Vector; C]) {
        for (x, plane) in gradient.into_iter().zip(&mut self.to) {
            x.store(&mut plane[at..]);
            simd.prefetch(*plane, at + PREFETCH_DISTANCE);
        }
    }
}

impl<S: Simd, const C: usize> Memory<S, C> for Rows<'_, S::Real> {
    #[inline(always)]
    fn load(&self, simd: S, at: usize) -> [S::Vector; C] {
        let mut z = [simd.constant(0.0); C];
        z.iter_mut().zip(simd.columns(&self.from[at * C..], C)).for_each(|(z, column)| *z = column);
        (0..C).for_each(|i| simd.prefetch(self.from, (at + PREFETCH_DISTANCE) * C + i * S::LANES));
        z
    }

    #[inline(always)]
    fn store(&mut self, simd: S, at: usize, gradient: [S::Vector; C]) {
        let mut columns = [simd.constant(0.0); COLUMNS];
        columns.iter_mut().zip(gradient).for_each(|(column, x)| *column = x);
        S::Vector::put_columns(columns, &mut self.to[at * C..], C);
        (0..C).for_each(|i| simd.prefetch(self.to, (at + PREFETCH_DISTANCE) * C + i * S::LANES));
    }
}

/// What the logits of a register of pixels come to: see [softmax](super::softmax).
#[derive(Clone, Copy)]
struct Terms<V, const C: usize> {
    e: [V; C],
    others: V,
    e_own: V,
    d_own: V,
}

impl<V: Vector, const C: usize> Terms<V, C> {
    #[inline(always)]
    fn new(z: [V; C], label: V) -> Self {
        let (simd, zero, one) = (label.simd(), label.zero(), label.one());
        let counts = label.differs(simd.splat(V::Real::of_class(C)));
        // What does not count may be anything.
        let mut d = z;
        for d in &mut d {
            *d = V::select(counts, *d, zero);
        }
        let mut max = d[0];
        for &d in &d[1..] {
            max = max.max(d);
        }
        for d in &mut d {
            *d = *d - max;
        }
        let mut e = d;
        if C == 2 {
            // The larger one's exponential is 1.
            let [x] = V::exp_nonpositive([d[0] + d[1]]);
            for (e, d) in e.iter_mut().zip(d) {
                *e = V::select(d.equal(zero), one, x);
            }
        } else {
            e = V::exp_nonpositive(d);
        }
        let (mut others, mut e_own, mut d_own, mut pair) = (zero, zero, zero, zero);
        for c in 0..C {
            let is_other = label.differs(simd.splat(V::Real::of_class(c)));
            (d_own, e_own) = (V::select(is_other, d_own, d[c]), V::select(is_other, e_own, e[c]));
            pair = match c % 2 {
                0 => V::select(is_other, e[c], zero),
                _ => pair.add_where(is_other, e[c]),
            };
            if c % 2 == 1 || c == C - 1 {
                others = if c < 2 { pair } else { others + pair };
            }
        }
        Self { e, others, e_own, d_own }
    }
}
