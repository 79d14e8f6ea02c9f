//! Many seeds, a little of each: the right code must raise no alarm, and the bounds must be neither so tight that
//! some seed breaks them nor so wide that none comes near.

use crate::matrix::Effort;
use crate::run::{Options, run};
use crate::subject::Subject;
use crate::tally::Tally;
use crate::trouble::Trouble;
use serde::Serialize;
use std::collections::BTreeMap;

/// What came of all seeds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sweep {
    /// The first seed.
    pub first: u64,
    /// How many seeds were tried.
    pub seeds: u64,
    /// Comparisons made.
    pub comparisons: u64,
    /// (seed, check, what fell short).
    pub alarms: Vec<(u64, &'static str, String)>,
    /// By bound, the nearest that any seed came to it.
    pub nearest: BTreeMap<&'static str, Nearest>,
}

/// The seed that came nearest to a bound.
#[derive(Clone, Debug, Serialize)]
pub struct Nearest {
    /// How far its case was off.
    pub difference: f64,
    /// What is allowed.
    pub bound: f64,
    /// The seed.
    pub seed: u64,
    /// The check.
    pub check: &'static str,
    /// The case.
    pub case: String,
}

impl Sweep {
    /// Runs the checks that draw, on `seeds` seeds from `first` on; `report` is told after each.
    ///
    /// # Errors
    /// If the harness itself cannot work.
    pub fn run(
        subject: &dyn Subject,
        first: u64,
        seeds: u64,
        mut report: impl FnMut(&Self),
    ) -> Result<Self, Trouble> {
        let mut sweep = Self { first, ..Self::default() };
        for seed in first..first.saturating_add(seeds) {
            let options = Options { seed, effort: Effort::Sweep, ..Options::default() };
            let run = run(subject, &options, |_| ())?;
            for result in &run.results {
                sweep.add(seed, result.name, &result.tally);
            }
            sweep.seeds += 1;
            report(&sweep);
        }
        Ok(sweep)
    }

    /// Whether seeds were tried and none raised an alarm.
    pub fn held(&self) -> bool {
        self.seeds > 0 && self.comparisons > 0 && self.alarms.is_empty()
    }

    fn add(&mut self, seed: u64, check: &'static str, tally: &Tally) {
        self.comparisons += tally.cases;
        self.alarms.extend(tally.failures.iter().map(|failure| (seed, check, failure.clone())));
        if tally.cases == 0 {
            self.alarms.push((seed, check, "nothing compared".to_owned()));
        }
        for hard in tally.nearest.values() {
            let nearest = self.nearest.get(hard.bound.name);
            if nearest.is_none_or(|nearest| !(hard.difference <= nearest.difference)) {
                let (difference, bound, case) = (hard.difference, hard.bound.bound, hard.case.clone());
                self.nearest.insert(hard.bound.name, Nearest { difference, bound, seed, check, case });
            }
        }
    }
}
