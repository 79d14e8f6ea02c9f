//! Numbers side by side in a register, whatever the register is.

use super::block::Places;
use super::functions::exp_by_polynomial;
use super::real::Real;
use crate::element::Element;
use std::ops::{Add, Div, Mul, Sub};

/// The most numbers that a register holds.
const LANES: usize = 16;

/// Columns of numbers that are transposed at once.
pub(crate) const COLUMNS: usize = 4;

/// As many numbers as the instructions compute at once.
///
/// The arithmetic is IEEE's, lane by lane; nothing adds up lanes, so that no result depends on how many there are.
pub trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The type of a lane.
    type Real: Element;
    /// One truth for each lane.
    type Mask: Copy;
    /// Sums of all [`Places`].
    type Sums: Copy;
    /// How many lanes.
    const LANES: usize;
    /// How many exponentials are best computed side by side: four, or eight where there are registers enough.
    const ABREAST: usize = 4;
    /// Whether planes are computed faster than the lines of the next block arrive: then those of the block after it are
    /// asked for, one of each plane in turn, as the machine itself expects them. Measured on a Zen 4: up to 20 % less time
    /// with sixteen f32; with fewer numbers, which take longer, up to 5 % more.
    const HURRIES: bool = false;
    /// Whether [`stream`](Self::stream) passes the caches: then two registers are a cache line, or one.
    const STREAMS: bool = false;

    /// The same number in all lanes.
    fn splat(x: Self::Real) -> Self;

    /// The first [`LANES`](Self::LANES) numbers.
    ///
    /// # Panics
    /// If there are fewer.
    fn load(from: &[Self::Real]) -> Self;

    /// Overwrites the first [`LANES`](Self::LANES) numbers.
    ///
    /// # Panics
    /// If there are fewer.
    fn store(self, to: &mut [Self::Real]);

    /// Overwrites the first [`LANES`](Self::LANES) numbers past the caches, where the instructions can, and where they begin
    /// at a multiple of a register's bytes; another thread may read them after a [`fence`](Self::fence).
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    fn stream(self, to: &mut [Self::Real]) {
        self.store(to);
    }

    /// The last `lanes` of another register, and behind them the first of this one: `lanes` are fewer than all.
    #[inline(always)]
    fn behind(self, before: Self, lanes: usize) -> Self {
        let mut both = [Self::Real::of(0.0); 2 * LANES];
        before.store(&mut both);
        self.store(&mut both[Self::LANES..]);
        Self::load(&both[Self::LANES - lanes..])
    }

    /// Waits for all that was [streamed](Self::stream).
    #[inline(always)]
    fn fence() {}

    /// self·b + c: rounded once where the instructions do so, else twice.
    fn mul_add(self, b: Self, c: Self) -> Self;

    /// √self, rounded once.
    fn sqrt(self) -> Self;

    /// Adds each lane to the sum of its place: the first lane is that of pixel number `at` of a block, a multiple of
    /// [`LANES`](Self::LANES).
    fn add_to(self, sums: &mut Places, at: usize);

    /// Sums of nothing.
    fn no_sums() -> Self::Sums;

    /// Adds each lane where the mask is true to the sum of its place, as [`add_to`](Self::add_to) does.
    fn add_where_to(self, mask: Self::Mask, sums: &mut Self::Sums, at: usize);

    /// Overwrites the sums of all places.
    fn store_sums(sums: Self::Sums, to: &mut Places);

    /// The larger one; self, beside NaN.
    fn max(self, other: Self) -> Self;

    /// self < other; false beside NaN.
    fn less(self, other: Self) -> Self::Mask;

    /// self = other; false beside NaN.
    fn equal(self, other: Self) -> Self::Mask;

    /// Not self = other; true beside NaN.
    fn differs(self, other: Self) -> Self::Mask;

    /// Whether it is true of any lane.
    fn any(mask: Self::Mask) -> bool;

    /// `yes` where the mask is true, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// self + other where the mask is true; self elsewhere, but that −0 may become 0.
    #[inline(always)]
    fn add_where(self, mask: Self::Mask, other: Self) -> Self {
        self + Self::select(mask, other, Self::splat(Self::Real::of(0.0)))
    }

    /// 2ⁿ for a whole n ≤ 0: 0 where it is less than half the smallest number. Of NaN it is anything.
    fn power_of_two(n: Self) -> Self;

    /// (k, m, 2⁻ᵏ) with self = 2ᵏ·m and m in [√½, √2), of a normal number above 0.
    fn split(self) -> (Self, Self, Self);

    /// What stands in a table at the whole number of each lane, which must lie in it.
    ///
    /// # Panics
    /// Where it does not, unless the table is in registers.
    #[inline(always)]
    fn lookup(self, table: &[Self::Real]) -> Self {
        lookup_each(self, table)
    }

    /// The same of a few numbers; 0 beyond the last.
    #[inline(always)]
    fn lookup_few<const N: usize>(self, table: [Self::Real; N]) -> Self {
        let mut found = Self::splat(Self::Real::of(0.0));
        for (i, x) in table.into_iter().enumerate() {
            found =
                Self::select(self.equal(Self::splat(Self::Real::of_class(i as u16))), Self::splat(x), found);
        }
        found
    }

    /// [`exp_nonpositive`](super::functions::exp_nonpositive) of several, step by step side by side: each step waits for the one before, and a core looks only
    /// so far ahead for others that do not.
    #[inline(always)]
    fn exp_nonpositive_each<const N: usize>(x: [Self; N]) -> [Self; N] {
        exp_by_polynomial(x)
    }

    /// The first [`COLUMNS`] columns of as many rows as there are lanes, `width` numbers apart.
    ///
    /// # Panics
    /// If there are not as many numbers.
    fn columns(rows: &[Self::Real], width: usize) -> [Self; COLUMNS];

    /// The way back, row after row: of rows that are narrower than [`COLUMNS`], each overwrites what the last one wrote
    /// beyond its end.
    ///
    /// # Panics
    /// If there are not as many numbers.
    fn put_columns(columns: [Self; COLUMNS], rows: &mut [Self::Real], width: usize);

    /// A register of each column, out of as many rows of C numbers as there are lanes, side by side.
    #[inline(always)]
    fn split_rows<const C: usize>(rows: [Self; C]) -> [Self; C] {
        split_each(rows)
    }

    /// The way back.
    #[inline(always)]
    fn join_rows<const C: usize>(columns: [Self; C]) -> [Self; C] {
        join_each(columns)
    }

    /// Asks for the cache line in which number `ahead` lies, if there is one.
    #[inline(always)]
    fn prefetch(_from: &[Self::Real], _ahead: usize) {}
}

/// The first of each [`COLUMNS`] columns that are transposed at once: the last ones begin earlier, and do some work
/// again.
#[inline(always)]
pub(crate) fn quads(columns: usize) -> impl Iterator<Item = usize> {
    let last = columns.saturating_sub(COLUMNS);
    (0..columns).step_by(COLUMNS).map(move |c| c.min(last))
}

/// [`Vector::split_rows`], lane by lane.
#[inline(always)]
pub(crate) fn split_each<V: Vector, const C: usize>(rows: [V; C]) -> [V; C] {
    let mut numbers = [[V::Real::of(0.0); C]; LANES];
    for (i, x) in rows.into_iter().enumerate() {
        x.store(&mut numbers.as_flattened_mut()[i * V::LANES..]);
    }
    let mut columns = rows;
    for (c, column) in columns.iter_mut().enumerate() {
        let mut lanes = [V::Real::of(0.0); LANES];
        for (lane, row) in lanes.iter_mut().zip(numbers).take(V::LANES) {
            *lane = row[c];
        }
        *column = V::load(&lanes);
    }
    columns
}

/// [`Vector::join_rows`], lane by lane.
#[inline(always)]
pub(crate) fn join_each<V: Vector, const C: usize>(columns: [V; C]) -> [V; C] {
    let mut numbers = [[V::Real::of(0.0); C]; LANES];
    for (c, column) in columns.into_iter().enumerate() {
        let mut lanes = [V::Real::of(0.0); LANES];
        column.store(&mut lanes);
        for (row, lane) in numbers.iter_mut().zip(lanes).take(V::LANES) {
            row[c] = lane;
        }
    }
    let mut rows = columns;
    for (i, x) in rows.iter_mut().enumerate() {
        *x = V::load(&numbers.as_flattened()[i * V::LANES..]);
    }
    rows
}

/// [`Vector::lookup`], lane by lane.
#[inline(always)]
pub(crate) fn lookup_each<V: Vector>(index: V, table: &[V::Real]) -> V {
    let mut lanes = [V::Real::of(0.0); LANES];
    index.store(&mut lanes);
    lanes[..V::LANES].iter_mut().for_each(|lane| *lane = table[lane.class()]);
    V::load(&lanes)
}

/// Whether every lane is 0: none is, once NaN was added.
#[inline(always)]
pub(crate) fn is_zero<V: Vector>(doubt: V) -> bool {
    !V::any(doubt.differs(V::splat(V::Real::of(0.0))))
}

/// What is done with several classes at once.
pub(crate) trait Classes {
    /// With N of them, from number `first` on.
    fn some<const N: usize>(&mut self, first: usize);
}

/// Hands over all classes in order, as many at once as [there are registers for](Vector::ABREAST): the first of N is a
/// multiple of N.
#[inline(always)]
pub(crate) fn abreast<V: Vector>(classes: usize, work: &mut impl Classes) {
    let rest = classes % V::ABREAST;
    for first in (0..classes - rest).step_by(V::ABREAST) {
        if V::ABREAST == 8 {
            work.some::<8>(first);
        } else {
            work.some::<4>(first);
        }
    }
    let mut first = classes - rest;
    if rest & 4 != 0 {
        work.some::<4>(first);
        first += 4;
    }
    if rest & 2 != 0 {
        work.some::<2>(first);
        first += 2;
    }
    if rest & 1 != 0 {
        work.some::<1>(first);
    }
}
