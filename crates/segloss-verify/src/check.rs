//! A check: what it claims, what it judges, and what it may use.

use crate::error::HarnessError;
use crate::exact::ExactCases;
use crate::fixtures::Fixtures;
use crate::implementation::Implementation;
use crate::tally::{CheckResult, Tally};
use segloss_cases::Effort;

/// What a check may use.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What is judged.
    pub implementation: &'a dyn Implementation,
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

/// What is judged: decides whether a planted defect can turn it red.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The implementation's losses.
    Losses,
    /// Its operations.
    Operations,
    /// Its whole nets.
    Networks,
    /// Its training.
    Training,
    /// Nothing of the implementation's: the judges, their files and the run itself.
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
    pub judged: Judged,
    /// Whether it draws what it looks at, so that another seed shows more.
    pub drawn: bool,
    /// Does it.
    pub run: fn(&Context<'_>) -> Result<Tally, HarnessError>,
}
