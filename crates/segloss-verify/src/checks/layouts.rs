//! Channels-first and channels-last are two ways to write one input.

use crate::check::{Check, Context, Judged};
use crate::compare::{relative, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook::scale;
use crate::tolerance::EXACT;
use segloss::Layout;
use segloss_cases::matrix;

pub(super) const CHECK: Check = Check {
    name: "layouts",
    claim: "transposing the input transposes the gradient and leaves value, denominator and weights alone",
    judged: Judged::Losses,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for case in matrix::cases(context.seed, context.effort) {
        if case.spec.layout != Layout::ChannelsFirst {
            continue;
        }
        let (first, last) = (Layout::ChannelsFirst, Layout::ChannelsLast);
        let Some(here) = tally.evaluate(context.implementation, &case, Precision::F64) else { continue };
        let Some(there) = tally.evaluate(context.implementation, &case.relaid(last), Precision::F64) else {
            continue;
        };
        let back = case.grid.relaid(&there.gradient, last, first);
        let scale = scale(&case, here.value);
        tally.measure(&EXACT, relative_to(there.value, here.value, scale), &case.name);
        tally.measure(&EXACT, relative_to_max(&back, &here.gradient), &case.name);
        tally.measure(&EXACT, relative(there.denominator, here.denominator), &case.name);
        tally.require(there.weights == here.weights, &case.name, || {
            format!("weights are {:?} and {:?}", there.weights, here.weights)
        });
    }
    Ok(tally)
}
