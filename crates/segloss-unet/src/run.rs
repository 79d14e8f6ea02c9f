//! The run folder: everything a training run leaves behind.
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the complete configuration, as used |
//! | `log.csv` | one row per epoch: [`LogRow`] |
//! | `curves.svg` | the log, drawn |
//! | `last.safetensors`, `best.safetensors` | [`Checkpoint`](crate::checkpoint::Checkpoint)s: of the last epoch, and of that with the largest validation mean IoU |
//! | `classes.csv`, `classes.md` | the per-class table of the best epoch, on the validation images |
//! | `overlays/*.png` | image, truth and prediction of the best epoch, for some validation images |
//!
//! Each file is replaced as a whole or not at all.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::files;
use crate::metrics::Scores;
use crate::{curves, table};

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// One row of `log.csv`. Scores are of the validation images, parts of 1; empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// Counted from 1.
    pub epoch: usize,
    /// Optimizer steps so far.
    pub step: u64,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// Mean over the epoch's images, each in its batch, while the net was learning.
    pub train_loss: f64,
    /// Mean over the epoch's steps of the norm of the gradient, before clipping.
    pub gradient_norm: f64,
    /// Mean over the validation images.
    pub val_loss: f64,
    /// Mean IoU.
    pub mean_iou: Option<f64>,
    /// Mean Dice.
    pub mean_dice: Option<f64>,
    /// Mean recall.
    pub class_average: Option<f64>,
    /// Global accuracy.
    pub accuracy: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: Option<f64>,
    /// Wall time of the training steps.
    pub train_seconds: f64,
    /// Wall time of the validation.
    pub val_seconds: f64,
}

/// Which of a run's checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Of the largest validation mean IoU.
    Best,
    /// Of the last epoch.
    Last,
}

impl RunFolder {
    /// Checks that a new run could begin here, and writes nothing.
    ///
    /// # Errors
    /// [`Error::Run`] if it holds a run already, or is no folder.
    pub fn check_new(path: &Path) -> Result<()> {
        let folder = Self { path: path.to_path_buf() };
        let problem = if folder.config_path().exists() || folder.checkpoint_path(Which::Last).exists() {
            "holds a run already; resume it (--resume), or choose another folder"
        } else if path.exists() && !path.is_dir() {
            "is not a folder"
        } else {
            return Ok(());
        };
        Err(Error::Run { path: path.to_path_buf(), problem: problem.to_owned() })
    }

    /// Makes a folder for a new run.
    ///
    /// # Errors
    /// As [`RunFolder::check_new`], or [`Error::Io`].
    pub fn create(path: &Path) -> Result<Self> {
        Self::check_new(path)?;
        files::make_folder(path)?;
        Ok(Self { path: path.to_path_buf() })
    }

    /// Opens the folder of a run that was begun.
    ///
    /// # Errors
    /// [`Error::Run`] if it holds none.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self { path: path.to_path_buf() };
        if !folder.config_path().exists() {
            let problem = "holds no run: there is no config.toml".to_owned();
            return Err(Error::Run { path: path.to_path_buf(), problem });
        }
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn config_path(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    fn log_path(&self) -> PathBuf {
        self.path.join("log.csv")
    }

    /// Where a checkpoint is, or will be.
    pub fn checkpoint_path(&self, which: Which) -> PathBuf {
        self.path.join(match which {
            Which::Best => "best.safetensors",
            Which::Last => "last.safetensors",
        })
    }

    /// Where the overlay of an image is, or will be.
    pub fn overlay_path(&self, name: &str) -> PathBuf {
        self.path.join("overlays").join(format!("{name}.png"))
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_config(&self, config: &Config) -> Result<()> {
        files::write_atomic(&self.config_path(), config.to_toml()?.as_bytes())
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Config`].
    pub fn config(&self) -> Result<Config> {
        let path = self.config_path();
        Config::from_toml(&files::read_text(&path)?, &path.display().to_string())
    }

    /// Writes `log.csv` and `curves.svg`.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Picture`].
    pub fn write_log(&self, log: &[LogRow]) -> Result<()> {
        let path = self.log_path();
        let failed = |error: String| Error::Run { path: path.clone(), problem: error };
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in log {
            writer.serialize(row).map_err(|error| failed(error.to_string()))?;
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
        files::write_atomic(&path, &bytes)?;
        files::write_atomic(&self.path.join("curves.svg"), curves::draw(log)?.as_bytes())
    }

    /// Reads `log.csv`; nothing if there is none yet.
    ///
    /// # Errors
    /// [`Error::Run`] if it is malformed.
    pub fn log(&self) -> Result<Vec<LogRow>> {
        let path = self.log_path();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = files::read(&path)?;
        let rows: csv::Result<Vec<LogRow>> = csv::Reader::from_reader(&bytes[..]).deserialize().collect();
        rows.map_err(|error| Error::Run { path, problem: error.to_string() })
    }

    /// Writes `classes.csv` and `classes.md`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_classes(&self, scores: &Scores) -> Result<()> {
        files::write_atomic(&self.path.join("classes.csv"), table::csv(scores)?.as_bytes())?;
        files::write_atomic(&self.path.join("classes.md"), table::markdown(scores).as_bytes())
    }
}
