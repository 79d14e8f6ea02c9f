//! What training tells while it runs.

use std::fmt;
use std::ops::ControlFlow;

use crate::checkpoint::Best;
use crate::curves::LogRow;
use crate::evaluate::Assessment;
use crate::unpredicted::PATIENCE;

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

    /// What had to be changed of the weights that a run begins with, in a sentence.
    fn noted(&mut self, note: &str) {
        let _ = note;
    }

    /// Something is odd that a person should know of.
    fn warned(&mut self, warning: &Warning) {
        let _ = warning;
    }

    /// The run ends before its last epoch, because it has not become better for `patience` epochs.
    fn stopped_early(&mut self, best: &Best, patience: usize) {
        let _ = (best, patience);
    }

    /// After each epoch, when everything of it has been written. `Break` ends the run here; it can be
    /// resumed.
    fn finished_epoch(&mut self, epoch: &EpochReport) -> ControlFlow<()> {
        let _ = epoch;
        ControlFlow::Continue(())
    }
}

impl Progress for () {}

/// What is odd about a run that works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Classes that occur in the validation masks were predicted nowhere, [`PATIENCE`] epochs in a row.
    Unpredicted {
        /// Their names.
        classes: Vec<String>,
        /// Whether the loss could weigh its classes, and does not.
        unweighted: bool,
    },
    /// What the loss has to say of the first batch.
    Loss {
        /// In its own words, those of [`segloss::Warning`].
        text: String,
    },
    /// A run that goes on has lost the checkpoint of its best epoch.
    BestGone {
        /// That epoch.
        epoch: usize,
        /// Whether it is the last one, whose checkpoint is the same.
        is_last: bool,
    },
    /// The log of a run that goes on lacks epochs that were completed.
    LogRows {
        /// Epochs completed.
        epochs: usize,
        /// Epochs in the log.
        rows: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unpredicted { classes, unweighted } => {
                let names = classes.join("`, `");
                write!(f, "no validation pixel was predicted to be `{names}`, {PATIENCE} epochs in a row; ")?;
                f.write_str(if *unweighted {
                    "if that lasts, train another run with `--set loss.weights.source=per_sample` \
                     (`segloss weights` shows what it does) and compare the two"
                } else {
                    "if that lasts, train another run with cross_entropy and loss.weights.source=per_sample, \
                     or with more epochs, and compare the two"
                })
            }
            Self::Loss { text } => write!(f, "of the first batch: {text}"),
            Self::BestGone { epoch, is_last } => {
                write!(f, "best.safetensors, of epoch {epoch}, is gone, and `segloss evaluate` reads it; ")?;
                f.write_str(if *is_last {
                    "copy last.safetensors to it, which is the same"
                } else {
                    "it comes back with the next epoch that is better, until then use --checkpoint last"
                })
            }
            Self::LogRows { epochs, rows } => {
                write!(f, "log.csv and curves.svg have {rows} of the {epochs} epochs that were completed")
            }
        }
    }
}

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
