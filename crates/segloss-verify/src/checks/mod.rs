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

use crate::case::Case;
use crate::error::HarnessError;
use crate::exact::ExactCases;
use crate::fixtures::Fixtures;
use crate::matrix::{Effort, has_term};
use crate::run::CheckResult;
use crate::subject::Subject;
use crate::tally::Tally;
use crate::textbook;
use segloss::Kind;

/// What a check may use.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What is judged.
    pub subject: &'a dyn Subject,
    /// The golden numbers.
    pub fixtures: &'a Fixtures,
    /// The drawn cases with their exact answers.
    pub exact: &'a ExactCases,
    /// From which everything drawn is drawn.
    pub seed: u64,
    /// How much to do.
    pub effort: Effort,
    /// The results of the checks before this one.
    pub before: &'a [CheckResult],
}

/// What a check judges: decides whether a planted defect can turn it red.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judges {
    /// The subject's losses.
    Losses,
    /// Its operations.
    Operations,
    /// Its whole nets.
    Networks,
    /// Its training.
    Training,
    /// Nothing of the subject's: the judges, their files and the run itself.
    Run,
}

/// A check.
#[derive(Clone, Copy)]
pub struct Check {
    /// Names it.
    pub name: &'static str,
    /// What holds if it passes.
    pub claim: &'static str,
    /// What it judges.
    pub judges: Judges,
    /// Whether it draws what it looks at, so that another seed shows more.
    pub drawn: bool,
    /// Does it.
    pub run: fn(&Context<'_>) -> Result<Tally, HarnessError>,
}

/// What the rounding of a case's value is relative to: the value, unless its terms may cancel.
fn scale(case: &Case, value: f64) -> f64 {
    match has_term(&case.spec, |kind| kind == Kind::Boundary) {
        true => textbook::evaluate::<f64>(case).magnitude,
        false => value.abs(),
    }
}

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
    use crate::fixtures::default_root;
    use crate::subject::Library;

    /// What a check makes of the results of others.
    pub(super) fn judge(check: &Check, before: &[CheckResult]) -> Tally {
        let fixtures = Fixtures::open(&default_root()).unwrap();
        let (seed, effort) = (1, Effort::Quick);
        let exact = ExactCases::new(seed, effort, None);
        let context = Context { subject: &Library, fixtures: &fixtures, exact: &exact, seed, effort, before };
        (check.run)(&context).unwrap()
    }

    /// What came of a check that is called `name`.
    pub(super) fn result(name: &'static str, tally: Tally) -> CheckResult {
        CheckResult { name, claim: "", tally, seconds: 0.0 }
    }
}
