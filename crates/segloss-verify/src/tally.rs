//! What a check counts: cases, the worst difference, and what fell short.

use crate::case::Case;
use crate::operation::Operation;
use crate::spread::Spread;
use crate::subject::{Outcome, Precision, Subject};
use crate::tolerance::{self, Tolerance};
use segloss::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The running result of a check.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Comparisons made.
    pub cases: u64,
    /// Comparisons that fell short.
    pub failed: u64,
    /// The first few of them, in words, each with the case's name.
    pub failures: Vec<String>,
    /// The differences under each bound, by the bound's name.
    pub spreads: BTreeMap<&'static str, Spread>,
    /// The cases that came nearest to their bounds, or went beyond, the worst first.
    pub hardest: Vec<Hardest>,
    /// The case that came nearest to each bound, by the bound's name.
    pub nearest: BTreeMap<&'static str, Hardest>,
    /// The kinds that were judged.
    pub kinds: BTreeSet<Kind>,
    /// The operations of the network that were judged.
    pub operations: BTreeSet<Operation>,
    /// What the reports draw.
    pub exhibits: Vec<Exhibit>,
}

/// Measurements beside the verdict.
#[derive(Clone, Debug)]
pub enum Exhibit {
    /// Errors of one-step differences against step size.
    Steps(Vec<crate::report::StepError>),
    /// The short training.
    Training(crate::report::Training),
    /// Errors in units of the last place.
    Ulps(Vec<crate::report::UlpCount>),
}

/// A case that was hard on its bound.
#[derive(Clone, Debug)]
pub struct Hardest {
    /// What was compared.
    pub case: String,
    /// Under which bound.
    pub bound: &'static Tolerance,
    /// How far it was off.
    pub difference: f64,
    /// The hard seed that it was drawn from; none of the run's own.
    pub seed: Option<u64>,
}

impl Hardest {
    /// How much of the bound is used; NaN counts as more than all of it.
    pub fn strain(&self) -> f64 {
        match self.difference / self.bound.bound {
            _ if self.difference == 0.0 => 0.0,
            strain if strain.is_nan() => f64::INFINITY,
            strain => strain,
        }
    }
}

/// Hard cases that are kept.
const KEPT: usize = 10;

/// Failures that are written out; the others are only counted.
const WRITTEN: usize = 5;

impl Tally {
    /// Holds a difference against a bound.
    pub fn measure(&mut self, bound: &'static Tolerance, difference: f64, case: &str) {
        self.cases += 1;
        self.spreads.entry(bound.name).or_default().add(difference);
        let hard = Hardest { case: case.to_owned(), bound, difference, seed: None };
        self.come_near(&hard);
        self.keep(hard);
        if !bound.holds(difference) {
            self.fail(format!("{case}: off by {difference:.3e}, bound {:e} ({})", bound.bound, bound.name));
        }
    }

    /// Holds a statement that is true or false.
    pub fn require(&mut self, held: bool, case: &str, statement: impl FnOnce() -> String) {
        self.cases += 1;
        self.spreads.entry(tolerance::EXACT.name).or_default();
        if !held {
            self.fail(format!("{case}: {}", statement()));
        }
    }

    /// Evaluates a case; a refusal fails the check. Counts the case's kind as judged.
    pub fn evaluate(&mut self, subject: &dyn Subject, case: &Case, precision: Precision) -> Option<Outcome> {
        if subject.only().is_some_and(|only| only != case.name) {
            return None;
        }
        self.kinds.insert(case.spec.kind);
        // A panic is the subject's shortcoming, not the end of the run.
        let answer = catch_unwind(AssertUnwindSafe(|| subject.evaluate(case, precision)));
        let answer = answer.unwrap_or_else(|_| Err("panicked (see above)".to_owned()));
        self.accept(answer, &case.name)
    }

    /// The answer, unless the subject refused: then the check fails.
    pub fn accept<T>(&mut self, answer: Result<T, String>, case: &str) -> Option<T> {
        answer
            .inspect_err(|refusal| {
                self.cases += 1;
                self.fail(format!("{case}: refused: {refusal}"));
            })
            .ok()
    }

    /// Adds what another tally counted.
    pub fn join(&mut self, other: Self) {
        self.cases += other.cases;
        self.failed += other.failed;
        let left = WRITTEN.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(left));
        for (name, spread) in &other.spreads {
            self.spreads.entry(name).or_default().join(spread);
        }
        other.hardest.into_iter().for_each(|hard| self.keep(hard));
        other.nearest.values().for_each(|hard| self.come_near(hard));
        self.kinds.extend(other.kinds);
        self.operations.extend(other.operations);
        self.exhibits.extend(other.exhibits);
    }

    /// The same, noted as drawn from a hard seed.
    pub fn of_seed(mut self, seed: u64) -> Self {
        self.hardest.iter_mut().chain(self.nearest.values_mut()).for_each(|hard| hard.seed = Some(seed));
        self.failures.iter_mut().for_each(|failure| failure.push_str(&format!(" (seed {seed})")));
        self
    }

    /// The bound that is nearest to failing (or fails most), with its worst difference.
    pub fn headline(&self) -> Option<(&'static Tolerance, f64)> {
        let strain = |bound: &Tolerance, difference: f64| match difference {
            d if d.is_nan() => f64::INFINITY,
            0.0 => 0.0,
            d => d / bound.bound,
        };
        tolerance::ALL
            .iter()
            .filter_map(|bound| self.spreads.get(bound.name).map(|spread| (*bound, spread.worst)))
            .max_by(|a, b| strain(a.0, a.1).total_cmp(&strain(b.0, b.1)))
    }

    /// Notes the case if none came nearer to its bound before it.
    fn come_near(&mut self, hard: &Hardest) {
        let before = self.nearest.get(hard.bound.name);
        if before.is_none_or(|before| hard.strain() > before.strain()) {
            self.nearest.insert(hard.bound.name, hard.clone());
        }
    }

    /// Keeps the hardest few; of equally hard ones those that came first. What must be exact and is, is not hard.
    fn keep(&mut self, hard: Hardest) {
        if hard.difference == 0.0 {
            return;
        }
        let place = self.hardest.partition_point(|other| other.strain() >= hard.strain());
        if place < KEPT {
            self.hardest.insert(place, hard);
            self.hardest.truncate(KEPT);
        }
    }

    fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.failures.len() < WRITTEN {
            self.failures.push(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_fails_and_stays_the_worst() {
        let mut tally = Tally::default();
        tally.measure(&tolerance::VALUE_F64, f64::NAN, "a");
        tally.measure(&tolerance::VALUE_F64, 1e-20, "b");
        assert_eq!((tally.cases, tally.failed), (2, 1));
        assert!(tally.spreads["value_f64"].worst.is_nan());
        assert_eq!((tally.hardest[0].case.as_str(), tally.hardest.len()), ("a", 2));
        assert!(tally.headline().unwrap().1.is_nan());
    }

    #[test]
    fn failures_are_counted_beyond_those_written() {
        let mut tally = Tally::default();
        for _ in 0..20 {
            tally.require(false, "case", || "no".to_owned());
        }
        assert_eq!((tally.failed, tally.failures.len()), (20, WRITTEN));
    }

    #[test]
    fn a_refusal_fails() {
        let mut tally = Tally::default();
        assert_eq!(tally.accept::<()>(Err("bad label".into()), "case"), None);
        assert_eq!((tally.cases, tally.failed), (1, 1));
    }
}
