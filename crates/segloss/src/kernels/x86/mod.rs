//! Registers with AVX2 and FMA, and with AVX-512.
//!
//! The types are only met in functions that are compiled for their instructions, and those are only called where the
//! machine has them ([`InstructionSet::run`](super::instructions::InstructionSet::run)): that is what every `unsafe`
//! here rests on. All is inlined into such a function; left outside it would be slow, not wrong.

#[macro_use]
mod register;
#[macro_use]
mod rows;
mod avx2;
mod avx512;

pub use avx2::{F32x8, F64x4};
pub use avx512::{F32x16, F64x8};
