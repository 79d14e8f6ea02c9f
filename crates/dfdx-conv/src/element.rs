//! The number types this crate computes with.

use std::cell::RefCell;
use std::thread::LocalKey;

use dfdx::dtypes::Dtype;
use num_traits::Float;

use crate::scratch::Scratch;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A floating-point type that the operations are implemented for: `f32` or `f64`.
///
/// `f32` is what one trains with; `f64` exists so that finite differences can check the gradients to
/// many digits. The trait is sealed: the matrix products below it know these two types only.
pub trait Element: Dtype + Float + std::iter::Sum + sealed::Sealed {
    /// This thread's reusable work buffers.
    #[doc(hidden)]
    fn scratch() -> &'static LocalKey<RefCell<Scratch<Self>>>;

    /// The nearest value to `x`; sums over many elements are carried in `f64`.
    #[doc(hidden)]
    fn narrow(x: f64) -> Self;

    /// The value as `f64`, exactly.
    #[doc(hidden)]
    fn widen(self) -> f64;
}

macro_rules! element {
    ($type:ty) => {
        impl Element for $type {
            fn scratch() -> &'static LocalKey<RefCell<Scratch<Self>>> {
                thread_local!(static SCRATCH: RefCell<Scratch<$type>> = RefCell::default());
                &SCRATCH
            }

            fn narrow(x: f64) -> Self {
                x as $type
            }

            fn widen(self) -> f64 {
                f64::from(self)
            }
        }
    };
}

element!(f32);
element!(f64);
