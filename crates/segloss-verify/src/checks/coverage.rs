//! What judges the run itself: do the judges agree, was every kind looked at, could a bound be tighter.

use crate::check::{Check, Context, DRAWN, FIXED, Judged};
use crate::compare::{relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::exact::{Exact, are_unsure};
use crate::finite_difference::{Derivative, by_one, ridders};
use crate::operation;
use crate::tally::Tally;
use crate::textbook;
use crate::tolerance::{self, GRADIENT_F64, ORACLE_F64};
use rayon::prelude::*;
use segloss::Kind;
use segloss_cases::Effort;

/// Before it judges anybody.
pub(super) const BEFORE: &[Check] = &[Check {
    name: "oracles",
    claim: "the textbook in 320 bits, in f64, as dual numbers and by finite differences is one and the same function",
    judged: Judged::Run,
    run: oracles,
    ..DRAWN
}];

/// After all others.
pub(super) const AFTER: &[Check] = &[
    Check {
        name: "coverage",
        claim: "every kind of the registry went through values, gradients, laws, threads and a framework's fixture",
        judged: Judged::Run,
        run: coverage,
        ..FIXED
    },
    Check {
        name: "tightness",
        claim: "no bound of the tolerance table could be four times as tight, and none is unused",
        judged: Judged::Run,
        // A quick look sees too little to call a bound too wide.
        least: Effort::Default,
        run: tightness,
    },
];

/// The judges agree with each other before they judge anybody.
fn oracles(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let differences = context.exact.differences();
    let of_cases: Vec<Tally> = context
        .exact
        .get()
        .par_iter()
        .zip(differences)
        .map(|(Exact { case, answer, gradient, .. }, (_, derivatives))| {
            let mut tally = Tally::default();
            tally.kinds.insert(case.spec.kind());
            if are_unsure(derivatives) {
                // The slope is next to nothing beside the value, or both are: f64 has lost it, by whichever way.
                return tally;
            }
            let by_f64 = textbook::answer_and_gradient::<f64>(case);
            // A loss may be a difference: what it was made of is what its rounding is relative to.
            let off = relative_to(by_f64.0.value.value, answer.value, answer.magnitude);
            tally.measure(&ORACLE_F64, off, &format!("{} value in f64", case.name));
            let duals = relative_to_max(&by_f64.1, gradient);
            tally.measure(&ORACLE_F64, duals, &format!("{} duals of f64", case.name));
            let differences: Vec<f64> = derivatives.iter().map(|found| found.value).collect();
            let differences = relative_to_max(&differences, gradient);
            tally.measure(&GRADIENT_F64, differences, &format!("{} finite differences", case.name));
            tally
        })
        .collect();
    let mut all: Tally = of_cases.into_iter().collect();
    operations(context, &mut all);
    Ok(all)
}

/// The definitions of the network's operations: in f64 and by finite differences, which see no kinks.
fn operations(context: &Context<'_>, tally: &mut Tally) {
    for task in operation::tasks(context.seed).into_iter().filter(|task| !task.twice) {
        let exact = task.exact();
        tally.measure(
            &ORACLE_F64,
            relative_to_max(&task.output(), &exact.output),
            &format!("{} in f64", task.name),
        );
        if task.operation.has_kinks() {
            continue;
        }
        for (operand, want) in exact.gradients.iter().enumerate() {
            let derivative = |i: usize| {
                let mut operands = task.operands.clone();
                let loss = by_one(&mut operands, |all| &mut all[operand][i], |all| task.loss(all));
                ridders(loss, task.operands[operand][i], 0.25)
            };
            let derivatives: Vec<Derivative> = (0..want.len()).map(derivative).collect();
            if are_unsure(&derivatives) {
                continue;
            }
            let found: Vec<f64> = derivatives.iter().map(|found| found.value).collect();
            let name = format!("{} finite differences by operand {operand}", task.name);
            tally.measure(&GRADIENT_F64, relative_to_max(&found, want), &name);
        }
    }
}

/// Checks that must have seen every kind.
const OF_ALL_KINDS: [&str; 13] = [
    "values_f64",
    "values_f32",
    "gradients",
    "exact_gradients",
    "confidently_wrong",
    "limits",
    "layouts",
    "one_hot",
    "symmetry",
    "ignored",
    "all_ignored",
    "partition",
    "threads",
];

fn coverage(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for name in OF_ALL_KINDS {
        let check = context.before.iter().find(|result| result.name == name);
        for kind in Kind::ALL {
            let covered = check.is_some_and(|result| result.tally.kinds.contains(&kind));
            tally.require(covered, name, || format!("`{}` was not judged", kind.name()));
        }
    }
    for kind in Kind::ALL {
        let golden = context.before.iter().filter(|result| result.name.starts_with("fixtures_"));
        let covered = golden.into_iter().any(|result| result.tally.kinds.contains(&kind));
        tally.require(covered, "fixtures", || format!("no framework's numbers for `{}`", kind.name()));
    }
    Ok(tally)
}

fn tightness(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for bound in tolerance::ALL {
        let seen = context.before.iter().filter_map(|result| result.tally.spreads.get(bound.name));
        let Some(worst) = seen.map(|spread| spread.worst).reduce(f64::max) else {
            tally.require(false, bound.name, || "no check uses this bound".to_owned());
            continue;
        };
        tally.require(!(worst * tolerance::SLACK < bound.bound), bound.name, || {
            format!("the worst difference is {worst:.1e}: tighten the bound {:e}", bound.bound)
        });
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{judge, result};
    use crate::tally::CheckResult;
    use crate::tolerance::{ALL, SLACK, ULPS};

    /// All results that are asked for, each of every kind.
    fn whole() -> Vec<CheckResult> {
        let names = OF_ALL_KINDS.into_iter().chain(["fixtures_torch", "fixtures_papers"]);
        let of_all_kinds = || Tally { kinds: Kind::ALL.into_iter().collect(), ..Tally::default() };
        names.map(|name| result(name, of_all_kinds())).collect()
    }

    const KINDS: u64 = Kind::ALL.len() as u64;
    const CHECKS: u64 = OF_ALL_KINDS.len() as u64 + 1;

    #[test]
    fn every_kind_is_asked_for_in_every_check() {
        let tally = judge("coverage", &whole());
        assert_eq!((tally.cases, tally.failed), (CHECKS * KINDS, 0));
        let tally = judge("coverage", &[]);
        assert_eq!((tally.cases, tally.failed), (CHECKS * KINDS, CHECKS * KINDS));
    }

    #[test]
    fn a_check_that_did_not_run_is_missed_by_name() {
        for missing in OF_ALL_KINDS {
            let results: Vec<CheckResult> =
                whole().into_iter().filter(|result| result.name != missing).collect();
            let tally = judge("coverage", &results);
            assert_eq!(tally.failed, KINDS, "{missing}");
            let first = format!("{missing}: `{}` was not judged", Kind::ALL[0].name());
            assert_eq!(tally.failures.first(), Some(&first));
        }
    }

    #[test]
    fn a_kind_is_missed_where_it_was_not_judged() {
        let mut results = whole();
        results[2].tally.kinds.remove(&Kind::Dice);
        let tally = judge("coverage", &results);
        assert_eq!(
            (tally.failed, tally.failures),
            (1, vec![format!("{}: `dice` was not judged", OF_ALL_KINDS[2])])
        );
    }

    #[test]
    fn one_framework_that_knows_a_kind_is_enough() {
        let mut results = whole();
        let frameworks = OF_ALL_KINDS.len();
        results[frameworks].tally.kinds.remove(&Kind::Dice);
        assert_eq!(judge("coverage", &results).failed, 0);
        results[frameworks + 1].tally.kinds.remove(&Kind::Dice);
        assert_eq!(judge("coverage", &results).failures, ["fixtures: no framework's numbers for `dice`"]);
    }

    /// A result that uses every bound but `ULPS` whole, and these differences under `ULPS`.
    fn results(ulps: &[f64]) -> Vec<CheckResult> {
        let mut others = Tally::default();
        for bound in ALL.into_iter().filter(|bound| bound.name != ULPS.name) {
            others.measure(bound, bound.bound, "");
        }
        let one = |&off: &f64| {
            let mut tally = Tally::default();
            tally.measure(&ULPS, off, "");
            result("ulps", tally)
        };
        std::iter::once(result("others", others)).chain(ulps.iter().map(one)).collect()
    }

    /// How many bounds are looked at, and what is said of them.
    fn verdict(ulps: &[f64]) -> (u64, Vec<String>) {
        let tally = judge("tightness", &results(ulps));
        assert_eq!(tally.failed, tally.failures.len() as u64);
        (tally.cases, tally.failures)
    }

    const BOUNDS: u64 = ALL.len() as u64;

    #[test]
    fn a_quarter_of_a_bound_is_near_enough_and_less_is_not() {
        let near = ULPS.bound / SLACK;
        assert_eq!(verdict(&[ULPS.bound]), (BOUNDS, vec![]));
        assert_eq!(verdict(&[near]), (BOUNDS, vec![]));
        let wide =
            |worst: &str| vec![format!("ulps: the worst difference is {worst}: tighten the bound 4e0")];
        assert_eq!(verdict(&[near.next_down()]), (BOUNDS, wide("1.0e0")));
        assert_eq!(verdict(&[0.0]), (BOUNDS, wide("0.0e0")));
    }

    #[test]
    fn the_worst_of_all_checks_counts() {
        assert_eq!(verdict(&[0.5, 2.0, 0.25]), (BOUNDS, vec![]));
    }

    #[test]
    fn a_bound_that_nothing_uses_is_too_many() {
        assert_eq!(verdict(&[]), (BOUNDS, vec!["ulps: no check uses this bound".to_owned()]));
        assert_eq!(judge("tightness", &[]).failed, BOUNDS);
    }
}
