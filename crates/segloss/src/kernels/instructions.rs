//! Which instructions the kernels may use: chosen at run time, so that one build is fast everywhere.

use crate::kernels::functions::Real;
use serde::Serialize;

/// The instructions that the vectorised part of a loss is computed with.
///
/// A [`Loss`](crate::Loss) takes the [best](Self::best) that the machine has. Within a set all bits of a result are the same, for
/// any number of threads. [`Avx2`](Self::Avx2) and [`Avx512`](Self::Avx512) give the same bits, too: both fuse a product and a sum into one
/// rounding, and no sum depends on how many numbers a register holds. [`Portable`](Self::Portable) rounds twice there, and may
/// differ in the last places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstructionSet {
    /// What every machine has that the build is for.
    Portable,
    /// AVX2 and FMA: x86-64 since 2013.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: x86-64 servers since 2017, Zen since 2022.
    Avx512,
}

impl InstructionSet {
    /// All of them, the plainest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("fma")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The best that this machine has.
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|set| set.is_available()).unwrap_or(Self::Portable)
    }

    /// As options and reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Runs a kernel with these instructions; with the portable ones where the machine lacks them.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `is_available` has just found every feature that the function is compiled for.
            Self::Avx2 if self.is_available() => unsafe { avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 if self.is_available() => unsafe { avx512(kernel) },
            _ => kernel.run::<Separate>(),
        }
    }
}

/// A loop that is compiled for every instruction set. What it calls must be inlined into it, or be compiled for the
/// portable one: hence `#[inline(always)]` on `run` and on all below it.
pub(crate) trait Kernel {
    type Output;

    fn run<A: Arithmetic>(self) -> Self::Output;
}

/// How a·b + c is computed.
pub trait Arithmetic {
    /// a·b + c.
    fn mul_add<T: Real>(a: T, b: T, c: T) -> T;
}

/// In one instruction, rounded once.
pub struct Fused;

impl Arithmetic for Fused {
    #[inline(always)]
    fn mul_add<T: Real>(a: T, b: T, c: T) -> T {
        a.mul_add(b, c)
    }
}

/// As a product and a sum: without an instruction for both, a fused one would be a call for every number.
pub struct Separate;

impl Arithmetic for Separate {
    #[inline(always)]
    fn mul_add<T: Real>(a: T, b: T, c: T) -> T {
        a * b + c
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Fused>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Fused>()
}
