//! Registers with AVX-512. What makes them safe is said beside [the macro](super::register).

use super::functions::{Sixteenths, exp_by_polynomial, exp_by_table};
use super::real::{
    F32_MANTISSA, F32_ONE, F32_SQRT_HALF, F64_MANTISSA, F64_ONE, F64_SQRT_HALF, Real, SIXTEENTHS,
};
use super::transpose::*;
use super::{ACCUMULATORS, COLUMNS, LaneSums, Simd, Vector};
use std::arch::x86_64::*;
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Sub};

/// The token of AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy, Debug)]
pub struct Avx512<T>(PhantomData<T>);

register! {
    /// Sixteen f32.
    F32x16: 16 f32 in __m512, __mmask16, of Avx512;
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps _mm512_fmadd_ps _mm512_sqrt_ps _mm512_max_ps;
    add_to(sums, _at, x) {
        let low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
        let high = _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(x));
        _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_add_pd(_mm512_loadu_pd(sums), low), high));
    };
    less(a, b) _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), not _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, b);
    any(mask) _kortestz_mask16_u8(mask, mask) == 0;
    select(mask, yes, no) _mm512_mask_blend_ps(mask, no, yes), add_where _mm512_mask_add_ps(no, mask, no, yes);
    power_of_two(n) _mm512_scalef_ps(_mm512_set1_ps(1.0), n);
    frexp(u) {
        let sqrt_half = _mm512_set1_epi32(F32_SQRT_HALF.cast_signed());
        let one = _mm512_set1_epi32(F32_ONE.cast_signed());
        let bits = _mm512_add_epi32(_mm512_castps_si512(u), _mm512_sub_epi32(one, sqrt_half));
        let m = _mm512_add_epi32(_mm512_and_si512(bits, _mm512_set1_epi32(F32_MANTISSA.cast_signed())), sqrt_half);
        let exponent = _mm512_srli_epi32::<23>(bits);
        let k = _mm512_sub_epi32(exponent, _mm512_set1_epi32(127));
        let scale = _mm512_slli_epi32::<23>(_mm512_sub_epi32(_mm512_set1_epi32(254), exponent));
        (_mm512_cvtepi32_ps(k), _mm512_castsi512_ps(m), _mm512_castsi512_ps(scale))
    };
    columns(rows, width) transpose_quarters(
        four_rows(rows, width),
        four_rows(rows.add(width), width),
        four_rows(rows.add(2 * width), width),
        four_rows(rows.add(3 * width), width),
    );

    const UNROLL: usize = 8;

    // Two registers hold a table of 32.
    #[inline(always)]
    fn lookup(self, table: &[f32]) -> Self {
        if table.len() == 32 {
            let (low, high) = (self.simd().load(&table[..16]), self.simd().load(&table[16..]));
            // SAFETY: there is a register; only the last five bits of an index count.
            return Self(unsafe { _mm512_permutex2var_ps(low.0, _mm512_cvttps_epi32(self.0), high.0) });
        }
        self.lanewise(|i| table[i.class()])
    }

    #[inline(always)]
    fn exp_nonpositive<const N: usize>(x: [Self; N]) -> [Self; N] {
        exp_by_table(x)
    }

    #[inline(always)]
    fn put_columns([a, b, c, d]: [Self; COLUMNS], rows: &mut [f32], width: usize) {
        let rows = &mut rows[..(Self::LANES - 1) * width + COLUMNS];
        // SAFETY: there is a register; the last numbers written are the last of `rows`.
        unsafe { put_four_rows(transpose_quarters(a.0, b.0, c.0, d.0), rows.as_mut_ptr(), width) }
    }
}

impl Sixteenths for F32x16 {
    #[inline(always)]
    fn power(n: Self, rounded: Self) -> Self {
        let table = n.simd().load(&SIXTEENTHS);
        // SAFETY: there is a register; only the last four bits of an index count.
        Self(unsafe { _mm512_scalef_ps(_mm512_permutexvar_ps(_mm512_castps_si512(rounded.0), table.0), n.0) })
    }
}

register! {
    /// Eight f64.
    F64x8: 8 f64 in __m512d, __mmask8, of Avx512;
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd _mm512_fmadd_pd _mm512_sqrt_pd _mm512_max_pd;
    add_to(sums, _at, x) _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), x));
    less(a, b) _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b), not _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(a, b);
    any(mask) _kortestz_mask8_u8(mask, mask) == 0;
    select(mask, yes, no) _mm512_mask_blend_pd(mask, no, yes), add_where _mm512_mask_add_pd(no, mask, no, yes);
    power_of_two(n) _mm512_scalef_pd(_mm512_set1_pd(1.0), n);
    frexp(u) {
        let sqrt_half = _mm512_set1_epi64(F64_SQRT_HALF.cast_signed());
        let one = _mm512_set1_epi64(F64_ONE.cast_signed());
        let bits = _mm512_add_epi64(_mm512_castpd_si512(u), _mm512_sub_epi64(one, sqrt_half));
        let m = _mm512_add_epi64(_mm512_and_si512(bits, _mm512_set1_epi64(F64_MANTISSA.cast_signed())), sqrt_half);
        let exponent = _mm512_srli_epi64::<52>(bits);
        let k = _mm512_sub_epi64(exponent, _mm512_set1_epi64(1023));
        let scale = _mm512_slli_epi64::<52>(_mm512_sub_epi64(_mm512_set1_epi64(2046), exponent));
        (_mm512_cvtepi64_pd(k), _mm512_castsi512_pd(m), _mm512_castsi512_pd(scale))
    };
    // Four rows in each half.
    columns(rows, width) {
        let ([a, b, c, d], [e, f, g, h]) =
            (columns_of_four(rows, width), columns_of_four(rows.add(4 * width), width));
        [whole(a, e), whole(b, f), whole(c, g), whole(d, h)]
    };

    #[inline(always)]
    fn exp_nonpositive<const N: usize>(x: [Self; N]) -> [Self; N] {
        exp_by_polynomial(x)
    }

    #[inline(always)]
    fn put_columns([a, b, c, d]: [Self; COLUMNS], rows: &mut [f64], width: usize) {
        let rows = &mut rows[..(Self::LANES - 1) * width + COLUMNS];
        let to = rows.as_mut_ptr();
        // SAFETY: there is a register; the last numbers written are the last of `rows`.
        unsafe {
            put_columns_of_four([low(a.0), low(b.0), low(c.0), low(d.0)], to, width);
            put_columns_of_four([high(a.0), high(b.0), high(c.0), high(d.0)], to.add(4 * width), width);
        }
    }
}
