//! A bound that nothing comes near notices nothing.

use crate::check::{Check, Context, Judged};
use crate::error::HarnessError;
use crate::tally::Tally;
use crate::tolerance;

pub(super) const CHECK: Check = Check {
    name: "tightness",
    claim: "no bound of the tolerance table could be four times as tight, and none is unused",
    judged: Judged::Run,
    drawn: false,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
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
        let tally = judge(&CHECK, &results(ulps));
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
        assert_eq!(judge(&CHECK, &[]).failed, BOUNDS);
    }
}
