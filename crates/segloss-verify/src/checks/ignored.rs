//! An ignored pixel is a pixel that is not there.

use crate::check::{Check, Context, Judged};
use crate::compare::{bitwise, relative, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::{EXACT, LAW_F64};
use segloss::{Kind, LossSpec, Reduction};
use segloss_cases::{Case, Grid, IGNORED, Labels, TargetForm, draw, has_term, matrix, spread};

pub(super) const CHECK: Check = Check {
    name: "ignored",
    claim: "ignoring pixels is removing them, whatever their logits hold: NaN and ±∞ too; their gradient is 0",
    judged: Judged::Losses,
    drawn: true,
    run,
};

/// Ignored in every image, so that what is left is still a batch.
const REMOVED: [usize; 3] = [2, 5, 9];
const PIXELS: usize = 10;

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for kind in Kind::ALL {
        let count = context.effort.of([2, 10, 60, 300]);
        for (i, spec) in matrix::specs(context.seed, "ignored", kind, 3, count).into_iter().enumerate() {
            one(context, &mut tally, &format!("{}/{i}", kind.name()), by_what_counts(spec));
        }
    }
    Ok(tally)
}

/// The specification with another reduction than the number of elements, which ignored pixels are of.
fn by_what_counts(mut spec: LossSpec) -> LossSpec {
    if spec.reduction() == Reduction::MeanAll {
        spec.reduction = Some(Reduction::MeanValid);
    }
    for term in spec.terms_mut() {
        term.loss = by_what_counts(term.loss.clone());
    }
    spec
}

fn one(context: &Context<'_>, tally: &mut Tally, name: &str, spec: LossSpec) {
    let none_ignored = LossSpec { ignore_index: None, ..spec.clone() };
    let grid = Grid::new(2, 3, &[PIXELS]);
    let spread = spread(&spec);
    let mut case = draw(context.seed, name, none_ignored, grid, TargetForm::Indices, spread);
    case.spec = spec;
    let removed = remove(&case);
    if let Labels::Indices(labels) = &mut case.target {
        for (n, p) in (0..2).flat_map(|n| REMOVED.map(|p| (n, p))) {
            labels[n * PIXELS + p] = IGNORED;
        }
    }
    let implementation = context.implementation;
    let Some(ignored) = tally.evaluate(implementation, &case, Precision::F64) else { return };
    // A pixel that is taken out of an image moves the others closer together.
    if !has_term(&case.spec, |kind| kind == Kind::Boundary) {
        let Some(without) = tally.evaluate(implementation, &removed, Precision::F64) else { return };
        // What is left lies elsewhere, and is added in another order: also where a gradient follows from the sums.
        let bound = if case.spec.kind().is_additive() { &EXACT } else { &LAW_F64 };
        tally.measure(&LAW_F64, relative(ignored.value, without.value), name);
        tally.require(ignored.valid_pixels == without.valid_pixels, name, || {
            format!("{} valid pixels, expected {}", ignored.valid_pixels, without.valid_pixels)
        });
        let mut want = vec![0.0; case.logits.len()];
        for (n, p, c) in removed.grid.entries() {
            want[case.at(n, c, kept()[p])] = without.gradient[removed.at(n, c, p)];
        }
        tally.measure(bound, relative_to_max(&ignored.gradient, &want), name);
    }

    for rubbish in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let mut spoilt = case.clone();
        for (n, p, c) in case.grid.entries().filter(|&(n, p, _)| case.is_ignored(n, p)) {
            spoilt.logits[case.at(n, c, p)] = rubbish;
        }
        let name = format!("{name}, ignored logits {rubbish}");
        let Some(found) = tally.evaluate(implementation, &spoilt, Precision::F64) else { continue };
        tally.measure(&EXACT, bitwise(&[found.value], &[ignored.value]), &name);
        tally.measure(&EXACT, bitwise(&found.gradient, &ignored.gradient), &name);
        for (n, p, c) in case.grid.entries().filter(|&(n, p, _)| case.is_ignored(n, p)) {
            let g = found.gradient[case.at(n, c, p)];
            if g != 0.0 {
                tally.require(false, &name, || format!("gradient {g} at an ignored pixel"));
            }
        }
    }
}

fn kept() -> Vec<usize> {
    (0..PIXELS).filter(|p| !REMOVED.contains(p)).collect()
}

/// The case without the pixels of [`REMOVED`].
fn remove(case: &Case) -> Case {
    let kept = kept();
    let mut out = case.clone();
    out.grid = Grid::new(2, 3, &[kept.len()]);
    out.logits = vec![0.0; out.grid.len()];
    for (n, p, c) in out.grid.entries() {
        let to = out.at(n, c, p);
        out.logits[to] = case.logits[case.at(n, c, kept[p])];
    }
    if let Labels::Indices(labels) = &case.target {
        let at = |n: usize| kept.iter().map(move |p| labels[n * PIXELS + p]);
        out.target = Labels::Indices((0..2).flat_map(at).collect());
    }
    if let Some(map) = &case.weight_map {
        let at = |n: usize| kept.iter().map(move |p| map[n * PIXELS + p]);
        out.weight_map = Some((0..2).flat_map(at).collect());
    }
    out
}
