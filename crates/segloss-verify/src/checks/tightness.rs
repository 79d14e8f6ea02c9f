//! A bound that nothing comes near notices nothing.

use super::{Check, Context, Judges};
use crate::tally::Tally;
use crate::tolerance;
use crate::trouble::Trouble;

pub(super) const CHECK: Check = Check {
    name: "tightness",
    claim: "no bound of the tolerance table could be four times as tight, and none is unused",
    judges: Judges::Run,
    drawn: false,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
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
