//! What the registers of both sets have in common: one instruction for each operation. What makes them safe stands in
//! [the folder's module](super).

/// A register of a name, its lanes and its type, and the instruction for each operation.
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
