//! Runs the checks, one after the other.

use crate::checks::{ALL, Check, Context, Judges, TIGHTNESS};
use crate::exact::ExactCases;
use crate::fixtures::{Fixtures, default_root};
use crate::hard;
use crate::matrix::Effort;
use crate::subject::Subject;
use crate::tally::Tally;
use crate::trouble::Trouble;
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
    pub judges: Option<Judges>,
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
            judges: None,
            check: None,
            exact: None,
        }
    }
}

/// What came of a check.
#[derive(Clone, Debug)]
pub struct CheckResult {
    /// Names the check.
    pub name: &'static str,
    /// What holds if it passed.
    pub claim: &'static str,
    /// What it counted.
    pub tally: Tally,
    /// How long it took: for the terminal, never for a report.
    pub seconds: f64,
}

impl CheckResult {
    /// Whether something was compared and all of it held.
    pub fn held(&self) -> bool {
        self.tally.cases > 0 && self.tally.failed == 0
    }
}

/// What came of all of them.
#[derive(Clone, Debug)]
pub struct Run {
    /// What was judged.
    pub subject: String,
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

/// Runs the checks that `options` select on `subject`; each result goes to `report` as it comes.
///
/// # Errors
/// If the harness itself cannot work: see [`Trouble`]. What falls short is a result, not an error.
pub fn run(
    subject: &dyn Subject,
    options: &Options,
    mut report: impl FnMut(&CheckResult),
) -> Result<Run, Trouble> {
    let fixtures = Fixtures::open(&options.fixtures)?;
    if let Some(name) = &options.check
        && selected(options).is_empty()
    {
        return Err(Trouble::NoSuchCheck {
            name: name.clone(),
            known: ALL.map(|check| check.name).join(", "),
        });
    }
    let only = subject.only().map(str::to_owned);
    let fresh = |seed, effort| Arc::new(ExactCases::new(seed, effort, only.clone()).shared_with(subject));
    let exact = options.exact.clone().unwrap_or_else(|| fresh(options.seed, options.effort));
    let mut results: Vec<CheckResult> = Vec::new();
    for check in selected(options) {
        let started = Instant::now();
        let own = Context {
            subject,
            fixtures: &fixtures,
            exact: &exact,
            seed: options.seed,
            effort: options.effort,
            before: &results,
        };
        let mut tally = carry_out(&check, &own)?;
        if options.effort >= Effort::Default {
            for seed in hard::seeds(check.name) {
                let exact = fresh(seed, Effort::Sweep);
                let hard = Context { seed, effort: Effort::Sweep, exact: &exact, ..own };
                let hard = carry_out(&check, &hard)?;
                tally.join(hard.of_seed(seed));
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let result = CheckResult { name: check.name, claim: check.claim, tally, seconds };
        report(&result);
        results.push(result);
    }
    Ok(Run { subject: subject.name().to_owned(), seed: options.seed, effort: options.effort, results })
}

fn carry_out(check: &Check, context: &Context<'_>) -> Result<Tally, Trouble> {
    match (check.run)(context) {
        // One file of the fixtures is missing or spoilt: that falls short, and the other checks go on.
        Err(trouble @ (Trouble::File { .. } | Trouble::Malformed { .. })) => {
            let mut tally = Tally::default();
            tally.require(false, check.name, || trouble.to_string());
            Ok(tally)
        }
        tally => tally,
    }
}

fn selected(options: &Options) -> Vec<Check> {
    let whole = options.effort >= Effort::Default;
    let mut checks: Vec<Check> = ALL
        .into_iter()
        .chain([TIGHTNESS])
        // A quick look trains nothing, and sees too little to call a bound too wide.
        .filter(|check| whole || ![TIGHTNESS.name, "training"].contains(&check.name))
        .filter(|check| options.effort != Effort::Sweep || check.drawn)
        .filter(|check| options.judges.is_none_or(|judges| check.judges == judges))
        .collect();
    if let Some(name) = &options.check {
        checks.retain(|check| check.name == name);
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(tally: Tally) -> CheckResult {
        CheckResult { name: "a", claim: "b", tally, seconds: 0.0 }
    }

    fn run_of(results: Vec<CheckResult>) -> Run {
        Run { subject: "s".into(), seed: 1, effort: Effort::Quick, results }
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
    }
}
