//! Which loss is minimised in which epoch: one, and from some epoch on another beside it.

use segloss::{ClassCounts, LossSpec};

use crate::classes::Classes;
use crate::config::{AddedLoss, Config};
use crate::error::{ConfigProblem, Result};
use crate::objective::Objective;

/// The losses of a run.
#[derive(Debug, Clone)]
pub struct LossSchedule {
    first: Objective,
    /// From an epoch on: the added loss, as it is used, and the sum of both.
    then: Option<Then>,
}

#[derive(Debug, Clone)]
struct Then {
    from_epoch: usize,
    added: LossSpec,
    sum: Objective,
}

impl LossSchedule {
    /// The losses of a configuration, fitted to the data as [`Objective::new`] does.
    ///
    /// # Errors
    /// As [`Objective::new`]; [`ConfigProblem::Contradiction`] if the run ends before the added loss counts.
    pub fn new(config: &Config, classes: &Classes, counts: Option<&ClassCounts>, maps: bool) -> Result<Self> {
        let fitted = |spec: &LossSpec| Objective::new(spec, classes, counts, maps);
        let first = fitted(&config.loss)?;
        let Some(AddedLoss { from_epoch, weight, loss }) = &config.added_loss else {
            return Ok(Self { first, then: None });
        };
        if *from_epoch > config.train.epochs {
            let text = format!(
                "`added_loss.from_epoch` is {from_epoch}, but the run ends after {} epochs (`train.epochs`)",
                config.train.epochs
            );
            return Err(ConfigProblem::Contradiction(text).into());
        }
        let added = fitted(loss)?.spec().clone();
        let sum = fitted(&Objective::sum(first.spec(), *weight, &added))?;
        Ok(Self { first, then: Some(Then { from_epoch: *from_epoch, added, sum }) })
    }

    /// What is minimised in an epoch, counted from 1.
    pub fn at(&self, epoch: usize) -> &Objective {
        match &self.then {
            Some(then) if epoch >= then.from_epoch => &then.sum,
            _ => &self.first,
        }
    }

    /// Writes the losses as they are used into a configuration.
    pub fn note(&self, config: &mut Config) {
        config.loss = self.first.spec().clone();
        if let (Some(added), Some(then)) = (&mut config.added_loss, &self.then) {
            added.loss = then.added.clone();
        }
    }

    /// Adds a batch's labels to the running counts of every loss that keeps them, whether its time has come or not.
    ///
    /// # Errors
    /// As [`Objective::update_running_counts`].
    pub fn update_running_counts(&mut self, labels: &[u8], pixels: usize, classes: &Classes) -> Result<()> {
        self.first.update_running_counts(labels, pixels, classes)?;
        match &mut self.then {
            Some(then) => then.sum.update_running_counts(labels, pixels, classes),
            None => Ok(()),
        }
    }

    /// What the losses remember, for a checkpoint: the first's counts, then the sum's.
    pub fn running_counts(&self) -> Vec<ClassCounts> {
        let then = self.then.iter().flat_map(|then| then.sum.running_counts());
        self.first.running_counts().into_iter().chain(then).collect()
    }

    /// Goes on from a checkpoint's memory.
    ///
    /// # Errors
    /// [`ConfigProblem::Contradiction`] if it is that of other losses.
    pub fn restore_running_counts(&mut self, counts: &[ClassCounts]) -> Result<()> {
        let Some(then) = &mut self.then else { return self.first.restore_running_counts(counts) };
        let own = if self.first.keeps_running_counts() { losses(self.first.spec()) } else { 0 };
        let (first, sum) = counts.split_at(own.min(counts.len()));
        self.first.restore_running_counts(first)?;
        then.sum.restore_running_counts(sum)
    }
}

/// How many losses a specification is: itself and its terms.
fn losses(spec: &LossSpec) -> usize {
    1 + spec.terms().iter().map(|term| losses(&term.loss)).sum::<usize>()
}
