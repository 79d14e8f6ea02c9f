//! A check: what it claims, what it judges, and what it may use.

use crate::error::HarnessError;
use crate::exact::ExactCases;
use crate::fixtures::Fixtures;
use crate::implementation::Implementation;
use crate::tally::{CheckResult, Tally};
use segloss::{InstructionSet, Kind, LossSpec};
use segloss_cases::{Effort, matrix};

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

/// A check: a row of a table in [`checks`](crate::checks).
#[derive(Clone, Copy)]
pub struct Check {
    /// Names it.
    pub name: &'static str,
    /// What holds if it passes.
    pub claim: &'static str,
    /// What it judges.
    pub judged: Judged,
    /// The least effort that has time for it. A sweep looks only at what is drawn, of which another seed shows more.
    pub least: Effort,
    /// Does it.
    pub run: fn(&Context<'_>) -> Result<Tally, HarnessError>,
}

/// A check of drawn losses, to which a row of a table adds its name, its claim and what it does.
pub(crate) const DRAWN: Check = Check {
    name: "",
    claim: "",
    judged: Judged::Losses,
    least: Effort::Sweep,
    run: |_| Ok(Tally::default()),
};

/// A check of losses that are the same whatever the seed.
pub(crate) const FIXED: Check = Check { least: Effort::Quick, ..DRAWN };

/// The instruction sets of this machine, the plainest first.
pub(crate) fn available_instructions() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.into_iter().filter(|set| set.is_available())
}

impl Check {
    /// Whether it draws what it looks at.
    pub fn is_drawn(&self) -> bool {
        self.least == Effort::Sweep
    }
}

impl Context<'_> {
    /// Specifications of every kind for three classes, sampled for a purpose, so many of a kind as the effort has of the
    /// four numbers; and of which kind each is, as which of its kind.
    pub(crate) fn sampled(
        &self,
        purpose: &'static str,
        counts: [usize; 4],
    ) -> impl Iterator<Item = (Kind, usize, LossSpec)> + use<> {
        let (seed, count) = (self.seed, self.effort.of(counts));
        Kind::ALL.into_iter().flat_map(move |kind| {
            let specs = matrix::specs(seed, purpose, kind, 3, count).into_iter().enumerate();
            specs.map(move |(i, spec)| (kind, i, spec))
        })
    }
}
