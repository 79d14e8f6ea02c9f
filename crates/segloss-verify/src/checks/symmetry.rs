//! What the mathematics does not see: the order of pixels and of classes, and softmax a constant.

use crate::check::{Check, Context, Judged};
use crate::compare::{relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::{Outcome, Precision};
use crate::tally::Tally;
use crate::textbook::scale;
use crate::tolerance::{EXACT, LAW_F64, Tolerance};
use segloss::{Classes, LossSpec, Options, PriorSpec, Source, Threshold};
use segloss_cases::{Case, Labels, has_pairs, is_sigmoid, matrix};

pub(super) const CHECK: Check = Check {
    name: "symmetry",
    claim: "reordering pixels or classes reorders the gradient; a constant added to a pixel's logits changes no softmax loss",
    judged: Judged::Losses,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for case in matrix::cases(context.seed, context.effort) {
        let Some(plain) = tally.evaluate(context.implementation, &case, Precision::F64) else { continue };
        let pixels = case.grid.pixels();
        let reversed = reordered(&case, |p| pixels - 1 - p, |c| c);
        hold(
            context,
            &mut tally,
            &case,
            &plain,
            &reversed,
            |p| pixels - 1 - p,
            |c| c,
            &LAW_F64,
            "pixels reversed",
        );

        let classes = case.grid.classes;
        if classes > 1 {
            // The background keeps its name.
            let first = usize::from(has_foreground(&case.spec));
            let turn = |c: usize| if c < first { c } else { first + (c - first + 1) % (classes - first) };
            let turned = reordered(&case, |p| p, turn);
            hold(context, &mut tally, &case, &plain, &turned, |p| p, turn, &LAW_F64, "classes turned");
        }
        if !has_sigmoid(&case.spec) {
            // On a coarse grid, so that adding the constant rounds nothing: the differences between logits,
            // which are all that softmax sees, stay the same bits.
            let mut coarse = case.clone();
            coarse.logits.iter_mut().for_each(|z| *z = (*z * 256.0).round() / 256.0);
            coarse.spec = coarsened(&case.spec, classes);
            let Some(before) = tally.evaluate(context.implementation, &coarse, Precision::F64) else {
                continue;
            };
            let mut shifted = coarse.clone();
            shifted.logits.iter_mut().for_each(|z| *z += 1024.0);
            hold(context, &mut tally, &coarse, &before, &shifted, |p| p, |c| c, &EXACT, "all + 1024");
        }
    }
    Ok(tally)
}

/// The case with pixel p at `pixel(p)` and class c at `class(c)`, its options along with it.
fn reordered(case: &Case, pixel: impl Fn(usize) -> usize, class: impl Fn(usize) -> usize) -> Case {
    let mut out = case.clone();
    for (n, p, c) in case.grid.entries() {
        out.logits[case.at(n, class(c), pixel(p))] = case.logits[case.at(n, c, p)];
    }
    let pixels = case.grid.pixels();
    match (&case.target, &mut out.target) {
        (Labels::Indices(from), Labels::Indices(to)) => {
            for (n, p) in (0..case.grid.images).flat_map(|n| (0..pixels).map(move |p| (n, p))) {
                let label = from[n * pixels + p];
                let turned = match usize::try_from(label) {
                    Ok(c) if c < case.grid.classes && case.grid.classes > 1 => class(c) as i64,
                    _ => label,
                };
                to[n * pixels + pixel(p)] = turned;
            }
        }
        (Labels::Distribution(from), Labels::Distribution(to)) => {
            for (n, p, c) in case.grid.entries() {
                to[case.at(n, class(c), pixel(p))] = from[case.at(n, c, p)];
            }
        }
        _ => unreachable!("a clone has the same form of target"),
    }
    if let (Some(from), Some(to)) = (&case.weight_map, &mut out.weight_map) {
        for (n, p) in (0..case.grid.images).flat_map(|n| (0..pixels).map(move |p| (n, p))) {
            to[n * pixels + pixel(p)] = from[n * pixels + p];
        }
    }
    turn_options(&mut out.spec, &class);
    out
}

/// Moves every option of class c to `class(c)`.
fn turn_options(spec: &mut LossSpec, class: &impl Fn(usize) -> usize) {
    let width = if has_pairs(spec) { 2 } else { 1 };
    let turn = |values: &mut Vec<f64>, width: usize| {
        let from = values.clone();
        for (c, values_of_class) in from.chunks(width).enumerate() {
            values[class(c) * width..][..width].copy_from_slice(values_of_class);
        }
    };
    turn(&mut spec.weights.values, width);
    spec.prior.iter_mut().for_each(|prior| turn(&mut prior.values, 1));
    if let Some(Threshold::LogitShift(thresholds)) = &mut spec.threshold {
        turn(thresholds, 1);
    }
    if let Some(counts) = &mut spec.dataset {
        turn(&mut counts.pixels, 1);
        turn(&mut counts.present_in, 1);
        turn(&mut counts.others_in, 1);
    }
    if let Options::UnifiedFocal(options) = &mut spec.options {
        options.background = class(options.background);
    }
    spec.terms_mut().iter_mut().for_each(|term| turn_options(&mut term.loss, class));
}

fn has_foreground(spec: &LossSpec) -> bool {
    spec.classes() == Classes::Foreground || spec.terms().iter().any(|term| has_foreground(&term.loss))
}

fn has_sigmoid(spec: &LossSpec) -> bool {
    is_sigmoid(spec) || spec.terms().iter().any(|term| has_sigmoid(&term.loss))
}

/// The loss without what would shift the logits off their grid: thresholds, and margins and logarithms of
/// priors that do not lie on it.
fn coarsened(spec: &LossSpec, classes: usize) -> LossSpec {
    let mut coarse = LossSpec { threshold: None, ..spec.clone() };
    match &mut coarse.options {
        Options::Ldam(options) => {
            options.margin = 0.5;
            coarse.prior = Some(PriorSpec { source: Source::Fixed, values: vec![0.5; classes] });
        }
        Options::Seesaw(options) => options.mitigation = 0.0,
        _ => {}
    }
    for term in coarse.terms_mut() {
        term.loss = coarsened(&term.loss, classes);
    }
    coarse
}

#[expect(clippy::too_many_arguments, reason = "one statement of a law, with all that it speaks of")]
fn hold(
    context: &Context<'_>,
    tally: &mut Tally,
    case: &Case,
    plain: &Outcome,
    changed: &Case,
    pixel: impl Fn(usize) -> usize,
    class: impl Fn(usize) -> usize,
    bound: &'static Tolerance,
    law: &str,
) {
    let Some(found) = tally.evaluate(context.implementation, changed, Precision::F64) else { return };
    let mut back = vec![f64::NAN; found.gradient.len()];
    for (n, p, c) in case.grid.entries() {
        back[case.at(n, c, p)] = found.gradient[case.at(n, class(c), pixel(p))];
    }
    let name = format!("{}, {law}", case.name);
    tally.measure(bound, relative_to(found.value, plain.value, scale(case, plain.value)), &name);
    tally.measure(bound, relative_to_max(&back, &plain.gradient), &name);
}
