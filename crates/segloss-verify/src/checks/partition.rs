//! A batch in parts is the batch: the reduction is a monoid.

use super::{Check, Context, Judges};
use crate::case::{Case, Grid, TargetForm, draw};
use crate::compare::{bitwise, relative};
use crate::matrix::{IGNORED, LAYOUTS, spread, weightings};
use crate::subject::Precision;
use crate::tally::Tally;
use crate::tolerance::{EXACT, LAW_F64};
use crate::trouble::Trouble;
use segloss::{Denominator, Kind, LossSpec, Source, WeightSpec};
use std::ops::Range;

pub(super) const CHECK: Check = Check {
    name: "partition",
    claim: "a batch computed in parts has the value of the whole, and its gradient bit for bit",
    judges: Judges::Losses,
    run,
};

/// Ways to cut four images.
const CUTS: [&[Range<usize>]; 3] = [&[0..3, 3..4], &[0..1, 1..4], &[0..1, 1..2, 2..3, 3..4]];

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
    let mut tally = Tally::default();
    for kind in Kind::ALL {
        for layout in LAYOUTS {
            for (source, scheme) in
                weightings(kind).into_iter().filter(|(source, _)| *source != Source::Fixed)
            {
                for denominator in DENOMINATORS {
                    let spec = LossSpec {
                        kind,
                        layout,
                        ignore_index: Some(IGNORED),
                        denominator: Some(denominator),
                        threshold: None,
                        weights: WeightSpec { source, scheme, ..WeightSpec::default() },
                    };
                    let name = format!("{}/{layout:?}/{source:?}/{scheme:?}/{denominator:?}", kind.name());
                    let grid = Grid::new(4, 3, &[5, 2]);
                    let case = draw(context.seed, &name, spec, grid, TargetForm::Indices, spread(kind));
                    one(context, &mut tally, &case);
                }
            }
        }
    }
    Ok(tally)
}

const DENOMINATORS: [Denominator; 6] = [
    Denominator::WeightSum,
    Denominator::ValidPixels,
    Denominator::Elements,
    Denominator::Images,
    Denominator::PerPixel,
    Denominator::Constant(12.0),
];

fn one(context: &Context<'_>, tally: &mut Tally, case: &Case) {
    let Some(whole) = tally.evaluate(context.subject, case, Precision::F64) else { return };
    for cut in CUTS {
        let name = format!("{} in {} parts", case.name, cut.len());
        let parts = context.subject.evaluate_in_parts(case, cut);
        let Some((value, gradient)) = tally.accept(parts, &name) else { continue };
        tally.measure(&LAW_F64, relative(value, whole.value), &name);
        tally.measure(&EXACT, bitwise(&gradient, &whole.gradient), &name);
    }
}
