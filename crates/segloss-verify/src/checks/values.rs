//! Values, maps, sums and weights against the textbook.

use crate::check::{Check, Context, Judged};
use crate::compare::{largest, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::exact::Exact;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::{GRADIENT_F32, MAP_F64, SCALED_F32, SCALED_F64, VALUE_F32, VALUE_F64, scaled};

pub(super) const F64: Check = Check {
    name: "values_f64",
    claim: "value, numerator, denominator, weights and loss map are the textbook's, in f64",
    judged: Judged::Losses,
    drawn: true,
    run: f64_,
};

pub(super) const F32: Check = Check {
    name: "values_f32",
    claim: "f32 gives the textbook's value and the f64 gradient to f32's precision",
    judged: Judged::Losses,
    drawn: true,
    run: f32_,
};

fn f64_(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for Exact { case, answer: want, .. } in context.exact.get() {
        let Some(found) = tally.evaluate(context.implementation, case, Precision::F64) else { continue };
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
    Ok(tally)
}

/// Well above 1e-38, below which f32 has no full precision.
const VANISHING: f64 = 1e-30;

fn f32_(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for Exact { case, answer: want, .. } in context.exact.get() {
        let Some(wide) = tally.evaluate(context.implementation, case, Precision::F64) else { continue };
        let Some(found) = tally.evaluate(context.implementation, case, Precision::F32) else { continue };
        let steepest = largest(wide.gradient.iter().map(|g| g.abs()));
        if want.magnitude < VANISHING && steepest < VANISHING {
            // All pixels are right and sure: what is left of a loss is below f32's range.
            let small = found.gradient.iter().chain([&found.value]).all(|x| x.abs() < VANISHING);
            tally.require(small, &case.name, || format!("f32 gives {} for {}", found.value, want.value));
            continue;
        }
        let [of_value, of_gradient] =
            [&VALUE_F32, &GRADIENT_F32].map(|usual| scaled(&case.spec, &SCALED_F32, usual));
        tally.measure(of_value, relative_to(found.value, want.value, want.magnitude), &case.name);
        tally.measure(of_gradient, relative_to_max(&found.gradient, &wide.gradient), &case.name);
    }
    Ok(tally)
}
