//! What can go wrong, in one place: every variant names the file or the setting at fault.

mod checkpoint;
mod config;
mod data;
mod divergence;
mod results;
mod weights;

use std::path::{Path, PathBuf};

pub use checkpoint::CheckpointProblem;
pub use config::{Change, ConfigProblem};
pub use data::DataProblem;
pub use divergence::Met;
use divergence::after_divergence;
pub use results::ResultsProblem;
pub use weights::WeightsProblem;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the trainer. Its text is one line; [`std::error::Error::source`] leads to the causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as in "cannot *read* FILE".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder of a data set is not what it should be.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong with it.
        problem: DataProblem,
    },
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigProblem),
    /// A checkpoint cannot be used.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        problem: CheckpointProblem,
    },
    /// A file of weights for a net to begin with cannot be used.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: WeightsProblem,
    },
    /// A net cannot be written in the format that was asked for.
    #[error("{}: {problem}", path.display())]
    Export {
        /// The file that was not written.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A file would replace what it is not made to replace.
    #[error("{}: {problem}, which would be lost; choose another name", path.display())]
    Overwriting {
        /// The file that was not written.
        path: PathBuf,
        /// What lies there.
        problem: String,
    },
    /// A run folder cannot be used.
    #[error("{}: {problem}", path.display())]
    Run {
        /// The run folder, or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of an evaluation cannot be used.
    #[error("{}: {problem}", path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: ResultsProblem,
    },
    /// Training met an output of the net, a loss or a gradient that is not a finite number.
    #[error(
        "epoch {epoch}, step {step}, learning rate {rate:e}: the {what} is {value}{met}; {}",
        after_divergence(*epoch, *taken)
    )]
    Diverged {
        /// "net's output", "loss" or "gradient norm".
        what: &'static str,
        /// The offending number.
        value: f64,
        /// Epochs count from 1.
        epoch: usize,
        /// Steps count from 1, over the whole run; in a validation, the last step before it.
        step: u64,
        /// The learning rate of that step.
        rate: f64,
        /// Steps that had been taken when it was met: one less, or in a validation all of them.
        taken: u64,
        /// Where it was met, as far as that is known.
        met: Box<Met>,
    },
    /// The loss refused its options or its input.
    #[error("the loss cannot be computed")]
    Loss(#[from] segloss::Error),
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Operation(#[from] dfdx_conv::Error),
    /// A picture or a table could not be made.
    #[error("cannot make {what}: {problem}")]
    Encoding {
        /// What it is of.
        what: String,
        /// Why not.
        problem: String,
    },
    /// One of several arms that are compared cannot be trained.
    #[error("arm `{name}`")]
    Arm {
        /// The arm.
        name: String,
        /// Why not.
        #[source]
        source: Box<Self>,
    },
    /// What this crate promises itself did not hold.
    #[error("a fault of this program: {0}")]
    Fault(&'static str),
}

impl Error {
    /// The same of one of several arms that are compared.
    pub(crate) fn of_arm(self, name: &str) -> Self {
        Self::Arm { name: name.to_owned(), source: Box::new(self) }
    }

    /// For `map_err` after a call to the file system.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    pub(crate) fn data(path: impl Into<PathBuf>, problem: DataProblem) -> Self {
        Self::Data { path: path.into(), problem }
    }

    pub(crate) fn checkpoint(path: impl Into<PathBuf>, problem: CheckpointProblem) -> Self {
        Self::Checkpoint { path: path.into(), problem }
    }

    pub(crate) fn weights(path: impl Into<PathBuf>, problem: WeightsProblem) -> Self {
        Self::Weights { path: path.into(), problem }
    }
}
