//! Channels-first and channels-last are two ways to write one input.

use super::{Check, Context, Judges};
use crate::compare::{bitwise, relative, relative_to_max};
use crate::matrix;
use crate::subject::Precision;
use crate::tally::Tally;
use crate::tolerance::{EXACT, LAW_F64};
use crate::trouble::Trouble;
use segloss::Layout;

pub(super) const CHECK: Check = Check {
    name: "layouts",
    claim: "transposing the input transposes the gradient and leaves value, denominator and weights alone",
    judges: Judges::Losses,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
    let mut tally = Tally::default();
    for case in matrix::cases(context.seed, context.effort) {
        if case.spec.layout != Layout::ChannelsFirst {
            continue;
        }
        let (first, last) = (Layout::ChannelsFirst, Layout::ChannelsLast);
        let Some(here) = tally.evaluate(context.subject, &case, Precision::F64) else { continue };
        let Some(there) = tally.evaluate(context.subject, &case.relaid(last), Precision::F64) else {
            continue;
        };
        let back = case.grid.relaid(&there.gradient, last, first);
        tally.measure(&LAW_F64, relative(there.value, here.value), &case.name);
        tally.measure(&LAW_F64, relative_to_max(&back, &here.gradient), &case.name);
        tally.measure(&LAW_F64, relative(there.denominator, here.denominator), &case.name);
        tally.measure(&EXACT, bitwise(&there.weights.concat(), &here.weights.concat()), &case.name);
    }
    Ok(tally)
}
