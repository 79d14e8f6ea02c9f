//! What the registers of AVX2 and AVX-512 have in common: one instruction for each operation.
//!
//! Every `unsafe` of an operation rests on the same fact: there is a register, or its token, and both are only made where the
//! machine has the instructions ([`Simd::new`](super::Simd::new)).

/// A register with its lanes, its number type and its token, and the instruction for each operation.
macro_rules! register {
    (
        $(#[$doc:meta])* $name:ident: $lanes:literal $real:ident in $register:ident, $mask:ident, of $token:ident;
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $mul_add:ident $sqrt:ident $max:ident;
        add_to($p:ident, $at:ident, $lane:ident) $add_to:expr;
        less($a:ident, $b:ident) $less:expr;
        equal($c:ident, $d:ident) $equal:expr, not $differs:expr;
        any($t:ident) $any:expr;
        select($m:ident, $yes:ident, $no:ident) $select:expr, add_where $add_where:expr;
        power_of_two($n:ident) $power_of_two:expr;
        frexp($u:ident) $frexp:expr;
        columns($rows:ident, $width:ident) $columns:expr;
        $($more:item)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($register);

        register!(operator Add add $name $add);
        register!(operator Sub sub $name $sub);
        register!(operator Mul mul $name $mul);
        register!(operator Div div $name $div);

        impl Simd for $token<$real> {
            type Real = $real;
            type Vector = $name;

            // SAFETY: nothing is done here; that the machine has the instructions is the caller's promise.
            unsafe fn new() -> Self {
                Self(PhantomData)
            }

            #[inline(always)]
            fn splat(self, x: $real) -> $name {
                // SAFETY: the machine has the instruction (see the module).
                $name(unsafe { $splat(x) })
            }

            #[inline(always)]
            fn load(self, from: &[$real]) -> $name {
                let from = &from[..$lanes];
                // SAFETY: as above; and `from` has as many numbers as are read.
                $name(unsafe { $load(from.as_ptr()) })
            }

            #[inline(always)]
            fn any(self, $t: $mask) -> bool {
                // SAFETY: as above.
                unsafe { $any }
            }

            #[inline(always)]
            fn columns(self, rows: &[$real], $width: usize) -> [$name; COLUMNS] {
                let rows = &rows[..($lanes - 1) * $width + COLUMNS];
                let $rows = rows.as_ptr();
                // SAFETY: as above; and the last numbers read are the last of `rows`.
                let [a, b, c, d] = unsafe { $columns };
                [$name(a), $name(b), $name(c), $name(d)]
            }

            #[inline(always)]
            fn prefetch(self, from: &[$real], at: usize) {
                // Into the second cache: in the first, lines of two blocks ahead drive out each other and the planes.
                // SAFETY: every x86-64 has it, and it reads nothing: no address is wrong.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(from.as_ptr().wrapping_add(at).cast()) }
            }
        }

        impl Vector for $name {
            type Real = $real;
            type Mask = $mask;
            type Simd = $token<$real>;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn simd(self) -> $token<$real> {
                $token(PhantomData)
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
            fn add_to(self, sums: &mut LaneSums, at: usize) {
                let ($p, $at, $lane) = (sums.as_mut_ptr(), at & ACCUMULATORS.saturating_sub($lanes), self.0);
                // SAFETY: as above; and there are as many sums from there on as are read and written.
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
            fn power_of_two(self) -> Self {
                let $n = self.0;
                // SAFETY: as above.
                Self(unsafe { $power_of_two })
            }

            #[inline(always)]
            fn frexp(self) -> (Self, Self, Self) {
                let $u = self.0;
                // SAFETY: as above.
                let (k, m, scale) = unsafe { $frexp };
                (Self(k), Self(m), Self(scale))
            }

            $($more)*
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
