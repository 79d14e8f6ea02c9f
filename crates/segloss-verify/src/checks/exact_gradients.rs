//! Gradients against the textbook's, without steps and without rounding.

use crate::check::{Check, Context, Judged};
use crate::compare::relative_to_max;
use crate::error::HarnessError;
use crate::exact::Exact;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::{GRADIENT_EXACT, SCALED_F64, scaled};

pub(super) const CHECK: Check = Check {
    name: "exact_gradients",
    claim: "the gradient of every kind is the textbook's derivative, by dual numbers of 320 bits",
    judged: Judged::Losses,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for Exact { case, gradient, .. } in context.exact.get() {
        let Some(found) = tally.evaluate(context.implementation, case, Precision::F64) else { continue };
        let bound = scaled(&case.spec, &SCALED_F64, &GRADIENT_EXACT);
        tally.measure(bound, relative_to_max(&found.gradient, gradient), &case.name);
    }
    Ok(tally)
}
