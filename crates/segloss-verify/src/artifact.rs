//! What a check measures beside its verdict: the reports draw it.

use serde::{Serialize, Serializer};

/// Measurements beside the verdict.
#[derive(Clone, Debug)]
pub enum Artifact {
    /// Errors of one-step differences against step size.
    Steps(Vec<StepError>),
    /// The short training.
    Training(Training),
    /// Errors in units of the last place.
    Ulps(Vec<UlpCount>),
}

/// How many entries of a kind's maps and gradients were off by so many units in the last place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UlpCount {
    /// Which loss.
    pub loss: String,
    /// `f32` or `f64`.
    pub precision: &'static str,
    /// Units in the last place.
    pub ulps: u64,
    /// Entries.
    pub count: u64,
    /// What is allowed.
    pub bound: f64,
}

/// How far a central difference of one step size is off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepError {
    /// The kind of loss.
    pub kind: String,
    /// h.
    pub step: f64,
    /// Relative to max|g|.
    #[serde(serialize_with = "finite_or_name")]
    pub error: f64,
}

/// The short training: plain against weighted, from the same seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Training {
    /// Names of the classes, by label.
    pub classes: Vec<String>,
    /// The class whose recall the claim is about.
    pub rare: usize,
    /// By how much the mean recall must rise.
    pub margin: f64,
    /// Every run.
    pub runs: Vec<TrainingRun>,
    /// A PNG: an image that was not trained on, its truth, and what the first seed's plain and weighted
    /// nets make of it.
    #[serde(skip)]
    pub picture: Vec<u8>,
}

/// One training run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingRun {
    /// `plain` or `weighted`.
    pub loss: &'static str,
    /// Of weights, order and flips.
    pub seed: u64,
    /// Mean loss of each epoch.
    pub losses: Vec<f64>,
    /// On images that were not trained on.
    pub recall: Vec<f64>,
    /// On images that were not trained on.
    pub iou: Vec<f64>,
}

impl Training {
    /// The runs of one loss.
    pub fn runs_of<'a>(&'a self, loss: &'a str) -> impl Iterator<Item = &'a TrainingRun> {
        self.runs.iter().filter(move |run| run.loss == loss)
    }

    /// The mean over the seeds of a number of each run.
    pub fn mean(&self, loss: &str, of: impl Fn(&TrainingRun) -> f64) -> f64 {
        let values: Vec<f64> = self.runs_of(loss).map(of).collect();
        values.iter().sum::<f64>() / values.len() as f64
    }
}

/// JSON knows no NaN and no infinity: these are written by name.
pub(crate) fn finite_or_name<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if x.is_finite() { serializer.serialize_f64(*x) } else { serializer.collect_str(x) }
}
