//! One cell: trains a net, or goes on, and counts what it finds under each decision rule.

use std::fs::File;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::arm::Decision;
use super::plan::{Place, Plan};
use super::thumbnail::{self, Example};
use crate::batch::Batcher;
use crate::checkpoint::Checkpoint;
use crate::dataset::{Dataset, load_split};
use crate::decode::one_line;
use crate::error::{Error, Result};
use crate::evaluate::Examination;
use crate::files;
use crate::folder::{Source, Split};
use crate::metrics::image::Measures;
use crate::metrics::{Results, Rule};
use crate::predict::Predictor;
use crate::progress::Progress;
use crate::reading::Reading;
use crate::run::{LOG, Standing, Which};
use crate::sample::Sample;
use crate::train::{restart, resume};
use crate::tune;
use crate::tune::fit::Wanted;

/// How a cell stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Every result is there.
    Done,
    /// The training diverged, and would again: why.
    Failed(String),
    /// There is something to do.
    Open,
}

/// `failed.json`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    /// As [`Config::fingerprint`](crate::Config::fingerprint) has the cell's configuration.
    config: String,
    error: String,
}

/// What came of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every result is there.
    Done,
    /// The training diverged: why.
    Failed(String),
    /// Another process is at it.
    Taken,
    /// It was asked to stop.
    Stopped,
}

/// How a cell stands.
///
/// # Errors
/// If a file of it is there and cannot be read, or is of another configuration.
pub fn state(plan: &Plan, place: &Place) -> Result<State> {
    if let Some(why) = failure(plan, place)? {
        return Ok(State::Failed(why));
    }
    for decision in plan.decisions(place) {
        if result(plan, place, &decision)?.is_none() {
            return Ok(State::Open);
        }
    }
    Ok(State::Done)
}

/// Why a cell's training diverged; none if it has not.
///
/// # Errors
/// If that is there and cannot be read, or is of another configuration.
pub fn failure(plan: &Plan, place: &Place) -> Result<Option<String>> {
    let failed = plan.failed_path(place);
    if !failed.exists() {
        return Ok(None);
    }
    let refused = |problem: String| Error::Run { path: failed.clone(), problem };
    let failure: Failure = serde_json::from_slice(&files::read(&failed)?)
        .map_err(|error| refused(format!("is no failure of a cell: {}", one_line(&error.to_string()))))?;
    if failure.config != plan.config(place)?.fingerprint()? {
        return Err(refused("is of another configuration; remove it".to_owned()));
    }
    Ok(Some(failure.error))
}

/// Whether a cell was counted under any of its rules.
fn has_results(plan: &Plan, place: &Place) -> Result<bool> {
    for decision in plan.decisions(place) {
        if result(plan, place, &decision)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What was counted of a cell under a rule; none if that has not been done.
///
/// # Errors
/// If the file is there and cannot be read, or is of another configuration.
pub fn result(plan: &Plan, place: &Place, decision: &Decision) -> Result<Option<Results>> {
    let path = plan.results_path(place, decision);
    if !path.exists() {
        return Ok(None);
    }
    let results = Results::load(&path)?;
    if results.origin.config != plan.config(place)?.fingerprint()? {
        let problem =
            "was counted for another configuration of this arm; remove it to count again".to_owned();
        return Err(Error::Run { path, problem });
    }
    Ok(Some(results))
}

/// Does what a cell lacks.
///
/// # Errors
/// See [`Error`]; a training that diverges is no error, but an [`Outcome`].
pub fn carry_out(plan: &Plan, place: &Place, data: &Dataset, progress: &mut dyn Progress) -> Result<Outcome> {
    plan.check_images(data)?;
    let (config, folder) = (plan.config(place)?, plan.folder(place));
    files::make_folder(folder.path())?;
    // Held until the end, and given back by the system whatever happens.
    let lock_path = folder.path().join(".lock");
    let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
    if lock.try_lock().is_err() {
        return Ok(Outcome::Taken);
    }
    match state(plan, place)? {
        State::Done => return Ok(Outcome::Done),
        State::Failed(error) => return Ok(Outcome::Failed(error)),
        State::Open => {}
    }
    // Without its last checkpoint there is nothing to go on from; the same training comes to the same.
    let train = match folder.standing()? {
        Standing::Lost { .. } => restart,
        // Of a cell that was kept without its nets, as in a repository, the results say that the log is its own.
        Standing::Foreign { name: LOG } if has_results(plan, place)? => {
            files::remove_if_there(&folder.path().join(LOG))?;
            resume
        }
        _ => resume,
    };
    match train(&config, data, &folder, progress) {
        Ok(_) => {}
        Err(error @ Error::Diverged { .. }) => {
            let failure = Failure { config: config.fingerprint()?, error: error.to_string() };
            let text = serde_json::to_string_pretty(&failure)
                .map_err(|_| Error::Fault("a failure without a text"))?;
            files::write_atomic(&plan.failed_path(place), text.as_bytes())?;
            return Ok(Outcome::Failed(failure.error));
        }
        Err(error) => return Err(error),
    }
    let checkpoint = Checkpoint::load(&folder.checkpoint_path(plan.question.checkpoint))?;
    if !Checkpoint::load(&folder.checkpoint_path(Which::Last))?.meta.is_whole() {
        return Ok(Outcome::Stopped);
    }
    count(plan, place, data, checkpoint)?;
    Ok(Outcome::Done)
}

/// Counts the judged images under each rule, and draws the examples.
fn count(plan: &Plan, place: &Place, data: &Dataset, checkpoint: Checkpoint) -> Result<()> {
    let folder = plan.folder(place);
    let Checkpoint { net, meta, .. } = &checkpoint;
    let source = Source::new(meta.config.data.folder.as_deref());
    let split = plan.question.split;
    let loaded;
    let samples: &[Sample] = if split == Split::Val {
        &data.val
    } else {
        let reading = Reading::with_classes(&source, &meta.classes)?;
        loaded = load_split(&reading, split, &meta.normalisation, meta.config.data.maps)?;
        &loaded
    };
    let examination = Examination {
        checkpoint: &checkpoint,
        which: plan.question.checkpoint,
        source: &source,
        split,
        classes: &meta.classes,
        samples,
        measures: Measures::default(),
    };
    let over = |samples| Batcher {
        samples,
        normalisation: &meta.normalisation,
        classes: &meta.classes,
        multiple: net.multiple(),
    };
    let batch_size = meta.config.train.batch_size;
    files::make_folder(&folder.path().join("results"))?;
    for decision in plan.decisions(place) {
        let path = plan.results_path(place, &decision);
        let prior = data.counts.frequencies();
        let rule = match decision.shift.rule(&prior) {
            Some(rule) => rule,
            None => {
                let samples = if decision.held_out { &data.held_out } else { &data.val };
                let gathered = tune::gather(net, &over(samples), batch_size, &mut |_| ())?;
                let (shift, goal, correction) = (decision.shift, decision.goal, Vec::new());
                tune::choose(
                    &gathered,
                    &Wanted { shift, goal, temperature: false, correction, prior: &prior },
                )
            }
        };
        draw(plan, place, data, &checkpoint, &rule, &decision)?;
        if path.exists() {
            continue;
        }
        examination.under(rule, &mut |_| ())?.save(&path)?;
    }
    Ok(())
}

/// Draws some validation images as the first seed's net sees them.
fn draw(
    plan: &Plan,
    place: &Place,
    data: &Dataset,
    checkpoint: &Checkpoint,
    rule: &Rule,
    decision: &Decision,
) -> Result<()> {
    if plan.drawn_seed() != Some(place.seed) {
        return Ok(());
    }
    let predictor = Predictor::new(checkpoint.clone()).with_rule(rule.clone());
    for Example { sample, name } in thumbnail::examples(&data.val) {
        let shared = plan.examples();
        files::make_folder(&shared)?;
        let (image, truth) =
            (shared.join(format!("{name}-image.jpg")), shared.join(format!("{name}-truth.jpg")));
        thumbnail::write(&image, &sample.image, None, &data.classes)?;
        thumbnail::write(&truth, &sample.image, Some(&sample.labels), &data.classes)?;
        let found = predictor.predict(&sample.image)?;
        let path = picture_path(plan, place, decision, &name);
        path.parent().map_or(Ok(()), files::make_folder)?;
        thumbnail::write(&path, &sample.image, Some(&found), &data.classes)?;
    }
    Ok(())
}

/// Where an example as a cell sees it is.
pub fn picture_path(plan: &Plan, place: &Place, decision: &Decision, name: &str) -> PathBuf {
    let mark = decision.mark().map_or_else(String::new, |mark| format!("-{mark}"));
    plan.folder(place).path().join("examples").join(format!("{name}{mark}.jpg"))
}
