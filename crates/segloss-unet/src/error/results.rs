//! What can be wrong with the file of an evaluation.

/// What is wrong with the file of an evaluation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsProblem {
    /// More than any evaluation leaves.
    #[error("is larger than {megabytes} MB; it was not written by `segloss evaluate`")]
    TooLarge {
        /// The largest file that is read.
        megabytes: u64,
    },
    /// Not JSON, truncated, or of other keys.
    #[error("is no result of `segloss evaluate`: {0}")]
    Malformed(String),
    /// Written by another version.
    #[error(
        "has format version {found}, this program reads version {expected}; `segloss evaluate --run RUN` writes it again"
    )]
    Version {
        /// In the file.
        found: u32,
        /// Of this program.
        expected: u32,
    },
    /// Numbers that no evaluation gives.
    #[error("its numbers contradict each other: {0}")]
    Inconsistent(String),
}
