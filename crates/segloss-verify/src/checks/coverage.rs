//! Every kind in the library's registry is judged by every check that speaks of all kinds.

use crate::check::{Check, Context, Judged};
use crate::error::HarnessError;
use crate::tally::Tally;
use segloss::Kind;

pub(super) const CHECK: Check = Check {
    name: "coverage",
    claim: "every kind of the registry went through values, gradients, laws, threads and a framework's fixture",
    judged: Judged::Run,
    drawn: false,
    run,
};

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

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{judge, result};
    use crate::tally::CheckResult;

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
        let tally = judge(&CHECK, &whole());
        assert_eq!((tally.cases, tally.failed), (CHECKS * KINDS, 0));
        let tally = judge(&CHECK, &[]);
        assert_eq!((tally.cases, tally.failed), (CHECKS * KINDS, CHECKS * KINDS));
    }

    #[test]
    fn a_check_that_did_not_run_is_missed_by_name() {
        for missing in OF_ALL_KINDS {
            let results: Vec<CheckResult> =
                whole().into_iter().filter(|result| result.name != missing).collect();
            let tally = judge(&CHECK, &results);
            assert_eq!(tally.failed, KINDS, "{missing}");
            let first = format!("{missing}: `{}` was not judged", Kind::ALL[0].name());
            assert_eq!(tally.failures.first(), Some(&first));
        }
    }

    #[test]
    fn a_kind_is_missed_where_it_was_not_judged() {
        let mut results = whole();
        results[2].tally.kinds.remove(&Kind::Dice);
        let tally = judge(&CHECK, &results);
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
        assert_eq!(judge(&CHECK, &results).failed, 0);
        results[frameworks + 1].tally.kinds.remove(&Kind::Dice);
        assert_eq!(judge(&CHECK, &results).failures, ["fixtures: no framework's numbers for `dice`"]);
    }
}
