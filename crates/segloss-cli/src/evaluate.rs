//! `segloss evaluate`.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use segloss_unet::dataset::load_split;
use segloss_unet::evaluate::{Assessment, evaluate};
use segloss_unet::objective::Objective;
use segloss_unet::{Checkpoint, Reading, RunFolder, Source, Split, table};
use serde::Serialize;

use crate::options::{CheckpointArg, SplitArg, Threads};
use crate::progress::tell;

/// Score a trained net class by class.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss evaluate --run run                          the test images of the run's own data set
  segloss evaluate --run run --split val --checkpoint last
  segloss evaluate --run run --data OTHER --json | jq .mean_iou

A class that does not occur in the masks is shown as –, and no mean counts it.")]
pub struct EvaluateArgs {
    /// The run folder.
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// Another data set than the one it was trained on.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which images.
    #[arg(long, value_enum, default_value = "test")]
    split: SplitArg,
    /// Which epoch's net.
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: CheckpointArg,
    #[command(flatten)]
    threads: Threads,
    /// Print JSON: {epoch, split, loss, accuracy, class_average, mean_iou, …, classes: [{label, name, iou, …}]}.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    /// The epoch of the checkpoint.
    epoch: usize,
    split: &'a str,
    #[serde(flatten)]
    assessment: &'a Assessment,
}

impl EvaluateArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        self.threads.start()?;
        let folder = RunFolder::open(&self.run)?;
        let Checkpoint { net, meta, .. } = Checkpoint::load(&folder.checkpoint_path(self.checkpoint.into()))?;
        let source = Source::new(self.data.as_deref().or(meta.config.data.folder.as_deref()));
        let split = Split::from(self.split);
        let reading = Reading::with_classes(&source, &meta.classes)?;
        tell(&reading.notes, &[]);
        let samples = load_split(&reading, split, &meta.normalisation, meta.config.data.maps)?;
        let mut objective = Objective::new(&meta.config.loss, &reading.classes, None, true)?;
        objective.restore_running_counts(&meta.loss_history)?;
        let batch_size = meta.config.train.batch_size;
        let assessment = evaluate(
            &net,
            &objective,
            &reading.classes,
            &meta.normalisation,
            &samples,
            batch_size,
            &mut |_| (),
        )?;
        let present = assessment.scores.classes.iter().filter(|class| class.pixels > 0);
        if let [only] = present.collect::<Vec<_>>()[..] {
            let (split, name) = (split.name(), &only.name);
            let warning =
                format!("every pixel of {split} is of class `{name}`: these scores say little about the net");
            tell(&[], &[warning]);
        }
        let mut out = io::stdout().lock();
        if self.json {
            let report = Report { epoch: meta.epoch, split: split.name(), assessment: &assessment };
            writeln!(out, "{}", serde_json::to_string_pretty(&report).map_err(io::Error::from)?)?;
        } else {
            write!(out, "{}", table::markdown(&assessment.scores))?;
        }
        Ok(())
    }
}
