//! Where the files of a data set are: a folder on disk, or the set that is compiled in.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::description::Description;
use crate::embedded;
use crate::error::{DataProblem, Error, Result};
use crate::files;

/// One of the three parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose the best epoch by.
    Val,
    /// To report on.
    Test,
}

impl Split {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// Its folder: `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// Where a data set comes from. [`Reading`](crate::reading::Reading) knows how it may be laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder on disk.
    Folder(PathBuf),
    /// The sixteen tiles that are compiled into the program: see [`Source::embedded`].
    Embedded,
}

impl Source {
    /// Sixteen fluorescence tiles of 128 × 128 (8 train, 4 val, 4 test): background, nucleus, and a thin,
    /// rare boundary. Compiled in, so that tests and a first run need no files.
    pub fn embedded() -> Self {
        Self::Embedded
    }

    /// The folder, or the embedded set if there is none.
    pub fn new(folder: Option<&Path>) -> Self {
        folder.map_or(Self::Embedded, |folder| Self::Folder(folder.to_path_buf()))
    }

    /// The folder itself; for messages, where it is compiled in.
    pub fn root(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder,
            Self::Embedded => Path::new(embedded::ROOT),
        }
    }

    /// What to call it: the folder's own name; `embedded` for what is compiled in.
    pub fn name(&self) -> String {
        let Self::Folder(folder) = self else { return "embedded".to_owned() };
        // `.` and `..` have a name of their own only when they are resolved.
        let named = folder.file_name().map(ToOwned::to_owned);
        let resolved =
            || fs::canonicalize(folder).ok().and_then(|path| path.file_name().map(ToOwned::to_owned));
        named.or_else(resolved).map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The path of `dataset.toml`, whether it is there or not.
    pub fn description_path(&self) -> PathBuf {
        self.root().join("dataset.toml")
    }

    /// What `dataset.toml` says; nothing if there is none.
    ///
    /// # Errors
    /// [`Error::Data`] if the folder is missing or `dataset.toml` is malformed.
    pub fn description(&self) -> Result<Description> {
        let path = self.description_path();
        let text = match self {
            Self::Embedded => Cow::Borrowed(embedded::DESCRIPTION),
            Self::Folder(folder) => {
                if !folder.is_dir() {
                    return Err(Error::data(folder, DataProblem::MissingFolder));
                }
                if !path.exists() {
                    return Ok(Description::default());
                }
                Cow::Owned(files::read_text(&path)?)
            }
        };
        Description::read(&text).map_err(|problem| Error::data(path, DataProblem::Description(problem)))
    }

    /// Every file below the root, in the order of their paths, which are relative to it.
    ///
    /// # Errors
    /// [`Error::Data`] if the folder is missing, [`Error::Io`] if a folder cannot be listed.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        match self {
            Self::Embedded => Ok(embedded::list()),
            Self::Folder(folder) => {
                if !folder.is_dir() {
                    return Err(Error::data(folder, DataProblem::MissingFolder));
                }
                let mut found = Vec::new();
                walk(folder, Path::new(""), &mut BTreeSet::new(), &mut found)?;
                // The operating system's order is arbitrary; messages and runs should not be.
                found.sort();
                Ok(found)
            }
        }
    }

    /// The bytes of a file, by its path relative to the root.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn read(&self, path: &Path) -> Result<Cow<'static, [u8]>> {
        match self {
            Self::Folder(folder) => files::read(&folder.join(path)).map(Cow::Owned),
            Self::Embedded => Ok(Cow::Borrowed(embedded::file(path))),
        }
    }
}

/// Follows links, as people make folders of them; one that leads back to a folder it is in, of those `above`, is
/// not entered.
fn walk(root: &Path, below: &Path, above: &mut BTreeSet<PathBuf>, found: &mut Vec<PathBuf>) -> Result<()> {
    let folder = root.join(below);
    let here = fs::canonicalize(&folder).map_err(Error::io("list", &folder))?;
    if !above.insert(here.clone()) {
        return Ok(());
    }
    for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
        let entry = entry.map_err(Error::io("list", &folder))?;
        let path = below.join(entry.file_name());
        let is_folder = root.join(&path).is_dir();
        if is_folder && !is_hidden(&path) {
            walk(root, &path, above, found)?;
        } else if !is_folder {
            found.push(path);
        }
    }
    above.remove(&here);
    Ok(())
}

/// Whether the last part of a path begins with a dot.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}
