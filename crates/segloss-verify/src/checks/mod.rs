//! The checks, a file each. A check states a claim, and counts what it compared.

mod all_ignored;
mod class_prediction;
mod confidently_wrong;
mod coverage;
mod directions;
mod document_breakdown;
mod document_weight;
mod edges;
mod exact_gradients;
mod extreme_logits;
mod fixtures;
mod gradients;
mod ignored;
mod instruction_sets;
mod layouts;
mod limits;
mod network;
mod one_hot;
mod operations;
mod oracles;
mod partition;
mod symmetry;
mod threads;
mod tightness;
mod training;
mod ulps;
mod values;
mod worked_example;

use crate::check::Check;

/// Every check, in the order in which they run.
pub const ALL: [Check; 35] = [
    oracles::CHECK,
    fixtures::FILES,
    worked_example::CHECK,
    fixtures::TENSORFLOW,
    fixtures::TORCH,
    fixtures::MONAI,
    fixtures::OPTAX,
    fixtures::KERAS,
    fixtures::PAPERS,
    fixtures::KNOWN_WRONG,
    document_breakdown::CHECK,
    document_weight::CHECK,
    class_prediction::CHECK,
    values::F64,
    values::F32,
    gradients::CHECK,
    exact_gradients::CHECK,
    directions::CHECK,
    ulps::CHECK,
    edges::CHECK,
    extreme_logits::CHECK,
    confidently_wrong::CHECK,
    limits::CHECK,
    layouts::CHECK,
    instruction_sets::CHECK,
    one_hot::CHECK,
    symmetry::CHECK,
    ignored::CHECK,
    all_ignored::CHECK,
    partition::CHECK,
    threads::CHECK,
    operations::CHECK,
    network::CHECK,
    training::CHECK,
    coverage::CHECK,
];

/// Runs after all others of a default run.
pub const TIGHTNESS: Check = tightness::CHECK;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Context;
    use crate::exact::ExactCases;
    use crate::fixtures::{Fixtures, default_root};
    use crate::library::Library;
    use crate::tally::{CheckResult, Tally};
    use segloss_cases::Effort;

    /// What a check makes of the results of others.
    pub(super) fn judge(check: &Check, before: &[CheckResult]) -> Tally {
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
