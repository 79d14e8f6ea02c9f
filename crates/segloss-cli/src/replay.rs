//! `segloss replay`: a step that went wrong, once more.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use segloss_unet::replay::Replay;

use crate::exit::FoundWrong;
use crate::options::Threads;

/// Compute a step again that met a number that is not finite.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss replay run/diverged.safetensors

Training leaves the file behind when an output, a loss or a gradient is not a finite number: the
net before the step, the batch, and the loss. Images and labels of the batch are tensors of it,
`batch/images` and `batch/labels`, for any reader of safetensors. Exits with 1 if the step comes
to a number that is not finite again.")]
pub struct ReplayArgs {
    /// The step, as training left it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    threads: Threads,
}

impl ReplayArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        self.threads.start()?;
        let mut replay = Replay::load(&self.file)?;
        let found = replay.run()?;
        let meta = &replay.meta;
        let mut out = io::stdout().lock();
        let none = || "–".to_owned();
        writeln!(out, "step            {}, of epoch {}", meta.step, meta.epoch)?;
        writeln!(out, "images          {}", meta.images.join(", "))?;
        writeln!(out, "first not finite {}", found.first.clone().unwrap_or_else(none))?;
        match &found.loss {
            Ok(loss) => writeln!(out, "loss            {loss}")?,
            Err(problem) => writeln!(out, "loss            {problem}")?,
        }
        writeln!(out, "gradient norm   {}", found.gradient_norm.map_or_else(none, |norm| norm.to_string()))?;
        match found.is_finite() {
            true => Ok(()),
            false => Err(FoundWrong("the step comes to a number that is not finite".to_owned()).into()),
        }
    }
}
