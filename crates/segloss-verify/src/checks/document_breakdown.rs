//! S1 breaks, and that is a fact to be reproduced and reported, not to be hidden.

use crate::check::{Check, Context, Judged};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook;
use segloss::{InstructionSet, Kind, Layout, LossSpec, Source, Threshold, WeightSpec};
use segloss_cases::{Case, Grid, Labels};

pub(super) const CHECK: Check = Check {
    name: "document_breakdown",
    claim: "S1 gives NaN from σ + 0.5 − th = 1 upwards and ∞ or NaN from 0 downwards, as the document's formula does, and says how often",
    judged: Judged::Losses,
    drawn: false,
    run,
};

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

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for (th, z, y, want) in FACTS {
        for precision in Precision::ALL {
            // The fact's pixel among three that are sound, so that the batch holds both sides.
            let case = Case {
                name: format!("th = {th:.3}, z = {z}, y = {y}, {}", precision.name()),
                spec: LossSpec {
                    layout: Layout::ChannelsLast,
                    threshold: Some(Threshold::Document(th)),
                    weights: WeightSpec { source: Source::PerBatch, ..WeightSpec::default() },
                    ..LossSpec::new(Kind::DocumentBinary)
                },
                grid: Grid::new(1, 1, &[2, 2]),
                logits: vec![z, 0.25, 0.5, 0.0],
                target: Labels::Distribution(vec![y, 1.0, 0.0, 0.0]),
                weight_map: None,
                instructions: InstructionSet::best(),
            };
            let textbook = textbook::evaluate::<f64>(&case).map.unwrap_or_default();
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
