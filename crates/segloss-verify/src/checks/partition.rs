//! A batch in parts is the batch: the reduction is a monoid.

use crate::check::{Check, Context, Judged};
use crate::compare::{bitwise, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook::scale;
use crate::tolerance::{EXACT, LAW_F64};
use segloss::Kind;
use segloss_cases::{Case, Grid, draw, forms, matrix, spread};
use std::ops::Range;

pub(super) const CHECK: Check = Check {
    name: "partition",
    claim: "a batch computed in parts has the value and gradient of the whole; bit for bit the gradient of a sum over pixels",
    judged: Judged::Losses,
    drawn: true,
    run,
};

/// Ways to cut four images.
const CUTS: [&[Range<usize>]; 3] = [&[0..3, 3..4], &[0..1, 1..4], &[0..1, 1..2, 2..3, 3..4]];

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for kind in Kind::ALL {
        let count = context.effort.of([2, 12, 70, 350]);
        for (i, spec) in matrix::specs(context.seed, "partition", kind, 3, count).into_iter().enumerate() {
            let forms = forms(&spec);
            let (form, spread) = (forms[i % forms.len()], spread(&spec));
            let name = format!("{}/{i}/{form:?}", kind.name()).to_lowercase();
            let mut case = draw(context.seed, &name, spec, Grid::new(4, 3, &[5, 2]), form, spread);
            if i % 3 == 0 {
                case = case.with_drawn_map(context.seed);
            }
            one(context, &mut tally, &case);
        }
    }
    Ok(tally)
}

fn one(context: &Context<'_>, tally: &mut Tally, case: &Case) {
    let Some(whole) = tally.evaluate(context.implementation, case, Precision::F64) else { return };
    for cut in CUTS {
        let name = format!("{} in {} parts", case.name, cut.len());
        let parts = context.implementation.evaluate_in_parts(case, cut);
        let Some(parts) = tally.accept(parts, &name) else { continue };
        tally.measure(&LAW_F64, relative_to(parts.value, whole.value, scale(case, whole.value)), &name);
        match case.spec.kind().is_additive() {
            // What a pixel's gradient needs of the others, their labels say.
            true => tally.measure(&EXACT, bitwise(&parts.gradient, &whole.gradient), &name),
            // Sums over a region come together in another order.
            false => tally.measure(&LAW_F64, relative_to_max(&parts.gradient, &whole.gradient), &name),
        }
        tally.require(parts.at_once.is_some() == case.spec.kind().is_additive(), &name, || {
            "a gradient before all parts are known, or none where it needs no other part".to_owned()
        });
        if let Some(at_once) = &parts.at_once {
            tally.measure(&EXACT, bitwise(at_once, &parts.gradient), &name);
        }
    }
}
