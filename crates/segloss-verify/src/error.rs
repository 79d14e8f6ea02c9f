//! Why the harness itself could not work: exit code 2, apart from anything it found.

use std::path::PathBuf;

/// The tool is broken, or what it needs is not there. No verdict on any loss.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// No fixtures where they should be.
    #[error("no fixtures at {path}: run from a full checkout of the project, or name its root", path = .0.display())]
    NoFixtures(PathBuf),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A fixture does not say what its kind of file should.
    #[error("{path}: {what}", path = .path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A pool of threads could not be made.
    #[error("cannot make a pool of {threads} threads: {what}")]
    Threads {
        /// How many.
        threads: usize,
        /// Why not.
        what: String,
    },
    /// A check that does not exist was asked for.
    #[error("no check is called `{name}`; there are {known}")]
    NoSuchCheck {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A report could not be put together.
    #[error("cannot write the {part} of the report: {what}")]
    Report {
        /// Which part.
        part: &'static str,
        /// Why not.
        what: String,
    },
}

impl HarnessError {
    /// A failed operation on a file.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// A file that does not say what it should.
    pub fn malformed(path: impl Into<PathBuf>, what: impl ToString) -> Self {
        Self::Malformed { path: path.into(), what: what.to_string() }
    }
}
