//! Where the images are: a folder on disk, or the set that is compiled in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;

use crate::embedded;
use crate::error::{DataProblem, Error, Result};
use crate::files;
use crate::sample::{Sample, one_line};

/// One of the three parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose the best epoch by.
    Val,
    /// To report on.
    Test,
}

impl Split {
    /// Its folder: `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// A data set: `DIR/{train,val,test}/{images,masks}/` and, if there is one, `DIR/dataset.toml`.
///
/// An image and its mask share the file stem. Images are PNG or JPEG, masks PNG. Files of other kinds and
/// hidden files are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder on disk.
    Folder(PathBuf),
    /// The sixteen tiles that are compiled into the program: see [`Source::embedded`].
    Embedded,
}

/// What `dataset.toml` may say.
///
/// ```toml
/// ignore_index = 2           # pixels with this label count for nothing; may be left out
///
/// [[class]]                  # the first class is label 0, the next label 1, …
/// name = "background"
/// colour = [38, 38, 46]      # for pictures; may be left out
///
/// [[class]]
/// name = "nucleus"
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Description {
    /// The label that counts for nothing.
    pub ignore_index: Option<u8>,
    /// The classes in the order of their labels.
    pub class: Vec<ClassDescription>,
}

/// One class in `dataset.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassDescription {
    /// For tables and legends.
    pub name: String,
    /// For pictures; a built-in colour if left out.
    pub colour: Option<[u8; 3]>,
}

/// The two files of one sample, found but not read.
#[derive(Debug, Clone)]
struct Pair {
    name: String,
    image: PathBuf,
    mask: PathBuf,
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

    /// The path of one split, for messages.
    pub fn path(&self, split: Split) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(split.name()),
            Self::Embedded => Path::new(embedded::ROOT).join(split.name()),
        }
    }

    /// What `dataset.toml` says; nothing if there is none.
    ///
    /// # Errors
    /// [`Error::Data`] if the folder is missing or `dataset.toml` is malformed.
    pub fn description(&self) -> Result<Description> {
        let (path, text) = match self {
            Self::Embedded => (Path::new(embedded::ROOT).join("dataset.toml"), embedded::DESCRIPTION.into()),
            Self::Folder(folder) => {
                if !folder.is_dir() {
                    return Err(Error::data(folder, DataProblem::MissingFolder));
                }
                let path = folder.join("dataset.toml");
                if !path.exists() {
                    return Ok(Description::default());
                }
                let text = files::read_text(&path)?;
                (path, text)
            }
        };
        toml::from_str(&text)
            .map_err(|error| Error::data(path, DataProblem::Description(one_line(error.message()))))
    }

    /// Reads and decodes one split, in the order of the file stems; files are decoded in parallel.
    ///
    /// # Errors
    /// [`Error::Data`] naming the first file (by stem) that is missing, broken or of the wrong size.
    pub fn load(&self, split: Split) -> Result<Vec<Sample>> {
        let pairs = self.pairs(split)?;
        // Every pair is tried, and the first failure in the order of the stems is reported, so that a
        // message does not depend on the threads.
        let loaded: Vec<Result<Sample>> = pairs
            .par_iter()
            .map(|pair| {
                let image = self.read(&pair.image)?;
                let mask = self.read(&pair.mask)?;
                Sample::decode(&pair.name, (&pair.image, &image), (&pair.mask, &mask))
            })
            .collect();
        loaded.into_iter().collect()
    }

    fn read(&self, path: &Path) -> Result<Cow<'static, [u8]>> {
        match self {
            Self::Folder(_) => files::read(path).map(Cow::Owned),
            Self::Embedded => Ok(Cow::Borrowed(embedded::file(path))),
        }
    }

    fn pairs(&self, split: Split) -> Result<Vec<Pair>> {
        let folder = self.path(split);
        let (images, masks) = (folder.join("images"), folder.join("masks"));
        let mut found_masks = self.stems(&masks, &["png"])?;
        let mut pairs = Vec::new();
        for (name, image) in self.stems(&images, &["png", "jpg", "jpeg"])? {
            let Some(mask) = found_masks.remove(&name) else {
                let expected = masks.join(format!("{name}.png"));
                return Err(Error::data(image, DataProblem::MissingMask { expected }));
            };
            pairs.push(Pair { name, image, mask });
        }
        if let Some((_, mask)) = found_masks.pop_first() {
            return Err(Error::data(mask, DataProblem::MissingImage { folder: images }));
        }
        if pairs.is_empty() {
            return Err(Error::data(images, DataProblem::Empty));
        }
        Ok(pairs)
    }

    /// The files of a folder with one of the extensions, by stem.
    fn stems(&self, folder: &Path, extensions: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
        let files = match self {
            Self::Folder(_) => list(folder)?,
            Self::Embedded => embedded::list(folder),
        };
        let mut stems: BTreeMap<String, PathBuf> = BTreeMap::new();
        for path in files {
            let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
            let (Some(stem), Some(extension)) = (path.file_stem(), extension) else { continue };
            let stem = stem.to_string_lossy().into_owned();
            if stem.starts_with('.') || !extensions.contains(&extension.as_str()) {
                continue;
            }
            if let Some(other) = stems.insert(stem, path.clone()) {
                let other = other.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Err(Error::data(path, DataProblem::SameStem { other }));
            }
        }
        Ok(stems)
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Err(Error::data(folder, DataProblem::MissingFolder));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        files.push(entry.map_err(Error::io("list", folder))?.path());
    }
    // The operating system's order is arbitrary; messages and runs should not be.
    files.sort();
    Ok(files)
}
