//! Numbers side by side in a register, whatever the register is.

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
    /// How many lanes.
    const LANES: usize;
    /// Whether there are registers enough for four exponentials side by side.
    const FOUR_ABREAST: bool = false;
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

    /// Adds each lane to a sum of its own.
    ///
    /// # Panics
    /// If there are fewer than [`LANES`](Self::LANES).
    fn add_to(self, sums: &mut [f64]);

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

    /// self·2ⁿ for a whole n between [`Real::LEAST_EXPONENT`] and 0, rounded once.
    fn scale(self, n: Self) -> Self;

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

/// eˣ for x ≤ 0, within one unit in the last place; gradual underflow and NaN as they should be. NaN for −∞, and
/// where x is so large a number that n·ln 2 has no digits behind its point, 0 or no finite number.
///
/// x = n·ln 2 + r with |r| ≤ ½·ln 2; eˣ = 2ⁿ·eʳ. n·ln 2 is taken off in two parts, the first so short that its
/// product with n is exact: r is as right as x. eʳ is a polynomial ([`Real::EXP`]).
#[inline(always)]
pub(crate) fn exp_nonpositive<V: Vector>(x: V) -> V {
    let [e] = exp_nonpositive_each([x]);
    e
}

/// The same of several, step by step side by side: each step waits for the one before, and a core looks only so far ahead
/// for others that do not.
#[inline(always)]
pub(crate) fn exp_nonpositive_each<V: Vector, const N: usize>(x: [V; N]) -> [V; N] {
    let of = |x: f64| V::splat(V::Real::of(x));
    // Added to a number much smaller, it leaves the nearest whole number in the last bits.
    let round = of(V::Real::ROUND);
    let n = each(x, |_, x| x.mul_add(of(std::f64::consts::LOG2_E), round));
    let n = each(n, |_, n| n - round);
    let (high, low) = V::Real::LN_2;
    let r = each(n, |i, n| n.mul_add(of(-high), x[i]));
    let r = each(n, |i, n| n.mul_add(of(-low), r[i]));
    let [first, rest @ ..] = V::Real::EXP else { return x };
    let mut p = [of(*first); N];
    for &coefficient in rest {
        p = each(p, |i, p| p.mul_add(r[i], of(coefficient)));
    }
    // Of −∞, r is NaN; not n as well: AVX-512 takes NaN·2^−∞ for 0.
    each(p, |i, p| p.scale(n[i].max(of(V::Real::LEAST_EXPONENT))))
}

/// What becomes of each: `map` of arrays was found to be compiled as a function of its own.
#[inline(always)]
fn each<V: Copy, const N: usize>(mut x: [V; N], f: impl Fn(usize, V) -> V) -> [V; N] {
    for (i, x) in x.iter_mut().enumerate() {
        *x = f(i, *x);
    }
    x
}

/// ln(1 + x) for x ≥ 0, small ones to all their digits, within one unit in the last place.
///
/// 1 + x = 2ᵏ·(1 + f) with 1 + f in [√½, √2); what the sum 1 + x rounded away comes back into f, which for k = 0 is x
/// itself. ln(1 + f) is a [polynomial or a quotient](Real::ln).
#[inline(always)]
pub(crate) fn ln_1p_nonnegative<V: Vector>(x: V) -> V {
    let one = V::splat(V::Real::of(1.0));
    let u = one + x;
    let (k, m, scale) = u.split();
    // Exact: u − 1 is, until 1 is less than a unit of u, where it matters no more.
    let lost = x - (u - one);
    let f = lost.mul_add(scale, m - one);
    <V::Real as Real>::ln(f, k)
}

/// Horner's rule, the constant coefficient last.
#[inline(always)]
pub(crate) fn polynomial<V: Vector>(coefficients: &[f64], x: V) -> V {
    let mut p = V::splat(V::Real::of(coefficients[0]));
    for &coefficient in &coefficients[1..] {
        p = p.mul_add(x, V::splat(V::Real::of(coefficient)));
    }
    p
}
