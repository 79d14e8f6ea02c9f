//! A zoo of bugs, each of which must turn the run red.
//!
//! Each wraps an implementation that is right and makes one small mistake, most of which have been made before. Some are
//! shared: the same misreading in the code and in the textbook that judges it. What then still objects has learnt its
//! numbers elsewhere: a framework, a law, a step in place of a rule.

mod bug;
mod computing;
mod gradients;
mod losses;
mod networks;
mod operations;
mod shared;
mod weights;

use crate::implementation::{Implementation, InParts, Misreading, Outcome, Precision};
use crate::network::{NetworkTask, Step};
use crate::operation::{Applied, Task};
use segloss::Layout;
use segloss_cases::Case;
use segloss_unet::Config;
use std::ops::Range;

pub use bug::{Bug, Wrong};

/// The whole zoo.
pub fn zoo() -> impl Iterator<Item = &'static Bug> {
    [
        computing::BUGS,
        losses::BUGS,
        weights::BUGS,
        gradients::BUGS,
        shared::BUGS,
        operations::BUGS,
        networks::BUGS,
    ]
    .into_iter()
    .flatten()
}

/// An implementation with a bug.
#[derive(Clone, Debug)]
pub struct Planted<S> {
    /// The implementation that is right.
    pub inner: S,
    /// The mistake.
    pub bug: &'static Bug,
    name: String,
}

impl<S: Implementation> Planted<S> {
    /// Plants `bug` into `inner`.
    pub fn new(inner: S, bug: &'static Bug) -> Self {
        let name = format!("{} with {}", inner.name(), bug.name);
        Self { inner, bug, name }
    }

    /// The case as the buggy code misreads it.
    fn misread(&self, case: &Case) -> Case {
        let misreading = match self.bug.wrong {
            Wrong::Misread(misread) => Some(Misreading::Case(misread)),
            Wrong::MisreadSpec(misread) => Some(Misreading::Spec(misread)),
            _ => self.misreading(),
        };
        misreading.map_or_else(|| case.clone(), |misreading| misreading.of(case))
    }

    /// What the buggy code makes of an answer that is right.
    fn spoil(&self, case: &Case, precision: Precision, out: &mut Outcome) -> Result<(), String> {
        match self.bug.wrong {
            Wrong::Spoil(spoil) => spoil(case, precision, out),
            Wrong::SharedGradient(spoil) => spoil(case, &mut out.gradient),
            Wrong::Derive(derive) => derive(&self.inner, case, out)?,
            _ => {}
        }
        Ok(())
    }
}

impl<S: Implementation> Implementation for Planted<S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String> {
        let precision = if let Wrong::Narrow = self.bug.wrong { Precision::F32 } else { precision };
        let mut out = self.inner.evaluate(&self.misread(case), precision)?;
        self.spoil(case, precision, &mut out)?;
        Ok(out)
    }

    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String> {
        // A bug of the loss itself is in the parts as it is in the whole.
        let mut out = self.evaluate(case, Precision::F64)?;
        match self.bug.wrong {
            Wrong::Narrow => {}
            Wrong::PartByPart => {
                (out.value, out.gradient) = (0.0, Vec::new());
                for part in parts {
                    // Only the part itself, as if nothing else were in the batch; then the mean over the parts.
                    let alone = self.inner.evaluate(&case.images(part.clone()), Precision::F64)?;
                    out.value += alone.value / parts.len() as f64;
                    out.gradient.extend(alone.gradient.iter().map(|g| g / parts.len() as f64));
                }
            }
            _ => {
                let in_parts = self.inner.evaluate_in_parts(&self.misread(case), parts)?;
                (out.value, out.gradient) = (in_parts.value, in_parts.gradient);
                self.spoil(case, Precision::F64, &mut out)?;
            }
        }
        let at_once = case.spec.kind().is_additive().then(|| out.gradient.clone());
        Ok(InParts { value: out.value, gradient: out.gradient, at_once })
    }

    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String> {
        let mut scores = scores.to_vec();
        if let Wrong::Scores(misread) = self.bug.wrong {
            misread(&mut scores, shape, layout);
        }
        self.inner.class_prediction(&scores, shape, layout, class)
    }

    fn operate(&self, task: &Task, precision: Precision) -> Result<Applied, String> {
        let mut misread = task.clone();
        if let Wrong::MisreadTask(wrong) = self.bug.wrong {
            wrong(&mut misread);
        }
        let precision = if let Wrong::NarrowTask = self.bug.wrong { Precision::F32 } else { precision };
        let mut out = self.inner.operate(&misread, precision)?;
        if let Wrong::SpoilTask(spoil) = self.bug.wrong {
            spoil(task, &mut out);
        }
        Ok(out)
    }

    fn step(&self, task: &NetworkTask) -> Result<Step, String> {
        let mut step = self.inner.step(task)?;
        if let Wrong::SpoilStep(spoil) = self.bug.wrong {
            spoil(&mut step);
        }
        Ok(step)
    }

    fn configure(&self, mut config: Config) -> Config {
        if let Wrong::Configure(wrong) = self.bug.wrong {
            wrong(&mut config);
        }
        config
    }

    fn misreading(&self) -> Option<Misreading> {
        match self.bug.wrong {
            Wrong::Shared(misread) => Some(Misreading::Case(misread)),
            Wrong::SharedSpec(misread) => Some(Misreading::Spec(misread)),
            _ => None,
        }
    }

    fn false_rule(&self) -> Option<fn(&Case, &mut [f64])> {
        if let Wrong::SharedGradient(rule) = self.bug.wrong { Some(rule) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_bugs_apart_and_each_stands_for_something() {
        let names: std::collections::BTreeSet<&str> = zoo().map(|bug| bug.name).collect();
        assert_eq!(names.len(), zoo().count());
        assert!(names.len() >= 60 && zoo().all(|bug| bug.stands_for.len() > 8));
    }
}
