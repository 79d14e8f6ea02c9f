//! An ignored pixel is a pixel that is not there.

use crate::check::Context;
use crate::compare::{bitwise, relative, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::{EXACT, LAW_F64};
use segloss::{Kind, LossSpec, Reduction};
use segloss_cases::{Grid, IGNORED, Labels, TargetForm, draw, draw_within, has_term};

/// Ignored in every image, so that what is left is still a batch.
const REMOVED: [usize; 3] = [2, 5, 9];
const PIXELS: usize = 10;

pub(super) fn ignored(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for (kind, i, spec) in context.sampled("ignored", [2, 10, 60, 300]) {
        is_removed(context, &mut tally, &format!("{}/{i}", kind.name()), by_what_counts(spec));
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

fn is_removed(context: &Context<'_>, tally: &mut Tally, name: &str, spec: LossSpec) {
    let none_ignored = LossSpec { ignore_index: None, ..spec.clone() };
    let grid = Grid::new(2, 3, &[PIXELS]);
    let mut case = draw(context.seed, name, none_ignored, grid, TargetForm::Indices);
    case.spec = spec;
    let kept: Vec<usize> = (0..PIXELS).filter(|p| !REMOVED.contains(p)).collect();
    let removed = case.gathered(&[kept.len()], &[kept.clone(), kept.clone()]);
    if let Labels::Indices(labels) = &mut case.target {
        for (n, p) in case.grid.places().filter(|(_, p)| REMOVED.contains(p)) {
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
            want[case.at(n, c, kept[p])] = without.gradient[removed.at(n, c, p)];
        }
        tally.measure(bound, relative_to_max(&ignored.gradient, &want), name);
    }

    for rubbish in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let hidden = || case.grid.entries().filter(|&(n, p, _)| case.is_ignored(n, p));
        let mut spoilt = case.clone();
        hidden().for_each(|(n, p, c)| spoilt.logits[case.at(n, c, p)] = rubbish);
        let name = format!("{name}, ignored logits {rubbish}");
        let Some(found) = tally.evaluate(implementation, &spoilt, Precision::F64) else { continue };
        tally.measure(&EXACT, bitwise(&[found.value], &[ignored.value]), &name);
        tally.measure(&EXACT, bitwise(&found.gradient, &ignored.gradient), &name);
        for g in hidden().map(|(n, p, c)| found.gradient[case.at(n, c, p)]).filter(|&g| g != 0.0) {
            tally.require(false, &name, || format!("gradient {g} at an ignored pixel"));
        }
    }
}

/// A batch in which every pixel is ignored has no loss, and says so.
pub(super) fn all_ignored(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for (kind, i, spec) in context.sampled("all_ignored", [2, 20, 40, 200]) {
        let name = format!("{}/{i}", kind.name());
        let mut case =
            draw_within(context.seed, &name, spec, Grid::new(2, 3, &[4]), TargetForm::Indices, 1.0);
        case.target = Labels::Indices(vec![IGNORED; 8]);
        for precision in Precision::ALL {
            let Some(found) = tally.evaluate(context.implementation, &case, precision) else { continue };
            tally.measure(&EXACT, bitwise(&[found.value], &[0.0]), &name);
            tally.measure(&EXACT, bitwise(&found.gradient, &[0.0; 24]), &name);
            tally.require(found.valid_pixels == 0 && found.says_all_ignored, &name, || {
                format!("{} valid pixels, and no word that all are ignored", found.valid_pixels)
            });
        }
    }
    Ok(tally)
}
