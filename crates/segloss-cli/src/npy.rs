//! NumPy files in and out, whatever element type they hold.

use ndarray::{ArrayD, ArrayViewD};
use ndarray_npy::{ViewElement, ViewNpyError, ViewNpyExt, WritableElement, WriteNpyExt};
use std::path::{Path, PathBuf};

/// Why a `.npy` file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {problem}", path.display())]
    Content { path: PathBuf, problem: String },
    #[error(transparent)]
    Write(#[from] segloss_unet::Error),
}

/// A file's bytes, to be tried as one element type after another.
pub struct NpyFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl NpyFile {
    pub fn open(path: &Path) -> Result<Self, NpyError> {
        let bytes = std::fs::read(path).map_err(|source| NpyError::Read { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), bytes })
    }

    /// The array if the file holds elements of this type, in row-major order.
    ///
    /// The bytes are looked at in place first, so that a header that promises more than the file holds
    /// is an error and never an allocation.
    pub fn array<A: ViewElement + Clone>(&self) -> Result<Option<ArrayD<A>>, NpyError> {
        match ArrayViewD::<A>::view_npy(&self.bytes) {
            Ok(view) => Ok(Some(view.as_standard_layout().into_owned())),
            Err(ViewNpyError::WrongDescriptor(_)) => Ok(None),
            Err(ViewNpyError::MissingBytes(missing)) => {
                Err(self.problem(format!("truncated: {missing} bytes of the array are missing")))
            }
            Err(ViewNpyError::NonNativeEndian) => {
                Err(self
                    .problem("its byte order is not this machine's; save it with .astype('<f4') or the like"))
            }
            Err(ViewNpyError::MisalignedData) => Err(self
                .problem("its header is not padded as the NPY format asks; save it again with numpy.save")),
            Err(other) => Err(self.problem(format!("not a usable NPY file: {other}"))),
        }
    }

    /// The error for a file that holds none of the types it may.
    pub fn unexpected_type(&self, expected: &str) -> NpyError {
        self.problem(format!("holds another element type than {expected}"))
    }

    fn problem(&self, problem: impl Into<String>) -> NpyError {
        NpyError::Content { path: self.path.clone(), problem: problem.into() }
    }
}

/// Writes an array so that the file is either the old one or the whole new one.
pub fn write<A: WritableElement>(path: &Path, array: &ArrayD<A>) -> Result<(), NpyError> {
    let mut bytes = Vec::new();
    array
        .write_npy(&mut bytes)
        .map_err(|error| NpyError::Content { path: path.to_owned(), problem: error.to_string() })?;
    Ok(segloss_unet::files::write_atomic(path, &bytes)?)
}
