//! Gradients against finite differences of the textbook.

use crate::artifact::{Artifact, StepError};
use crate::check::{Check, Context, Judged};
use crate::compare::{largest, relative_to_max};
use crate::error::HarnessError;
use crate::finite_difference::{Derivative, central, ridders};
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook::Textbook;
use crate::tolerance::GRADIENT_F64;
use segloss::{Kind, LossSpec, Options};
use segloss_cases::{Case, Effort, matrix};

pub(super) const CHECK: Check = Check {
    name: "gradients",
    claim: "the gradient of every kind, source, scheme, layout and form of target is the textbook's derivative",
    judged: Judged::Losses,
    drawn: true,
    run,
};

/// Half-width of the largest step. S1 must stay where it is defined; LDAM looks at the logits through its scale.
fn step(spec: &LossSpec) -> f64 {
    let own = match &spec.options {
        Options::DocumentBinary(_) => 0.2,
        Options::Ldam(options) => 1.0 / options.scale,
        _ => 0.5,
    };
    spec.terms().iter().map(|term| step(&term.loss)).fold(own, f64::min)
}

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let cases = context.exact.differences(differentiate);
    let mut unsure = Vec::new();
    for (case, derivatives) in cases {
        let Some(found) = tally.evaluate(context.implementation, case, Precision::F64) else { continue };
        let want: Vec<f64> = derivatives.iter().map(|d| d.value).collect();
        if are_unsure(derivatives) {
            // The estimate holds the rounding of the values: it is 0 only where all of them were. Whether such a loss is
            // constant or below all numbers, differences cannot see, and need not.
            if derivatives.iter().any(|d| d.error > 0.0) {
                unsure.push(&case.name);
            }
            continue;
        }
        tally.measure(&GRADIENT_F64, relative_to_max(&found.gradient, &want), &case.name);
    }
    let allowed = f64::max(UNSURE_OF_FEW, UNSURE * cases.len() as f64);
    tally.require(unsure.len() as f64 <= allowed, "finite differences", || {
        format!("they do not know their own answer for {unsure:?}")
    });
    tally.artifacts.push(Artifact::Steps(step_errors(context, &mut tally.clone())));
    Ok(tally)
}

/// The share of the cases that may be left to the exact gradients alone. An oracle that does not know its own
/// answer may not vouch for anybody's: where a loss hardly depends on its logits (an absent class, beside a small
/// s), its differences are lost in its rounding.
const UNSURE: f64 = 0.02;
/// As many, where cases are too few for a share to say much.
const UNSURE_OF_FEW: f64 = 5.0;

/// Whether the derivatives, by their own estimate, may be off by as much as is being looked for. An estimate is no
/// bound: it is trusted to a factor of three.
pub(super) fn are_unsure(derivatives: &[Derivative]) -> bool {
    let error = largest(derivatives.iter().map(|d| d.error));
    // Where all slopes are 0 nothing is known of them: 0/0 is unsure.
    !(3.0 * error / largest(derivatives.iter().map(|d| d.value.abs())) <= GRADIENT_F64.bound)
}

/// ∂value/∂z for every logit.
pub(super) fn differentiate(case: &Case) -> Vec<Derivative> {
    let textbook = Textbook::of(case);
    let mut z = case.logits.clone();
    (0..z.len())
        .map(|i| {
            let at = z[i];
            let value = |x: f64| {
                z[i] = x;
                textbook.at(&z).value
            };
            let derivative = ridders(value, at, step(&case.spec));
            z[i] = at;
            derivative
        })
        .collect()
}

/// How the error of one central difference falls with its step (h², truncation) and rises again (1/h,
/// rounding): drawn in the report, to show that the comparison could see an error if there were one.
fn step_errors(context: &Context<'_>, tally: &mut Tally) -> Vec<StepError> {
    let mut errors = Vec::new();
    for kind in Kind::ALL {
        let Some(case) = matrix::of_kind(context.seed, Effort::Quick, kind).into_iter().next() else {
            continue;
        };
        let Some(found) = tally.evaluate(context.implementation, &case, Precision::F64) else { continue };
        let textbook = Textbook::of(&case);
        for exponent in 0..=32 {
            let h = 10f64.powf(-f64::from(exponent) / 3.0) * 0.2;
            let mut z = case.logits.clone();
            let slopes: Vec<f64> = (0..z.len())
                .map(|i| {
                    let at = z[i];
                    let value = |x: f64| {
                        z[i] = x;
                        textbook.at(&z).value
                    };
                    let slope = central(value, at, h);
                    z[i] = at;
                    slope
                })
                .collect();
            let error = relative_to_max(&slopes, &found.gradient);
            errors.push(StepError { kind: kind.name().to_owned(), step: h, error });
        }
    }
    errors
}
