//! What the exponential and the logarithm need to know of a number type.

/// The constants of [`exp_nonpositive`](super::vector::exp_nonpositive) and
/// [`ln_1p_nonnegative`](super::vector::ln_1p_nonnegative), and what else it must be able to do.
pub trait Real: Sized {
    /// Half as many more bits as a number has: added, it rounds to a whole number.
    const ROUND: f64;
    /// The x below which eˣ is 0.
    const LEAST_EXPONENT: f64;
    /// ln 2 as a sum, the first so short that its product with an exponent is exact.
    const LN_2: (f64, f64);
    /// eʳ as a polynomial for |r| ≤ ½·ln 2, its last coefficient the constant one.
    const EXP: &'static [f64];
    /// R(z) of the logarithm: w·(even) + z·(odd), polynomials in w = z².
    const LN: (&'static [f64], &'static [f64]);

    /// The number of a class.
    fn of_class(class: u16) -> Self;

    /// Back from it.
    fn class(self) -> i32;

    /// self·2ⁿ for a whole n of at most twice the type's exponents, rounded once.
    fn scale(self, n: Self) -> Self;

    /// (k, m, 2⁻ᵏ) with self = 2ᵏ·m and m in [√½, √2), of a normal number above 0.
    fn split(self) -> (Self, Self, Self);
}

impl Real for f32 {
    const ROUND: f64 = 12_582_912.0;
    const LEAST_EXPONENT: f64 = -110.0;
    const LN_2: (f64, f64) = (0.693_359_375, -2.121_944_400_546_905_8e-4);
    // Minimax, found by weighted least squares: off by 4e-9 of eʳ.
    const EXP: &'static [f64] = &[1.386_375_6e-3, 8.367_51e-3, 4.166_723_8e-2, 1.666_653_5e-1, 0.5, 1.0, 1.0];
    const LN: (&'static [f64], &'static [f64]) =
        (&[0.242_790_79, 0.400_009_72], &[0.284_987_87, 0.666_666_6]);

    #[inline(always)]
    fn of_class(class: u16) -> f32 {
        f32::from(class)
    }

    #[inline(always)]
    fn class(self) -> i32 {
        self as i32
    }

    #[inline(always)]
    fn scale(self, n: f32) -> f32 {
        // 2ⁿ as two powers that are both normal numbers: only the second product rounds.
        let n = n as i32;
        let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
        self * power(n >> 1) * power(n.wrapping_sub(n >> 1))
    }

    #[inline(always)]
    fn split(self) -> (f32, f32, f32) {
        let bits = self.to_bits().wrapping_add(F32_ONE - F32_SQRT_HALF);
        let m = f32::from_bits((bits & F32_MANTISSA).wrapping_add(F32_SQRT_HALF));
        let exponent = bits >> 23;
        (exponent as f32 - 127.0, m, f32::from_bits(254_u32.wrapping_sub(exponent) << 23))
    }
}

/// 1, √½ and all that is no exponent, in bits.
pub(crate) const F32_ONE: u32 = 0x3f80_0000;
pub(crate) const F32_SQRT_HALF: u32 = 0x3f35_04f3;
pub(crate) const F32_MANTISSA: u32 = 0x007f_ffff;

impl Real for f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LEAST_EXPONENT: f64 = -760.0;
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
    const LN: (&'static [f64], &'static [f64]) = (
        &[1.531_383_769_920_937_3e-1, 2.222_219_843_214_978_4e-1, 3.999_999_999_940_942e-1],
        &[
            1.479_819_860_511_658_6e-1,
            1.818_357_216_161_805e-1,
            2.857_142_874_366_239e-1,
            6.666_666_666_666_735e-1,
        ],
    );

    #[inline(always)]
    fn of_class(class: u16) -> f64 {
        f64::from(class)
    }

    #[inline(always)]
    fn class(self) -> i32 {
        self as i32
    }

    #[inline(always)]
    fn scale(self, n: f64) -> f64 {
        let n = n as i64;
        let power = |n: i64| f64::from_bits((n.wrapping_add(1023) as u64) << 52);
        self * power(n >> 1) * power(n.wrapping_sub(n >> 1))
    }

    #[inline(always)]
    fn split(self) -> (f64, f64, f64) {
        let bits = self.to_bits().wrapping_add(F64_ONE - F64_SQRT_HALF);
        let m = f64::from_bits((bits & F64_MANTISSA).wrapping_add(F64_SQRT_HALF));
        let exponent = bits >> 52;
        (exponent as f64 - 1023.0, m, f64::from_bits(2046_u64.wrapping_sub(exponent) << 52))
    }
}

pub(crate) const F64_ONE: u64 = 0x3ff0_0000_0000_0000;
pub(crate) const F64_SQRT_HALF: u64 = 0x3fe6_a09e_0000_0000;
pub(crate) const F64_MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
