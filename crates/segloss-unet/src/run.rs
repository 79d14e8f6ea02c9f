//! The run folder: everything a training run leaves behind.
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the complete configuration, as used; a run that goes on reads it, see [`crate::resume()`] |
//! | `log.csv` | one row per epoch: [`LogRow`] |
//! | `curves.svg` | the log, drawn |
//! | `last.safetensors`, `best.safetensors` | [`Checkpoint`]s: of the last epoch, and of that with the largest validation mean IoU |
//! | `diverged.safetensors` | the step that met a number that is not finite, until the run goes on: see [`replay`](crate::replay) |
//! | `classes.csv`, `classes.md` | the per-class table of the best epoch, on the validation images |
//! | `overlays/*.png` | image, truth and prediction of the best epoch, for some validation images |
//! | `rule.json`, `rule.svg` | how classes are decided, where `segloss tune` chose that: [`RuleFile`](crate::tune::RuleFile) |
//! | `results/*.json` | what `segloss evaluate` counted: [`Results`](crate::metrics::Results) |
//!
//! Each file is replaced as a whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::config::{Config, Sources};
use crate::curves::{self, LogRow};
use crate::error::{Error, Result};
use crate::folder::Split;
use crate::metrics::Scores;
use crate::{files, table, torch_weights};

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// Which of a run's checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// Of the largest validation mean IoU.
    Best,
    /// Of the last epoch.
    Last,
}

impl Which {
    /// `best` or `last`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Last => "last",
        }
    }
}

/// How far the run in a folder has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No file of a run is there.
    Nothing,
    /// Begun, and no epoch was completed.
    Begun,
    /// At least one epoch was completed, and the run can go on.
    Completed,
    /// Epochs were completed, but the checkpoint of the last one is gone.
    Lost {
        /// The epochs in the log, or that of the best checkpoint.
        epochs: usize,
        /// Whether the best epoch's checkpoint is there.
        best: bool,
    },
    /// There is no run, but a file that it would overwrite.
    Foreign {
        /// The file's name.
        name: &'static str,
    },
}

/// A row for each epoch.
pub(crate) const LOG: &str = "log.csv";

/// Files of a run besides the checkpoints, the configuration last: as long as it is there, so is a run.
const FILES: [&str; 7] =
    [LOG, "curves.svg", "classes.csv", "classes.md", "rule.json", "rule.svg", "config.toml"];

/// Its files of tensors.
const CHECKPOINTS: [&str; 3] = ["last.safetensors", "best.safetensors", "diverged.safetensors"];

impl RunFolder {
    /// The folder of a run, whether or not there is one yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// Opens the folder of a run that was begun.
    ///
    /// # Errors
    /// [`Error::Run`] if it holds none.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self::at(path);
        if folder.config_path().exists() {
            return Ok(folder);
        }
        Err(folder.refused("holds no run: there is no config.toml"))
    }

    /// The folder of the run that a path is a file of, by its name: other files may lie beside a run's, and those of
    /// evaluations may be written again.
    pub fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name()?;
        let folder = |path: &Path| match path {
            path if path.as_os_str().is_empty() => Self::at(Path::new(".")),
            path => Self::at(path),
        };
        let mut names = FILES.into_iter().chain(CHECKPOINTS);
        if names.any(|own| name == own) {
            return Some(folder(path.parent()?)).filter(|folder| folder.config().is_ok());
        }
        let is_overlay = |above: &&Path| above.file_name().is_some_and(|name| name == "overlays");
        let above = path.ancestors().skip(1).find(is_overlay)?;
        Some(folder(above.parent()?)).filter(|folder| folder.config().is_ok())
    }

    /// Looks at what is there.
    ///
    /// An epoch writes the log, the best checkpoint, then the last one. So a run that was stopped at any moment
    /// of its first epoch has one row in its log and a best epoch of 1 at most; any other run without its last
    /// checkpoint has lost it.
    ///
    /// # Errors
    /// If the path is no folder, or the log or the best checkpoint cannot be read.
    pub fn standing(&self) -> Result<Standing> {
        self.check_place()?;
        if self.checkpoint_path(Which::Last).exists() {
            return Ok(Standing::Completed);
        }
        let best = self.checkpoint_path(Which::Best);
        if self.config_path().exists() {
            let mut epochs = self.log()?.len();
            if best.exists() {
                epochs = epochs.max(Checkpoint::load(&best)?.meta.epoch);
            }
            let lost = Standing::Lost { epochs, best: best.exists() };
            return Ok(if epochs > 1 { lost } else { Standing::Begun });
        }
        let names = FILES.into_iter().chain(["best.safetensors", "overlays"]);
        let foreign = names.into_iter().find(|name| self.path.join(name).exists());
        Ok(foreign.map_or(Standing::Nothing, |name| Standing::Foreign { name }))
    }

    /// Checks that a new run could begin here, and writes nothing. A run that never completed an epoch is
    /// no hindrance, unless its configuration has been edited, which should then act.
    ///
    /// # Errors
    /// [`Error::Run`] if it holds a run already or a file that a run would overwrite, or is no folder.
    pub fn check_new(&self) -> Result<()> {
        let begun_by_us =
            || -> Result<bool> { Ok(self.config()?.to_toml()? == files::read_text(&self.config_path())?) };
        Err(self.refused(match self.standing()? {
            Standing::Nothing => return Ok(()),
            Standing::Begun if begun_by_us()? => return Ok(()),
            Standing::Begun => {
                "holds a config.toml that is not as a run leaves it; begin with what it says (--resume), \
                 replace it (--restart), or choose another folder"
            }
            Standing::Completed | Standing::Lost { .. } => {
                "holds a run already; go on with it (--resume), begin it anew (--restart), \
                 or choose another folder"
            }
            Standing::Foreign { name } => return Err(self.foreign(name)),
        }))
    }

    /// Checks that what [`RunFolder::clear`] would remove is of a run.
    ///
    /// # Errors
    /// [`Error::Run`] if there is a file of such a name, but neither a checkpoint nor a configuration that can be read.
    pub(crate) fn check_restart(&self) -> Result<()> {
        let checkpoints = [Which::Last, Which::Best].map(|which| self.checkpoint_path(which));
        for path in checkpoints.iter().filter(|path| path.is_file()) {
            if torch_weights::is_checkpoint(&files::read(path)?) {
                return Ok(());
            }
        }
        if self.config_path().exists() {
            let refused = |error: Error| {
                self.refused(&format!(
                    "holds a config.toml that is no run's, and nothing is removed: choose another folder, or remove it ({error})"
                ))
            };
            return self.config().map(|_| ()).map_err(refused);
        }
        let names = FILES.into_iter().chain(CHECKPOINTS).chain(["overlays", "results"]);
        let foreign = names.into_iter().find(|name| self.path.join(name).exists());
        foreign.map_or(Ok(()), |name| Err(self.foreign(name)))
    }

    pub(crate) fn foreign(&self, name: &str) -> Error {
        self.refused(&format!(
            "holds no run, but {name}, which a run would overwrite; choose another folder, or remove it"
        ))
    }

    pub(crate) fn refused(&self, problem: &str) -> Error {
        Error::Run { path: self.path.clone(), problem: problem.to_owned() }
    }

    /// Removes everything that a run leaves behind, and nothing else. The checkpoints go first and the
    /// configuration last, so that a crash on the way leaves no run that looks whole.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn clear(&self) -> Result<()> {
        self.check_place()?;
        let checkpoints = [Which::Last, Which::Best].map(|which| self.checkpoint_path(which));
        checkpoints.iter().try_for_each(|path| files::remove_if_there(path))?;
        clear_files(&self.path.join("overlays"), "png")?;
        clear_files(&self.path.join("results"), "json")?;
        self.sweep()?;
        FILES.iter().try_for_each(|name| files::remove_if_there(&self.path.join(name)))
    }

    /// Refuses a path that is no folder, or that leads through a file.
    fn check_place(&self) -> Result<()> {
        let problem = || "is not a folder".to_owned();
        match self.path.ancestors().find(|path| path.exists()) {
            Some(path) if !path.is_dir() => Err(Error::Run { path: path.to_path_buf(), problem: problem() }),
            _ => Ok(()),
        }
    }

    /// Removes what an interrupted write left beside its file, and a step that went wrong.
    pub(crate) fn sweep(&self) -> Result<()> {
        files::remove_if_there(&self.replay_path())?;
        let folders = [self.path.clone(), self.path.join("overlays"), self.path.join("results")];
        for path in folders.iter().map(|folder| entries(folder)).collect::<Result<Vec<_>>>()?.concat() {
            let begun = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(files::BESIDE.as_bytes()));
            if begun && path.is_file() {
                files::remove_if_there(&path)?;
            }
        }
        Ok(())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn config_path(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    fn log_path(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Where a checkpoint is, or will be.
    pub fn checkpoint_path(&self, which: Which) -> PathBuf {
        self.path.join(match which {
            Which::Best => "best.safetensors",
            Which::Last => "last.safetensors",
        })
    }

    /// Where the step that met a number that is not finite is kept.
    pub fn replay_path(&self) -> PathBuf {
        self.path.join("diverged.safetensors")
    }

    /// Where the decision rule that `segloss tune` chose is, or will be.
    pub fn rule_path(&self) -> PathBuf {
        self.path.join("rule.json")
    }

    /// Where the picture of that choice is, or will be.
    pub fn rule_picture_path(&self) -> PathBuf {
        self.path.join("rule.svg")
    }

    /// Where the overlay of an image is, or will be.
    pub fn overlay_path(&self, name: &str) -> PathBuf {
        self.path.join("overlays").join(format!("{name}.png"))
    }

    /// Where what was counted of a split is, or will be; `marks` tell it from the run's own data under arg max: the name of
    /// another data set, a decision rule.
    pub fn results_path(&self, split: Split, which: Which, marks: &[&str]) -> PathBuf {
        let marks: String = marks.iter().map(|mark| format!("-{mark}")).collect();
        self.path.join("results").join(format!("{}-{}{marks}.json", split.name(), which.name()))
    }

    /// Makes the folder if needed, and writes `config.toml`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_config(&self, config: &Config) -> Result<()> {
        files::make_folder(&self.path)?;
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

    /// What a run that goes on starts from, to be added to: its `config.toml`; where that is gone, the
    /// configuration in its last checkpoint; where there is no run, nothing.
    ///
    /// # Errors
    /// If the one that is there cannot be read.
    pub fn sources(&self) -> Result<Sources> {
        let (path, last) = (self.config_path(), self.checkpoint_path(Which::Last));
        let mut sources = Sources::default();
        if path.exists() {
            sources.toml(&files::read_text(&path)?, &path.display().to_string())?;
        } else if last.exists() {
            let config = Checkpoint::load(&last)?.meta.config;
            sources.toml(&config.to_toml()?, &last.display().to_string())?;
        }
        Ok(sources)
    }

    /// Writes `log.csv` and `curves.svg`.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Encoding`].
    pub fn write_log(&self, log: &[LogRow]) -> Result<()> {
        let text = table::csv_text(LOG, |writer| log.iter().try_for_each(|row| writer.serialize(row)))?;
        files::write_atomic(&self.log_path(), text.as_bytes())?;
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

/// Removes the files of a kind in a folder and below, and the folders that are empty then.
fn clear_files(folder: &Path, kind: &str) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            clear_files(&path, kind)?;
        } else if path.extension().is_some_and(|extension| extension == kind) {
            files::remove_if_there(&path)?;
        }
    }
    // Stays if it holds anything else.
    let _ = fs::remove_dir(folder);
    Ok(())
}

/// What lies in a folder; nothing if there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = || Error::io("list", folder);
    let found = fs::read_dir(folder).map_err(failed())?;
    found.map(|entry| Ok(entry.map_err(failed())?.path())).collect()
}
