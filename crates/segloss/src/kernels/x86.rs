//! The registers of AVX2 and AVX-512.
//!
//! The types are only met in functions that are compiled for their instructions, and those are only called where the
//! machine has them ([`InstructionSet::run`](super::instructions::InstructionSet::run)): that is what every `unsafe`
//! here rests on. All is inlined into such a function; left outside it would be slow, not wrong.

use super::block::{PLACES, Places};
use super::functions::{Sixteenths, exp_by_table};
use super::real::{
    F32_MANTISSA, F32_ONE, F32_SQRT_HALF, F64_MANTISSA, F64_ONE, F64_SQRT_HALF, ROUND_SIXTEENTHS, Real,
    SIXTEENTHS,
};
use super::vector::{COLUMNS, Vector, join_each, lookup_each, split_each};
use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Sub};

macro_rules! register {
    (
        $(#[$doc:meta])* $name:ident: $lanes:literal $real:ident in $register:ident, $mask:ident;
        $splat:ident $load:ident $store:ident $stream:ident $add:ident $sub:ident $mul:ident $div:ident $mul_add:ident $sqrt:ident $max:ident;
        add_to($p:ident, $at:ident, $lane:ident) $add_to:expr;
        sums $sums:ty: $no_sums:expr, add($um:ident, $ux:ident, $us:ident, $ua:ident) $add_where_to:expr, store($sp:ident, $ss:ident) $store_sums:expr;
        less($a:ident, $b:ident) $less:expr;
        equal($c:ident, $d:ident) $equal:expr, not $differs:expr;
        any($t:ident) $any:expr;
        select($m:ident, $yes:ident, $no:ident) $select:expr, add_where $add_where:expr;
        power_of_two($n:ident) $power_of_two:expr;
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
            type Sums = $sums;
            const LANES: usize = $lanes;
            const STREAMS: bool = true;

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
            fn stream(self, to: &mut [$real]) {
                let to = &mut to[..$lanes];
                if !to.as_ptr().addr().is_multiple_of(size_of::<$register>()) {
                    return self.store(to);
                }
                // SAFETY: as above; and they begin where the instruction wants them to.
                unsafe { $stream(to.as_mut_ptr(), self.0) }
            }

            #[inline(always)]
            fn fence() {
                // SAFETY: every x86-64 has it.
                unsafe { _mm_sfence() }
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
            fn add_to(self, sums: &mut Places, at: usize) {
                let ($p, $at, $lane) = (sums.as_mut_ptr(), at & PLACES.saturating_sub($lanes), self.0);
                // SAFETY: as above; and there are as many sums from there on as are read and written.
                unsafe { $add_to }
            }

            #[inline(always)]
            fn no_sums() -> $sums {
                // SAFETY: as above.
                unsafe { $no_sums }
            }

            #[inline(always)]
            fn add_where_to(self, $um: $mask, $us: &mut $sums, $ua: usize) {
                let $ux = self.0;
                // SAFETY: as above.
                unsafe { $add_where_to }
            }

            #[inline(always)]
            fn store_sums($ss: $sums, to: &mut Places) {
                const { assert!(size_of::<$sums>() == size_of::<Places>()) };
                let $sp = to.as_mut_ptr();
                // SAFETY: as above; and there are as many sums as are written.
                unsafe { $store_sums }
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
            fn add_where(self, $m: $mask, other: Self) -> Self {
                let ($no, $yes) = (self.0, other.0);
                // SAFETY: as above.
                Self(unsafe { $add_where })
            }

            #[inline(always)]
            fn power_of_two(n: Self) -> Self {
                let $n = n.0;
                // SAFETY: as above.
                Self(unsafe { $power_of_two })
            }

            #[inline(always)]
            fn split(self) -> (Self, Self, Self) {
                let $u = self.0;
                // SAFETY: as above.
                let (k, m, scale) = unsafe { $split };
                (Self(k), Self(m), Self(scale))
            }

            #[inline(always)]
            fn prefetch(from: &[$real], ahead: usize) {
                // SAFETY: every x86-64 has it, and it reads nothing: no address is wrong.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().wrapping_add(ahead).cast()) }
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
struct Shuffled<const N: usize, const C: usize> {
    /// Which lane of two registers, or of one.
    lanes: Indices<N>,
    /// Which lanes come from each register.
    of: [u16; C],
}

/// As many as there are lanes, each as wide as one: of f64 the second half of each is 0.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Indices<const N: usize>([u32; 16]);

/// The two ways of rows of C numbers and registers of N lanes.
struct Shuffle<const N: usize, const C: usize>;

impl<const N: usize, const C: usize> Shuffle<N, C> {
    const SPLIT: [Shuffled<N, C>; C] = Self::table(true);
    const JOIN: [Shuffled<N, C>; C] = Self::table(false);

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
unsafe fn two_rows(from: *const f32, width: usize) -> __m256 {
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
unsafe fn four_rows(from: *const f32, width: usize) -> __m512 {
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
unsafe fn put_two_rows(rows: [__m256; 4], to: *mut f32, width: usize) {
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
unsafe fn put_four_rows(rows: [__m512; 4], to: *mut f32, width: usize) {
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
unsafe fn transpose_halves(a: __m256, b: __m256, c: __m256, d: __m256) -> [__m256; 4] {
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
unsafe fn transpose_quarters(a: __m512, b: __m512, c: __m512, d: __m512) -> [__m512; 4] {
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
unsafe fn two_halves(a: __m256, b: __m256) -> [__m256; 2] {
    // SAFETY: the caller's.
    unsafe { [_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b)] }
}

/// The last `lanes` of `before`, and behind them the first of `after`.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
unsafe fn behind(after: __m256, before: __m256, lanes: usize) -> __m256 {
    // SAFETY: the caller's.
    unsafe {
        let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        let lanes = _mm256_set1_epi32(lanes as i32);
        // Only the last three bits count: of lane 8 it is lane 0.
        let from = _mm256_sub_epi32(lane, lanes);
        let is_before = _mm256_castsi256_ps(_mm256_cmpgt_epi32(lanes, lane));
        let (after, before) = (_mm256_permutevar8x32_ps(after, from), _mm256_permutevar8x32_ps(before, from));
        _mm256_blendv_ps(after, before, is_before)
    }
}

/// Four columns of f64, out of four rows at a time: a quarter of what a register of f32 takes, twice as wide.
///
/// # Safety
/// The machine has AVX, and the numbers are there.
#[inline(always)]
// SAFETY: the caller keeps what is said above.
unsafe fn columns_of_four(rows: *const f64, width: usize) -> [__m256d; 4] {
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
unsafe fn put_columns_of_four([a, b, c, d]: [__m256d; 4], rows: *mut f64, width: usize) {
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
unsafe fn transpose_four(a: __m256d, b: __m256d, c: __m256d, d: __m256d) -> [__m256d; 4] {
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
unsafe fn whole(low: __m256d, high: __m256d) -> __m512d {
    // SAFETY: the caller's.
    unsafe { _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high) }
}

/// Its first half.
///
/// # Safety
/// As for [`whole`].
#[inline(always)]
// SAFETY: the caller keeps what is said above.
unsafe fn low(x: __m512d) -> __m256d {
    // SAFETY: the caller's.
    unsafe { _mm512_castpd512_pd256(x) }
}

/// Its second half.
///
/// # Safety
/// As for [`whole`].
#[inline(always)]
// SAFETY: the caller keeps what is said above.
unsafe fn high(x: __m512d) -> __m256d {
    // SAFETY: the caller's.
    unsafe { _mm512_extractf64x4_pd::<1>(x) }
}

register! {
    /// Eight f32.
    F32x8: 8 f32 in __m256, __m256;
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_stream_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps _mm256_fmadd_ps _mm256_sqrt_ps _mm256_max_ps;
    add_to(sums, _at, x) {
        let low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
        let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x));
        _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), low));
        _mm256_storeu_pd(sums.add(4), _mm256_add_pd(_mm256_loadu_pd(sums.add(4)), high));
    };
    sums (__m256d, __m256d): (_mm256_setzero_pd(), _mm256_setzero_pd()), add(mask, x, sums, _at) {
        let x = _mm256_and_ps(mask, x);
        let low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
        let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x));
        *sums = (_mm256_add_pd(sums.0, low), _mm256_add_pd(sums.1, high));
    }, store(to, sums) {
        _mm256_storeu_pd(to, sums.0);
        _mm256_storeu_pd(to.add(4), sums.1);
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

    // Four registers hold a table of 32: bits 0 to 2 of an index choose the lane, bits 3 and 4 the register.
    #[inline(always)]
    fn lookup(self, table: &[f32]) -> Self {
        let Some(table) = table.as_array::<32>() else { return lookup_each(self, table) };
        let [a, b] = [Self::load(&table[..8]), Self::load(&table[8..16])];
        let [c, d] = [Self::load(&table[16..24]), Self::load(&table[24..])];
        // SAFETY: the machine has the instructions (see the module); only the last five bits of an index count.
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
    fn behind(self, before: Self, lanes: usize) -> Self {
        // SAFETY: the machine has the instructions (see the module).
        Self(unsafe { behind(self.0, before.0, lanes) })
    }

    #[inline(always)]
    fn exp_nonpositive_each<const N: usize>(x: [Self; N]) -> [Self; N] {
        exp_by_table(x)
    }

    transposes!(transpose_halves: two_rows put_two_rows);

    // Of four, two rows to a register: rows that are four apart share one when halves are transposed.
    #[inline(always)]
    fn split_rows<const C: usize>(rows: [Self; C]) -> [Self; C] {
        let [a, b, c, d] = *rows.as_slice() else { return split_each(rows) };
        let mut columns = rows;
        // SAFETY: the machine has the instructions (see the module).
        let split = unsafe {
            let (even, odd) = (two_halves(a.0, c.0), two_halves(b.0, d.0));
            transpose_halves(even[0], even[1], odd[0], odd[1])
        };
        columns.iter_mut().zip(split).for_each(|(column, x)| *column = Self(x));
        columns
    }

    #[inline(always)]
    fn join_rows<const C: usize>(columns: [Self; C]) -> [Self; C] {
        let [a, b, c, d] = *columns.as_slice() else { return join_each(columns) };
        let mut rows = columns;
        // SAFETY: as above.
        let joined = unsafe {
            let [a, b, c, d] = transpose_halves(a.0, b.0, c.0, d.0);
            let ([a, c], [b, d]) = (two_halves(a, b), two_halves(c, d));
            [a, b, c, d]
        };
        rows.iter_mut().zip(joined).for_each(|(row, x)| *row = Self(x));
        rows
    }
}

impl Sixteenths for F32x8 {
    /// 2ⁿ·2⁶⁴ is a normal number, however small 2ⁿ is: only the last product rounds.
    #[inline(always)]
    fn power(_: Self, rounded: Self) -> Self {
        let [low, high] = [&SIXTEENTHS_RAISED[..8], &SIXTEENTHS_RAISED[8..]].map(Self::load);
        let at_least = rounded.max(Self::splat((ROUND_SIXTEENTHS + <f32 as Real>::LEAST_EXPONENT) as f32));
        // SAFETY: the machine has the instructions (see the module).
        let raised = Self(unsafe {
            // Only the last three bits choose the lane, and the one before them the register.
            let j = _mm256_castps_si256(rounded.0);
            let bit_3 = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(j));
            let (low, high) = (_mm256_permutevar8x32_ps(low.0, j), _mm256_permutevar8x32_ps(high.0, j));
            let table = _mm256_castps_si256(_mm256_blendv_ps(low, high, bit_3));
            let n = _mm256_slli_epi32::<19>(_mm256_castps_si256(at_least.0));
            _mm256_castsi256_ps(_mm256_add_epi32(table, n))
        });
        raised * Self::splat(<f32 as Real>::UNBIAS as f32)
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
    F64x4: 4 f64 in __m256d, __m256d;
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_stream_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd _mm256_fmadd_pd _mm256_sqrt_pd _mm256_max_pd;
    add_to(sums, at, x) {
        let sums = sums.add(at);
        _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), x));
    };
    sums (__m256d, __m256d): (_mm256_setzero_pd(), _mm256_setzero_pd()), add(mask, x, sums, at) {
        let x = _mm256_and_pd(mask, x);
        // Known when a loop is compiled.
        match at % PLACES {
            0 => sums.0 = _mm256_add_pd(sums.0, x),
            _ => sums.1 = _mm256_add_pd(sums.1, x),
        }
    }, store(to, sums) {
        _mm256_storeu_pd(to, sums.0);
        _mm256_storeu_pd(to.add(4), sums.1);
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

    #[inline(always)]
    fn behind(self, before: Self, lanes: usize) -> Self {
        // SAFETY: the machine has the instructions (see the module).
        Self(unsafe {
            let halves = |x: Self| _mm256_castpd_ps(x.0);
            _mm256_castps_pd(behind(halves(self), halves(before), 2 * lanes))
        })
    }

    #[inline(always)]
    fn columns(rows: &[f64], width: usize) -> [Self; COLUMNS] {
        let rows = &rows[..(Self::LANES - 1) * width + COLUMNS];
        // SAFETY: the machine has the instructions (see the module); the last numbers read are the last of `rows`.
        let [a, b, c, d] = unsafe { columns_of_four(rows.as_ptr(), width) };
        [Self(a), Self(b), Self(c), Self(d)]
    }

    #[inline(always)]
    fn put_columns([a, b, c, d]: [Self; COLUMNS], rows: &mut [f64], width: usize) {
        let rows = &mut rows[..(Self::LANES - 1) * width + COLUMNS];
        // SAFETY: as above, and the last numbers written are the last of `rows`.
        unsafe { put_columns_of_four([a.0, b.0, c.0, d.0], rows.as_mut_ptr(), width) }
    }

    // Of four, a row is a register.
    #[inline(always)]
    fn split_rows<const C: usize>(rows: [Self; C]) -> [Self; C] {
        let [a, b, c, d] = *rows.as_slice() else { return split_each(rows) };
        let mut columns = rows;
        // SAFETY: the machine has the instructions (see the module).
        let split = unsafe { transpose_four(a.0, b.0, c.0, d.0) };
        columns.iter_mut().zip(split).for_each(|(column, x)| *column = Self(x));
        columns
    }

    #[inline(always)]
    fn join_rows<const C: usize>(columns: [Self; C]) -> [Self; C] {
        if C == COLUMNS { Self::split_rows(columns) } else { join_each(columns) }
    }
}

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
