//! What can be wrong with a checkpoint.

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// Not safetensors, truncated, or its header lies.
    #[error("not a whole safetensors file: {0}")]
    Malformed(String),
    /// Safetensors, but not written by this trainer.
    #[error("has no `segloss` metadata; it was not written by `segloss train`")]
    Foreign,
    /// Written by another version.
    #[error("has format version {found}, this program reads version {expected}")]
    Version {
        /// In the file.
        found: u32,
        /// Of this program.
        expected: u32,
    },
    /// The metadata is not what it should be.
    #[error("its metadata cannot be read: {0}")]
    Metadata(String),
    /// A tensor is missing.
    #[error("lacks the tensor `{0}`")]
    MissingTensor(String),
    /// A tensor has the wrong element type or shape.
    #[error("tensor `{name}` is {found}, expected {expected}")]
    TensorMismatch {
        /// The tensor's name.
        name: String,
        /// Type and shape in the file.
        found: String,
        /// Type and shape of the model.
        expected: String,
    },
    /// A tensor of means of squares holds a number below 0.
    #[error("tensor `{name}` holds {value} at position {index}, and is a mean of squares: at least 0")]
    Negative {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A tensor holds NaN or an infinity.
    #[error("tensor `{name}` holds {value} at position {index}")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number.
        value: f64,
    },
}
