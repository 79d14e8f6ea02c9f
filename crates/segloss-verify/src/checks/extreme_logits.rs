//! Logits up to ±1e4, where every exponential overflows or vanishes, against closed forms.

use super::{Check, Context, Judges};
use crate::case::{Case, Grid, Labels};
use crate::compare::{relative, relative_to_max};
use crate::matrix::LAYOUTS;
use crate::subject::Precision;
use crate::tally::Tally;
use crate::tolerance::EXTREME;
use crate::trouble::Trouble;
use segloss::{Denominator, Kind, Layout, LossSpec};

pub(super) const CHECK: Check = Check {
    name: "extreme_logits",
    claim: "|z| = 1e4 gives the closed form's value, and a gradient of full size where confidently wrong",
    judges: Judges::Losses,
    run,
};

const FAR: f64 = 1e4;

/// (logits of a pixel, its label): the classes are either tied or 1e3 and more apart.
const PIXELS: [([f64; 3], usize); 6] = [
    ([FAR, -FAR, 0.0], 1),
    ([FAR, -FAR, 0.0], 0),
    ([FAR, FAR, -FAR], 0),
    ([FAR, FAR, FAR], 2),
    ([-FAR, -FAR, -FAR], 1),
    ([-1e3, 0.0, 1e3], 0),
];

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
    let mut tally = Tally::default();
    for layout in LAYOUTS {
        for kind in [Kind::CrossEntropy, Kind::DocumentCategorical] {
            let scale = if kind == Kind::DocumentCategorical { 1.0 / 3.0 } else { 1.0 };
            let (mut value, mut gradient) = (0.0, Vec::new());
            for (z, label) in PIXELS {
                let top = z.iter().copied().fold(f64::MIN, f64::max);
                let tied = z.iter().filter(|&&z| z == top).count() as f64;
                value += scale * (top - z[label] + tied.ln());
                gradient.extend((0..3).map(|c| {
                    let p = if z[c] == top { 1.0 / tied } else { 0.0 };
                    scale * (p - f64::from(u8::from(c == label)))
                }));
            }
            let labels = PIXELS.iter().map(|(_, label)| *label as i64).collect();
            let case = case(kind, PIXELS.iter().flat_map(|(z, _)| *z).collect(), 3, Labels::Indices(labels));
            hold(context, &mut tally, &case, value, &gradient, layout);
        }

        // Each channel for itself: softplus(±1e4) is 1e4 or 0, and exp(−90) is still a number.
        let z = [FAR, -FAR, FAR, -FAR, 750.0, -750.0];
        let y = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
        let wrong = |i: usize| (z[i] > 0.0) != (y[i] > 0.0);
        let value = (0..6).filter(|&i| wrong(i)).map(|i| z[i].abs()).sum();
        let gradient: Vec<f64> = (0..6).map(|i| if wrong(i) { f64::signum(z[i]) } else { 0.0 }).collect();
        let binary = case(Kind::BinaryCrossEntropy, z.to_vec(), 2, Labels::Distribution(y.to_vec()));
        hold(context, &mut tally, &binary, value, &gradient, layout);

        // S2 knows no negatives: only y = 1 counts.
        let value = (0..6).filter(|&i| wrong(i) && y[i] > 0.0).map(|i| z[i].abs()).sum();
        let gradient: Vec<f64> = (0..6).map(|i| if wrong(i) && y[i] > 0.0 { -1.0 } else { 0.0 }).collect();
        let sigmoid = case(Kind::DocumentSigmoid, z.to_vec(), 2, Labels::Distribution(y.to_vec()));
        hold(context, &mut tally, &sigmoid, value, &gradient, layout);
    }
    Ok(tally)
}

/// A single image in channels-last order, summed.
fn case(kind: Kind, logits: Vec<f64>, classes: usize, target: Labels) -> Case {
    let layout = Layout::ChannelsLast;
    let grid = Grid::new(1, classes, &[logits.len() / classes]);
    let spec = LossSpec { kind, layout, denominator: Some(Denominator::PerPixel), ..LossSpec::default() };
    Case { name: format!("{} at 1e4", kind.name()), spec, grid, logits, target }
}

fn hold(context: &Context<'_>, tally: &mut Tally, case: &Case, value: f64, gradient: &[f64], layout: Layout) {
    let relaid = case.relaid(layout);
    let gradient = case.grid.relaid(gradient, case.spec.layout, layout);
    for precision in Precision::ALL {
        let Some(found) = tally.evaluate(context.subject, &relaid, precision) else { continue };
        let bound = if precision == Precision::F64 { &EXTREME } else { &crate::tolerance::VALUE_F32 };
        let name = format!("{}, {layout:?}, {}", case.name, precision.name());
        tally.measure(bound, relative(found.value, value), &name);
        tally.measure(bound, relative_to_max(&found.gradient, &gradient), &format!("{name}, gradient"));
    }
}
