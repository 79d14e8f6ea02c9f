//! Large images: the value, and the gradient along random directions.

use crate::check::{Check, Context, Judged};
use crate::compare::relative_to;
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::number::dual::Dual;
use crate::tally::Tally;
use crate::textbook::Textbook;
use crate::tolerance::LARGE_F64;
use rand::RngExt;
use rayon::prelude::*;
use segloss::{Kind, LossSpec};
use segloss_cases::{Grid, LAYOUTS, TargetForm, draw, forms, generator, matrix, spread};

pub(super) const CHECK: Check = Check {
    name: "directions",
    claim: "on 256² pixels the value is the textbook's, and the gradient its derivative along 8 random directions, by dual numbers",
    judged: Judged::Losses,
    drawn: true,
    run,
};

const DIRECTIONS: usize = 8;
const CLASSES: usize = 3;

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let (side, count) = context.effort.of([(32, 1), (48, 1), (256, 1), (256, 6)]);
    let specs = |kind: Kind| matrix::specs(context.seed, "directions", kind, CLASSES, count);
    let specs: Vec<(usize, LossSpec)> =
        context.effort.kinds(context.seed).flat_map(specs).enumerate().collect();
    let tallies: Vec<Tally> = specs.into_par_iter().map(|(i, spec)| one(context, i, side, spec)).collect();
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.join(tally));
    Ok(all)
}

fn one(context: &Context<'_>, i: usize, side: usize, spec: LossSpec) -> Tally {
    let mut tally = Tally::default();
    let name = format!("{}/{i} on {side}²", spec.kind().name());
    let spec = LossSpec { layout: LAYOUTS[i % 2], ..spec };
    let forms = forms(&spec);
    let spread = spread(&spec);
    let form: TargetForm = forms[i % forms.len()];
    let case = draw(context.seed, &name, spec, Grid::new(1, CLASSES, &[side, side]), form, spread);
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
