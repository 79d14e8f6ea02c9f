//! Registers with AVX-512. What makes them safe stands in [the folder's module](super).

use super::rows::*;
use crate::kernels::block::{PLACES, Places};
use crate::kernels::functions::{Sixteenths, exp_by_table};
use crate::kernels::real::{
    F32_MANTISSA, F32_ONE, F32_SQRT_HALF, F64_MANTISSA, F64_ONE, F64_SQRT_HALF, SIXTEENTHS,
};
use crate::kernels::vector::{COLUMNS, Vector, lookup_each};
use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Sub};

register! {
    /// Sixteen f32.
    F32x16: 16 f32 in __m512, __mmask16;
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_stream_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps _mm512_fmadd_ps _mm512_sqrt_ps _mm512_max_ps;
    add_to(sums, _at, x) {
        let low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
        let high = _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(x));
        _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_add_pd(_mm512_loadu_pd(sums), low), high));
    };
    sums __m512d: _mm512_setzero_pd(), add(mask, x, sums, _at) {
        let low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
        let high = _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(x));
        *sums = _mm512_mask_add_pd(*sums, mask as u8, *sums, low);
        *sums = _mm512_mask_add_pd(*sums, (mask >> 8) as u8, *sums, high);
    }, store(to, sums) _mm512_storeu_pd(to, sums);
    less(a, b) _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), not _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, b);
    any(mask) _kortestz_mask16_u8(mask, mask) == 0;
    select(mask, yes, no) _mm512_mask_blend_ps(mask, no, yes), add_where _mm512_mask_add_ps(no, mask, no, yes);
    power_of_two(n) _mm512_scalef_ps(_mm512_set1_ps(1.0), n);
    split(u) {
        let sqrt_half = _mm512_set1_epi32(F32_SQRT_HALF.cast_signed());
        let one = _mm512_set1_epi32(F32_ONE.cast_signed());
        let bits = _mm512_add_epi32(_mm512_castps_si512(u), _mm512_sub_epi32(one, sqrt_half));
        let m = _mm512_add_epi32(_mm512_and_si512(bits, _mm512_set1_epi32(F32_MANTISSA.cast_signed())), sqrt_half);
        let exponent = _mm512_srli_epi32::<23>(bits);
        let k = _mm512_sub_epi32(exponent, _mm512_set1_epi32(127));
        let scale = _mm512_slli_epi32::<23>(_mm512_sub_epi32(_mm512_set1_epi32(254), exponent));
        (_mm512_cvtepi32_ps(k), _mm512_castsi512_ps(m), _mm512_castsi512_ps(scale))
    };

    const ABREAST: usize = 8;
    const HURRIES: bool = true;

    // Two registers hold a table of 32.
    #[inline(always)]
    fn lookup(self, table: &[f32]) -> Self {
        if table.len() == 32 {
            let [low, high] = [&table[..16], &table[16..]].map(Self::load);
            // SAFETY: the machine has the instructions (see the module); only the last five bits of an index count.
            return Self(unsafe { _mm512_permutex2var_ps(low.0, _mm512_cvttps_epi32(self.0), high.0) });
        }
        lookup_each(self, table)
    }

    // A register holds as many as there may be.
    #[inline(always)]
    fn lookup_few<const N: usize>(self, few: [f32; N]) -> Self {
        const { assert!(N < 16) };
        let mut table = [0.0; 16];
        table[..N].copy_from_slice(&few);
        // SAFETY: the machine has the instructions (see the module); only the last four bits of an index count.
        Self(unsafe { _mm512_permutexvar_ps(_mm512_cvttps_epi32(self.0), Self::load(&table).0) })
    }

    #[inline(always)]
    fn behind(self, before: Self, lanes: usize) -> Self {
        // SAFETY: as above.
        Self(unsafe {
            let lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let from = _mm512_add_epi32(lane, _mm512_set1_epi32(16 - lanes as i32));
            _mm512_permutex2var_ps(before.0, from, self.0)
        })
    }

    #[inline(always)]
    fn exp_nonpositive_each<const N: usize>(x: [Self; N]) -> [Self; N] {
        exp_by_table(x)
    }

    transposes!(transpose_quarters: four_rows put_four_rows);
    shuffles!(_mm512_load_si512, _mm512_permutex2var_ps, _mm512_mask_permutexvar_ps);
}

impl Sixteenths for F32x16 {
    #[inline(always)]
    fn power(n: Self, rounded: Self) -> Self {
        let table = Self::load(&SIXTEENTHS);
        // SAFETY: the machine has the instructions (see the module); only the last four bits of an index count.
        Self(unsafe { _mm512_scalef_ps(_mm512_permutexvar_ps(_mm512_castps_si512(rounded.0), table.0), n.0) })
    }
}

register! {
    /// Eight f64.
    F64x8: 8 f64 in __m512d, __mmask8;
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_stream_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd _mm512_fmadd_pd _mm512_sqrt_pd _mm512_max_pd;
    add_to(sums, _at, x) _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), x));
    sums __m512d: _mm512_setzero_pd(), add(mask, x, sums, _at) *sums = _mm512_mask_add_pd(*sums, mask, *sums, x), store(to, sums) _mm512_storeu_pd(to, sums);
    less(a, b) _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b), not _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(a, b);
    any(mask) _kortestz_mask8_u8(mask, mask) == 0;
    select(mask, yes, no) _mm512_mask_blend_pd(mask, no, yes), add_where _mm512_mask_add_pd(no, mask, no, yes);
    power_of_two(n) _mm512_scalef_pd(_mm512_set1_pd(1.0), n);
    split(u) {
        let sqrt_half = _mm512_set1_epi64(F64_SQRT_HALF.cast_signed());
        let one = _mm512_set1_epi64(F64_ONE.cast_signed());
        let bits = _mm512_add_epi64(_mm512_castpd_si512(u), _mm512_sub_epi64(one, sqrt_half));
        let m = _mm512_add_epi64(_mm512_and_si512(bits, _mm512_set1_epi64(F64_MANTISSA.cast_signed())), sqrt_half);
        let exponent = _mm512_srli_epi64::<52>(bits);
        let k = _mm512_sub_epi64(exponent, _mm512_set1_epi64(1023));
        let scale = _mm512_slli_epi64::<52>(_mm512_sub_epi64(_mm512_set1_epi64(2046), exponent));
        (_mm512_cvtepi64_pd(k), _mm512_castsi512_pd(m), _mm512_castsi512_pd(scale))
    };

    #[inline(always)]
    fn behind(self, before: Self, lanes: usize) -> Self {
        // SAFETY: the machine has the instructions (see the module).
        Self(unsafe {
            let lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
            let from = _mm512_add_epi64(lane, _mm512_set1_epi64(8 - lanes as i64));
            _mm512_permutex2var_pd(before.0, from, self.0)
        })
    }

    shuffles!(_mm512_load_si512, _mm512_permutex2var_pd, _mm512_mask_permutexvar_pd);

    // Four rows in each half.
    #[inline(always)]
    fn columns(rows: &[f64], width: usize) -> [Self; COLUMNS] {
        let rows = &rows[..(Self::LANES - 1) * width + COLUMNS];
        // SAFETY: the machine has the instructions (see the module); the last numbers read are the last of `rows`.
        let [a, b, c, d] = unsafe {
            let from = rows.as_ptr();
            let ([a, b, c, d], [e, f, g, h]) =
                (columns_of_four(from, width), columns_of_four(from.add(4 * width), width));
            [whole(a, e), whole(b, f), whole(c, g), whole(d, h)]
        };
        [Self(a), Self(b), Self(c), Self(d)]
    }

    #[inline(always)]
    fn put_columns([a, b, c, d]: [Self; COLUMNS], rows: &mut [f64], width: usize) {
        let rows = &mut rows[..(Self::LANES - 1) * width + COLUMNS];
        // SAFETY: as above, and the last numbers written are the last of `rows`.
        unsafe {
            let to = rows.as_mut_ptr();
            put_columns_of_four([low(a.0), low(b.0), low(c.0), low(d.0)], to, width);
            put_columns_of_four([high(a.0), high(b.0), high(c.0), high(d.0)], to.add(4 * width), width);
        }
    }
}
