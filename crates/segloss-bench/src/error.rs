//! Why something could not be measured or compared: exit code 2, apart from what was found.

use segloss_verify::HarnessError;
use std::path::PathBuf;

/// The tool is broken, or what it needs is not there. No verdict on any code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Verify could not work, or a file or report could not be written.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// A program that was to be timed did not do as it was asked.
    #[error("{name}: {what}")]
    Worker {
        /// Which.
        name: String,
        /// What came instead.
        what: String,
    },
    /// A file of the gate's baseline is not there.
    #[error("{path}: no such baseline: run `cargo xtask gate --record` and commit reports/baseline", path = .0.display())]
    NoBaseline(PathBuf),
    /// The baseline's revision cannot be had.
    #[error("the baseline's revision {revision}: {what}")]
    Revision {
        /// Its hash.
        revision: String,
        /// Why not.
        what: String,
    },
    /// A baseline cannot be recorded.
    #[error("nothing recorded: {0}")]
    Record(String),
    /// Timing came to no verdict.
    #[error(
        "inconclusive: on this machine, now, a program cannot be told from itself to ±2 %; try again when it is quieter"
    )]
    Inconclusive,
    /// A program that the gate needs failed.
    #[error("{command}: {what}")]
    Command {
        /// As one would type it.
        command: String,
        /// What it said.
        what: String,
    },
}

impl Error {
    /// A failed operation on a file.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| HarnessError::file(path)(source).into()
    }

    /// A part of a report that could not be put together.
    pub fn report(part: &'static str, what: impl ToString) -> Self {
        HarnessError::Report { part, what: what.to_string() }.into()
    }

    /// A file that does not say what it should.
    pub fn malformed(path: impl Into<PathBuf>, what: impl ToString) -> Self {
        HarnessError::malformed(path, what).into()
    }
}
