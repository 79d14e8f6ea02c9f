//! Training: the loop, and what it tells while it runs.

use std::ops::ControlFlow;
use std::time::Instant;

use dfdx::prelude::{Backward, Gradients, Trace};
use segloss::ClassCounts;

use crate::batch::{Batch, Batcher, View, training_views};
use crate::checkpoint::{self, Best, Checkpoint, FORMAT, Meta};
use crate::config::Config;
use crate::dataset::Dataset;
use crate::error::{ConfigProblem, Error, Result};
use crate::evaluate::{Assessment, evaluate};
use crate::objective::Objective;
use crate::optimizer::{Optimizer, squared_norm};
use crate::picture;
use crate::predict::predict;
use crate::run::{LogRow, RunFolder, Which};
use crate::schedule::Schedule;
use crate::unet::UNet;

/// Is told how a run goes. Every method has a default that does nothing; `()` listens to nothing.
pub trait Progress {
    /// Before the first step.
    fn started(&mut self, start: &Start) {
        let _ = start;
    }

    /// After each step.
    fn stepped(&mut self, step: &StepReport) {
        let _ = step;
    }

    /// While the validation images are evaluated: so many of so many are done.
    fn evaluated(&mut self, done: usize, images: usize) {
        let _ = (done, images);
    }

    /// After each epoch, when everything of it has been written. `Break` ends the run here; it can be
    /// resumed.
    fn finished_epoch(&mut self, epoch: &EpochReport) -> ControlFlow<()> {
        let _ = epoch;
        ControlFlow::Continue(())
    }
}

impl Progress for () {}

/// A run about to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Epochs done before, when resuming.
    pub done: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Steps of one epoch.
    pub steps_per_epoch: usize,
    /// Training and validation images.
    pub images: (usize, usize),
    /// Outputs of the net.
    pub classes: usize,
    /// Numbers that learn.
    pub parameters: usize,
}

/// One step of the optimizer.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Counted from 1.
    pub epoch: usize,
    /// Within the epoch, counted from 1.
    pub step: usize,
    /// Steps of one epoch.
    pub steps: usize,
    /// The learning rate.
    pub rate: f64,
    /// The loss of the batch, before the step.
    pub loss: f64,
    /// The norm of the gradient, before clipping.
    pub gradient_norm: f64,
}

/// One epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochReport {
    /// Epochs of the whole run.
    pub epochs: usize,
    /// What the log holds of it.
    pub row: LogRow,
    /// On the validation images.
    pub assessment: Assessment,
    /// Whether it is the best so far.
    pub is_best: bool,
}

/// A net in training, with all its state.
#[derive(Debug)]
pub struct Trainer<'a> {
    config: Config,
    data: &'a Dataset,
    objective: Objective,
    schedule: Schedule,
    /// The net.
    pub net: UNet<f32>,
    /// The optimizer.
    pub optimizer: Optimizer<f32>,
    epoch: usize,
    best: Option<Best>,
}

impl<'a> Trainer<'a> {
    /// A trainer at the beginning of a run.
    ///
    /// # Errors
    /// If the configuration is out of range or does not fit the data.
    pub fn new(config: &Config, data: &'a Dataset) -> Result<Self> {
        config.validate()?;
        let net = UNet::new(&config.model, data.channels, data.classes.count(), config.train.seed)?;
        let sizes = net.parameters.iter().map(|parameter| parameter.shape().iter().product());
        let optimizer = Optimizer::new(&config.optimizer, sizes);
        Self::with(config, data, net, optimizer, 0, None, &[])
    }

    /// A trainer at the end of the checkpoint's epoch: from here on it does what the trainer that wrote
    /// the checkpoint would have done, bit for bit.
    ///
    /// # Errors
    /// [`ConfigProblem::Contradiction`] if the data differs from that of the checkpoint in classes, channels
    /// or normalisation.
    pub fn resume(checkpoint: Checkpoint, data: &'a Dataset) -> Result<Self> {
        let Checkpoint { net, optimizer, meta } = checkpoint;
        let misfit = if meta.channels != data.channels {
            Some(format!("the model takes {} channels, the data has {}", meta.channels, data.channels))
        } else if meta.classes != data.classes {
            Some("the classes are not those of the checkpoint".to_owned())
        } else if meta.normalisation != data.normalisation {
            Some("the training images are not those of the checkpoint".to_owned())
        } else {
            None
        };
        if let Some(problem) = misfit {
            let text = format!("the checkpoint and the data do not fit: {problem}");
            return Err(ConfigProblem::Contradiction(text).into());
        }
        Self::with(&meta.config, data, net, optimizer, meta.epoch, Some(meta.best), &meta.loss_history)
    }

    fn with(
        config: &Config,
        data: &'a Dataset,
        net: UNet<f32>,
        optimizer: Optimizer<f32>,
        epoch: usize,
        best: Option<Best>,
        history: &[ClassCounts],
    ) -> Result<Self> {
        let mut objective =
            Objective::new(&config.loss, &data.classes, Some(&data.counts), config.data.maps)?;
        objective.restore(history)?;
        let steps_per_epoch = data.train.len().div_ceil(config.train.batch_size);
        let peak = config.optimizer.learning_rate;
        let schedule = Schedule::new(&config.schedule, peak, config.train.epochs, steps_per_epoch);
        // The configuration as used: the trainer decides these keys.
        let mut config = config.clone();
        config.data.ignore_index = data.classes.ignore_index;
        config.loss = objective.spec().clone();
        Ok(Self { config, data, objective, schedule, net, optimizer, epoch, best })
    }

    /// The configuration as used.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Epochs completed.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The best epoch so far.
    pub fn best(&self) -> Option<Best> {
        self.best
    }

    /// One epoch of training and its validation. The model is what the next one goes on from.
    ///
    /// # Errors
    /// [`Error::Diverged`], or what data, loss or net refuse.
    pub fn run_epoch(&mut self, progress: &mut dyn Progress) -> Result<EpochReport> {
        let began = Instant::now();
        let train = &self.config.train;
        let batches =
            training_views(&self.data.train, &self.config.data, train.batch_size, train.seed, self.epoch);
        let (mut loss, mut gradient_norm, mut learning_rate) = (0.0, 0.0, 0.0);
        for (i, views) in batches.iter().enumerate() {
            let report = self.step(views, i, batches.len())?;
            loss += report.loss * views.len() as f64;
            gradient_norm += report.gradient_norm;
            learning_rate = report.rate;
            progress.stepped(&report);
        }
        let train_seconds = began.elapsed().as_secs_f64();
        let assessment = self.assess(progress)?;
        self.epoch += 1;

        let mean_iou = assessment.scores.mean_iou;
        // No score is less than any score.
        let is_best = self.best.is_none_or(|best| mean_iou > best.mean_iou);
        if is_best {
            self.best = Some(Best { epoch: self.epoch, mean_iou });
        }
        let row = LogRow {
            epoch: self.epoch,
            step: self.optimizer.steps,
            learning_rate,
            train_loss: loss / self.data.train.len() as f64,
            gradient_norm: gradient_norm / batches.len() as f64,
            val_loss: assessment.loss,
            mean_iou,
            mean_dice: assessment.scores.mean_dice,
            class_average: assessment.scores.class_average,
            accuracy: assessment.scores.accuracy,
            calibration_error: assessment.scores.calibration_error,
            train_seconds,
            val_seconds: began.elapsed().as_secs_f64() - train_seconds,
        };
        Ok(EpochReport { epochs: self.config.train.epochs, row, assessment, is_best })
    }

    /// One step: rate → batch → forward → loss → backward → clip → update.
    fn step(&mut self, views: &[View], number: usize, steps: usize) -> Result<StepReport> {
        let rate = self.schedule.rate(self.epoch * steps + number);
        let batcher = Batcher {
            samples: &self.data.train,
            normalisation: &self.data.normalisation,
            classes: &self.data.classes,
            multiple: self.net.multiple(),
        };
        let Batch { shape, images, labels, weights, .. } = batcher.build(views);
        self.objective.observe(&labels, shape.1 * shape.2, &self.data.classes);
        let images = self.net.tensor(images, shape)?.traced(Gradients::leaky());
        let logits = self.net.forward(images)?;
        let (scalar, evaluation) = self.objective.apply(logits, &labels, &weights)?;
        let loss = evaluation.value;
        let (epoch, step) = (self.epoch + 1, number + 1);
        let finite = |what, value: f64| {
            let step = self.optimizer.steps as usize + 1;
            if value.is_finite() { Ok(()) } else { Err(Error::Diverged { what, value, epoch, step }) }
        };
        finite("loss", loss)?;

        let mut gradients = scalar.try_backward().map_err(dfdx_conv::Error::from)?;
        let mut squares = 0.0;
        for parameter in &self.net.parameters {
            squares += squared_norm(parameter.gradient(&mut gradients)?);
        }
        let gradient_norm = squares.sqrt();
        finite("gradient norm", gradient_norm)?;

        let update = self.optimizer.begin(rate, gradient_norm);
        for (i, parameter) in self.net.parameters.iter_mut().enumerate() {
            // A second handle on the same tensor would make `values_mut` copy it, so: gradient first.
            let gradient = parameter.gradient(&mut gradients)?;
            let decays = parameter.decays();
            self.optimizer.update(update, i, parameter.values_mut()?, gradient, decays);
        }
        Ok(StepReport { epoch, step, steps, rate, loss, gradient_norm })
    }

    fn assess(&self, progress: &mut dyn Progress) -> Result<Assessment> {
        let Dataset { classes, normalisation, val, .. } = self.data;
        let batch_size = self.config.train.batch_size;
        evaluate(&self.net, &self.objective, classes, normalisation, val, batch_size, &mut |done| {
            progress.evaluated(done, val.len());
        })
    }

    /// The state after a completed epoch; none before the first.
    fn meta(&self) -> Option<Meta> {
        Some(Meta {
            format: FORMAT,
            epoch: self.epoch,
            step: self.optimizer.steps,
            channels: self.data.channels,
            best: self.best?,
            normalisation: self.data.normalisation.clone(),
            classes: self.data.classes.clone(),
            loss_history: self.objective.history(),
            config: self.config.clone(),
        })
    }

    /// Draws image, truth and prediction for validation images spread evenly over the split.
    fn draw_overlays(&self, folder: &RunFolder) -> Result<()> {
        let Dataset { classes, normalisation, val, .. } = self.data;
        let count = self.config.train.overlays.min(val.len());
        for i in 0..count {
            let sample = &val[i * val.len() / count];
            let predicted = predict(&self.net, classes, normalisation, &sample.image)?;
            let picture = picture::panels(&sample.image, &[&sample.labels, &predicted], classes);
            let path = folder.overlay_path(&sample.name);
            // The name of an image in a nested folder has that folder before it.
            crate::files::make_folder(path.parent().unwrap_or(folder.path()))?;
            picture::write_png(&path, &picture)?;
        }
        Ok(())
    }
}

/// Trains a new net and leaves everything in the run folder.
///
/// # Errors
/// See [`Error`]. What was written of completed epochs stays, and the run can be resumed.
pub fn train(
    config: &Config,
    data: &Dataset,
    folder: &RunFolder,
    progress: &mut dyn Progress,
) -> Result<Option<Best>> {
    let trainer = Trainer::new(config, data)?;
    folder.write_config(trainer.config())?;
    run(trainer, Vec::new(), folder, progress)
}

/// Goes on with an interrupted run from its last completed epoch, as if it had never stopped.
///
/// # Errors
/// See [`Error`].
pub fn resume(data: &Dataset, folder: &RunFolder, progress: &mut dyn Progress) -> Result<Option<Best>> {
    let path = folder.checkpoint_path(Which::Last);
    if !path.exists() {
        // Interrupted before the end of the first epoch.
        return train(&folder.config()?, data, folder, progress);
    }
    let trainer = Trainer::resume(Checkpoint::load(&path)?, data)?;
    let mut log = folder.log()?;
    // The log is written before the checkpoint, so it may be one epoch ahead.
    log.retain(|row| row.epoch <= trainer.epoch());
    run(trainer, log, folder, progress)
}

/// The loop: an epoch, then log, best checkpoint with its tables and pictures, last checkpoint.
fn run(
    mut trainer: Trainer<'_>,
    mut log: Vec<LogRow>,
    folder: &RunFolder,
    progress: &mut dyn Progress,
) -> Result<Option<Best>> {
    let epochs = trainer.config.train.epochs;
    progress.started(&Start {
        done: trainer.epoch,
        epochs,
        steps_per_epoch: trainer.data.train.len().div_ceil(trainer.config.train.batch_size),
        images: (trainer.data.train.len(), trainer.data.val.len()),
        classes: trainer.data.classes.count(),
        parameters: trainer.net.parameter_count(),
    });
    while trainer.epoch < epochs {
        let report = trainer.run_epoch(progress)?;
        log.push(report.row.clone());
        folder.write_log(&log)?;
        if let Some(meta) = trainer.meta() {
            let save = |which| {
                let path = folder.checkpoint_path(which);
                checkpoint::save(&path, &trainer.net, &trainer.optimizer, &meta)
            };
            if report.is_best {
                save(Which::Best)?;
                folder.write_classes(&report.assessment.scores)?;
                trainer.draw_overlays(folder)?;
            }
            // Last of all: a crash before this line repeats the epoch, and writes the same files again.
            save(Which::Last)?;
        }
        if progress.finished_epoch(&report).is_break() {
            break;
        }
    }
    Ok(trainer.best)
}
