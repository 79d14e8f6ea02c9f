//! Why a capture cannot be judged.

use segloss_unet::npy::NpyError;
use std::path::PathBuf;

/// Why a capture cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file cannot be read.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// An array that is needed is not there.
    #[error("{}: {batch}holds no {wanted}; {held}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Which batch, with a colon; empty where there is one.
        batch: String,
        /// What is missing, with the names that are read.
        wanted: &'static str,
        /// What is there.
        held: String,
    },
    /// Two arrays do not go together, or one holds what it cannot.
    #[error("{}: {batch}{problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Which batch, with a colon; empty where there is one.
        batch: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The function raised an error on every batch.
    #[error("{}: the function raised an error on every batch; the first: {first}", path.display())]
    AllRaised {
        /// The file.
        path: PathBuf,
        /// What it said.
        first: String,
    },
    /// Not the name of a function in a module.
    #[error("`{0}` names no function; write MODULE:FUNCTION, as in losses:dice_loss")]
    Function(String),
}
