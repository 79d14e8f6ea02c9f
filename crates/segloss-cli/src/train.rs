//! `segloss train`.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use segloss_unet::config::Sources;
use segloss_unet::table::percent;
use segloss_unet::{Config, Dataset, RunFolder};

use crate::options::Threads;
use crate::progress::{Display, say};

/// Train a U-Net, and leave log, checkpoints, curves and pictures in a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss train --out run                                    the embedded tiles, 20 epochs, seconds
  segloss train --data DIR --out run --set data.ignore_index=11
  segloss train --data DIR --out run --loss my_loss.toml --set train.epochs=50 --set model.norm=none
  segloss train --out run --resume                           go on after an interruption

A data set is DIR/{train,val,test}/{images,masks}/. Images are PNG or JPEG; masks are PNGs of the same
stem whose grey value (or palette index) is the class. DIR/dataset.toml may name classes and colours:

  ignore_index = 2
  [[class]]
  name = \"background\"
  colour = [38, 38, 46]

Every key of a configuration has a default; run/config.toml shows them all, as used. The loss is one of
`segloss losses`, in the section [loss] or in a file of its own.")]
pub struct TrainArgs {
    /// The data set; the embedded microscope tiles if left out.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The run folder, made if needed.
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// A configuration in TOML.
    #[arg(long, value_name = "TOML")]
    config: Option<PathBuf>,
    /// A loss specification in TOML, in place of the configuration's section `loss`.
    #[arg(long, value_name = "TOML")]
    loss: Option<PathBuf>,
    /// Set one key of the configuration, as in train.epochs=5; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Go on with the run in RUN, with its own configuration.
    #[arg(long, conflicts_with_all = ["config", "loss", "set"])]
    resume: bool,
    #[command(flatten)]
    threads: Threads,
    /// No progress on standard error.
    #[arg(long, short)]
    quiet: bool,
    /// Print each epoch's row of the log as a line of JSON.
    #[arg(long)]
    json: bool,
}

impl TrainArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        self.threads.start()?;
        let mut display = Display::new(self.quiet, self.json);
        let best = if self.resume {
            let folder = RunFolder::open(&self.out)?;
            let mut data = folder.config()?.data;
            if let Some(moved) = &self.data {
                data.folder = Some(moved.clone());
            }
            let data = Dataset::load(&data)?;
            say(&data.notes, &data.warnings);
            segloss_unet::resume(&data, &folder, &mut display)?
        } else {
            // Everything is read and checked before anything is written.
            let config = self.configuration()?;
            RunFolder::check_new(&self.out)?;
            let data = Dataset::load(&config.data)?;
            say(&data.notes, &data.warnings);
            let folder = RunFolder::create(&self.out)?;
            segloss_unet::train(&config, &data, &folder, &mut display)?
        };
        if let Some(error) = display.failure {
            return Err(error.into());
        }
        if let (Some(best), false) = (best, self.json) {
            let score = percent(best.mean_iou);
            writeln!(
                io::stdout(),
                "best epoch {}, validation mean IoU {score} %: {}",
                best.epoch,
                self.out.display()
            )?;
        }
        Ok(())
    }

    fn configuration(&self) -> Result<Config, Box<dyn Error>> {
        let mut sources = Sources::default();
        if let Some(path) = &self.config {
            sources.file(path)?;
        }
        if let Some(path) = &self.loss {
            sources.loss_file(path)?;
        }
        for assignment in &self.set {
            sources.set(assignment)?;
        }
        let mut config = sources.finish()?;
        if let Some(folder) = self.data.clone().or(config.data.folder.take()) {
            // The run folder remembers it, and will be used from elsewhere.
            config.data.folder = Some(std::path::absolute(folder)?);
        }
        Ok(config)
    }
}
