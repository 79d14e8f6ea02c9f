//! Registers with AVX2 and FMA. What makes them safe is said beside [the macro](super::register).

use super::functions::{Sixteenths, exp_by_polynomial, exp_by_table};
use super::real::{
    F32_MANTISSA, F32_ONE, F32_SQRT_HALF, F64_MANTISSA, F64_ONE, F64_SQRT_HALF, ROUND_SIXTEENTHS, Real,
    SIXTEENTHS,
};
use super::transpose::*;
use super::{ACCUMULATORS, COLUMNS, LaneSums, Simd, Vector};
use std::arch::x86_64::*;
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Sub};

/// The token of AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub struct Avx2<T>(PhantomData<T>);

register! {
    /// Eight f32.
    F32x8: 8 f32 in __m256, __m256, of Avx2;
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps _mm256_fmadd_ps _mm256_sqrt_ps _mm256_max_ps;
    add_to(sums, _at, x) {
        let low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
        let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x));
        _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), low));
        _mm256_storeu_pd(sums.add(4), _mm256_add_pd(_mm256_loadu_pd(sums.add(4)), high));
    };
    less(a, b) _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b), not _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b);
    any(mask) _mm256_movemask_ps(mask) != 0;
    select(mask, yes, no) _mm256_blendv_ps(no, yes, mask), add_where _mm256_add_ps(no, _mm256_and_ps(yes, mask));
    // As the portable twin does it.
    power_of_two(n) {
        let at_least = _mm256_max_ps(_mm256_set1_ps(<f32 as Real>::LEAST_EXPONENT as f32), n);
        let biased = _mm256_add_ps(at_least, _mm256_set1_ps(<f32 as Real>::BIASED as f32));
        let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(biased));
        _mm256_mul_ps(_mm256_castsi256_ps(power), _mm256_set1_ps(<f32 as Real>::UNBIAS as f32))
    };
    frexp(u) {
        let sqrt_half = _mm256_set1_epi32(F32_SQRT_HALF.cast_signed());
        let one = _mm256_set1_epi32(F32_ONE.cast_signed());
        let bits = _mm256_add_epi32(_mm256_castps_si256(u), _mm256_sub_epi32(one, sqrt_half));
        let m = _mm256_add_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(F32_MANTISSA.cast_signed())), sqrt_half);
        let exponent = _mm256_srli_epi32::<23>(bits);
        let k = _mm256_sub_epi32(exponent, _mm256_set1_epi32(127));
        let scale = _mm256_slli_epi32::<23>(_mm256_sub_epi32(_mm256_set1_epi32(254), exponent));
        (_mm256_cvtepi32_ps(k), _mm256_castsi256_ps(m), _mm256_castsi256_ps(scale))
    };
    columns(rows, width) transpose_halves(
        two_rows(rows, width),
        two_rows(rows.add(width), width),
        two_rows(rows.add(2 * width), width),
        two_rows(rows.add(3 * width), width),
    );

    // Four registers hold a table of 32: bits 0 to 2 of an index choose the lane, bits 3 and 4 the register.
    #[inline(always)]
    fn lookup(self, table: &[f32]) -> Self {
        let Some(table) = table.as_array::<32>() else { return self.lanewise(|i| table[i.class()]) };
        let simd = self.simd();
        let (a, b) = (simd.load(&table[..8]), simd.load(&table[8..16]));
        let (c, d) = (simd.load(&table[16..24]), simd.load(&table[24..]));
        // SAFETY: there is a register; only the last five bits of an index count.
        Self(unsafe {
            let index = _mm256_cvttps_epi32(self.0);
            let (bit_3, bit_4) = (_mm256_slli_epi32::<28>(index), _mm256_slli_epi32::<27>(index));
            let (bit_3, bit_4) = (_mm256_castsi256_ps(bit_3), _mm256_castsi256_ps(bit_4));
            let (a, b) = (_mm256_permutevar8x32_ps(a.0, index), _mm256_permutevar8x32_ps(b.0, index));
            let (c, d) = (_mm256_permutevar8x32_ps(c.0, index), _mm256_permutevar8x32_ps(d.0, index));
            _mm256_blendv_ps(_mm256_blendv_ps(a, b, bit_3), _mm256_blendv_ps(c, d, bit_3), bit_4)
        })
    }

    #[inline(always)]
    fn exp_nonpositive<const N: usize>(x: [Self; N]) -> [Self; N] {
        exp_by_table(x)
    }

    #[inline(always)]
    fn put_columns([a, b, c, d]: [Self; COLUMNS], rows: &mut [f32], width: usize) {
        let rows = &mut rows[..(Self::LANES - 1) * width + COLUMNS];
        // SAFETY: there is a register; the last numbers written are the last of `rows`.
        unsafe { put_two_rows(transpose_halves(a.0, b.0, c.0, d.0), rows.as_mut_ptr(), width) }
    }
}

impl Sixteenths for F32x8 {
    /// 2ⁿ·2⁶⁴ is a normal number, however small 2ⁿ is: only the last product rounds.
    #[inline(always)]
    fn power(_: Self, rounded: Self) -> Self {
        let simd = rounded.simd();
        let (low, high) = (simd.load(&SIXTEENTHS_RAISED[..8]), simd.load(&SIXTEENTHS_RAISED[8..]));
        let at_least = rounded.max(simd.constant(ROUND_SIXTEENTHS + <f32 as Real>::LEAST_EXPONENT));
        // SAFETY: there is a register.
        let raised = Self(unsafe {
            // Only the last three bits choose the lane, and the one before them the register.
            let j = _mm256_castps_si256(rounded.0);
            let bit_3 = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(j));
            let (low, high) = (_mm256_permutevar8x32_ps(low.0, j), _mm256_permutevar8x32_ps(high.0, j));
            let table = _mm256_castps_si256(_mm256_blendv_ps(low, high, bit_3));
            let n = _mm256_slli_epi32::<19>(_mm256_castps_si256(at_least.0));
            _mm256_castsi256_ps(_mm256_add_epi32(table, n))
        });
        raised * simd.constant(<f32 as Real>::UNBIAS)
    }
}

/// The bits of 2^(j/16)·2⁶⁴ less those of j/16 where an exponent ends: what is missing to 2ⁿ is n in sixteenths, shifted
/// there.
const SIXTEENTHS_RAISED: [f32; 16] = {
    let mut raised = SIXTEENTHS;
    let mut j = 0;
    while j < 16 {
        raised[j] = f32::from_bits(SIXTEENTHS[j].to_bits() + (64 << 23) - ((j as u32) << 19));
        j += 1;
    }
    raised
};

register! {
    /// Four f64.
    F64x4: 4 f64 in __m256d, __m256d, of Avx2;
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd _mm256_fmadd_pd _mm256_sqrt_pd _mm256_max_pd;
    add_to(sums, at, x) {
        let sums = sums.add(at);
        _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), x));
    };
    less(a, b) _mm256_cmp_pd::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm256_cmp_pd::<_CMP_EQ_OQ>(a, b), not _mm256_cmp_pd::<_CMP_NEQ_UQ>(a, b);
    any(mask) _mm256_movemask_pd(mask) != 0;
    select(mask, yes, no) _mm256_blendv_pd(no, yes, mask), add_where _mm256_add_pd(no, _mm256_and_pd(yes, mask));
    power_of_two(n) {
        let at_least = _mm256_max_pd(_mm256_set1_pd(<f64 as Real>::LEAST_EXPONENT), n);
        let biased = _mm256_add_pd(at_least, _mm256_set1_pd(<f64 as Real>::BIASED));
        let power = _mm256_slli_epi64::<52>(_mm256_castpd_si256(biased));
        _mm256_mul_pd(_mm256_castsi256_pd(power), _mm256_set1_pd(<f64 as Real>::UNBIAS))
    };
    frexp(u) {
        let sqrt_half = _mm256_set1_epi64x(F64_SQRT_HALF.cast_signed());
        let one = _mm256_set1_epi64x(F64_ONE.cast_signed());
        let bits = _mm256_add_epi64(_mm256_castpd_si256(u), _mm256_sub_epi64(one, sqrt_half));
        let m = _mm256_add_epi64(_mm256_and_si256(bits, _mm256_set1_epi64x(F64_MANTISSA.cast_signed())), sqrt_half);
        // A whole number in the last bits of 2⁵² is that number more than 2⁵².
        let whole = _mm256_set1_pd(4_503_599_627_370_496.0);
        let exponent = _mm256_srli_epi64::<52>(bits);
        let k = _mm256_castsi256_pd(_mm256_or_si256(exponent, _mm256_castpd_si256(whole)));
        let k = _mm256_sub_pd(_mm256_sub_pd(k, whole), _mm256_set1_pd(1023.0));
        let scale = _mm256_slli_epi64::<52>(_mm256_sub_epi64(_mm256_set1_epi64x(2046), exponent));
        (k, _mm256_castsi256_pd(m), _mm256_castsi256_pd(scale))
    };
    columns(rows, width) columns_of_four(rows, width);

    #[inline(always)]
    fn exp_nonpositive<const N: usize>(x: [Self; N]) -> [Self; N] {
        exp_by_polynomial(x)
    }

    #[inline(always)]
    fn put_columns([a, b, c, d]: [Self; COLUMNS], rows: &mut [f64], width: usize) {
        let rows = &mut rows[..(Self::LANES - 1) * width + COLUMNS];
        // SAFETY: there is a register; the last numbers written are the last of `rows`.
        unsafe { put_columns_of_four([a.0, b.0, c.0, d.0], rows.as_mut_ptr(), width) }
    }
}
