//! `segloss train`.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use segloss_unet::config::Sources;
use segloss_unet::table::percent;
use segloss_unet::{Config, Dataset, RunFolder};

use crate::options::{Moved, Threads};
use crate::progress::{Display, tell};

/// Train a U-Net, and leave log, checkpoints, curves and pictures in a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss train --out run                                    the embedded tiles, 20 epochs, seconds
  segloss train --data DIR --out run --set data.ignore_index=11
  segloss train --data DIR --out run --loss my_loss.toml --set train.epochs=50 --set model.norm=none
  segloss train --out run --resume                           go on after an interruption, or begin
  segloss train --out run --resume --set train.epochs=50     go on for longer
  segloss train --out run --restart                          begin anew; other files in run stay
  segloss train --data DIR --out run --set data.crop=[256,256] --set augment.scale=[0.5,2.0] \\
      --set augment.rotation=10 --set augment.brightness=0.2 --set augment.rare_share=0.3
  segloss train --data DIR --out run --weights w.safetensors --set train.fresh_head=true

`segloss inspect --data DIR` says what a data folder holds, which layouts and masks are
understood, and writes the DIR/dataset.toml that names its classes. Weights for each pixel, from
maps/NAME.npy beside images/ and masks/, are used with data.maps=true or
loss.weights.source=map.

Every key of a configuration has a default; run/config.toml shows them all, as used. The loss is
one of `segloss losses`, in the section [loss] or in a file of its own. Files are TOML or JSON.

--resume reads run/config.toml first, then --config, --loss and --set. A run that has completed
an epoch can take over other values of train.epochs, train.patience, train.overlays, data.folder
(the same images elsewhere), optimizer.learning_rate, optimizer.clip_norm and [schedule], from
the next step on; any other change is an error. The learning rate then follows the schedule of
the new length: a longer one-cycle or cosine run rises again before it falls. run/config.toml is
rewritten to what is in force.

For rare classes and small machines (docs/training.md explains each):
  augment.rare_share=0.3        so many of the crops are centred on a pixel of a rare class
  augment.scale, .rotation, .brightness, .contrast, .saturation   drawn anew for each image
  train.micro_batch=2           images in memory at once; the loss is still that of the whole batch
  train.ema=0.999               judge and keep a moving average of the weights
  train.patience=10             end after so many epochs without a better mean IoU
  model.deep_supervision=true   a loss at each level on the way up
  optimizer.clip_norm=1.0       limit the norm of the gradient
  added_loss = { from_epoch = 10, weight = 0.5, loss = { kind = \"dice\" } }
                                in a configuration: a second loss later on
--weights FILE begins with the weights of `segloss export`, or of PyTorch:
safetensors.torch.save_file of the state_dict of milesial/Pytorch-UNet (bilinear=False), whose
width and depth model.width and model.depth must name. train.fresh_head=true leaves out its last
layer, for other classes.

optimizer.kind is adamw, adam or sgd (optimizer.momentum, optimizer.nesterov). The default
learning rate, 2e-3, and weight decay, 1e-2, suit adamw; sgd usually needs 0.01 to 0.1, and
1e-4.")]
pub struct TrainArgs {
    /// The data set; the embedded microscope tiles if left out.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The run folder, made if needed.
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// A configuration in TOML or JSON.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A loss specification in TOML or JSON, in place of the configuration's section `loss`.
    #[arg(long, value_name = "FILE")]
    loss: Option<PathBuf>,
    /// Begin with the weights of a safetensors file, with the names of PyTorch's U-Net.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Set one key of the configuration, as in train.epochs=5; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Go on with the run in RUN and its configuration; begin where there is none.
    #[arg(long)]
    resume: bool,
    /// Begin anew in RUN; the files of the run that it holds are removed. What is no run is refused.
    #[arg(long, conflicts_with = "resume")]
    restart: bool,
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
        let folder = RunFolder::at(&self.out);
        // Everything is read and checked before anything is written.
        let config = self.configuration(&folder)?;
        let train = match (self.resume, self.restart) {
            (true, _) => segloss_unet::resume,
            (_, true) => segloss_unet::restart,
            _ => {
                folder.check_new()?;
                segloss_unet::train
            }
        };
        let remembered = config.data.folder.as_deref().filter(|_| self.resume && self.data.is_none());
        let data = Dataset::load(&config.data).map_err(|error| Moved::or(error, remembered))?;
        tell(&data.notes, &data.warnings);
        let best = train(&config, &data, &folder, &mut display)?;
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

    /// Of two names for one thing on the command line, one would act in silence.
    fn check_paths(&self) -> Result<(), Box<dyn Error>> {
        let mut set = Sources::default();
        self.set.iter().try_for_each(|assignment| set.set(assignment))?;
        for (option, given, (section, key)) in
            [("--data", &self.data, ("data", "folder")), ("--weights", &self.weights, ("train", "weights"))]
        {
            if let (Some(given), Some(set)) = (given, set.text(section, key))
                && given.as_path() != Path::new(set)
            {
                let given = given.display();
                return Err(format!(
                    "{option} is {given}, and --set {section}.{key}={set}: leave one of them out"
                )
                .into());
            }
        }
        Ok(())
    }

    fn configuration(&self, folder: &RunFolder) -> Result<Config, Box<dyn Error>> {
        self.check_paths()?;
        let mut sources = if self.resume { folder.sources()? } else { Sources::default() };
        if let Some(path) = &self.config {
            sources.file(path)?;
        }
        if let Some(path) = &self.loss {
            sources.loss_file(path)?;
        }
        for assignment in &self.set {
            sources.set(assignment)?;
        }
        if let Some(path) = &self.weights {
            sources.weights(path)?;
        }
        let mut config = sources.finish()?;
        if let Some(folder) = self.data.clone().or(config.data.folder.take()) {
            // The run folder remembers it, and will be used from elsewhere.
            config.data.folder = Some(std::path::absolute(folder)?);
        }
        if let Some(file) = config.train.weights.take() {
            config.train.weights = Some(std::path::absolute(file)?);
        }
        Ok(config)
    }
}
