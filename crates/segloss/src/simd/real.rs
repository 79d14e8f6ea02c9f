//! What the kernels need to know of a number type: conversions and the constants of the exponential and the logarithm.

use super::functions::{map, polynomial};
use super::{Simd, Vector};
use num_traits::Float;
use std::fmt::{Debug, Display};

/// A number type of the kernels: `f32` or `f64`.
pub trait Real: Float + Debug + Display + Send + Sync + 'static {
    /// The type's name as Rust and NumPy users know it.
    const NAME: &'static str;
    /// Half as many more bits as a number has: added, it rounds to a whole number.
    const ROUND: f64;
    /// A whole number n of which 2ⁿ is 0.
    const LEAST_EXPONENT: f64;
    /// Added to a whole n from [`LEAST_EXPONENT`](Self::LEAST_EXPONENT) to 0, leaves 2ⁿ/[`UNBIAS`](Self::UNBIAS) in the
    /// last bits, to be shifted to where an exponent stands: a power that is a normal number, however small 2ⁿ is.
    const BIASED: f64;
    /// The rest of 2ⁿ, itself a power of two.
    const UNBIAS: f64;
    /// ln 2 as a sum, the first so short that its product with an exponent is exact.
    const LN_2: (f64, f64);
    /// eʳ as a polynomial for |r| ≤ ½·ln 2, its last coefficient the constant one.
    const EXP: &'static [f64];
    /// k·ln 2 + ln(1 + f) for 1 + f in [√½, √2), small f to all their digits.
    fn ln_of_parts<V: Vector<Real = Self>, const N: usize>(f: [V; N], k: [V; N]) -> [V; N];

    /// The nearest number of the type.
    fn of(x: f64) -> Self;

    /// The same number as `f64`, exactly.
    fn wide(self) -> f64;

    /// The largest number of the type that is not above x.
    fn at_most(x: f64) -> Self;

    /// A small whole number.
    fn of_i32(x: i32) -> Self;

    /// A class as a number; exact up to 2²³ classes.
    fn of_class(class: usize) -> Self {
        Self::of_i32(class as i32)
    }

    /// The class of a number. Added to 2²³ (f64: 2⁵²), a whole number is the last bits of the sum: a conversion that need
    /// not handle NaN.
    fn class(self) -> usize;
}

impl Real for f32 {
    const NAME: &'static str = "f32";
    const ROUND: f64 = 12_582_912.0;
    const LEAST_EXPONENT: f64 = -160.0;
    const BIASED: f64 = Self::ROUND + 127.0 + 64.0;
    const UNBIAS: f64 = f64::from_bits((1023 - 64) << 52);
    const LN_2: (f64, f64) = (0.693_359_375, -2.121_944_400_546_905_8e-4);
    // Minimax, found by weighted least squares: off by 4e-9 of eʳ.
    const EXP: &'static [f64] = &[1.386_375_6e-3, 8.367_51e-3, 4.166_723_8e-2, 1.666_653_5e-1, 0.5, 1.0, 1.0];

    /// f + f²·(f·Q(f) − ½): a polynomial costs less than the division of a quotient. Q is a minimax one of degree 7, found
    /// by weighted least squares: off by 6e-9 of ln(1 + f).
    #[inline(always)]
    fn ln_of_parts<V: Vector<Real = f32>, const N: usize>(f: [V; N], k: [V; N]) -> [V; N] {
        const EVEN: [f64; 4] = [0.127_615_75, 0.142_017_6, 0.200_012_27, 0.333_333_31];
        const ODD: [f64; 4] = [-0.076_344_45, -0.131_602, -0.166_233_55, -0.250_008_23];
        let simd = f[0].simd();
        let of = |x: f64| simd.splat(x as f32);
        let s = map(f, |_, f| f * f);
        // The odd and the even powers side by side: neither waits for the other.
        let (odd, even) = (polynomial(&ODD, s), polynomial(&EVEN, s));
        let q = map(odd, |i, odd| odd.mul_add(f[i], even[i]));
        let q = map(q, |i, q| q.mul_add(f[i], of(-0.5)));
        let r = map(q, |i, q| s[i].mul_add(q, f[i]));
        let (high, low) = Self::LN_2;
        let r = map(r, |i, r| k[i].mul_add(of(low), r));
        map(r, |i, r| k[i].mul_add(of(high), r))
    }

    #[inline(always)]
    fn of(x: f64) -> f32 {
        x as f32
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn of_i32(x: i32) -> f32 {
        x as f32
    }

    #[inline(always)]
    fn at_most(x: f64) -> f32 {
        let near = x as f32;
        if f64::from(near) > x { near.next_down() } else { near }
    }

    #[inline(always)]
    fn class(self) -> usize {
        ((self + 8_388_608.0).to_bits() & F32_MANTISSA) as usize
    }
}

/// 2^(j/16) in f32.
pub(crate) const SIXTEENTHS: [f32; 16] = [
    1.0,
    1.044_273_7,
    1.090_507_7,
    1.138_788_6,
    1.189_207_1,
    1.241_857_8,
    1.296_839_6,
    1.354_255_6,
    std::f32::consts::SQRT_2,
    1.476_826_2,
    1.542_210_8,
    1.610_490_3,
    1.681_792_9,
    1.756_252_2,
    1.834_008_1,
    1.915_206_6,
];

/// [`Real::ROUND`] for whole numbers of sixteenths.
pub(crate) const ROUND_SIXTEENTHS: f64 = f32::ROUND / 16.0;

/// 1, √½ and all that is no exponent, in bits.
pub(crate) const F32_ONE: u32 = 0x3f80_0000;
pub(crate) const F32_SQRT_HALF: u32 = 0x3f35_04f3;
pub(crate) const F32_MANTISSA: u32 = 0x007f_ffff;

impl Real for f64 {
    const NAME: &'static str = "f64";
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LEAST_EXPONENT: f64 = -1100.0;
    const BIASED: f64 = Self::ROUND + 1023.0 + 512.0;
    const UNBIAS: f64 = f64::from_bits((1023 - 512) << 52);
    const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
    // Taylor's: what is left out is below 5e-18 at ½·ln 2.
    const EXP: &'static [f64] = &[
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];

    /// f − f²/2 + s·(f²/2 + R(s²)) with s = f/(2 + f) (fdlibm `log1p`, Sun Microsystems 1993): a polynomial in f would have
    /// twice as many terms.
    #[inline(always)]
    fn ln_of_parts<V: Vector<Real = f64>, const N: usize>(f: [V; N], k: [V; N]) -> [V; N] {
        const EVEN: [f64; 3] =
            [1.531_383_769_920_937_3e-1, 2.222_219_843_214_978_4e-1, 3.999_999_999_940_942e-1];
        const ODD: [f64; 4] = [
            1.479_819_860_511_658_6e-1,
            1.818_357_216_161_805e-1,
            2.857_142_874_366_239e-1,
            6.666_666_666_666_735e-1,
        ];
        let simd = f[0].simd();
        let of = |x: f64| simd.splat(x);
        let s = map(f, |_, f| f / (of(2.0) + f));
        let z = map(s, |_, s| s * s);
        let w = map(z, |_, z| z * z);
        // The odd and the even powers of z side by side: neither waits for the other.
        let (even, odd) = (polynomial(&EVEN, w), polynomial(&ODD, w));
        let rest = map(even, |i, even| w[i] * even + z[i] * odd[i]);
        let square = map(f, |_, f| of(0.5) * f * f);
        let (high, low) = Self::LN_2;
        let tail = map(s, |i, s| s.mul_add(square[i] + rest[i], k[i] * of(low)));
        map(k, |i, k| k.mul_add(of(high), f[i] - (square[i] - tail[i])))
    }

    #[inline(always)]
    fn of(x: f64) -> f64 {
        x
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn of_i32(x: i32) -> f64 {
        f64::from(x)
    }

    #[inline(always)]
    fn at_most(x: f64) -> f64 {
        x
    }

    #[inline(always)]
    fn class(self) -> usize {
        ((self + 4_503_599_627_370_496.0).to_bits() & F64_MANTISSA) as usize
    }
}

pub(crate) const F64_ONE: u64 = 0x3ff0_0000_0000_0000;
pub(crate) const F64_SQRT_HALF: u64 = 0x3fe6_a09e_0000_0000;
pub(crate) const F64_MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
