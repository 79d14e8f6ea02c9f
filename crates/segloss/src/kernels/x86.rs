//! The registers of AVX2 and AVX-512.
//!
//! The types are only met in functions that are compiled for their instructions, and those are only called where the
//! machine has them ([`InstructionSet::run`](super::instructions::InstructionSet::run)): that is what every `unsafe`
//! here rests on. All is inlined into such a function; left outside it would be slow, not wrong.

use super::real::{F32_MANTISSA, F32_ONE, F32_SQRT_HALF, F64_MANTISSA, F64_ONE, F64_SQRT_HALF};
use super::vector::{Vector, columns_to_rows, lookup_each, rows_to_columns};
use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Sub};

macro_rules! register {
    (
        $(#[$doc:meta])* $name:ident: $lanes:literal $real:ident in $register:ident, $mask:ident;
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $mul_add:ident $sqrt:ident $max:ident $stream:ident;
        add_to($p:ident, $lane:ident) $add_to:expr;
        less($a:ident, $b:ident) $less:expr;
        equal($c:ident, $d:ident) $equal:expr, not $differs:expr;
        any($t:ident) $any:expr;
        select($m:ident, $yes:ident, $no:ident) $select:expr;
        scale($x:ident, $n:ident) $scale:expr;
        split($u:ident) $split:expr;
        $($table:item)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($register);

        register!(operator Add add $name $add);
        register!(operator Sub sub $name $sub);
        register!(operator Mul mul $name $mul);
        register!(operator Div div $name $div);

        impl Vector for $name {
            type Real = $real;
            type Mask = $mask;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(x: $real) -> Self {
                // SAFETY: the machine has the instruction (see the module).
                Self(unsafe { $splat(x) })
            }

            #[inline(always)]
            fn load(from: &[$real]) -> Self {
                let from = &from[..$lanes];
                // SAFETY: as above; and `from` has as many numbers as are read.
                Self(unsafe { $load(from.as_ptr()) })
            }

            #[inline(always)]
            fn store(self, to: &mut [$real]) {
                let to = &mut to[..$lanes];
                // SAFETY: as above; and `to` has as many numbers as are written.
                unsafe { $store(to.as_mut_ptr(), self.0) }
            }

            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: the machine has the instruction (see the module).
                Self(unsafe { $mul_add(self.0, b.0, c.0) })
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $sqrt(self.0) })
            }

            #[inline(always)]
            fn add_to(self, sums: &mut [f64]) {
                let ($p, $lane) = (sums[..$lanes].as_mut_ptr(), self.0);
                // SAFETY: as above; and there are as many sums as are read and written.
                unsafe { $add_to }
            }

            #[inline(always)]
            fn max(self, other: Self) -> Self {
                // SAFETY: as above. Beside NaN it is the second.
                Self(unsafe { $max(other.0, self.0) })
            }

            #[inline(always)]
            fn less(self, other: Self) -> $mask {
                let ($a, $b) = (self.0, other.0);
                // SAFETY: as above.
                unsafe { $less }
            }

            #[inline(always)]
            fn equal(self, other: Self) -> $mask {
                let ($c, $d) = (self.0, other.0);
                // SAFETY: as above.
                unsafe { $equal }
            }

            #[inline(always)]
            fn differs(self, other: Self) -> $mask {
                let ($c, $d) = (self.0, other.0);
                // SAFETY: as above.
                unsafe { $differs }
            }

            #[inline(always)]
            fn any($t: $mask) -> bool {
                // SAFETY: as above.
                unsafe { $any }
            }

            #[inline(always)]
            fn select($m: $mask, yes: Self, no: Self) -> Self {
                let ($yes, $no) = (yes.0, no.0);
                // SAFETY: as above.
                Self(unsafe { $select })
            }

            #[inline(always)]
            fn scale(self, n: Self) -> Self {
                let ($x, $n) = (self.0, n.0);
                // SAFETY: as above.
                Self(unsafe { $scale })
            }

            #[inline(always)]
            fn split(self) -> (Self, Self, Self) {
                let $u = self.0;
                // SAFETY: as above.
                let (k, m, scale) = unsafe { $split };
                (Self(k), Self(m), Self(scale))
            }

            const STREAMS: bool = true;

            #[inline(always)]
            fn stream(from: &[$real], to: &mut [$real]) {
                assert_eq!(from.len(), to.len());
                assert_eq!(to.len() % $lanes, 0, "whole registers");
                assert!(to.as_ptr().cast::<$register>().is_aligned(), "an address that a register's width divides");
                for (to, from) in to.chunks_exact_mut($lanes).zip(from.chunks_exact($lanes)) {
                    // SAFETY: as above; `to` has as many numbers as are written, and lies as it must.
                    unsafe { $stream(to.as_mut_ptr().cast(), Self::load(from).0) }
                }
            }

            #[inline(always)]
            fn fence() {
                // SAFETY: every x86-64 has it.
                unsafe { _mm_sfence() }
            }

            #[inline(always)]
            fn prefetch(from: &[$real]) {
                // SAFETY: every x86-64 has it, and it reads nothing: no address is wrong.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().cast()) }
            }

            $($table)*
        }
    };
    (operator $operator:ident $function:ident $name:ident $instruction:ident) => {
        impl $operator for $name {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                // SAFETY: the machine has the instruction (see the module).
                Self(unsafe { $instruction(self.0, other.0) })
            }
        }
    };
}

/// Rows and columns of f32, by blocks of four; of sixteen rows, four blocks at once.
macro_rules! transposes {
    ($rows:ident $columns:ident) => {
        #[inline(always)]
        fn rows_to_columns(rows: &[f32], columns: usize, to: &mut [f32], stride: usize) {
            if columns < 4 || rows.len() < 4 * columns {
                return rows_to_columns(rows, columns, to, stride);
            }
            let count = rows.len() / columns;
            let done = $rows(rows, columns, count, to, stride);
            for row in (done..count).step_by(4) {
                // The last block begins earlier, and does some work again.
                let row = row.min(count - 4);
                for column in (0..columns).step_by(4) {
                    let column = column.min(columns - 4);
                    transpose(
                        &rows[row * columns + column..],
                        columns,
                        &mut to[column * stride + row..],
                        stride,
                    );
                }
            }
        }

        #[inline(always)]
        fn columns_to_rows(from: &[f32], stride: usize, columns: usize, rows: &mut [f32]) {
            let count = rows.len() / columns;
            if columns < 4 || count < 4 {
                return columns_to_rows(from, stride, columns, rows);
            }
            let done = $columns(from, stride, columns, count, rows);
            for row in (done..count).step_by(4) {
                let row = row.min(count - 4);
                for column in (0..columns).step_by(4) {
                    let column = column.min(columns - 4);
                    transpose(
                        &from[column * stride + row..],
                        stride,
                        &mut rows[row * columns + column..],
                        columns,
                    );
                }
            }
        }
    };
}

/// Four times four numbers, of which those of a row are neighbours.
#[inline(always)]
fn transpose(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
    let (from, to) = (&from[..3 * from_stride + 4], &mut to[..3 * to_stride + 4]);
    // SAFETY: every x86-64 has the instructions; the last numbers read and written are the last of the slices.
    unsafe {
        let [mut a, mut b, mut c, mut d] =
            [0, 1, 2, 3].map(|row| _mm_loadu_ps(from.as_ptr().add(row * from_stride)));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        for (row, x) in [a, b, c, d].into_iter().enumerate() {
            _mm_storeu_ps(to.as_mut_ptr().add(row * to_stride), x);
        }
    }
}

/// Registers of eight have no better way.
#[inline(always)]
fn no_rows(_: &[f32], _: usize, _: usize, _: &mut [f32], _: usize) -> usize {
    0
}

/// As [`no_rows`].
#[inline(always)]
fn no_columns(_: &[f32], _: usize, _: usize, _: usize, _: &mut [f32]) -> usize {
    0
}

/// Sixteen rows at a time, as far as there are; returns how many are done.
#[inline(always)]
fn sixteen_rows_to_columns(
    rows: &[f32],
    columns: usize,
    count: usize,
    to: &mut [f32],
    stride: usize,
) -> usize {
    let done = count - count % 16;
    for row in (0..done).step_by(16) {
        for column in (0..columns).step_by(4) {
            // The last block begins earlier, and does some work again.
            let column = column.min(columns - 4);
            let from = &rows[row * columns + column..][..15 * columns + 4];
            let to = &mut to[column * stride + row..][..3 * stride + 16];
            // SAFETY: the caller's machine has the instructions (see the module); the last numbers read and written are
            // the last of the slices.
            unsafe {
                let out = transpose_parts(
                    four_parts(from, columns, 0),
                    four_parts(from, columns, 1),
                    four_parts(from, columns, 2),
                    four_parts(from, columns, 3),
                );
                for (c, x) in out.into_iter().enumerate() {
                    _mm512_storeu_ps(to.as_mut_ptr().add(c * stride), x);
                }
            }
        }
    }
    done
}

/// The way back.
#[inline(always)]
fn columns_to_sixteen_rows(
    from: &[f32],
    stride: usize,
    columns: usize,
    count: usize,
    rows: &mut [f32],
) -> usize {
    let done = count - count % 16;
    for row in (0..done).step_by(16) {
        for column in (0..columns).step_by(4) {
            let column = column.min(columns - 4);
            let from = &from[column * stride + row..][..3 * stride + 16];
            let to = &mut rows[row * columns + column..][..15 * columns + 4];
            // SAFETY: as above.
            unsafe {
                let from = from.as_ptr();
                let out = transpose_parts(
                    _mm512_loadu_ps(from),
                    _mm512_loadu_ps(from.add(stride)),
                    _mm512_loadu_ps(from.add(2 * stride)),
                    _mm512_loadu_ps(from.add(3 * stride)),
                );
                let to = to.as_mut_ptr();
                for (k, x) in out.into_iter().enumerate() {
                    _mm_storeu_ps(to.add(k * columns), _mm512_castps512_ps128(x));
                    _mm_storeu_ps(to.add((4 + k) * columns), _mm512_extractf32x4_ps::<1>(x));
                    _mm_storeu_ps(to.add((8 + k) * columns), _mm512_extractf32x4_ps::<2>(x));
                    _mm_storeu_ps(to.add((12 + k) * columns), _mm512_extractf32x4_ps::<3>(x));
                }
            }
        }
    }
    done
}

/// Four numbers of the rows k, 4 + k, 8 + k and 12 + k: blocks of four rows by four come out of
/// [`transpose_parts`] in order.
///
/// # Safety
/// The machine has AVX-512 F, and `from` has the numbers.
#[inline(always)]
unsafe fn four_parts(from: &[f32], columns: usize, k: usize) -> __m512 {
    let from = from.as_ptr();
    // SAFETY: the caller's.
    unsafe {
        let x = _mm512_castps128_ps512(_mm_loadu_ps(from.add(k * columns)));
        let x = _mm512_insertf32x4::<1>(x, _mm_loadu_ps(from.add((4 + k) * columns)));
        let x = _mm512_insertf32x4::<2>(x, _mm_loadu_ps(from.add((8 + k) * columns)));
        _mm512_insertf32x4::<3>(x, _mm_loadu_ps(from.add((12 + k) * columns)))
    }
}

/// Four times four numbers in each quarter of the registers.
///
/// # Safety
/// The machine has AVX-512 F.
#[inline(always)]
unsafe fn transpose_parts(a: __m512, b: __m512, c: __m512, d: __m512) -> [__m512; 4] {
    // SAFETY: the caller's.
    unsafe {
        let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        [
            _mm512_shuffle_ps::<0x44>(ab_low, cd_low),
            _mm512_shuffle_ps::<0xee>(ab_low, cd_low),
            _mm512_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm512_shuffle_ps::<0xee>(ab_high, cd_high),
        ]
    }
}

register! {
    /// Eight f32.
    F32x8: 8 f32 in __m256, __m256;
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps _mm256_fmadd_ps _mm256_sqrt_ps _mm256_max_ps _mm256_stream_ps;
    add_to(sums, x) {
        let low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
        let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x));
        _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), low));
        _mm256_storeu_pd(sums.add(4), _mm256_add_pd(_mm256_loadu_pd(sums.add(4)), high));
    };
    less(a, b) _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b), not _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b);
    any(mask) _mm256_movemask_ps(mask) != 0;
    select(mask, yes, no) _mm256_blendv_ps(no, yes, mask);
    // As the portable twin does it: two powers that are normal numbers.
    scale(x, n) {
        let n = _mm256_cvtps_epi32(n);
        let half = _mm256_srai_epi32::<1>(n);
        let one = _mm256_set1_epi32(127);
        let first = _mm256_slli_epi32::<23>(_mm256_add_epi32(half, one));
        let second = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_sub_epi32(n, half), one));
        _mm256_mul_ps(_mm256_mul_ps(x, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))
    };
    split(u) {
        let sqrt_half = _mm256_set1_epi32(F32_SQRT_HALF.cast_signed());
        let one = _mm256_set1_epi32(F32_ONE.cast_signed());
        let bits = _mm256_add_epi32(_mm256_castps_si256(u), _mm256_sub_epi32(one, sqrt_half));
        let m = _mm256_add_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(F32_MANTISSA.cast_signed())), sqrt_half);
        let exponent = _mm256_srli_epi32::<23>(bits);
        let k = _mm256_sub_epi32(exponent, _mm256_set1_epi32(127));
        let scale = _mm256_slli_epi32::<23>(_mm256_sub_epi32(_mm256_set1_epi32(254), exponent));
        (_mm256_cvtepi32_ps(k), _mm256_castsi256_ps(m), _mm256_castsi256_ps(scale))
    };

    transposes!(no_rows no_columns);
}

register! {
    /// Four f64.
    F64x4: 4 f64 in __m256d, __m256d;
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd _mm256_fmadd_pd _mm256_sqrt_pd _mm256_max_pd _mm256_stream_pd;
    add_to(sums, x) _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), x));
    less(a, b) _mm256_cmp_pd::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm256_cmp_pd::<_CMP_EQ_OQ>(a, b), not _mm256_cmp_pd::<_CMP_NEQ_UQ>(a, b);
    any(mask) _mm256_movemask_pd(mask) != 0;
    select(mask, yes, no) _mm256_blendv_pd(no, yes, mask);
    // n fits 32 bits, which AVX2 can shift with their sign.
    scale(x, n) {
        let n = _mm256_cvtpd_epi32(n);
        let half = _mm_srai_epi32::<1>(n);
        let one = _mm_set1_epi32(1023);
        let first = _mm256_slli_epi64::<52>(_mm256_cvtepi32_epi64(_mm_add_epi32(half, one)));
        let second = _mm256_slli_epi64::<52>(_mm256_cvtepi32_epi64(_mm_add_epi32(_mm_sub_epi32(n, half), one)));
        _mm256_mul_pd(_mm256_mul_pd(x, _mm256_castsi256_pd(first)), _mm256_castsi256_pd(second))
    };
    split(u) {
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
}

register! {
    /// Sixteen f32.
    F32x16: 16 f32 in __m512, __mmask16;
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps _mm512_fmadd_ps _mm512_sqrt_ps _mm512_max_ps _mm512_stream_ps;
    add_to(sums, x) {
        let low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
        let high = _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(x));
        _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), low));
        _mm512_storeu_pd(sums.add(8), _mm512_add_pd(_mm512_loadu_pd(sums.add(8)), high));
    };
    less(a, b) _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), not _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, b);
    any(mask) _kortestz_mask16_u8(mask, mask) == 0;
    select(mask, yes, no) _mm512_mask_blend_ps(mask, no, yes);
    scale(x, n) _mm512_scalef_ps(x, n);
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

    transposes!(sixteen_rows_to_columns columns_to_sixteen_rows);
}

register! {
    /// Eight f64.
    F64x8: 8 f64 in __m512d, __mmask8;
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd _mm512_fmadd_pd _mm512_sqrt_pd _mm512_max_pd _mm512_stream_pd;
    add_to(sums, x) _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), x));
    less(a, b) _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b);
    equal(a, b) _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b), not _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(a, b);
    any(mask) _kortestz_mask8_u8(mask, mask) == 0;
    select(mask, yes, no) _mm512_mask_blend_pd(mask, no, yes);
    scale(x, n) _mm512_scalef_pd(x, n);
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
}
