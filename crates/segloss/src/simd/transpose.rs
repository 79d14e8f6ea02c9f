//! Rows to registers of columns, and back.

use std::arch::x86_64::*;

/// The first four numbers of a row, and of every fourth after it.
///
/// # Safety
/// The machine has AVX, and the numbers are there.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn two_rows(from: *const f32, width: usize) -> __m256 {
    // SAFETY: the caller's.
    unsafe {
        let x = _mm256_castps128_ps256(_mm_loadu_ps(from));
        _mm256_insertf128_ps::<1>(x, _mm_loadu_ps(from.add(4 * width)))
    }
}

/// The same of four rows.
///
/// # Safety
/// The machine has AVX-512 F and DQ, and the numbers are there.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn four_rows(from: *const f32, width: usize) -> __m512 {
    // SAFETY: the caller's.
    unsafe {
        let x = _mm512_castps128_ps512(_mm_loadu_ps(from));
        let x = _mm512_insertf32x4::<1>(x, _mm_loadu_ps(from.add(4 * width)));
        let x = _mm512_insertf32x4::<2>(x, _mm_loadu_ps(from.add(8 * width)));
        _mm512_insertf32x4::<3>(x, _mm_loadu_ps(from.add(12 * width)))
    }
}

/// The way back from [`two_rows`], of four registers, row after row.
///
/// # Safety
/// The machine has AVX, and there is room for the numbers.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn put_two_rows(rows: [__m256; 4], to: *mut f32, width: usize) {
    // SAFETY: the caller's.
    unsafe {
        for (k, x) in rows.into_iter().enumerate() {
            _mm_storeu_ps(to.add(k * width), _mm256_castps256_ps128(x));
        }
        for (k, x) in rows.into_iter().enumerate() {
            _mm_storeu_ps(to.add((4 + k) * width), _mm256_extractf128_ps::<1>(x));
        }
    }
}

/// The way back from [`four_rows`].
///
/// # Safety
/// The machine has AVX-512 F and DQ, and there is room for the numbers.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn put_four_rows(rows: [__m512; 4], to: *mut f32, width: usize) {
    // SAFETY: the caller's.
    unsafe {
        for (k, x) in rows.into_iter().enumerate() {
            _mm_storeu_ps(to.add(k * width), _mm512_castps512_ps128(x));
        }
        for (k, x) in rows.into_iter().enumerate() {
            _mm_storeu_ps(to.add((4 + k) * width), _mm512_extractf32x4_ps::<1>(x));
        }
        for (k, x) in rows.into_iter().enumerate() {
            _mm_storeu_ps(to.add((8 + k) * width), _mm512_extractf32x4_ps::<2>(x));
        }
        for (k, x) in rows.into_iter().enumerate() {
            _mm_storeu_ps(to.add((12 + k) * width), _mm512_extractf32x4_ps::<3>(x));
        }
    }
}

/// Transposes the four times four numbers in each half of the registers.
///
/// # Safety
/// The machine has AVX.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn transpose_halves(a: __m256, b: __m256, c: __m256, d: __m256) -> [__m256; 4] {
    // SAFETY: the caller's.
    unsafe {
        let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        [
            _mm256_shuffle_ps::<0x44>(ab_low, cd_low),
            _mm256_shuffle_ps::<0xee>(ab_low, cd_low),
            _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
        ]
    }
}

/// The same in each quarter.
///
/// # Safety
/// The machine has AVX-512 F.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn transpose_quarters(a: __m512, b: __m512, c: __m512, d: __m512) -> [__m512; 4] {
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

/// Four columns of f64, out of four rows at a time: a quarter of what a register of f32 takes, twice as wide.
///
/// # Safety
/// The machine has AVX, and the numbers are there.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn columns_of_four(rows: *const f64, width: usize) -> [__m256d; 4] {
    // SAFETY: the caller's.
    unsafe {
        transpose_four(
            _mm256_loadu_pd(rows),
            _mm256_loadu_pd(rows.add(width)),
            _mm256_loadu_pd(rows.add(2 * width)),
            _mm256_loadu_pd(rows.add(3 * width)),
        )
    }
}

/// The way back, row after row.
///
/// # Safety
/// The machine has AVX, and there is room for the numbers.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn put_columns_of_four([a, b, c, d]: [__m256d; 4], rows: *mut f64, width: usize) {
    // SAFETY: the caller's.
    unsafe {
        for (row, x) in transpose_four(a, b, c, d).into_iter().enumerate() {
            _mm256_storeu_pd(rows.add(row * width), x);
        }
    }
}

/// Transposes four times four numbers.
///
/// # Safety
/// The machine has AVX.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn transpose_four(a: __m256d, b: __m256d, c: __m256d, d: __m256d) -> [__m256d; 4] {
    // SAFETY: the caller's.
    unsafe {
        let (ab_even, ab_odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let (cd_even, cd_odd) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        [
            _mm256_permute2f128_pd::<0x20>(ab_even, cd_even),
            _mm256_permute2f128_pd::<0x20>(ab_odd, cd_odd),
            _mm256_permute2f128_pd::<0x31>(ab_even, cd_even),
            _mm256_permute2f128_pd::<0x31>(ab_odd, cd_odd),
        ]
    }
}

/// One register of two halves.
///
/// # Safety
/// The machine has AVX-512 F.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn whole(low: __m256d, high: __m256d) -> __m512d {
    // SAFETY: the caller's.
    unsafe { _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high) }
}

/// Its first half.
///
/// # Safety
/// As for [`whole`].
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn low(x: __m512d) -> __m256d {
    // SAFETY: the caller's.
    unsafe { _mm512_castpd512_pd256(x) }
}

/// Its second half.
///
/// # Safety
/// As for [`whole`].
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn high(x: __m512d) -> __m256d {
    // SAFETY: the caller's.
    unsafe { _mm512_extractf64x4_pd::<1>(x) }
}
