//! Numbers side by side in a register, whatever the register is.

use super::real::Real;
use crate::element::Element;
use std::ops::{Add, Div, Mul, Sub};

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

    /// self·b + c: rounded once where the instructions do so, else twice.
    fn mul_add(self, b: Self, c: Self) -> Self;

    /// √self, rounded once.
    fn sqrt(self) -> Self;

    /// Adds each lane to a sum of its own.
    ///
    /// # Panics
    /// If there are fewer than [`LANES`](Self::LANES).
    fn add_to(self, sums: &mut [f64]);

    /// self < other; false beside NaN.
    fn less(self, other: Self) -> Self::Mask;

    /// self = other; false beside NaN.
    fn equal(self, other: Self) -> Self::Mask;

    /// `yes` where the mask is true, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// self·2ⁿ for a whole n of at most twice the type's exponents, rounded once.
    fn scale(self, n: Self) -> Self;

    /// (k, m) with self = 2ᵏ·m and m in [√½, √2), of a normal number above 0.
    fn split(self) -> (Self, Self);
}

/// Whether every lane is 0: none is, once NaN was added.
#[inline(always)]
pub(crate) fn is_zero<V: Vector>(doubt: V) -> bool {
    let zero = V::Real::of(0.0);
    let mut lanes = [zero; super::block::LANES];
    doubt.store(&mut lanes);
    lanes.iter().all(|&doubt| doubt == zero)
}

/// eˣ for x ≤ 0, within one unit in the last place; gradual underflow and NaN as they should be.
///
/// x = n·ln 2 + r with |r| ≤ ½·ln 2; eˣ = 2ⁿ·eʳ. n·ln 2 is taken off in two parts, the first so short that its
/// product with n is exact: r is as right as x. eʳ is a polynomial ([`Real`]).
#[inline(always)]
pub(crate) fn exp_nonpositive<V: Vector>(x: V) -> V {
    let of = |x: f64| V::splat(V::Real::of(x));
    // Below, eˣ is less than half the least number. NaN is not less than anything.
    let least = of(V::Real::LEAST_EXPONENT);
    let x = V::select(x.less(least), least, x);
    // Added to a number much smaller, it leaves the nearest whole number in the last bits.
    let round = of(V::Real::ROUND);
    let n = x.mul_add(of(std::f64::consts::LOG2_E), round) - round;
    let (high, low) = V::Real::LN_2;
    let r = n.mul_add(of(-low), n.mul_add(of(-high), x));
    let p = polynomial(V::Real::EXP, r);
    (of(1.0) + (r * r).mul_add(p, r)).scale(n)
}

/// ln(1 + x) for x ≥ 0, small ones to all their digits, within one unit in the last place.
///
/// 1 + x = 2ᵏ·(1 + f) with 1 + f in [√½, √2); what the sum 1 + x rounded away comes back as a correction, and where
/// k = 0, f is x itself. ln(1 + f) = f − f²/2 + s·(f²/2 + R(s²)) with s = f/(2 + f) (fdlibm `log1p`, Sun
/// Microsystems 1993).
#[inline(always)]
pub(crate) fn ln_1p_nonnegative<V: Vector>(x: V) -> V {
    let of = |x: f64| V::splat(V::Real::of(x));
    let (zero, one, two) = (of(0.0), of(1.0), of(2.0));
    let u = one + x;
    let (k, m) = u.split();
    let lost = V::select(u.less(two), x - (u - one), one - (u - x)) / u;
    let is_whole = k.equal(zero);
    let (f, lost) = (V::select(is_whole, x, m - one), V::select(is_whole, zero, lost));
    let s = f / (two + f);
    let z = s * s;
    let w = z * z;
    // The odd and the even powers of z, side by side: neither waits for the other.
    let rest = w * polynomial(V::Real::LN.0, w) + z * polynomial(V::Real::LN.1, w);
    let square = of(0.5) * f * f;
    let (high, low) = V::Real::LN_2;
    let tail = s.mul_add(square + rest, k.mul_add(of(low), lost));
    k.mul_add(of(high), f - (square - tail))
}

/// Horner's rule, the constant coefficient last.
#[inline(always)]
fn polynomial<V: Vector>(coefficients: &[f64], x: V) -> V {
    let mut p = V::splat(V::Real::of(coefficients[0]));
    for &coefficient in &coefficients[1..] {
        p = p.mul_add(x, V::splat(V::Real::of(coefficient)));
    }
    p
}
