//! Registers of every machine, by way of the crate [`wide`]: what every x86-64 has, NEON, WebAssembly's, and where there
//! are none, arrays.

use super::block::{PLACES, Places};
use super::real::{F32_MANTISSA, F32_ONE, F32_SQRT_HALF, F64_MANTISSA, F64_ONE, F64_SQRT_HALF, Real};
use super::vector::{COLUMNS, Vector};
use crate::element::Element;
use wide::bytemuck::cast;
use wide::{f32x4, f64x2, u32x4, u64x2};

macro_rules! register {
    (
        $register:ident: $lanes:literal $real:ident as $bits:ident, of $bit:ident;
        mantissa $mantissa:literal, bias $bias:literal, one $one:ident, sqrt_half $sqrt_half:ident, rest $rest:ident;
        $($table:item)*
    ) => {
        impl Vector for $register {
            type Real = $real;
            // All bits or none.
            type Mask = $register;
            type Sums = Places;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(x: $real) -> Self {
                Self::new([x; $lanes])
            }

            #[inline(always)]
            fn load(from: &[$real]) -> Self {
                let mut lanes = [0.0; $lanes];
                lanes.copy_from_slice(&from[..$lanes]);
                Self::new(lanes)
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
            fn add_to(self, sums: &mut Places, at: usize) {
                let sums = &mut sums[at & (PLACES - $lanes)..][..$lanes];
                sums.iter_mut().zip(self.to_array()).for_each(|(sum, x)| *sum += x.wide());
            }

            #[inline(always)]
            fn no_sums() -> Places {
                [0.0; PLACES]
            }

            #[inline(always)]
            fn add_where_to(self, mask: Self, sums: &mut Places, at: usize) {
                (self & mask).add_to(sums, at);
            }

            #[inline(always)]
            fn store_sums(sums: Places, to: &mut Places) {
                *to = sums;
            }

            /// Not that of the crate, which beside NaN is another one on every machine.
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Self::select(self.less(other), other, self)
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
            fn any(mask: Self) -> bool {
                $register::any(mask)
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
            fn power_of_two(n: Self) -> Self {
                let at_least = n.max(Self::splat($real::of(<$real>::LEAST_EXPONENT)));
                let biased: $bits = cast(at_least + Self::splat($real::of(<$real>::BIASED)));
                cast::<_, Self>(biased << $mantissa) * Self::splat($real::of(<$real>::UNBIAS))
            }

            #[inline(always)]
            fn split(self) -> (Self, Self, Self) {
                let of = |bits: $bit| $bits::new([bits; $lanes]);
                let bits = cast::<_, $bits>(self) + of($one - $sqrt_half);
                let m = (bits & of($rest)) + of($sqrt_half);
                let exponent = bits >> $mantissa;
                // A whole number in the last bits of a power of two is that number more.
                let whole = ((1_u64 << $mantissa) as $real).to_bits();
                let k = cast::<_, Self>(exponent | of(whole)) - Self::splat($real::from_bits(whole));
                let scale = (of(2 * $bias) - exponent) << $mantissa;
                (k - Self::splat($bias as $real), cast(m), cast(scale))
            }

            $($table)*
        }
    };
}

register! {
    f32x4: 4 f32 as u32x4, of u32;
    mantissa 23, bias 127, one F32_ONE, sqrt_half F32_SQRT_HALF, rest F32_MANTISSA;

    #[inline(always)]
    fn columns(rows: &[f32], width: usize) -> [Self; COLUMNS] {
        Self::transpose([0, 1, 2, 3].map(|row| Self::load(&rows[row * width..])))
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
    fn columns(rows: &[f64], width: usize) -> [Self; COLUMNS] {
        let quarter = |column: usize| Self::transpose([0, width].map(|row| Self::load(&rows[row + column..])));
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
