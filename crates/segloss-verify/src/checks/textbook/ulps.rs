//! Every entry against the correctly rounded number, counted in units of its last place.
//!
//! A softmax begins with z_j − max, and rounds it: what this does to the result no formula can undo. The reference
//! for the softmax kinds is therefore the textbook at the rounded differences, where nothing is rounded yet.

use crate::artifact::{Artifact, UlpCount};
use crate::check::{Context, available_instructions};
use crate::compare::{largest, ulps_f32, ulps_f64};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::{Tolerance, ULPS, ULPS_POWER};
use rand::RngExt;
use segloss::{Activation, Kind, Layout, LossSpec, Reduction};
use segloss_cases::{ByKey, Case, Grid, Labels, generator};
use std::collections::BTreeMap;

/// Logits at which something saturates, cancels or vanishes.
const EDGES: [f64; 15] =
    [0.0, 1e-38, 1e-30, 1e-7, 1e-3, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 17.0, 37.0, 60.0, 80.0];

/// The edges do not depend on the seed: a sweep leaves them to others.
fn edges(context: &Context<'_>) -> &'static [f64] {
    context.effort.of([&[], &EDGES, &EDGES, &EDGES])
}

fn drawn(context: &Context<'_>) -> usize {
    context.effort.of([12, 90, 90, 900])
}

pub(super) fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for precision in Precision::ALL {
        for (spec, bound) in sigmoid_kinds() {
            let case = binary(context, spec);
            hold(context, &mut tally, &case, &case, precision, bound);
        }
        for (spec, bound) in softmax_kinds() {
            for classes in [2, 5] {
                let case = categorical(context, spec.clone(), classes);
                hold(context, &mut tally, &case, &differences(&case, precision), precision, bound);
            }
        }
    }
    Ok(tally)
}

/// Sums without weights and denominators: each entry is one pixel's.
fn plain(kind: Kind) -> LossSpec {
    LossSpec { layout: Layout::ChannelsLast, reduction: Some(Reduction::Sum), ..LossSpec::new(kind) }
}

fn sigmoid_kinds() -> Vec<(LossSpec, &'static Tolerance)> {
    let focal = |gamma: f64| plain(Kind::Focal).with("activation", Activation::Sigmoid).with("gamma", gamma);
    vec![
        (plain(Kind::BinaryCrossEntropy), &ULPS),
        (plain(Kind::DocumentSigmoid), &ULPS),
        (focal(0.0), &ULPS),
        (focal(2.0), &ULPS_POWER),
        (focal(0.5), &ULPS_POWER),
    ]
}

fn softmax_kinds() -> Vec<(LossSpec, &'static Tolerance)> {
    let focal = |gamma: f64| plain(Kind::Focal).with("gamma", gamma);
    vec![
        (plain(Kind::CrossEntropy), &ULPS),
        (plain(Kind::Poly1CrossEntropy), &ULPS),
        (focal(0.0), &ULPS),
        (focal(2.0), &ULPS_POWER),
        (focal(0.5), &ULPS_POWER),
    ]
}

/// One channel; every logit as a positive and as a negative.
fn binary(context: &Context<'_>, spec: LossSpec) -> Case {
    let mut rng = generator(context.seed, "ulps of sigmoids");
    let drawn = (0..drawn(context)).map(|_| f64::from((rng.random::<f64>() * 160.0 - 80.0) as f32));
    let z: Vec<f64> =
        edges(context).iter().flat_map(|&z| [z, -z]).chain(drawn).map(|z| f64::from(z as f32)).collect();
    let labels = (0..2 * z.len()).map(|i| (i % 2) as i64).collect();
    let logits: Vec<f64> = z.iter().flat_map(|&z| [z, z]).collect();
    let grid = Grid::new(1, 1, &[logits.len()]);
    Case::new(name(&spec), spec, grid, logits, Labels::Indices(labels))
}

/// Pixels whose classes are far apart, near, or tied; the label is each class in turn.
fn categorical(context: &Context<'_>, spec: LossSpec, classes: usize) -> Case {
    let edges = edges(context);
    let mut rng = generator(context.seed, "ulps of softmaxes");
    let mut logits = Vec::new();
    for i in 0..edges.len() + drawn(context) {
        let spread = edges.get(i).copied().unwrap_or(160.0 * rng.random::<f64>());
        let first = rng.random::<f64>() * (80.0 - spread / 2.0);
        for c in 0..classes {
            // The first two classes are `spread` apart, the others anywhere below.
            let z = match c {
                0 => first + spread / 2.0,
                1 => first - spread / 2.0,
                _ => first - spread / 2.0 - 10.0 * rng.random::<f64>(),
            };
            logits.push(f64::from(z.clamp(-80.0, 80.0) as f32));
        }
    }
    let pixels = logits.len() / classes;
    let labels = (0..pixels).map(|p| (p % classes) as i64).collect();
    let grid = Grid::new(1, classes, &[pixels]);
    let name = format!("{}, {classes} classes", name(&spec));
    Case::new(name, spec, grid, logits, Labels::Indices(labels))
}

fn name(spec: &LossSpec) -> String {
    match spec.number("gamma") {
        Some(gamma) => format!("ulps of {} with γ = {gamma}", spec.kind().name()),
        None => format!("ulps of {}", spec.kind().name()),
    }
}

/// The same pixels with z_j − max for z_j, rounded to the precision.
fn differences(case: &Case, precision: Precision) -> Case {
    let mut out = case.clone();
    out.name = format!("{}, differences in {}", case.name, precision.name());
    for pixel in out.logits.chunks_mut(case.grid.classes) {
        let max = pixel.iter().copied().fold(f64::MIN, f64::max);
        for z in pixel {
            *z = match precision {
                Precision::F32 => f64::from(*z as f32 - max as f32),
                Precision::F64 => *z - max,
            };
        }
    }
    out
}

fn hold(
    context: &Context<'_>,
    tally: &mut Tally,
    case: &Case,
    reference: &Case,
    precision: Precision,
    bound: &'static Tolerance,
) {
    let want = context.exact.of(reference);
    for instructions in available_instructions() {
        let case = Case { instructions, ..case.clone() };
        let Some(found) = tally.evaluate(context.implementation, &case, precision) else { continue };
        let map = found.map.unwrap_or_default();
        let of_map = each(&map, &want.narrow.0, want.answer.map.as_deref(), precision);
        let of_gradient = each(&found.gradient, &want.narrow.1, Some(&want.gradient), precision);
        let name = |part| format!("{} {} {} {part}", case.name, precision.name(), instructions.name());
        tally.measure(bound, largest(of_map.iter().copied()), &name("loss"));
        tally.measure(bound, largest(of_gradient.iter().copied()), &name("gradient"));
        let mut counts = BTreeMap::<u64, u64>::new();
        for ulps in of_map.into_iter().chain(of_gradient) {
            *counts.entry(ulps as u64).or_default() += 1;
        }
        let loss = case.name.trim_start_matches("ulps of ").to_owned();
        let (precision, bound) = (precision.name(), bound.bound);
        let count = |(ulps, count)| UlpCount { loss: loss.clone(), precision, ulps, count, bound };
        tally.artifacts.push(Artifact::Ulps(counts.into_iter().map(count).collect()));
    }
}

/// Units in the last place, entry by entry.
fn each(got: &[f64], narrow: &[f32], wide: Option<&[f64]>, precision: Precision) -> Vec<f64> {
    let wide = wide.unwrap_or_default();
    if got.is_empty() || [narrow.len(), wide.len()] != [got.len(); 2] {
        return vec![f64::INFINITY];
    }
    match precision {
        Precision::F32 => got.iter().zip(narrow).map(|(got, want)| ulps_f32(*got as f32, *want)).collect(),
        Precision::F64 => got.iter().zip(wide).map(|(got, want)| ulps_f64(*got, *want)).collect(),
    }
}
