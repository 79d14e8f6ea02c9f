//! Registers of every machine, by way of the crate [`wide`]: what every x86-64 has, NEON, WebAssembly's, and where there
//! are none, arrays.

use super::functions::exp_by_polynomial;
use super::real::{F32_MANTISSA, F32_ONE, F32_SQRT_HALF, F64_MANTISSA, F64_ONE, F64_SQRT_HALF, Real};
use super::{ACCUMULATORS, COLUMNS, LaneSums, Simd, Vector};
use std::marker::PhantomData;
use wide::bytemuck::cast;
use wide::{f32x4, f64x2, u32x4, u64x2};

/// The token of the instructions that every machine has.
#[derive(Clone, Copy, Debug)]
pub struct Portable<T>(PhantomData<T>);

macro_rules! register {
    (
        $register:ident: $lanes:literal $real:ident as $bits:ident, of $bit:ident;
        mantissa $mantissa:literal, bias $bias:literal, one $one:ident, sqrt_half $sqrt_half:ident, rest $rest:ident;
        $columns:item
        $put_columns:item
    ) => {
        impl Simd for Portable<$real> {
            type Real = $real;
            type Vector = $register;

            // SAFETY: every machine has the instructions; the promise is that of the other sets.
            unsafe fn new() -> Self {
                Self(PhantomData)
            }

            #[inline(always)]
            fn splat(self, x: $real) -> $register {
                $register::new([x; $lanes])
            }

            #[inline(always)]
            fn load(self, from: &[$real]) -> $register {
                let mut lanes = [0.0; $lanes];
                lanes.copy_from_slice(&from[..$lanes]);
                $register::new(lanes)
            }

            #[inline(always)]
            fn any(self, mask: $register) -> bool {
                $register::any(mask)
            }

            $columns
        }

        impl Vector for $register {
            type Real = $real;
            // All bits or none.
            type Mask = $register;
            type Simd = Portable<$real>;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn simd(self) -> Portable<$real> {
                Portable(PhantomData)
            }

            #[inline(always)]
            fn store(self, to: &mut [$real]) {
                to[..$lanes].copy_from_slice(self.as_array());
            }

            /// Where there is no instruction for both, a product and a sum: a fused one would be a call for every number.
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                $register::mul_add(self, b, c)
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                $register::sqrt(self)
            }

            #[inline(always)]
            fn add_to(self, sums: &mut LaneSums, at: usize) {
                let sums = &mut sums[at & (ACCUMULATORS - $lanes)..][..$lanes];
                sums.iter_mut().zip(self.to_array()).for_each(|(sum, x)| *sum += x.wide());
            }

            /// Not that of the crate, which beside NaN is another one on every machine.
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Self::select(Vector::less(self, other), other, self)
            }

            #[inline(always)]
            fn less(self, other: Self) -> Self {
                self.simd_lt(other)
            }

            #[inline(always)]
            fn equal(self, other: Self) -> Self {
                self.simd_eq(other)
            }

            #[inline(always)]
            fn differs(self, other: Self) -> Self {
                self.simd_ne(other)
            }

            #[inline(always)]
            fn select(mask: Self, yes: Self, no: Self) -> Self {
                mask.bitselect(yes, no)
            }

            #[inline(always)]
            fn add_where(self, mask: Self, other: Self) -> Self {
                self + (mask & other)
            }

            /// The product of two powers, the first a normal number however small 2ⁿ is.
            #[inline(always)]
            fn power_of_two(self) -> Self {
                let of = |x: f64| self.simd().constant(x);
                let at_least = Vector::max(self, of(<$real>::LEAST_EXPONENT));
                let biased: $bits = cast(at_least + of(<$real>::BIASED));
                cast::<_, Self>(biased << $mantissa) * of(<$real>::UNBIAS)
            }

            #[inline(always)]
            fn frexp(self) -> (Self, Self, Self) {
                let of = |bits: $bit| $bits::new([bits; $lanes]);
                let bits = cast::<_, $bits>(self) + of($one - $sqrt_half);
                let m = (bits & of($rest)) + of($sqrt_half);
                let exponent = bits >> $mantissa;
                // A whole number in the last bits of a power of two is that number more.
                let whole = ((1_u64 << $mantissa) as $real).to_bits();
                let k = cast::<_, Self>(exponent | of(whole)) - self.simd().splat($real::from_bits(whole));
                let scale = (of(2 * $bias) - exponent) << $mantissa;
                (k - self.simd().splat($bias as $real), cast(m), cast(scale))
            }

            #[inline(always)]
            fn exp_nonpositive<const N: usize>(x: [Self; N]) -> [Self; N] {
                exp_by_polynomial(x)
            }

            $put_columns
        }
    };
}

register! {
    f32x4: 4 f32 as u32x4, of u32;
    mantissa 23, bias 127, one F32_ONE, sqrt_half F32_SQRT_HALF, rest F32_MANTISSA;

    #[inline(always)]
    fn columns(self, rows: &[f32], width: usize) -> [f32x4; COLUMNS] {
        f32x4::transpose([0, 1, 2, 3].map(|row| self.load(&rows[row * width..])))
    }

    #[inline(always)]
    fn put_columns(columns: [Self; COLUMNS], rows: &mut [f32], width: usize) {
        for (row, x) in Self::transpose(columns).into_iter().enumerate() {
            x.store(&mut rows[row * width..]);
        }
    }
}

register! {
    f64x2: 2 f64 as u64x2, of u64;
    mantissa 52, bias 1023, one F64_ONE, sqrt_half F64_SQRT_HALF, rest F64_MANTISSA;

    #[inline(always)]
    fn columns(self, rows: &[f64], width: usize) -> [f64x2; COLUMNS] {
        let quarter = |column: usize| f64x2::transpose([0, width].map(|row| self.load(&rows[row + column..])));
        let ([a, b], [c, d]) = (quarter(0), quarter(2));
        [a, b, c, d]
    }

    #[inline(always)]
    fn put_columns([a, b, c, d]: [Self; COLUMNS], rows: &mut [f64], width: usize) {
        let (left, right) = (Self::transpose([a, b]), Self::transpose([c, d]));
        for (row, (left, right)) in left.into_iter().zip(right).enumerate() {
            left.store(&mut rows[row * width..]);
            right.store(&mut rows[row * width + 2..]);
        }
    }
}
