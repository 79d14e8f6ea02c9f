//! What the checks judge: anything that computes losses.

use crate::network::{NetworkTask, Step};
use crate::operation::{Applied, Task};
use segloss::{Layout, LossSpec};
use segloss_cases::Case;
use segloss_unet::Config;
use std::ops::Range;

/// The element type to compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 64 bits.
    F64,
}

impl Precision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::F32, Self::F64];

    /// As in the names of fixtures.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// What an implementation answers. Numbers are widened to `f64`, which changes none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The loss.
    pub value: f64,
    /// Σ of the weighted losses.
    pub numerator: f64,
    /// What it was divided by.
    pub denominator: f64,
    /// Pixels that were not ignored.
    pub valid_pixels: u64,
    /// Laid out like the logits.
    pub gradient: Vec<f64>,
    /// The loss before it is summed, of a kind that is a sum over pixels.
    pub map: Option<Vec<f64>>,
    /// A row for each scope; none of a sum of losses.
    pub weights: Vec<Vec<f64>>,
    /// Entries that the implementation itself says are NaN or infinite.
    pub broken: u64,
    /// Whether it says that every pixel is ignored.
    pub says_all_ignored: bool,
}

/// What an implementation answers for a batch in parts.
#[derive(Clone, Debug, PartialEq)]
pub struct InParts {
    /// The loss of the whole.
    pub value: f64,
    /// The gradient of each part in the light of all others, put side by side.
    pub gradient: Vec<f64>,
    /// The same, each part's without a look at any other's result: of a kind that is a sum over pixels.
    pub at_once: Option<Vec<f64>>,
}

/// How a case is misread.
#[derive(Clone, Copy, Debug)]
pub enum Misreading {
    /// The case itself.
    Case(fn(&mut Case)),
    /// Its specification, and that of every term.
    Spec(fn(&mut LossSpec)),
}

impl Misreading {
    /// The case as it is misread.
    pub fn of(self, case: &Case) -> Case {
        fn everywhere(spec: &mut LossSpec, change: fn(&mut LossSpec)) {
            change(spec);
            spec.terms_mut().iter_mut().for_each(|term| everywhere(&mut term.loss, change));
        }
        let mut case = case.clone();
        match self {
            Self::Case(misread) => misread(&mut case),
            Self::Spec(misread) => everywhere(&mut case.spec, misread),
        }
        case
    }
}

/// A computer of losses: the library, the library with a planted defect, one day somebody else's.
///
/// A refusal is an answer like any other, which a check holds against the implementation: hence `String`.
pub trait Implementation: Sync {
    /// Names the implementation in reports.
    fn name(&self) -> &str;

    /// The only case that it is to be asked about, in a replay.
    fn only(&self) -> Option<&str> {
        None
    }

    /// Value, gradient and map of a case. The gradient's buffer holds NaN before, to prove that it is
    /// overwritten.
    ///
    /// # Errors
    /// The implementation's own words for refusing.
    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String>;

    /// Value and gradient of a case that is computed in parts of consecutive images.
    ///
    /// # Errors
    /// The implementation's own words for refusing.
    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String>;

    /// The document's S4 for a class.
    ///
    /// # Errors
    /// The implementation's own words for refusing.
    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String>;

    /// An operation of the network, forward and backward.
    ///
    /// # Errors
    /// The implementation's own words for refusing.
    fn operate(&self, task: &Task, precision: Precision) -> Result<Applied, String>;

    /// A whole net's training step, before anything is changed by it.
    ///
    /// # Errors
    /// The implementation's own words for refusing.
    fn step(&self, task: &NetworkTask) -> Result<Step, String>;

    /// A training's configuration as it reaches the trainer.
    fn configure(&self, config: Config) -> Config {
        config
    }

    /// How it and the textbook misread every case alike: of planted bugs only.
    fn misreading(&self) -> Option<Misreading> {
        None
    }

    /// What it and the textbook both take for the gradient: of planted bugs only.
    fn false_rule(&self) -> Option<fn(&Case, &mut [f64])> {
        None
    }
}

/// An implementation that is asked about one case only, so that a replay prints that case and nothing else.
pub struct Only<'a> {
    /// Who answers.
    pub implementation: &'a dyn Implementation,
    /// The name of the case.
    pub case: &'a str,
}

impl Implementation for Only<'_> {
    fn name(&self) -> &str {
        self.implementation.name()
    }

    fn only(&self) -> Option<&str> {
        Some(self.case)
    }

    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String> {
        self.implementation.evaluate(case, precision)
    }

    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String> {
        self.implementation.evaluate_in_parts(case, parts)
    }

    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String> {
        self.implementation.class_prediction(scores, shape, layout, class)
    }

    fn operate(&self, task: &Task, precision: Precision) -> Result<Applied, String> {
        self.implementation.operate(task, precision)
    }

    fn step(&self, task: &NetworkTask) -> Result<Step, String> {
        self.implementation.step(task)
    }

    fn configure(&self, config: Config) -> Config {
        self.implementation.configure(config)
    }

    fn misreading(&self) -> Option<Misreading> {
        self.implementation.misreading()
    }

    fn false_rule(&self) -> Option<fn(&Case, &mut [f64])> {
        self.implementation.false_rule()
    }
}
