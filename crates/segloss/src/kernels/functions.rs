//! The exponential and the logarithm of a kernel: without a branch or a table, so that the compiler can compute many
//! at once. Both are right to about one unit in the last place.

use crate::kernels::instructions::Arithmetic;
use num_traits::Float;

/// A number type with the functions of the kernels.
pub trait Real: Float {
    /// eˣ for x ≤ 0; gradual underflow and NaN as they should be.
    ///
    /// x = n·ln 2 + r with |r| ≤ ½·ln 2; eˣ = 2ⁿ·eʳ. n·ln 2 is taken off in two parts, the first so short that its
    /// product with n is exact: r is as right as x. eʳ is a polynomial (f32: Moshier, Cephes `expf`; f64: Taylor's,
    /// whose rest at ½·ln 2 is 5e-18).
    fn exp_nonpositive<A: Arithmetic>(self) -> Self;

    /// ln(1 + x) for x ≥ 0, small ones to all their digits.
    ///
    /// 1 + x = 2ᵏ·(1 + f) with 1 + f in [√½, √2); what the sum 1 + x rounded away comes back as a correction, and where
    /// k = 0, f is x itself. ln(1 + f) = f − f²/2 + s·(f²/2 + R(s²)) with s = f/(2 + f) (fdlibm `log1p`, Sun
    /// Microsystems 1993).
    fn ln_1p_nonnegative<A: Arithmetic>(self) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn exp_nonpositive<A: Arithmetic>(self) -> f32 {
        // Added to a number below 2²², it leaves the nearest whole number in the last bits.
        const ROUND: f32 = 12_582_912.0;
        const LN_2: (f32, f32) = (0.693_359_375, -2.121_944_4e-4);
        // e^−110 is less than half the least number; NaN is not less than anything.
        let x = if self < -110.0 { -110.0 } else { self };
        let shifted = A::mul_add(x, std::f32::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = A::mul_add(n, -LN_2.1, A::mul_add(n, -LN_2.0, x));
        let mut p = 1.987_569_2e-4;
        p = A::mul_add(p, r, 1.398_199_9e-3);
        p = A::mul_add(p, r, 8.333_452e-3);
        p = A::mul_add(p, r, 4.166_579_6e-2);
        p = A::mul_add(p, r, 1.666_666_5e-1);
        p = A::mul_add(p, r, 5.000_000_1e-1);
        let y = 1.0 + A::mul_add(r * r, p, r);
        // 2ⁿ as two powers that are both normal numbers: the second product rounds to a subnormal once.
        let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
        let half = n >> 1;
        let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
        y * power(half) * power(n.wrapping_sub(half))
    }

    #[inline(always)]
    fn ln_1p_nonnegative<A: Arithmetic>(self) -> f32 {
        const LN_2: (f32, f32) = (0.693_138_1, 9.058_001e-6);
        const SQRT_HALF: u32 = 0x3f35_04f3;
        let x = self;
        let u = 1.0 + x;
        let bits = u.to_bits().wrapping_add(0x3f80_0000 - SQRT_HALF);
        let k = (bits >> 23).wrapping_sub(127);
        let reduced = f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF)) - 1.0;
        let lost = (if u < 2.0 { x - (u - 1.0) } else { 1.0 - (u - x) }) / u;
        let (f, lost) = if k == 0 { (x, 0.0) } else { (reduced, lost) };
        let k = k as i32 as f32;
        let s = f / (2.0 + f);
        let z = s * s;
        let w = z * z;
        let even = w * A::mul_add(w, 0.242_790_79, 0.400_009_72);
        let odd = z * A::mul_add(w, 0.284_987_87, 0.666_666_6);
        let square = 0.5 * f * f;
        let tail = A::mul_add(s, square + (even + odd), A::mul_add(k, LN_2.1, lost));
        A::mul_add(k, LN_2.0, f - (square - tail))
    }
}

impl Real for f64 {
    #[inline(always)]
    fn exp_nonpositive<A: Arithmetic>(self) -> f64 {
        const ROUND: f64 = 6_755_399_441_055_744.0;
        const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
        let x = if self < -760.0 { -760.0 } else { self };
        let shifted = A::mul_add(x, std::f64::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = A::mul_add(n, -LN_2.1, A::mul_add(n, -LN_2.0, x));
        let mut p = 1.0 / 6_227_020_800.0;
        p = A::mul_add(p, r, 1.0 / 479_001_600.0);
        p = A::mul_add(p, r, 1.0 / 39_916_800.0);
        p = A::mul_add(p, r, 1.0 / 3_628_800.0);
        p = A::mul_add(p, r, 1.0 / 362_880.0);
        p = A::mul_add(p, r, 1.0 / 40_320.0);
        p = A::mul_add(p, r, 1.0 / 5_040.0);
        p = A::mul_add(p, r, 1.0 / 720.0);
        p = A::mul_add(p, r, 1.0 / 120.0);
        p = A::mul_add(p, r, 1.0 / 24.0);
        p = A::mul_add(p, r, 1.0 / 6.0);
        p = A::mul_add(p, r, 0.5);
        let y = 1.0 + A::mul_add(r * r, p, r);
        // Half of n without an arithmetic shift of 64 bits, which AVX2 lacks: n lies within ±2000.
        let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(4096);
        let half = n >> 1;
        // 1023 is the exponent of 1; of the 4096, each half has 2048.
        let power = |n: u64| f64::from_bits(n.wrapping_sub(2048 - 1023) << 52);
        y * power(half) * power(n.wrapping_sub(half))
    }

    #[inline(always)]
    fn ln_1p_nonnegative<A: Arithmetic>(self) -> f64 {
        const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
        const SQRT_HALF: u64 = 0x3fe6_a09e_0000_0000;
        const ONE: u64 = 0x3ff0_0000_0000_0000;
        // A whole number below 2⁵² in the last bits of this one is that number more than 2⁵².
        const WHOLE: u64 = 0x4330_0000_0000_0000;
        let x = self;
        let u = 1.0 + x;
        let bits = u.to_bits().wrapping_add(ONE - SQRT_HALF);
        let k = (bits >> 52).wrapping_sub(1023);
        let reduced = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF)) - 1.0;
        let lost = (if u < 2.0 { x - (u - 1.0) } else { 1.0 - (u - x) }) / u;
        let (f, lost) = if k == 0 { (x, 0.0) } else { (reduced, lost) };
        let k = f64::from_bits(k | WHOLE) - f64::from_bits(WHOLE);
        let s = f / (2.0 + f);
        let z = s * s;
        let w = z * z;
        let mut even = 1.531_383_769_920_937_3e-1;
        even = A::mul_add(even, w, 2.222_219_843_214_978_4e-1);
        even = w * A::mul_add(even, w, 3.999_999_999_940_942e-1);
        let mut odd = 1.479_819_860_511_658_6e-1;
        odd = A::mul_add(odd, w, 1.818_357_216_161_805e-1);
        odd = A::mul_add(odd, w, 2.857_142_874_366_239e-1);
        odd = z * A::mul_add(odd, w, 6.666_666_666_666_735e-1);
        let square = 0.5 * f * f;
        let tail = A::mul_add(s, square + (even + odd), A::mul_add(k, LN_2.1, lost));
        A::mul_add(k, LN_2.0, f - (square - tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::instructions::{Fused, Separate};

    fn steps(got: f64, want: f64) -> i64 {
        (got.to_bits() as i64 - want.to_bits() as i64).abs()
    }

    fn worst<T: Real>(of: impl Fn(f64) -> (T, T), steps: impl Fn(T, T) -> i64) -> i64 {
        // From 1e-20 to 1e3, and 0.
        (0..200_000)
            .map(|i| if i == 0 { 0.0 } else { 10f64.powf(-20.0 + f64::from(i) * 23.0 / 2e5) })
            .map(|x| {
                let (got, want) = of(x);
                steps(got, want)
            })
            .max()
            .expect("some")
    }

    /// The reference in f32 is that of f64, rounded; in f64 the system's, itself within one unit.
    fn judge<A: Arithmetic>() {
        let narrow = |got: f32, want: f32| i64::from(got.to_bits().abs_diff(want.to_bits()));
        let exp32 =
            worst(|x| ((-x as f32).exp_nonpositive::<A>(), f64::from(-x as f32).exp() as f32), narrow);
        let log32 =
            worst(|x| ((x as f32).ln_1p_nonnegative::<A>(), f64::from(x as f32).ln_1p() as f32), narrow);
        let exp64 = worst(|x| ((-x).exp_nonpositive::<A>(), (-x).exp()), steps);
        let log64 = worst(|x| (x.ln_1p_nonnegative::<A>(), x.ln_1p()), steps);
        assert!(
            [exp32, log32, exp64, log64].iter().all(|&ulps| ulps <= 1),
            "{exp32} {log32} {exp64} {log64}"
        );
    }

    #[test]
    fn fused_functions_are_right_to_a_unit_in_the_last_place() {
        judge::<Fused>();
    }

    #[test]
    fn separate_functions_are_right_to_a_unit_in_the_last_place() {
        judge::<Separate>();
    }

    #[test]
    fn nan_stays_nan_and_nothing_overflows() {
        assert!(f32::NAN.exp_nonpositive::<Fused>().is_nan() && f64::NAN.exp_nonpositive::<Fused>().is_nan());
        assert!(
            f32::NAN.ln_1p_nonnegative::<Fused>().is_nan() && f64::NAN.ln_1p_nonnegative::<Fused>().is_nan()
        );
        for x in [-1e4, -1e30, f64::NEG_INFINITY] {
            assert_eq!(((x as f32).exp_nonpositive::<Fused>(), x.exp_nonpositive::<Fused>()), (0.0, 0.0));
        }
        assert_eq!((0f32.exp_nonpositive::<Fused>(), 0f64.exp_nonpositive::<Fused>()), (1.0, 1.0));
    }
}
