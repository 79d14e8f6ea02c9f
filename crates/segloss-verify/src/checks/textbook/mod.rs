//! What is compared with the textbook.

mod extremes;
mod ulps;

use crate::artifact::{Artifact, StepError};
use crate::check::{Check, Context, DRAWN, FIXED};
use crate::compare::{largest, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::exact::{Exact, are_unsure};
use crate::finite_difference::{by_one, central};
use crate::implementation::{Outcome, Precision};
use crate::number::dual::Dual;
use crate::tally::Tally;
use crate::textbook::Textbook;
use crate::tolerance::{
    GRADIENT_EXACT, GRADIENT_F32, GRADIENT_F64, LARGE_F64, MAP_F64, SCALED_F32, SCALED_F64, VALUE_F32,
    VALUE_F64, scaled,
};
use rand::RngExt;
use rayon::prelude::*;
use segloss::{Kind, LossSpec};
use segloss_cases::{Effort, Grid, LAYOUTS, draw, form, generator, matrix};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "values_f64",
        claim: "value, numerator, denominator, weights and loss map are the textbook's, in f64",
        run: |context| each_drawn(context, sums_map_and_weights),
        ..DRAWN
    },
    Check {
        name: "values_f32",
        claim: "f32 gives the textbook's value and the f64 gradient to f32's precision",
        run: |context| each_drawn(context, in_single_precision),
        ..DRAWN
    },
    Check {
        name: "gradients",
        claim: "the gradient of every kind, source, scheme, layout and form of target is the textbook's derivative",
        run: finite_differences,
        ..DRAWN
    },
    Check {
        name: "exact_gradients",
        claim: "the gradient of every kind is the textbook's derivative, by dual numbers of 320 bits",
        run: |context| each_drawn(context, gradient),
        ..DRAWN
    },
    Check {
        name: "directions",
        claim: "on 256² pixels the value is the textbook's, and the gradient its derivative along 8 random directions, by dual numbers",
        run: directions,
        ..DRAWN
    },
    Check {
        name: "ulps",
        claim: "each pixel's loss and each entry of the gradient is right to a few units in the last place, |z| ≤ 80, sure pixels included",
        run: ulps::run,
        ..DRAWN
    },
    Check {
        name: "edges",
        claim: "a single pixel of one, two or three classes, |z| = 0, 1e-300, 80 or 1e4, tied or not, has the textbook's value and gradient",
        run: extremes::edges,
        ..FIXED
    },
    Check {
        name: "extreme_logits",
        claim: "|z| = 1e4 gives the closed form's value and gradient where there is one, and never NaN or infinity",
        run: extremes::extreme_logits,
        ..DRAWN
    },
    Check {
        name: "confidently_wrong",
        claim: "a pixel that is sure of the wrong class pulls its own class up and the wrong one down, at |z| = 8 and at 40, unless the definition itself says otherwise",
        run: extremes::confidently_wrong,
        ..FIXED
    },
];

/// Every drawn case, evaluated in f64 and compared with what the textbook makes of it in 320 bits.
fn each_drawn(
    context: &Context<'_>,
    compare: fn(&Context<'_>, &mut Tally, &Exact, &Outcome),
) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for exact in context.exact.get() {
        if let Some(found) = tally.evaluate(context.implementation, &exact.case, Precision::F64) {
            compare(context, &mut tally, exact, &found);
        }
    }
    Ok(tally)
}

fn sums_map_and_weights(
    _: &Context<'_>,
    tally: &mut Tally,
    Exact { case, answer: want, .. }: &Exact,
    found: &Outcome,
) {
    let [of_value, of_map] = [&VALUE_F64, &MAP_F64].map(|usual| scaled(&case.spec, &SCALED_F64, usual));
    for (part, found, want, scale) in [
        ("value", found.value, want.value, want.magnitude),
        ("numerator", found.numerator, want.numerator, want.magnitude * want.denominator),
        ("denominator", found.denominator, want.denominator, want.denominator),
    ] {
        tally.measure(of_value, relative_to(found, want, scale), &format!("{} {part}", case.name));
    }
    match (&found.map, &want.map) {
        (Some(found), Some(want)) => {
            tally.measure(of_map, relative_to_max(found, want), &format!("{} map", case.name));
        }
        (found, want) => tally.require(found.is_none() && want.is_none(), &case.name, || {
            "a map where the loss is no sum over pixels, or none where it is".to_owned()
        }),
    }
    // One row stands for every image of a scope that is the batch.
    for (n, want) in want.weights.iter().enumerate() {
        let row = found.weights.get(n.min(found.weights.len().saturating_sub(1)));
        let off = row.map_or(f64::INFINITY, |row| relative_to_max(row, want));
        tally.measure(&VALUE_F64, off, &format!("{} weights of image {n}", case.name));
    }
}

/// Well above 1e-38, below which f32 has no full precision.
const VANISHING: f64 = 1e-30;

fn in_single_precision(
    context: &Context<'_>,
    tally: &mut Tally,
    Exact { case, answer: want, .. }: &Exact,
    wide: &Outcome,
) {
    let Some(found) = tally.evaluate(context.implementation, case, Precision::F32) else { return };
    let steepest = largest(wide.gradient.iter().map(|g| g.abs()));
    if want.magnitude < VANISHING && steepest < VANISHING {
        // All pixels are right and sure: what is left of a loss is below f32's range.
        let small = found.gradient.iter().chain([&found.value]).all(|x| x.abs() < VANISHING);
        return tally.require(small, &case.name, || format!("f32 gives {} for {}", found.value, want.value));
    }
    let [of_value, of_gradient] =
        [&VALUE_F32, &GRADIENT_F32].map(|usual| scaled(&case.spec, &SCALED_F32, usual));
    tally.measure(of_value, relative_to(found.value, want.value, want.magnitude), &case.name);
    tally.measure(of_gradient, relative_to_max(&found.gradient, &wide.gradient), &case.name);
}

fn gradient(_: &Context<'_>, tally: &mut Tally, exact: &Exact, found: &Outcome) {
    let bound = scaled(&exact.case.spec, &SCALED_F64, &GRADIENT_EXACT);
    tally.measure(bound, relative_to_max(&found.gradient, &exact.gradient), &exact.case.name);
}

/// The share of the cases that may be left to the exact gradients alone. An oracle that does not know its own
/// answer may not vouch for anybody's: where a loss hardly depends on its logits (an absent class, beside a small
/// s), its differences are lost in its rounding.
const UNSURE: f64 = 0.02;
/// As many, where cases are too few for a share to say much.
const UNSURE_OF_FEW: f64 = 5.0;

fn finite_differences(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let cases = context.exact.differences();
    let mut unsure = Vec::new();
    for (case, derivatives) in cases {
        let Some(found) = tally.evaluate(context.implementation, case, Precision::F64) else { continue };
        let want: Vec<f64> = derivatives.iter().map(|d| d.value).collect();
        if are_unsure(derivatives) {
            // The estimate holds the rounding of the values: it is 0 only where all of them were. Whether such a loss is
            // constant or below all numbers, differences cannot see, and need not.
            if derivatives.iter().any(|d| d.error > 0.0) {
                unsure.push(&case.name);
            }
            continue;
        }
        tally.measure(&GRADIENT_F64, relative_to_max(&found.gradient, &want), &case.name);
    }
    let allowed = f64::max(UNSURE_OF_FEW, UNSURE * cases.len() as f64);
    tally.require(unsure.len() as f64 <= allowed, "finite differences", || {
        format!("they do not know their own answer for {unsure:?}")
    });
    tally.artifacts.push(Artifact::Steps(step_errors(context, &mut tally.clone())));
    Ok(tally)
}

/// How the error of one central difference falls with its step (h², truncation) and rises again (1/h,
/// rounding): drawn in the report, to show that the comparison could see an error if there were one.
fn step_errors(context: &Context<'_>, tally: &mut Tally) -> Vec<StepError> {
    let mut errors = Vec::new();
    for kind in Kind::ALL {
        let Some(case) = matrix::of_kind(context.seed, Effort::Quick, kind).into_iter().next() else {
            continue;
        };
        let Some(found) = tally.evaluate(context.implementation, &case, Precision::F64) else { continue };
        let textbook = Textbook::of(&case);
        for exponent in 0..=32 {
            let h = 10f64.powf(-f64::from(exponent) / 3.0) * 0.2;
            let slope = |i: usize| {
                let mut z = case.logits.clone();
                central(by_one(&mut z, |z| &mut z[i], |z| textbook.at(z).value), case.logits[i], h)
            };
            let slopes: Vec<f64> = (0..case.logits.len()).map(slope).collect();
            let error = relative_to_max(&slopes, &found.gradient);
            errors.push(StepError { kind: kind.name().to_owned(), step: h, error });
        }
    }
    errors
}

const DIRECTIONS: usize = 8;
const CLASSES: usize = 3;

/// Large images: the value, and the gradient along random directions.
fn directions(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let (side, count) = context.effort.of([(32, 1), (48, 1), (256, 1), (256, 6)]);
    let specs = |kind: Kind| matrix::specs(context.seed, "directions", kind, CLASSES, count);
    let specs: Vec<(usize, LossSpec)> =
        context.effort.kinds(context.seed).flat_map(specs).enumerate().collect();
    let tallies: Vec<Tally> =
        specs.into_par_iter().map(|(i, spec)| along_directions(context, i, side, spec)).collect();
    Ok(tallies.into_iter().collect())
}

fn along_directions(context: &Context<'_>, i: usize, side: usize, spec: LossSpec) -> Tally {
    let mut tally = Tally::default();
    let name = format!("{}/{i} on {side}²", spec.kind().name());
    let (form, spec) = (form(&spec, i), LossSpec { layout: LAYOUTS[i % 2], ..spec });
    let case = draw(context.seed, &name, spec, Grid::new(1, CLASSES, &[side, side]), form);
    let Some(found) = tally.evaluate(context.implementation, &case, Precision::F64) else { return tally };
    let mut rng = generator(context.seed, &format!("directions of {name}"));
    // Exact in few bits: the products with the gradient are rounded once.
    let mut rate = || f64::from(rng.random_range(-64..=64i8)) / 64.0;
    let directions: Vec<[f64; DIRECTIONS]> =
        case.logits.iter().map(|_| std::array::from_fn(|_| rate())).collect();
    let moving = |(&z, rates): (&f64, &[f64; DIRECTIONS])| Dual::moving(z, *rates);
    let logits: Vec<Dual<f64>> = case.logits.iter().zip(&directions).map(moving).collect();
    let want = Textbook::of(&context.exact.read(&case)).at(&logits);
    let value = relative_to(found.value, want.value.value, want.magnitude.value);
    tally.measure(&LARGE_F64, value, &format!("{name} value"));
    for d in 0..DIRECTIONS {
        // Random signs nearly cancel: the scale is that of the terms.
        let terms = || found.gradient.iter().zip(&directions).map(|(g, rates)| g * rates[d]);
        let (slope, scale) = (terms().sum(), terms().map(f64::abs).sum());
        let off = relative_to(slope, want.value.slope(d), scale);
        tally.measure(&LARGE_F64, off, &format!("{name} direction {d}"));
    }
    tally
}
