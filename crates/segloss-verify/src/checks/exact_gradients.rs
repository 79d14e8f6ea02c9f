//! Gradients against the textbook's, without steps and without rounding.

use super::{Check, Context, Judges};
use crate::case::Case;
use crate::compare::relative_to_max;
use crate::matrix;
use crate::number::Number;
use crate::number::big::Big;
use crate::subject::Precision;
use crate::tally::Tally;
use crate::textbook;
use crate::tolerance::GRADIENT_EXACT;
use crate::trouble::Trouble;
use rayon::prelude::*;

pub(super) const CHECK: Check = Check {
    name: "exact_gradients",
    claim: "the gradient of every kind is the textbook's derivative, by dual numbers of 320 bits",
    judges: Judges::Losses,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
    let cases: Vec<_> = matrix::cases(context.seed, context.effort).collect();
    let exact =
        |case: &Case| -> Vec<f64> { textbook::gradient::<Big>(case).iter().map(Big::to_f64).collect() };
    let exact: Vec<_> =
        cases.par_iter().map(|case| context.recall("exact gradient", &case.name, || exact(case))).collect();
    let mut tally = Tally::default();
    for (case, exact) in cases.iter().zip(&exact) {
        let Some(found) = tally.evaluate(context.subject, case, Precision::F64) else { continue };
        tally.measure(&GRADIENT_EXACT, relative_to_max(&found.gradient, exact), &case.name);
    }
    Ok(tally)
}
