//! The number types a loss computes in.

mod sealed {
    use crate::simd::InstructionSets;

    /// What the kernels need of a number type, and which one it is.
    pub trait Sealed: InstructionSets {
        /// The slice as one of the two types that it may be of.
        fn slice(numbers: &[Self]) -> Slice<'_>;

        /// The same to be written.
        fn slice_mut(numbers: &mut [Self]) -> SliceMut<'_>;
    }

    /// Numbers of either type.
    pub enum Slice<'a> {
        F32(&'a [f32]),
        F64(&'a [f64]),
    }

    /// Numbers of either type, to be written.
    pub enum SliceMut<'a> {
        F32(&'a mut [f32]),
        F64(&'a mut [f64]),
    }

    impl Sealed for f32 {
        fn slice(numbers: &[f32]) -> Slice<'_> {
            Slice::F32(numbers)
        }

        fn slice_mut(numbers: &mut [f32]) -> SliceMut<'_> {
            SliceMut::F32(numbers)
        }
    }

    impl Sealed for f64 {
        fn slice(numbers: &[f64]) -> Slice<'_> {
            Slice::F64(numbers)
        }

        fn slice_mut(numbers: &mut [f64]) -> SliceMut<'_> {
            SliceMut::F64(numbers)
        }
    }
}

pub(crate) use sealed::{Slice, SliceMut};

/// A number type of logits, gradients and per-pixel maps: `f32` or `f64`.
///
/// Each pixel is computed in this type; sums over pixels are always kept in `f64`.
pub trait Element: sealed::Sealed {}

impl Element for f32 {}
impl Element for f64 {}
