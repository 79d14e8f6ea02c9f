//! Runs the checks, one after the other.

use crate::check::{Check, Context, Judged};
use crate::checks;
use crate::error::HarnessError;
use crate::exact::ExactCases;
use crate::fixtures::{Fixtures, default_root};
use crate::hard;
use crate::implementation::Implementation;
use crate::tally::{CheckResult, Tally};
use segloss_cases::Effort;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// From which everything drawn is drawn.
    pub seed: u64,
    /// How much to do. A quick run trains nothing.
    pub effort: Effort,
    /// Where the golden numbers are.
    pub fixtures: PathBuf,
    /// Only the checks that judge this: what a planted defect needs.
    pub judged: Option<Judged>,
    /// Only this check.
    pub check: Option<String>,
    /// Exact answers that another run of the same seed and effort has worked out.
    pub exact: Option<Arc<ExactCases>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            effort: Effort::Default,
            fixtures: default_root(),
            judged: None,
            check: None,
            exact: None,
        }
    }
}

/// What came of all of them.
#[derive(Clone, Debug)]
pub struct Run {
    /// What was judged.
    pub implementation: String,
    /// The seed: with it and a case's name, a failure replays.
    pub seed: u64,
    /// How much was done.
    pub effort: Effort,
    /// In the order in which they ran.
    pub results: Vec<CheckResult>,
}

impl Run {
    /// Whether there were checks and all held.
    pub fn held(&self) -> bool {
        !self.results.is_empty() && self.failed() == 0
    }

    /// Checks that held.
    pub fn passed(&self) -> usize {
        self.results.iter().filter(|result| result.held()).count()
    }

    /// Checks that did not.
    pub fn failed(&self) -> usize {
        self.results.len() - self.passed()
    }
}

/// Runs the checks that `options` select on `implementation`; each result goes to `report` as it comes.
///
/// # Errors
/// If the harness itself cannot work: see [`HarnessError`]. What falls short is a result, not an error.
pub fn run(
    implementation: &dyn Implementation,
    options: &Options,
    mut report: impl FnMut(&CheckResult),
) -> Result<Run, HarnessError> {
    let fixtures = Fixtures::open(&options.fixtures)?;
    if let Some(name) = &options.check
        && selected(options).is_empty()
    {
        return Err(HarnessError::NoSuchCheck {
            name: name.clone(),
            known: checks::all().map(|check| check.name).collect::<Vec<_>>().join(", "),
        });
    }
    let only = implementation.only().map(str::to_owned);
    let fresh =
        |seed, effort| Arc::new(ExactCases::new(seed, effort, only.clone()).shared_with(implementation));
    let exact = options.exact.clone().unwrap_or_else(|| fresh(options.seed, options.effort));
    let mut results: Vec<CheckResult> = Vec::new();
    for check in selected(options) {
        let started = Instant::now();
        let own = Context {
            implementation,
            fixtures: &fixtures,
            exact: &exact,
            seed: options.seed,
            effort: options.effort,
            before: &results,
        };
        let tally = on_all_seeds(check, own, fresh)?;
        let seconds = started.elapsed().as_secs_f64();
        let result = CheckResult { name: check.name, claim: check.claim, tally, seconds };
        report(&result);
        results.push(result);
    }
    Ok(Run {
        implementation: implementation.name().to_owned(),
        seed: options.seed,
        effort: options.effort,
        results,
    })
}

/// The check on the run's own seed, and after it, unless time is short, on the check's hard ones.
fn on_all_seeds(
    check: &Check,
    own: Context<'_>,
    fresh: impl Fn(u64, Effort) -> Arc<ExactCases>,
) -> Result<Tally, HarnessError> {
    let mut tally = carry_out(check, &own)?;
    if own.effort >= Effort::Default {
        for seed in hard::seeds(check.name) {
            let exact = fresh(seed, Effort::Sweep);
            let hard = Context { seed, effort: Effort::Sweep, exact: &exact, ..own };
            tally.join(carry_out(check, &hard)?.of_seed(seed));
        }
    }
    Ok(tally)
}

fn carry_out(check: &Check, context: &Context<'_>) -> Result<Tally, HarnessError> {
    match (check.run)(context) {
        // One file of the fixtures is missing or spoilt: that falls short, and the other checks go on.
        Err(error @ (HarnessError::File { .. } | HarnessError::Malformed { .. })) => {
            let mut tally = Tally::default();
            tally.require(false, check.name, || error.to_string());
            Ok(tally)
        }
        tally => tally,
    }
}

/// The checks that there is time for, of what is to be judged, or the one that is asked for.
fn selected(options: &Options) -> Vec<&'static Check> {
    checks::all()
        .filter(|check| options.effort >= check.least)
        .filter(|check| options.judged.is_none_or(|judged| check.judged == judged))
        .filter(|check| options.check.as_ref().is_none_or(|name| check.name == name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::DRAWN;
    use crate::library::Library;
    use std::fs;

    fn result(tally: Tally) -> CheckResult {
        CheckResult { name: "a", claim: "b", tally, seconds: 0.0 }
    }

    fn run_of(results: Vec<CheckResult>) -> Run {
        Run { implementation: "s".into(), seed: 1, effort: Effort::Quick, results }
    }

    #[test]
    fn nothing_run_is_a_failure() {
        assert!(!run_of(Vec::new()).held());
        assert!(!run_of(vec![result(Tally::default())]).held());
    }

    #[test]
    fn one_failure_is_enough() {
        let mut good = Tally::default();
        good.require(true, "", String::new);
        let mut bad = good.clone();
        bad.require(false, "", String::new);
        assert!(run_of(vec![result(good.clone())]).held());
        let mixed = run_of(vec![result(good), result(bad)]);
        assert!(!mixed.held());
        assert_eq!((mixed.passed(), mixed.failed()), (1, 1));
        assert_eq!((run_of(Vec::new()).passed(), run_of(Vec::new()).failed()), (0, 0));
    }

    #[test]
    fn a_check_that_compared_nothing_does_not_hold() {
        let held = |cases, failed| result(Tally { cases, failed, ..Tally::default() }).held();
        assert!(held(1, 0) && held(2, 0));
        assert!(!held(0, 0) && !held(1, 1) && !held(2, 1) && !held(0, 1));
    }

    /// The names of the checks that are selected.
    fn names(effort: Effort, judged: Option<Judged>, check: Option<&str>) -> Vec<&'static str> {
        let options = Options { effort, judged, check: check.map(str::to_owned), ..Options::default() };
        selected(&options).iter().map(|check| check.name).collect()
    }

    /// The names of all checks that are so.
    fn all(are: impl Fn(&Check) -> bool) -> Vec<&'static str> {
        checks::all().filter(|check| are(check)).map(|check| check.name).collect()
    }

    #[test]
    fn the_effort_says_which_checks_there_is_time_for() {
        let whole = all(|_| true);
        assert_eq!(names(Effort::Default, None, None), whole);
        assert_eq!(names(Effort::Full, None, None), whole);
        assert_eq!(
            names(Effort::Quick, None, None),
            all(|check| !["training", "tightness"].contains(&check.name))
        );
        let drawn = names(Effort::Sweep, None, None);
        assert_eq!(drawn, all(Check::is_drawn));
        assert!(drawn.contains(&"values_f64") && !drawn.contains(&"worked_example"));
    }

    #[test]
    fn checks_are_selected_by_what_they_judge_and_by_name() {
        let judging = |effort, judged| names(effort, Some(judged), None);
        assert_eq!(judging(Effort::Quick, Judged::Operations), ["operations"]);
        assert_eq!(judging(Effort::Default, Judged::Training), ["training"]);
        assert!(judging(Effort::Quick, Judged::Training).is_empty());
        assert_eq!(
            judging(Effort::Default, Judged::Run),
            ["oracles", "fixture_files", "coverage", "tightness"]
        );
        assert_eq!(judging(Effort::Default, Judged::Losses), all(|check| check.judged == Judged::Losses));
        assert_eq!(names(Effort::Default, None, Some("limits")), ["limits"]);
        assert_eq!(names(Effort::Default, None, Some("tightness")), ["tightness"]);
        assert!(names(Effort::Quick, Some(Judged::Networks), Some("limits")).is_empty());
    }

    /// A quick run of one check on the library, and the names that were reported.
    fn quick(check: &str, fixtures: PathBuf) -> (Result<Run, HarnessError>, Vec<&'static str>) {
        let check = Some(check.to_owned());
        let options = Options { seed: 3, effort: Effort::Quick, fixtures, check, ..Options::default() };
        let mut reported = Vec::new();
        let run = run(&Library, &options, |result| reported.push(result.name));
        (run, reported)
    }

    #[test]
    fn a_run_tells_what_was_run() {
        let (run, reported) = quick("class_prediction", default_root());
        let run = run.unwrap();
        assert_eq!((run.implementation.as_str(), run.seed, run.effort), ("segloss", 3, Effort::Quick));
        assert_eq!((reported, run.results.len()), (vec!["class_prediction"], 1));
        // Three grids in two layouts, of 3, 5 and 2 classes.
        assert_eq!(run.results[0].tally.cases, 20);
        assert!(run.held() && run.results[0].claim.starts_with("S4 keeps"));
    }

    #[test]
    fn a_check_that_does_not_exist_is_trouble() {
        let (run, reported) = quick("classprediction", default_root());
        let Err(HarnessError::NoSuchCheck { name, known }) = run else { panic!("{run:?}") };
        assert_eq!((name.as_str(), reported.len()), ("classprediction", 0));
        assert!(known.starts_with("oracles, fixture_files, ") && known.ends_with(", tightness"));
    }

    #[test]
    fn a_missing_fixture_fails_its_check_and_no_fixtures_are_trouble() {
        let root = tempfile::tempdir().unwrap();
        let (run, _) = quick("worked_example", root.path().to_owned());
        assert!(matches!(run, Err(HarnessError::NoFixtures(_))));
        fs::create_dir(root.path().join("losses")).unwrap();
        fs::write(root.path().join("losses/SHA256SUMS"), "").unwrap();
        let (run, reported) = quick("worked_example", root.path().to_owned());
        let run = run.unwrap();
        let tally = &run.results[0].tally;
        assert_eq!((reported, run.failed()), (vec!["worked_example"], 1));
        assert_eq!((tally.cases, tally.failed, tally.failures.len()), (1, 1, 1));
        let named = "worked_example: fixtures/worked_example/s3_gradient.npy: ";
        assert!(tally.failures[0].starts_with(named), "{:?}", tally.failures);
    }

    /// What [`on_all_seeds`] makes of a check that is called `name`.
    fn all_seeds(
        name: &'static str,
        effort: Effort,
        run: fn(&Context<'_>) -> Result<Tally, HarnessError>,
    ) -> Result<Tally, HarnessError> {
        let fresh = |seed, effort| Arc::new(ExactCases::new(seed, effort, None));
        let (fixtures, exact) = (Fixtures::open(&default_root())?, fresh(3, effort));
        let own = Context {
            implementation: &Library,
            fixtures: &fixtures,
            exact: &exact,
            seed: 3,
            effort,
            before: &[],
        };
        on_all_seeds(&Check { name, run, ..DRAWN }, own, fresh)
    }

    /// A check that only tells what it was asked.
    fn tell(context: &Context<'_>) -> Result<Tally, HarnessError> {
        let exact = format!("{:?}", context.exact);
        let (exact, _) = exact.split_once(", only").unwrap();
        let mut tally = Tally::default();
        tally.require(false, context.effort.name(), || format!("{}, {exact}", context.seed));
        Ok(tally)
    }

    #[test]
    fn a_default_run_goes_through_the_hard_seeds_as_a_sweep_would() {
        let own = |effort: &str, debug: &str| format!("{effort}: 3, ExactCases {{ seed: 3, effort: {debug}");
        let hard = |seed| format!("sweep: {seed}, ExactCases {{ seed: {seed}, effort: Sweep (seed {seed})");
        let hard: Vec<String> = hard::seeds("operations").map(hard).collect();
        assert!(hard.len() > 1, "no check has more than one hard seed");
        for (effort, own) in
            [(Effort::Default, own("default", "Default")), (Effort::Full, own("full", "Full"))]
        {
            let tally = all_seeds("operations", effort, tell).unwrap();
            assert_eq!(tally.failures, [vec![own], hard.clone()].concat());
            assert_eq!(all_seeds("no hard seeds", effort, tell).unwrap().failures.len(), 1);
        }
        for (effort, own) in [(Effort::Quick, own("quick", "Quick")), (Effort::Sweep, own("sweep", "Sweep"))]
        {
            assert_eq!(all_seeds("operations", effort, tell).unwrap().failures, [own]);
        }
    }

    #[test]
    fn a_spoilt_fixture_falls_short_and_any_other_trouble_ends_the_run() {
        let spoilt =
            all_seeds("a", Effort::Quick, |_| Err(HarnessError::malformed("b.npy", "no array"))).unwrap();
        assert_eq!((spoilt.failures, spoilt.failed), (vec!["a: b.npy: no array".to_owned()], 1));
        let broken: fn(&Context<'_>) -> Result<Tally, HarnessError> =
            |_| Err(HarnessError::Threads { threads: 2, what: "none left".to_owned() });
        assert!(matches!(all_seeds("a", Effort::Quick, broken), Err(HarnessError::Threads { .. })));
    }
}
