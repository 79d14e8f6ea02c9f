//! Options that several commands share.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use segloss_unet::compare::arm;
use segloss_unet::run::Which;
use segloss_unet::{DataProblem, Split};
use segloss_verify::identify::{self, Expected};

use crate::progress::say;

/// How many threads compute.
#[derive(Debug, clap::Args)]
pub struct Threads {
    /// Threads that compute; all cores by default. The result does not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
}

/// More threads than any machine has cores are a slip, and take long to start.
const MOST_THREADS: usize = 1024;

fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=MOST_THREADS).contains(threads));
    threads.ok_or_else(|| format!("expected a number from 1 to {MOST_THREADS}"))
}

impl Threads {
    /// Starts the threads; to be called once, before any work.
    pub fn start(&self) -> Result<(), Box<dyn Error>> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        }
        Ok(())
    }
}

/// A loss as it is told on the command line: a kind, a sum of kinds, or a specification, in a file or as it is.
pub fn loss(text: &str) -> Result<Expected, Box<dyn Error>> {
    let path = Path::new(text);
    let is_name = path.extension().is_some_and(|end| end == "toml" || end == "json") && !text.contains('\n');
    let content = match is_name || path.is_file() {
        true => loss_of_file(text)?,
        false => text.to_owned(),
    };
    let named = |problem: String| match text {
        "" => problem,
        _ if path.is_dir() => format!("{text} is a folder; expected a file, a kind or a specification"),
        _ => format!("{text}: {problem}"),
    };
    Ok(identify::expected(&content).map_err(named)?)
}

/// The loss of a file, which may be a configuration or an arm of a comparison; said, if there is more in it.
fn loss_of_file(name: &str) -> Result<String, Box<dyn Error>> {
    let content = std::fs::read_to_string(name).map_err(|error| format!("cannot read {name}: {error}"))?;
    let table = content.parse::<toml::Table>();
    let table = table.or_else(|error| serde_json::from_str::<toml::Table>(&content).map_err(|_| error));
    // What is neither is refused by who reads the loss.
    let Ok(table) = table else { return Ok(content) };
    let (loss, beside) = arm::loss_of(table.clone()).map_err(|problem| format!("{name}: {problem}"))?;
    if loss == table {
        return Ok(content);
    }
    if !beside.is_empty() {
        let beside = beside.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        say(&format!("note: {name}: its loss alone is looked at, not {beside}"));
    }
    Ok(toml::to_string(&loss)?)
}

/// The images of a run are no longer where they were.
#[derive(Debug, thiserror::Error)]
#[error("{}: no such folder; the run's images were there, and --data DIR says where they are now", path.display())]
pub struct Moved {
    path: PathBuf,
}

impl Moved {
    /// An error of reading the data in `folder`, which the run remembers.
    pub fn or(error: segloss_unet::Error, folder: Option<&Path>) -> Box<dyn Error> {
        match error {
            segloss_unet::Error::Data { path, problem: DataProblem::MissingFolder }
                if Some(&*path) == folder =>
            {
                Self { path }.into()
            }
            error => error.into(),
        }
    }
}

/// Which checkpoint of a run.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum CheckpointArg {
    /// Of the epoch with the largest mean IoU on the validation images.
    Best,
    /// Of the last epoch.
    Last,
}

impl From<CheckpointArg> for Which {
    fn from(arg: CheckpointArg) -> Self {
        match arg {
            CheckpointArg::Best => Self::Best,
            CheckpointArg::Last => Self::Last,
        }
    }
}

/// Which images of a data set.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SplitArg {
    /// Those it learned from.
    Train,
    /// Those the best epoch was chosen by.
    Val,
    /// Those it has never seen.
    Test,
}

impl From<SplitArg> for Split {
    fn from(arg: SplitArg) -> Self {
        match arg {
            SplitArg::Train => Self::Train,
            SplitArg::Val => Self::Val,
            SplitArg::Test => Self::Test,
        }
    }
}
