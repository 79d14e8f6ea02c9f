//! The checks: a claim each, and what is counted to hold it. A file, or a folder, is a group of them, with a table of what it
//! claims first.

mod coverage;
mod document;
mod fixtures;
mod laws;
mod network;
mod textbook;

use crate::check::Check;

/// Every check, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        coverage::BEFORE,
        fixtures::CHECKS,
        document::CHECKS,
        textbook::CHECKS,
        laws::CHECKS,
        network::CHECKS,
        coverage::AFTER,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Context;
    use crate::exact::ExactCases;
    use crate::fixtures::{Fixtures, default_root};
    use crate::library::Library;
    use crate::tally::{CheckResult, Tally};
    use segloss_cases::Effort;

    #[test]
    fn names_tell_checks_apart_and_each_claims_something() {
        let names: std::collections::BTreeSet<&str> = all().map(|check| check.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|check| !check.name.is_empty() && check.claim.len() > 20));
    }

    /// What a check makes of the results of others.
    pub(super) fn judge(name: &str, before: &[CheckResult]) -> Tally {
        let check = all().find(|check| check.name == name).unwrap();
        let fixtures = Fixtures::open(&default_root()).unwrap();
        let (seed, effort) = (1, Effort::Quick);
        let exact = ExactCases::new(seed, effort, None);
        let context =
            Context { implementation: &Library, fixtures: &fixtures, exact: &exact, seed, effort, before };
        (check.run)(&context).unwrap()
    }

    /// What came of a check that is called `name`.
    pub(super) fn result(name: &'static str, tally: Tally) -> CheckResult {
        CheckResult { name, claim: "", tally, seconds: 0.0 }
    }
}
