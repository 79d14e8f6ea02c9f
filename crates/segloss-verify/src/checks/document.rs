//! What the source document's own losses do, right or wrong.

use crate::check::{Check, Context, DRAWN, FIXED};
use crate::compare::{bitwise, relative, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook::class_prediction::class_prediction as by_definition;
use crate::textbook::evaluate;
use crate::tolerance::{EXACT, LAW_F64};
use rand::RngExt;
use segloss::{Kind, Layout, LossSpec, Reduction, Source, Threshold, WeightSpec};
use segloss_cases::{Case, Grid, LAYOUTS, Labels, TargetForm, draw, generator};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "document_breakdown",
        claim: "S1 gives NaN from σ + 0.5 − th = 1 upwards and ∞ or NaN from 0 downwards, as the document's formula does, and says how often",
        run: breakdown,
        ..FIXED
    },
    Check {
        name: "document_weight",
        claim: "S3's weight is exactly 1/C for every class of any one-hot target, so that S3 is cross-entropy / C",
        run: weight,
        ..DRAWN
    },
    Check {
        name: "class_prediction",
        claim: "S4 keeps a class's score where it is the first largest of its pixel, and 0 elsewhere",
        run: class_prediction,
        ..DRAWN
    },
];

/// (th, z, y, what the pixel's loss is).
const FACTS: [(f64, f64, f64, Breaks); 8] = [
    (1.0 / 3.0, 2.0, 1.0, Breaks::Nan),
    (1.0 / 3.0, 3.0, 1.0, Breaks::Nan),
    (1.0 / 3.0, 2.0, 0.0, Breaks::Nan),
    (1.0 / 3.0, 1.0, 0.0, Breaks::Not),
    (0.7, -4.0, 1.0, Breaks::Infinite),
    (0.7, -4.0, 0.0, Breaks::Nan),
    (0.5, 10.0, 1.0, Breaks::Not),
    // Even th = ½ breaks, where σ rounds to 1: 0·ln 0 for the other side.
    (0.5, 40.0, 1.0, Breaks::Nan),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Breaks {
    Nan,
    Infinite,
    Not,
}

fn breaks(x: f64) -> Breaks {
    match x {
        x if x.is_nan() => Breaks::Nan,
        x if x.is_infinite() => Breaks::Infinite,
        _ => Breaks::Not,
    }
}

/// S1 breaks, and that is a fact to be reproduced and reported, not to be hidden.
fn breakdown(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for (th, z, y, want) in FACTS {
        for precision in Precision::ALL {
            // The fact's pixel among three that are sound, so that the batch holds both sides.
            let spec = LossSpec {
                layout: Layout::ChannelsLast,
                threshold: Some(Threshold::Document(th)),
                weights: WeightSpec { source: Source::PerBatch, ..WeightSpec::default() },
                ..LossSpec::new(Kind::DocumentBinary)
            };
            let name = format!("th = {th:.3}, z = {z}, y = {y}, {}", precision.name());
            let target = Labels::Distribution(vec![y, 1.0, 0.0, 0.0]);
            let case = Case::new(name, spec, Grid::new(1, 1, &[2, 2]), vec![z, 0.25, 0.5, 0.0], target);
            let textbook = evaluate::<f64>(&case).map.unwrap_or_default();
            tally.require(breaks(textbook[0]) == want, &case.name, || "the textbook disagrees".to_owned());
            let Some(found) = tally.evaluate(context.implementation, &case, precision) else { continue };
            let map = found.map.unwrap_or_default();
            tally.require(map.first().is_some_and(|&loss| breaks(loss) == want), &case.name, || {
                format!("the pixels' losses are {map:?}, expected {want:?} first")
            });
            tally.require(breaks(found.value) == want, &case.name, || {
                format!("the mean is {}, expected {want:?}", found.value)
            });
            tally.require((found.broken > 0) == (want != Breaks::Not), &case.name, || {
                format!("{} broken entries reported, expected {want:?}", found.broken)
            });
            tally.require(map.iter().skip(1).all(|x| x.is_finite()), &case.name, || {
                "the break spread to other pixels".to_owned()
            });
        }
    }
    Ok(tally)
}

/// S3's weight balances nothing: it is 1/C for any one-hot target.
fn weight(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for classes in 2..=12 {
        for layout in LAYOUTS {
            for form in [TargetForm::Indices, TargetForm::OneHot] {
                let spec = LossSpec { layout, ..LossSpec::new(Kind::DocumentCategorical) };
                let name = format!("{classes} classes, {layout:?}, {form:?}");
                let grid = Grid::new(2, classes, &[4, 5]);
                let case = draw(context.seed, &name, spec, grid, form);
                let Some(found) = tally.evaluate(context.implementation, &case, Precision::F64) else {
                    continue;
                };
                let want = 1.0 / classes as f64;
                tally.require(found.weights.iter().flatten().all(|&w| w == want), &name, || {
                    format!("weights are {:?}, expected {want}", found.weights)
                });

                let mut plain = case.clone();
                plain.spec.options = Kind::CrossEntropy.options();
                plain.spec.reduction = Some(Reduction::MeanValid);
                let Some(plain) = tally.evaluate(context.implementation, &plain, Precision::F64) else {
                    continue;
                };
                let scaled: Vec<f64> = plain.gradient.iter().map(|g| g / classes as f64).collect();
                tally.measure(&LAW_F64, relative(found.value, plain.value / classes as f64), &name);
                tally.measure(&LAW_F64, relative_to_max(&found.gradient, &scaled), &name);
            }
        }
    }
    Ok(tally)
}

/// S4 on drawn scores, ties included.
fn class_prediction(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for layout in LAYOUTS {
        for grid in [Grid::new(2, 3, &[5, 4]), Grid::new(1, 5, &[30]), Grid::new(3, 2, &[2, 3, 2])] {
            let name = format!("{layout:?}, {:?}", grid.shape(layout));
            let mut rng = generator(context.seed, &name);
            // Few levels, so that ties are common.
            let scores: Vec<f64> =
                (0..grid.len()).map(|_| f64::from(rng.random_range(0..4u8)) * 0.25).collect();
            for class in 0..grid.classes {
                let found =
                    context.implementation.class_prediction(&scores, &grid.shape(layout), layout, class);
                let Some(found) = tally.accept(found, &name) else { continue };
                let want = by_definition(&scores, &grid, layout, class);
                tally.measure(&EXACT, bitwise(&found, &want), &format!("{name}, class {class}"));
            }
        }
    }
    Ok(tally)
}
