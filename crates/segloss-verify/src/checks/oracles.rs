//! The judges agree with each other before they judge anybody.

use super::gradients::{are_unsure, differentiate};
use crate::check::{Check, Context, Judged};
use crate::compare::{relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::exact::Exact;
use crate::finite_difference::{Derivative, ridders};
use crate::operation;
use crate::tally::Tally;
use crate::textbook;
use crate::tolerance::{GRADIENT_F64, ORACLE_F64};
use rayon::prelude::*;

pub(super) const CHECK: Check = Check {
    name: "oracles",
    claim: "the textbook in 320 bits, in f64, as dual numbers and by finite differences is one and the same function",
    judged: Judged::Run,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let differences = context.exact.differences(differentiate);
    let tallies: Vec<Tally> = context
        .exact
        .get()
        .par_iter()
        .zip(differences)
        .map(|(Exact { case, answer, gradient, .. }, (_, derivatives))| {
            let mut tally = Tally::default();
            tally.kinds.insert(case.spec.kind());
            if are_unsure(derivatives) {
                // The slope is next to nothing beside the value, or both are: f64 has lost it, by whichever way.
                return tally;
            }
            let by_f64 = textbook::answer_and_gradient::<f64>(case);
            // A loss may be a difference: what it was made of is what its rounding is relative to.
            let off = relative_to(by_f64.0.value.value, answer.value, answer.magnitude);
            tally.measure(&ORACLE_F64, off, &format!("{} value in f64", case.name));
            let duals = relative_to_max(&by_f64.1, gradient);
            tally.measure(&ORACLE_F64, duals, &format!("{} duals of f64", case.name));
            let differences: Vec<f64> = derivatives.iter().map(|found| found.value).collect();
            let differences = relative_to_max(&differences, gradient);
            tally.measure(&GRADIENT_F64, differences, &format!("{} finite differences", case.name));
            tally
        })
        .collect();
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.join(tally));
    operations(context, &mut all);
    Ok(all)
}

/// The definitions of the network's operations: in f64 and by finite differences, which see no kinks.
fn operations(context: &Context<'_>, tally: &mut Tally) {
    for task in operation::tasks(context.seed).into_iter().filter(|task| !task.twice) {
        let exact = task.exact();
        tally.measure(
            &ORACLE_F64,
            relative_to_max(&task.output(), &exact.output),
            &format!("{} in f64", task.name),
        );
        if task.operation.has_kinks() {
            continue;
        }
        let mut operands = task.operands.clone();
        for (operand, want) in exact.gradients.iter().enumerate() {
            let derivatives: Vec<Derivative> = (0..want.len())
                .map(|i| {
                    let at = operands[operand][i];
                    let loss = |x: f64| {
                        operands[operand][i] = x;
                        task.loss(&operands)
                    };
                    let derivative = ridders(loss, at, 0.25);
                    operands[operand][i] = at;
                    derivative
                })
                .collect();
            if are_unsure(&derivatives) {
                continue;
            }
            let found: Vec<f64> = derivatives.iter().map(|found| found.value).collect();
            let name = format!("{} finite differences by operand {operand}", task.name);
            tally.measure(&GRADIENT_F64, relative_to_max(&found, want), &name);
        }
    }
}
