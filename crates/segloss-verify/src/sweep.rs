//! Many seeds, a little of each: the right code must raise no alarm, and the bounds must be neither so tight that
//! some seed breaks them nor so wide that none comes near.

use crate::error::HarnessError;
use crate::implementation::Implementation;
use crate::run::{Options, Run, run};
use crate::tally::Tally;
use rayon::prelude::*;
use segloss_cases::Effort;
use serde::Serialize;
use std::collections::BTreeMap;

/// Seeds that are run before the next may begin.
const SIDE_BY_SIDE: usize = 16;

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
        implementation: &dyn Implementation,
        first: u64,
        seeds: u64,
        report: impl FnMut(&Self),
    ) -> Result<Self, HarnessError> {
        Self::of(first, seeds, |options| run(implementation, options, |_| ()), report)
    }

    /// Whether seeds were tried and none raised an alarm.
    pub fn held(&self) -> bool {
        self.seeds > 0 && self.comparisons > 0 && self.alarms.is_empty()
    }

    /// What comes of each seed's run.
    fn of(
        first: u64,
        seeds: u64,
        run: impl Fn(&Options) -> Result<Run, HarnessError> + Sync,
        mut report: impl FnMut(&Self),
    ) -> Result<Self, HarnessError> {
        let mut sweep = Self { first, ..Self::default() };
        let run = |seed| run(&Options { seed, effort: Effort::Sweep, ..Options::default() });
        let seeds: Vec<u64> = (first..first.saturating_add(seeds)).collect();
        // Much of a run is of one thread: seeds side by side keep all busy. They are joined in their order.
        for side_by_side in seeds.chunks(SIDE_BY_SIDE) {
            let runs: Vec<Result<Run, HarnessError>> =
                side_by_side.par_iter().map(|&seed| run(seed)).collect();
            for (&seed, run) in side_by_side.iter().zip(runs) {
                for result in &run?.results {
                    sweep.add(seed, result.name, &result.tally);
                }
                sweep.seeds += 1;
                report(&sweep);
            }
        }
        Ok(sweep)
    }

    fn add(&mut self, seed: u64, check: &'static str, tally: &Tally) {
        self.comparisons += tally.cases;
        self.alarms.extend(tally.failures.iter().map(|failure| (seed, check, failure.clone())));
        if tally.cases == 0 {
            self.alarms.push((seed, check, "nothing compared".to_owned()));
        }
        for hard in tally.nearest.values() {
            let strain = |nearest: &Nearest| hard.bound.strain(nearest.difference);
            if self.nearest.get(hard.bound.name).is_none_or(|nearest| hard.strain() > strain(nearest)) {
                let (difference, bound, case) = (hard.difference, hard.bound.bound, hard.case.clone());
                self.nearest.insert(hard.bound.name, Nearest { difference, bound, seed, check, case });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;
    use crate::tally::CheckResult;
    use crate::tolerance::{ULPS, ULPS_POWER};
    use std::collections::BTreeSet;

    /// Differences under the bound of 4, each a case that is called as it is off.
    fn measured(differences: &[f64]) -> Tally {
        let mut tally = Tally::default();
        differences.iter().for_each(|&off| tally.measure(&ULPS, off, &off.to_string()));
        tally
    }

    /// A run of two checks, which are called `values` and `laws`.
    fn run_of(options: &Options, values: Tally, laws: Tally) -> Run {
        let result = |name, tally| CheckResult { name, claim: "", tally, seconds: 0.0 };
        let results = vec![result("values", values), result("laws", laws)];
        Run { implementation: "s".to_owned(), seed: options.seed, effort: options.effort, results }
    }

    fn nearest(sweep: &Sweep, bound: &str) -> (f64, u64, &'static str) {
        let nearest = &sweep.nearest[bound];
        assert_eq!(nearest.case, nearest.difference.to_string());
        (nearest.difference, nearest.seed, nearest.check)
    }

    #[test]
    fn every_seed_is_swept_and_its_nearest_kept() {
        let seeds = std::sync::Mutex::new(BTreeSet::new());
        let judge = |options: &Options| {
            assert_eq!((options.effort, options.judged, &options.check), (Effort::Sweep, None, &None));
            assert!(seeds.lock().unwrap().insert(options.seed));
            let laws = measured(if options.seed == 6 { &[3.0, 1.0] } else { &[1.0] });
            Ok(run_of(options, measured(&[2.0, 0.0]), laws))
        };
        let mut reported = Vec::new();
        let sweep = Sweep::of(5, 3, judge, |sweep| reported.push((sweep.seeds, sweep.comparisons))).unwrap();
        assert_eq!(seeds.into_inner().unwrap(), BTreeSet::from([5, 6, 7]));
        assert_eq!(reported, [(1, 3), (2, 7), (3, 10)]);
        assert_eq!((sweep.first, sweep.seeds, sweep.comparisons), (5, 3, 10));
        assert_eq!(nearest(&sweep, "ulps"), (3.0, 6, "laws"));
        assert_eq!(sweep.nearest["ulps"].bound, 4.0);
        assert!(sweep.held());
    }

    #[test]
    fn an_alarm_tells_its_seed_and_its_check() {
        let judge = |options: &Options| Ok(run_of(options, measured(&[5.0]), Tally::default()));
        let sweep = Sweep::of(1, 2, judge, |_| ()).unwrap();
        let (far, none) = ("5: off by 5.000e0, bound 4e0 (ulps)".to_owned(), "nothing compared".to_owned());
        let of_seed = |seed| [(seed, "values", far.clone()), (seed, "laws", none.clone())];
        assert_eq!(sweep.alarms, [of_seed(1), of_seed(2)].concat());
        assert!(!sweep.held());
        assert_eq!(nearest(&sweep, "ulps"), (5.0, 1, "values"), "of equals that which came first");
    }

    #[test]
    fn nan_is_the_nearest_and_stays_it() {
        let mut sweep = Sweep::default();
        for (seed, off) in [(1, 2.0), (2, f64::NAN), (3, 9.0)] {
            sweep.add(seed, "values", &measured(&[off]));
        }
        assert!(sweep.nearest["ulps"].difference.is_nan());
        assert_eq!(sweep.nearest["ulps"].seed, 2);
        let mut other = Tally::default();
        other.measure(&ULPS_POWER, 1.0, "1");
        sweep.add(4, "laws", &other);
        assert_eq!(nearest(&sweep, "ulps_power"), (1.0, 4, "laws"));
    }

    #[test]
    fn only_a_sweep_that_compared_something_holds() {
        let held = |seeds, comparisons, alarms: usize| {
            let alarms = vec![(1, "values", String::new()); alarms];
            Sweep { seeds, comparisons, alarms, ..Sweep::default() }.held()
        };
        assert!(held(1, 1, 0) && held(3, 9, 0));
        assert!(!held(0, 0, 0) && !held(0, 1, 0) && !held(1, 0, 0) && !held(1, 1, 1));
        assert!(!held(0, 1, 1) && !held(1, 0, 1));
    }

    #[test]
    fn a_sweep_of_no_seeds_runs_nothing() {
        let sweep = Sweep::run(&Library, 5, 0, |_| ()).unwrap();
        assert_eq!((sweep.first, sweep.seeds, sweep.comparisons, sweep.held()), (5, 0, 0, false));
    }

    #[test]
    fn trouble_ends_a_sweep() {
        let judge = |_: &Options| Err(HarnessError::Threads { threads: 2, what: "none left".to_owned() });
        assert!(matches!(Sweep::of(1, 2, judge, |_| ()), Err(HarnessError::Threads { .. })));
    }
}
