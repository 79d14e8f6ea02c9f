//! What can go wrong, said in full: which operation, what it expected, what came.

use dfdx::tensor::CpuError;

/// Why an operation of this crate refused its arguments. No operation panics on bad input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that must agree with another one does not.
    #[error("{operation}: expected {expected}, got {actual}")]
    Shape {
        /// The operation that was called.
        operation: &'static str,
        /// What it asked for, in words and numbers.
        expected: String,
        /// What it was given.
        actual: String,
    },
    /// A setting outside of its range, such as a negative `epsilon`.
    #[error("{operation}: expected {expected}, got {actual}")]
    Value {
        /// The operation that was called.
        operation: &'static str,
        /// The permitted range.
        expected: String,
        /// What it was given.
        actual: String,
    },
    /// The tensor is a permuted or broadcast view. Call `try_contiguous()` on it first, while it
    /// still has its tape: afterwards the gradient would be cut off.
    #[error("{operation}: expected a contiguous tensor, got a permuted or broadcast view of shape {shape:?}")]
    NotContiguous {
        /// The operation that was called.
        operation: &'static str,
        /// The sizes of the view.
        shape: Vec<usize>,
    },
    /// The gradient of a tensor that an operation *produced* was asked for after the backward pass
    /// had used it up: see [Gradients](crate#gradients).
    #[error(
        "parameter_gradient: expected a parameter or an input ({expected} elements), got a tensor whose gradient \
         ({actual} elements left) the backward pass has used up"
    )]
    GradientConsumed {
        /// Elements of the tensor.
        expected: usize,
        /// Elements of the gradient that is left.
        actual: usize,
    },
    /// dfdx itself failed.
    #[error("dfdx: {0}")]
    Dfdx(String),
}

impl From<CpuError> for Error {
    fn from(error: CpuError) -> Self {
        Self::Dfdx(error.to_string())
    }
}

impl Error {
    pub(crate) fn shape(
        operation: &'static str,
        expected: impl Into<String>,
        actual: impl std::fmt::Debug,
    ) -> Self {
        Self::Shape { operation, expected: expected.into(), actual: format!("{actual:?}") }
    }
}
