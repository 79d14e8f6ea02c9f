//! A pixel that is sure and wrong is what training is for: its gradient must not vanish.

use crate::check::{Check, Context, Judged};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use segloss::kinds::Combined;
use segloss::{InstructionSet, Kind, Layout, LossSpec, Reach, Reduction, Term, Threshold};
use segloss_cases::{Case, Grid, LAYOUTS, Labels, activations};

pub(super) const CHECK: Check = Check {
    name: "confidently_wrong",
    claim: "a pixel that is sure of the wrong class pulls its own class up and the wrong one down, at |z| = 8 and at 40, unless the definition itself says otherwise",
    judged: Judged::Losses,
    drawn: false,
    run,
};

/// How sure the pixels are: logits of ± this, so that σ is 3·10⁻⁴ and 4·10⁻¹⁸, and softmax less.
const SURE: [f64; 2] = [8.0, 40.0];
/// Two pixels of each class; the first of class 1 takes itself for class 0.
const LABELS: [usize; 6] = [1, 0, 0, 1, 2, 2];

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for kind in Kind::ALL {
        for layout in LAYOUTS {
            for spec in specs(kind) {
                for sure in SURE {
                    for precision in Precision::ALL {
                        one(context, &mut tally, &case(&spec, sure).relaid(layout), sure, precision);
                    }
                }
            }
        }
    }
    Ok(tally)
}

/// The kind as it is by default, in each activation.
fn specs(kind: Kind) -> Vec<LossSpec> {
    let layout = Layout::ChannelsLast;
    let plain = LossSpec { layout, ..LossSpec::new(kind) };
    match kind {
        Kind::Combined => {
            let terms =
                [Kind::Dice, Kind::CrossEntropy].map(|kind| Term { factor: 1.0, loss: LossSpec::new(kind) });
            vec![LossSpec { layout, ..Combined::new(terms.to_vec()) }]
        }
        Kind::DocumentBinary => vec![LossSpec { threshold: Some(Threshold::Document(0.5)), ..plain }],
        // Of a mean over pixels each gradient is a share; the sum shows it whole. What classes of regions have stays a
        // share.
        _ if kind.info().takes("reduction") && !kind.sums_regions() && kind.reach() != Reach::WithSlope => {
            activations(&LossSpec { reduction: Some(Reduction::Sum), ..plain })
        }
        _ => activations(&plain),
    }
}

/// Every pixel sure of its class but the first, which is as sure of class 0.
fn case(spec: &LossSpec, sure: f64) -> Case {
    let grid = Grid::new(1, 3, &[LABELS.len()]);
    let mut logits = vec![-sure; grid.len()];
    for (p, &label) in LABELS.iter().enumerate() {
        logits[grid.at(spec.layout, 0, if p == 0 { 0 } else { label }, p)] = sure;
    }
    let (name, target) =
        (format!("{} at {sure}", spec.kind().name()), LABELS.iter().map(|&label| label as i64).collect());
    Case {
        name,
        spec: spec.clone(),
        grid,
        logits,
        target: Labels::Indices(target),
        weight_map: None,
        instructions: InstructionSet::best(),
    }
}

fn one(context: &Context<'_>, tally: &mut Tally, case: &Case, sure: f64, precision: Precision) {
    let Some(found) = tally.evaluate(context.implementation, case, precision) else { return };
    let (own, wrong) = (found.gradient[case.at(0, 1, 0)], found.gradient[case.at(0, 0, 0)]);
    let name = format!("{}, {:?}, {}", case.name, case.spec.activation(), precision.name());
    match case.spec.kind().reach() {
        Reach::Always(least) => {
            tally
                .require(-own >= least, &name, || format!("the class's own gradient is {own}, not −{least}"));
            // S2 knows no negatives.
            let pushed = case.spec.kind() == Kind::DocumentSigmoid || wrong >= 0.1 * least;
            tally.require(pushed, &name, || format!("the wrong class's gradient is {wrong}"));
        }
        Reach::WithSlope => {
            // Of the class alone: a third one, of which the pixel believes as little, may outweigh the wrong
            // one. In f32 nothing may be left of the slope; in f64 it is small, and still there.
            let some = sure < 10.0 || precision == Precision::F64;
            tally.require(own < 0.0 || !some && own == 0.0, &name, || {
                format!("the class's own gradient is {own}")
            });
        }
        Reach::Undefined => return,
    }
    let finite = found.gradient.iter().all(|g| g.is_finite());
    tally.require(finite, &name, || "a gradient is not finite".to_owned());
}
