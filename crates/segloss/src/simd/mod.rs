//! Registers of every instruction set behind two traits, so that a loop is written once and compiled for each set.
//!
//! A value of [`Simd`] proves that the machine has the instructions: [`InstructionSet`] hands one out after it has
//! looked. Registers are only made from such a value ([`Simd::splat`], [`Simd::load`]), so that a register proves the
//! same, and its arithmetic is safe to call.
//!
//! What is called in a loop must be inlined into the function that is compiled for the set, or it would be compiled for
//! the portable one: hence `#[inline(always)]` throughout.

mod functions;
mod instructions;
mod portable;
mod real;
#[cfg(target_arch = "x86_64")]
#[macro_use]
mod register;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod transpose;

pub(crate) use functions::{exp_nonpositive, ln_1p_nonnegative, map};
pub(crate) use instructions::{Available, Kernel};
pub use instructions::{InstructionSet, InstructionSets};
pub use real::Real;

use std::ops::{Add, Div, Mul, Sub};

/// The most lanes that a register has.
pub(crate) const MOST_LANES: usize = 16;

/// Columns that are transposed at once.
pub(crate) const COLUMNS: usize = 4;

/// How many accumulators a sum over pixels has.
pub(crate) const ACCUMULATORS: usize = 8;

/// Eight accumulators of a sum: pixel p is added to number p mod 8, so that the order of the additions does not depend on
/// the width of the registers.
pub type LaneSums = [f64; ACCUMULATORS];

/// The right to use an instruction set for a number type.
pub trait Simd: Copy {
    /// The type of a lane.
    type Real: Real;
    /// The registers.
    type Vector: Vector<Real = Self::Real, Simd = Self>;

    /// How many lanes a register has.
    const LANES: usize = <Self::Vector as Vector>::LANES;

    /// The token.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn new() -> Self;

    /// The same number in all lanes.
    fn splat(self, x: Self::Real) -> Self::Vector;

    /// The first numbers of a slice, as many as there are lanes.
    ///
    /// # Panics
    /// If there are fewer.
    fn load(self, from: &[Self::Real]) -> Self::Vector;

    /// Whether a mask is true in any lane.
    fn any(self, mask: <Self::Vector as Vector>::Mask) -> bool;

    /// The first [`COLUMNS`] columns of as many rows as there are lanes, `width` numbers apart.
    ///
    /// # Panics
    /// If there are not as many numbers.
    fn columns(self, rows: &[Self::Real], width: usize) -> [Self::Vector; COLUMNS];

    /// The same number in all lanes, from `f64`.
    #[inline(always)]
    fn constant(self, x: f64) -> Self::Vector {
        self.splat(Self::Real::of(x))
    }

    /// Hints that number `at` of a slice is read soon; any `at` is allowed.
    #[inline(always)]
    fn prefetch(self, _from: &[Self::Real], _at: usize) {}
}

/// A register. The arithmetic is IEEE 754's, lane by lane; nothing adds up lanes.
pub trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The type of a lane.
    type Real: Real;
    /// A truth value for each lane.
    type Mask: Copy;
    /// What makes such registers.
    type Simd: Simd<Real = Self::Real, Vector = Self>;
    /// How many lanes.
    const LANES: usize;
    /// How many classes are computed side by side: a step of an exponential waits for the one before, and a core has
    /// registers for so many others meanwhile.
    const UNROLL: usize = 4;

    /// The proof that this register is.
    fn simd(self) -> Self::Simd;

    /// Overwrites the first numbers of a slice, as many as there are lanes.
    ///
    /// # Panics
    /// If there are fewer.
    fn store(self, to: &mut [Self::Real]);

    /// self·b + c: rounded once where the instructions can, else twice.
    fn mul_add(self, b: Self, c: Self) -> Self;

    /// √self.
    fn sqrt(self) -> Self;

    /// Adds each lane to its accumulator; the first lane is pixel `at`, a multiple of the number of lanes.
    fn add_to(self, sums: &mut LaneSums, at: usize);

    /// The larger one; self, beside NaN.
    fn max(self, other: Self) -> Self;

    /// self < other; false beside NaN.
    fn less(self, other: Self) -> Self::Mask;

    /// self = other; false beside NaN.
    fn equal(self, other: Self) -> Self::Mask;

    /// Not self = other; true beside NaN.
    fn differs(self, other: Self) -> Self::Mask;

    /// `yes` where the mask is true, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// self + other where the mask is true, self elsewhere; −0 may become 0.
    fn add_where(self, mask: Self::Mask, other: Self) -> Self;

    /// 2ⁿ for a whole n = self ≤ 0; 0 below half of the smallest number. Unspecified for NaN.
    fn power_of_two(self) -> Self;

    /// (k, m, 2⁻ᵏ) with self = 2ᵏ·m and m in [√½, √2), for a normal number above 0.
    fn frexp(self) -> (Self, Self, Self);

    /// Number i of a table for each lane's whole number i.
    ///
    /// # Panics
    /// Where there is none, unless the table is held in registers.
    #[inline(always)]
    fn lookup(self, table: &[Self::Real]) -> Self {
        self.lanewise(|i| table[i.class()])
    }

    /// eˣ for x ≤ 0 of several registers, step by step side by side: see [`exp_nonpositive`].
    fn exp_nonpositive<const N: usize>(x: [Self; N]) -> [Self; N];

    /// Writes columns as rows, `width` numbers apart, row after row: where rows are narrower than [`COLUMNS`], each
    /// overwrites what the last one wrote beyond its end.
    ///
    /// # Panics
    /// If there is no room for them.
    fn put_columns(columns: [Self; COLUMNS], rows: &mut [Self::Real], width: usize);

    /// A function of each lane by itself, for what is rare or has no vector form.
    #[inline(always)]
    fn lanewise(self, f: impl Fn(Self::Real) -> Self::Real) -> Self {
        let mut lanes = [Self::Real::of(0.0); MOST_LANES];
        self.store(&mut lanes);
        lanes[..Self::LANES].iter_mut().for_each(|lane| *lane = f(*lane));
        self.simd().load(&lanes)
    }

    /// 0.
    #[inline(always)]
    fn zero(self) -> Self {
        self.simd().constant(0.0)
    }

    /// 1.
    #[inline(always)]
    fn one(self) -> Self {
        self.simd().constant(1.0)
    }

    /// −self.
    #[inline(always)]
    fn neg(self) -> Self {
        self.zero() - self
    }
}

/// Where groups of [`COLUMNS`] columns begin, of so many: the last group begins earlier and does some columns again.
#[inline(always)]
pub(crate) fn column_groups(columns: usize) -> impl Iterator<Item = usize> {
    let last = columns.saturating_sub(COLUMNS);
    (0..columns).step_by(COLUMNS).map(move |c| c.min(last))
}
