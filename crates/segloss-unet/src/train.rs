//! Training: the loop.

use std::mem::{self, Discriminant};
use std::time::Instant;

use crate::average::Average;
use crate::batch::{Batch, Batcher};
use crate::checkpoint::{self, Best, Checkpoint, FORMAT, Meta};
use crate::config::{Config, OptimizerConfig, OptimizerKind};
use crate::curves::LogRow;
use crate::dataset::Dataset;
use crate::error::{ConfigProblem, Error, Met, Result};
use crate::evaluate::{Assessment, evaluate};
use crate::gradient::accumulate_and_tell;
use crate::loss_schedule::LossSchedule;
use crate::metrics::Rule;
use crate::optimizer::{Optimizer, squared_norm};
use crate::picture;
use crate::predict::predict;
use crate::progress::{EpochReport, Progress, Start, StepReport, Warning};
use crate::reader::read_ahead;
use crate::replay::{self, Replay};
use crate::run::{RunFolder, Standing, Which};
use crate::schedule::Schedule;
use crate::unet::UNet;
use crate::unpredicted::Unpredicted;
use crate::view::{self, View, evaluation_views, training_views};
use crate::{degenerate, difference, files, torch_weights};

/// A net in training, with all its state.
#[derive(Debug)]
pub struct Trainer<'a> {
    config: Config,
    data: &'a Dataset,
    losses: LossSchedule,
    schedule: Schedule,
    /// The net that learns.
    pub net: UNet<f32>,
    /// The moving average of its weights, if there is one: what is judged and kept.
    average: Option<Average>,
    /// One buffer for each parameter.
    gradients: Vec<Vec<f32>>,
    /// The optimizer.
    pub optimizer: Optimizer<f32>,
    /// What had to be changed of the weights that it began with.
    notes: Vec<String>,
    epoch: usize,
    best: Option<Best>,
    unpredicted: Unpredicted,
    /// What the loss has said, each kind of it once a run.
    said: Vec<Discriminant<segloss::Warning>>,
    /// The step that met a number that is not finite.
    failed: Option<Replay>,
}

impl<'a> Trainer<'a> {
    /// A trainer at the beginning of a run, with random weights or those of `train.weights`.
    ///
    /// # Errors
    /// If the configuration is out of range, does not fit the data, or leaves a batch normalisation a
    /// single value; [`Error::Weights`] if the weights are not those of such a net.
    pub fn new(config: &Config, data: &'a Dataset) -> Result<Self> {
        let net = |config: &Config| {
            UNet::new(&config.model, data.channels, data.classes.count(), config.train.seed)
        };
        config.validate()?;
        check(config, data)?;
        // What was begun with such a crop may go on.
        view::check_crop(&config.data, &config.augment, &data.train)?;
        let losses = losses(config, data)?;
        let config = as_used(config, data, &losses);
        let mut net = net(&config)?;
        let notes = match &config.train.weights {
            Some(path) => torch_weights::load(path, &mut net, config.train.fresh_head)?,
            None => Vec::new(),
        };
        let optimizer = Optimizer::new(&config.optimizer, sizes(&net));
        Ok(Self { notes, ..Self::before_any_step(config, data, losses, net, optimizer) })
    }

    fn before_any_step(
        config: Config,
        data: &'a Dataset,
        losses: LossSchedule,
        net: UNet<f32>,
        optimizer: Optimizer<f32>,
    ) -> Self {
        Self {
            schedule: schedule(&config, data),
            average: Average::new(config.train.ema, &net),
            gradients: sizes(&net).map(|size| vec![0.0; size]).collect(),
            config,
            data,
            losses,
            net,
            optimizer,
            notes: Vec::new(),
            epoch: 0,
            best: None,
            unpredicted: Unpredicted::default(),
            said: Vec::new(),
            failed: None,
        }
    }

    /// A trainer at the end of the checkpoint's epoch. With the checkpoint's own configuration
    /// ([`Meta::config`]), it does from here on what the trainer that wrote it would have done, bit for bit.
    ///
    /// Some keys may have another value than in the checkpoint, and act from the next step on: `train.epochs` and
    /// `[schedule]` (the rate follows the schedule of the new length, see [`schedule`](mod@crate::schedule)),
    /// `optimizer.learning_rate`, `optimizer.clip_norm`, `train.patience`, `train.overlays`, and `data.folder`, if the same images
    /// are there.
    ///
    /// # Errors
    /// [`ConfigProblem::Changed`] with every other key whose value is another one;
    /// [`ConfigProblem::Contradiction`] if more epochs are done than asked for, or if the data differs from
    /// that of the checkpoint in classes, channels or normalisation.
    pub fn resume(checkpoint: Checkpoint, config: &Config, data: &'a Dataset) -> Result<Self> {
        let Checkpoint { net, learning, mut optimizer, meta } = checkpoint;
        config.validate()?;
        let mut losses = losses(config, data)?;
        let config = as_used(config, data, &losses);
        difference::check(&meta.config, &config)?;
        let misfit = |problem: &str| {
            let text = format!("the checkpoint and the data do not fit: {problem}");
            Err(ConfigProblem::Contradiction(text).into())
        };
        if meta.channels != data.channels {
            return misfit(&format!(
                "the model takes {} channels, the data has {}",
                meta.channels, data.channels
            ));
        }
        if meta.classes != data.classes {
            return misfit("the classes are not those of the checkpoint");
        }
        if meta.normalisation != data.normalisation {
            return misfit("the training images are not those of the checkpoint");
        }
        let (epochs, done) = (config.train.epochs, meta.epoch);
        if epochs < done {
            let text =
                format!("`train.epochs` is {epochs}, but {done} epochs are done; expected {done} or more");
            return Err(ConfigProblem::Contradiction(text).into());
        }
        check(&config, data)?;
        losses.restore_running_counts(&meta.loss_history)?;
        optimizer.reconfigure(&config.optimizer);
        let mut trainer = Self {
            epoch: meta.epoch,
            best: Some(meta.best),
            unpredicted: meta.unpredicted,
            ..Self::before_any_step(config, data, losses, net, optimizer)
        };
        // The average goes on from the net that was judged, and this one from its own weights.
        trainer.net = learning.unwrap_or(trainer.net);
        Ok(trainer)
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
        let Config { data, augment, train, .. } = &self.config;
        let Dataset { train: samples, normalisation, classes, counts, .. } = self.data;
        let batches =
            training_views(samples, data, augment, counts, train.batch_size, train.seed, self.epoch);
        let batcher = Batcher { samples, normalisation, classes, multiple: self.net.multiple() };
        let (mut loss, mut gradient_norm, mut learning_rate) = (0.0, 0.0, 0.0);
        let waited = read_ahead(
            &batches,
            |views| batcher.build(views),
            |number, views, batch| {
                let (report, warnings) = match self.step(&batch, number, batches.len()) {
                    Err(error) => return Err(self.explained(error, views, batch)),
                    Ok(done) => done,
                };
                if number == 0 {
                    self.tell(warnings, progress);
                }
                loss += report.loss * views.len() as f64;
                gradient_norm += report.gradient_norm;
                learning_rate = report.rate;
                progress.stepped(&report);
                Ok(())
            },
        )?;
        // Not one number of any step: no rounding, but weights that leave nothing to learn.
        if gradient_norm == 0.0 && loss == 0.0 {
            return Err(ConfigProblem::NothingToLearn { epoch: self.epoch + 1 }.into());
        }
        let train_seconds = began.elapsed().as_secs_f64();
        let assessment = self.assess(progress, learning_rate)?;
        self.epoch += 1;
        let classes = self.unpredicted.observe(&assessment.scores);
        if !classes.is_empty() {
            progress.warned(&Warning::Unpredicted { classes, unweighted: self.could_weigh() });
        }

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
            wait_seconds: waited.as_secs_f64(),
            val_seconds: began.elapsed().as_secs_f64() - train_seconds,
        };
        Ok(EpochReport { epochs: self.config.train.epochs, row, assessment, is_best })
    }

    /// Tells what the loss has to say, where it is a new one.
    fn tell(&mut self, warnings: Vec<segloss::Warning>, progress: &mut dyn Progress) {
        let epoch = self.epoch + 1;
        if epoch != 1 && self.config.added_loss.as_ref().is_none_or(|added| added.from_epoch != epoch) {
            return;
        }
        for warning in warnings {
            let kind = mem::discriminant(&warning);
            if !self.said.contains(&kind) {
                self.said.push(kind);
                progress.warned(&Warning::Loss { text: warning.to_string() });
            }
        }
    }

    /// rate·λ, where a step of AdamW keeps nothing of the weights, or turns them over.
    fn decays_too_much(&self, rate: f64) -> Option<String> {
        let OptimizerConfig { kind, weight_decay, .. } = self.config.optimizer;
        let decay = rate * weight_decay;
        (kind == OptimizerKind::AdamW && decay >= 1.0).then(|| format!("{decay:e}"))
    }

    /// One step: rate → forward → loss → backward → clip → update → average.
    fn step(
        &mut self,
        batch: &Batch<f32>,
        number: usize,
        steps: usize,
    ) -> Result<(StepReport, Vec<segloss::Warning>)> {
        let rate = self.schedule.rate(self.epoch * steps + number);
        let pixels = batch.shape.1 * batch.shape.2;
        self.losses.update_running_counts(&batch.labels, pixels, &self.data.classes)?;
        let (epoch, step) = (self.epoch + 1, number + 1);
        let taken = self.optimizer.steps;
        let diverged = |what, value| Error::Diverged {
            what,
            value,
            epoch,
            step: taken + 1,
            rate,
            taken,
            met: Box::default(),
        };
        let finite = |what, value: f64| if value.is_finite() { Ok(()) } else { Err(diverged(what, value)) };
        self.gradients.iter_mut().for_each(|gradient| gradient.fill(0.0));
        let statistics = self.net.statistics.clone();
        let (objective, images) = (self.losses.at(epoch), self.config.train.micro_batch);
        let loss = accumulate_and_tell(&mut self.net, objective, batch, images, &mut self.gradients)
            .map_err(|error| not_finite(error, diverged))
            // Of parts it is known in f64 alone.
            .and_then(|found| finite("loss", f64::from(found.0 as f32)).map(|()| found));
        let norm = || self.gradients.iter().map(|gradient| squared_norm(gradient)).sum::<f64>().sqrt();
        let found = loss.and_then(|(loss, warnings)| {
            let norm = norm();
            finite("gradient norm", norm).map(|()| (loss, warnings, norm))
        });
        let (loss, warnings, gradient_norm) = match found {
            Ok(found) => found,
            Err(error) => {
                // As they were before the step.
                self.net.statistics = statistics;
                return Err(error);
            }
        };

        let update = self.optimizer.begin(rate, gradient_norm);
        for (i, (parameter, gradient)) in self.net.parameters.iter_mut().zip(&self.gradients).enumerate() {
            let decays = parameter.decays();
            self.optimizer.update(update, i, parameter.values_mut()?, gradient, decays);
        }
        if let Some(average) = &mut self.average {
            average.update(&self.net, self.optimizer.steps)?;
        }
        Ok((StepReport { epoch, step, steps, rate, loss, gradient_norm }, warnings))
    }

    /// An error of a step with where a number that is not finite was met first. The step is kept, to be replayed.
    fn explained(&mut self, error: Error, views: &[View], batch: Batch<f32>) -> Error {
        let Error::Diverged { what, value, epoch, step, rate, taken, mut met } = error else { return error };
        met.images = views.iter().map(|view| self.data.train[view.sample].name.clone()).collect();
        met.decay = self.decays_too_much(rate);
        let images = self.net.tensor(batch.images.clone(), batch.shape);
        met.first = images.and_then(|images| self.net.first_non_finite(images)).ok().flatten();
        let objective = self.losses.at(epoch);
        let config = Config { loss: objective.spec().clone(), added_loss: None, ..self.config.clone() };
        let meta = replay::Meta {
            epoch,
            step,
            images: met.images.clone(),
            shape: batch.shape,
            classes: self.data.classes.clone(),
            loss_history: objective.running_counts(),
            config,
        };
        self.failed = Some(Replay { net: self.net.clone(), batch, meta });
        Error::Diverged { what, value, epoch, step, rate, taken, met }
    }

    /// Leaves the step that failed in the run folder. Where that cannot be, the failure is still the one to tell of.
    fn keep_failed(&mut self, mut error: Error, folder: &RunFolder) -> Error {
        if let (Some(failed), Error::Diverged { met, .. }) = (self.failed.take(), &mut error) {
            let path = folder.replay_path();
            met.replay = failed.save(&path).ok().map(|()| path);
        }
        error
    }

    /// The net that is judged and kept: the average of the weights, where there is one.
    pub fn judged(&self) -> &UNet<f32> {
        self.average.as_ref().map_or(&self.net, |average| &average.net)
    }

    /// Whether the run has not become better for as long as its configuration waits.
    fn is_stuck(&self) -> Option<(Best, usize)> {
        let patience = self.config.train.patience;
        self.best.filter(|best| best.is_stale(self.epoch, patience)).map(|best| (best, patience))
    }

    /// The validation, after a last step at the learning rate `rate`.
    fn assess(&self, progress: &mut dyn Progress, rate: f64) -> Result<Assessment> {
        let Dataset { classes, normalisation, val, .. } = self.data;
        let batch_size = self.config.train.batch_size;
        let mut told = |done| progress.evaluated(done, val.len());
        let objective = self.losses.at(self.epoch + 1);
        evaluate(self.judged(), objective, classes, normalisation, val, batch_size, &mut told).map_err(
            |error| {
                let (epoch, step) = (self.epoch + 1, self.optimizer.steps);
                not_finite(error, |what, value| Error::Diverged {
                    what,
                    value,
                    epoch,
                    step,
                    rate,
                    taken: step,
                    met: Box::new(self.met_in_validation(rate)),
                })
            },
        )
    }

    /// Looks for the first batch of the validation whose logits are not finite.
    fn met_in_validation(&self, rate: f64) -> Met {
        let Dataset { classes, normalisation, val, .. } = self.data;
        let net = self.judged();
        let batcher = Batcher { samples: val, normalisation, classes, multiple: net.multiple() };
        let mut met = Met { in_validation: true, decay: self.decays_too_much(rate), ..Met::default() };
        for views in evaluation_views(val, self.config.train.batch_size) {
            let batch: Batch<f32> = batcher.build(&views);
            let first = net.tensor(batch.images, batch.shape);
            let first = first.and_then(|images| net.first_non_finite_in_evaluation(images));
            if let Some(first) = first.ok().flatten() {
                met.first = Some(first);
                met.images = views.iter().map(|view| val[view.sample].name.clone()).collect();
                break;
            }
        }
        met
    }

    /// Whether the loss does not weigh its classes, but could.
    fn could_weigh(&self) -> bool {
        let mut spec = self.config.loss.clone();
        let unweighted = spec.weights.source == segloss::Source::None;
        spec.weights.source = segloss::Source::PerSample;
        unweighted && segloss::Loss::new(spec).is_ok()
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
            loss_history: self.losses.running_counts(),
            unpredicted: self.unpredicted.clone(),
            config: self.config.clone(),
        })
    }

    /// Draws image, truth and prediction for validation images spread evenly over the split.
    fn draw_overlays(&self, folder: &RunFolder) -> Result<()> {
        let Dataset { classes, normalisation, val, .. } = self.data;
        let count = self.config.train.overlays.min(val.len());
        for i in 0..count {
            let sample = &val[i * val.len() / count];
            let rule = Rule::default();
            let predicted = predict(self.judged(), classes, normalisation, &sample.image, &rule)?;
            let picture = picture::panels(&sample.image, &[&sample.labels, &predicted], classes);
            let path = folder.overlay_path(&sample.name);
            path.parent().map_or(Ok(()), files::make_folder)?;
            picture::write_png(&path, &picture)?;
        }
        Ok(())
    }
}

/// The configuration as used: the trainer decides the ignored label and some keys of the loss.
fn as_used(config: &Config, data: &Dataset, losses: &LossSchedule) -> Config {
    let mut config = config.clone();
    config.data.ignore_index = data.classes.ignore_index;
    losses.note(&mut config);
    config
}

fn losses(config: &Config, data: &Dataset) -> Result<LossSchedule> {
    LossSchedule::new(config, &data.classes, Some(&data.counts), config.data.maps)
}

/// Refuses what the data leaves without effect.
fn check(config: &Config, data: &Dataset) -> Result<()> {
    degenerate::check(config, &data.train)?;
    view::check(&config.augment, &data.counts, data.channels)
}

fn sizes(net: &UNet<f32>) -> impl Iterator<Item = usize> {
    net.parameters.iter().map(|parameter| parameter.shape().iter().product())
}

fn schedule(config: &Config, data: &Dataset) -> Schedule {
    let steps_per_epoch = data.train.len().div_ceil(config.train.batch_size);
    Schedule::new(&config.schedule, config.optimizer.learning_rate, config.train.epochs, steps_per_epoch)
}

/// A logit that is not finite is no fault of the loss that met it: the net has diverged.
fn not_finite(error: Error, diverged: impl FnOnce(&'static str, f64) -> Error) -> Error {
    match error {
        Error::Loss(segloss::Error { problem: segloss::Problem::Logit { value, .. }, .. }) => {
            diverged("net's output", value)
        }
        other => other,
    }
}

/// Trains a new net and leaves everything in the run folder. A run there that never completed an epoch is
/// replaced.
///
/// # Errors
/// See [`Error`]; nothing is written before the configuration and the data have been checked. What was written
/// of completed epochs stays, and the run can be resumed.
pub fn train(
    config: &Config,
    data: &Dataset,
    folder: &RunFolder,
    progress: &mut dyn Progress,
) -> Result<Option<Best>> {
    folder.check_new()?;
    begin(config, data, folder, progress)
}

/// As [`train`], in place of the run that the folder holds: its files are removed first, others stay.
///
/// # Errors
/// See [`Error`]; [`Error::Run`] if the folder holds files of a run's names, and no run.
pub fn restart(
    config: &Config,
    data: &Dataset,
    folder: &RunFolder,
    progress: &mut dyn Progress,
) -> Result<Option<Best>> {
    folder.check_restart()?;
    begin(config, data, folder, progress)
}

fn begin(
    config: &Config,
    data: &Dataset,
    folder: &RunFolder,
    progress: &mut dyn Progress,
) -> Result<Option<Best>> {
    let trainer = Trainer::new(config, data)?;
    folder.clear()?;
    folder.write_config(trainer.config())?;
    trainer.notes.iter().for_each(|note| progress.noted(note));
    run(trainer, Vec::new(), folder, progress)
}

/// Goes on with a run from its last completed epoch, as if it had never stopped; where no epoch was
/// completed, begins it. [`Trainer::resume`] says what `config` may change; what is in force is written to
/// `config.toml`.
///
/// # Errors
/// See [`Error`]; [`Error::Run`] if epochs were completed but the last checkpoint is gone.
pub fn resume(
    config: &Config,
    data: &Dataset,
    folder: &RunFolder,
    progress: &mut dyn Progress,
) -> Result<Option<Best>> {
    match folder.standing()? {
        Standing::Nothing | Standing::Begun => return begin(config, data, folder, progress),
        Standing::Foreign { name } => return Err(folder.foreign(name)),
        Standing::Lost { epochs, best } => {
            let best = if best {
                "copy best.safetensors to it to go on from the best epoch, "
            } else {
                "put it back, "
            };
            return Err(folder.refused(&format!(
                "{epochs} epochs were completed, but last.safetensors is gone; {best}or begin anew (--restart)"
            )));
        }
        Standing::Completed => {}
    }
    let checkpoint = Checkpoint::load(&folder.checkpoint_path(Which::Last))?;
    let trainer = Trainer::resume(checkpoint, config, data)?;
    let mut log = folder.log()?;
    // The log is written before the checkpoint, so it may be one epoch ahead.
    log.retain(|row| row.epoch <= trainer.epoch());
    if log.len() < trainer.epoch() {
        progress.warned(&Warning::LogRows { epochs: trainer.epoch(), rows: log.len() });
    }
    if let Some(best) = trainer.best.filter(|_| !folder.checkpoint_path(Which::Best).exists()) {
        progress.warned(&Warning::BestGone { epoch: best.epoch, is_last: best.epoch == trainer.epoch() });
    }
    folder.sweep()?;
    folder.write_config(trainer.config())?;
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
        if let Some((best, patience)) = trainer.is_stuck() {
            progress.stopped_early(&best, patience);
            break;
        }
        let report = match trainer.run_epoch(progress) {
            Err(error) => return Err(trainer.keep_failed(error, folder)),
            Ok(report) => report,
        };
        log.push(report.row.clone());
        folder.write_log(&log)?;
        if let Some(meta) = trainer.meta() {
            let save = |which| {
                let path = folder.checkpoint_path(which);
                let learning = trainer.average.as_ref().map(|_| &trainer.net);
                checkpoint::save(&path, trainer.judged(), learning, &trainer.optimizer, &meta)
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
