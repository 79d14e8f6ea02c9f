//! What the mathematics does not see: the order of pixels and of classes, and softmax a constant.

use super::{Check, Context, Judges};
use crate::case::{Case, Labels};
use crate::compare::{relative, relative_to_max};
use crate::matrix;
use crate::subject::{Outcome, Precision};
use crate::tally::Tally;
use crate::textbook::is_binary;
use crate::tolerance::{EXACT, LAW_F64, Tolerance};
use crate::trouble::Trouble;
use segloss::Threshold;

pub(super) const CHECK: Check = Check {
    name: "symmetry",
    claim: "reordering pixels or classes reorders the gradient; a constant added to a pixel's logits changes no softmax loss",
    judges: Judges::Losses,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
    let mut tally = Tally::default();
    for case in matrix::cases(context.seed, context.effort) {
        let Some(plain) = tally.evaluate(context.subject, &case, Precision::F64) else { continue };
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
            let turn = |c: usize| (c + 1) % classes;
            let turned = reordered(&case, |p| p, turn);
            hold(context, &mut tally, &case, &plain, &turned, |p| p, turn, &LAW_F64, "classes turned");
        }
        if !is_binary(case.spec.kind) {
            // On a coarse grid, so that adding the constant rounds nothing: the differences between logits,
            // which are all that softmax sees, stay the same bits.
            let mut coarse = case.clone();
            coarse.logits.iter_mut().for_each(|z| *z = (*z * 256.0).round() / 256.0);
            coarse.spec.threshold = None;
            let Some(before) = tally.evaluate(context.subject, &coarse, Precision::F64) else { continue };
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
    let width = if is_binary(case.spec.kind) { 2 } else { 1 };
    for (c, values) in case.spec.weights.values.chunks(width).enumerate() {
        out.spec.weights.values[class(c) * width..][..width].copy_from_slice(values);
    }
    if let (Some(Threshold::LogitShift(from)), Some(Threshold::LogitShift(to))) =
        (&case.spec.threshold, &mut out.spec.threshold)
    {
        from.iter().enumerate().for_each(|(c, &threshold)| to[class(c)] = threshold);
    }
    out
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
    bound: &Tolerance,
    law: &str,
) {
    let Some(found) = tally.evaluate(context.subject, changed, Precision::F64) else { return };
    let mut back = vec![f64::NAN; found.gradient.len()];
    for (n, p, c) in case.grid.entries() {
        back[case.at(n, c, p)] = found.gradient[case.at(n, class(c), pixel(p))];
    }
    let name = format!("{}, {law}", case.name);
    tally.measure(bound, relative(found.value, plain.value), &name);
    tally.measure(bound, relative_to_max(&back, &plain.gradient), &name);
}
