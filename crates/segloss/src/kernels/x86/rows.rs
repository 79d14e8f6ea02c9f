//! Rows of pixels to registers of classes, and back. What makes them safe stands in [the folder's module](super).

use std::arch::x86_64::*;

/// Four columns of f32, out of as many rows as there are lanes, and back: in each quarter (half) of a register four rows.
macro_rules! transposes {
    ($transpose:ident: $load:ident $store:ident) => {
        #[inline(always)]
        fn columns(rows: &[f32], width: usize) -> [Self; COLUMNS] {
            let rows = &rows[..(Self::LANES - 1) * width + COLUMNS];
            // SAFETY: the machine has the instructions (see the module); the last numbers read are the last of `rows`.
            let [a, b, c, d] = unsafe {
                let from = rows.as_ptr();
                $transpose(
                    $load(from, width),
                    $load(from.add(width), width),
                    $load(from.add(2 * width), width),
                    $load(from.add(3 * width), width),
                )
            };
            [Self(a), Self(b), Self(c), Self(d)]
        }

        #[inline(always)]
        fn put_columns(columns: [Self; COLUMNS], rows: &mut [f32], width: usize) {
            let rows = &mut rows[..(Self::LANES - 1) * width + COLUMNS];
            let [a, b, c, d] = columns;
            // SAFETY: as above, and the last numbers written are the last of `rows`.
            unsafe { $store($transpose(a.0, b.0, c.0, d.0), rows.as_mut_ptr(), width) }
        }
    };
}

/// Rows of a few numbers to registers of each, and back, of two registers at once.
macro_rules! shuffles {
    ($index:ident, $two:ident, $one:ident) => {
        // Of four, the even and the odd ones, and of these again: eight shuffles instead of twelve.
        #[inline(always)]
        fn split_rows<const C: usize>(rows: [Self; C]) -> [Self; C] {
            let mut columns = rows;
            if C == 4 {
                let ([a, b], [c, d]) =
                    (Self::split_rows([rows[0], rows[1]]), Self::split_rows([rows[2], rows[3]]));
                [columns[0], columns[2]] = Self::split_rows([a, c]);
                [columns[1], columns[3]] = Self::split_rows([b, d]);
                return columns;
            }
            shuffled!(rows, Shuffle::<{ Self::LANES }, C>::SPLIT, $index, $two, $one)
        }

        #[inline(always)]
        fn join_rows<const C: usize>(columns: [Self; C]) -> [Self; C] {
            let mut rows = columns;
            if C == 4 {
                let [a, c] = Self::join_rows([columns[0], columns[2]]);
                let [b, d] = Self::join_rows([columns[1], columns[3]]);
                [rows[0], rows[1]] = Self::join_rows([a, b]);
                [rows[2], rows[3]] = Self::join_rows([c, d]);
                return rows;
            }
            shuffled!(columns, Shuffle::<{ Self::LANES }, C>::JOIN, $index, $two, $one)
        }
    };
}

/// Each register out of all: two at once, and of each one more what it has.
macro_rules! shuffled {
    ($from:ident, $shuffle:expr, $index:ident, $two:ident, $one:ident) => {{
        let mut to = $from;
        for (x, Shuffled { lanes, of }) in to.iter_mut().zip(&$shuffle) {
            // SAFETY: the machine has the instructions (see the module), and there are as many indices.
            *x = Self(unsafe {
                let index = $index(lanes.0.as_ptr().cast());
                let mut x = $two($from[0].0, index, $from[1].0);
                for i in 2..C {
                    x = $one(x, of[i] as _, index, $from[i].0);
                }
                x
            });
        }
        to
    }};
}

/// Where the lanes of a register come from.
#[derive(Clone, Copy)]
pub(super) struct Shuffled<const N: usize, const C: usize> {
    /// Which lane of two registers, or of one.
    pub lanes: Indices<N>,
    /// Which lanes come from each register.
    pub of: [u16; C],
}

/// As many as there are lanes, each as wide as one: of f64 the second half of each is 0.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Indices<const N: usize>(pub [u32; 16]);

/// The two ways of rows of C numbers and registers of N lanes.
pub(super) struct Shuffle<const N: usize, const C: usize>;

impl<const N: usize, const C: usize> Shuffle<N, C> {
    pub const SPLIT: [Shuffled<N, C>; C] = Self::table(true);
    pub const JOIN: [Shuffled<N, C>; C] = Self::table(false);

    const fn table(splits: bool) -> [Shuffled<N, C>; C] {
        let mut all = [Shuffled { lanes: Indices([0; 16]), of: [0; C] }; C];
        let mut at = 0;
        while at < N * C {
            let (register, lane) = (at / N, at % N);
            let from = if splits { lane * C + register } else { at % C * N + at / C };
            // Of the first two registers both are asked at once.
            let index = if from < 2 * N { from } else { from % N };
            all[register].lanes.0[lane * (16 / N)] = index as u32;
            all[register].of[from / N] |= 1 << lane;
            at += 1;
        }
        all
    }
}

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

/// The first halves of both, and the second.
///
/// # Safety
/// The machine has AVX.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
pub(super) unsafe fn two_halves(a: __m256, b: __m256) -> [__m256; 2] {
    // SAFETY: the caller's.
    unsafe { [_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b)] }
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
