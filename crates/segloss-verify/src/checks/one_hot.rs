//! A label and its one-hot vector are the same target.

use crate::check::{Check, Context, Judged};
use crate::compare::{relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook::scale;
use crate::tolerance::EXACT;
use segloss_cases::{Labels, distribution, matrix};

pub(super) const CHECK: Check = Check {
    name: "one_hot",
    claim: "index targets and the same targets written as one-hot give the same result",
    judged: Judged::Losses,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for mut case in matrix::cases(context.seed, context.effort) {
        if !matches!(case.target, Labels::Indices(_)) {
            continue;
        }
        // A distribution has no way to say "ignored": give those pixels a class.
        if let (Labels::Indices(labels), Some(ignored)) = (&mut case.target, case.spec.ignore_index) {
            labels.iter_mut().filter(|label| **label == ignored).for_each(|label| *label = 1);
        }
        let mut written_out = case.clone();
        written_out.target = Labels::Distribution(distribution(&case));
        let Some(indices) = tally.evaluate(context.implementation, &case, Precision::F64) else { continue };
        let Some(one_hot) = tally.evaluate(context.implementation, &written_out, Precision::F64) else {
            continue;
        };
        let scale = scale(&case, indices.value);
        tally.measure(&EXACT, relative_to(one_hot.value, indices.value, scale), &case.name);
        tally.measure(&EXACT, relative_to_max(&one_hot.gradient, &indices.gradient), &case.name);
        tally.require(one_hot.weights == indices.weights, &case.name, || {
            format!("weights are {:?} and {:?}", one_hot.weights, indices.weights)
        });
    }
    Ok(tally)
}
