//! The same input, computed otherwise: with other instructions, in parts, on more threads.

use crate::check::{Context, available_instructions};
use crate::compare::{bitwise, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::{Outcome, Precision};
use crate::tally::Tally;
use crate::textbook::scale;
use crate::tolerance::{EXACT, INSTRUCTIONS_F64, LAW_F64};
use segloss::InstructionSet;
use segloss_cases::{Case, Effort, Grid, TargetForm, draw, form, forms, matrix};
use std::ops::Range;

pub(super) fn instruction_sets(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for case in matrix::cases(context.seed, context.effort) {
        for precision in Precision::ALL {
            with_each_instruction_set(context, &mut tally, &case, precision);
        }
    }
    Ok(tally)
}

fn with_each_instruction_set(context: &Context<'_>, tally: &mut Tally, case: &Case, precision: Precision) {
    let Some(best) = tally.evaluate(context.implementation, case, precision) else { return };
    for instructions in available_instructions() {
        let case = Case { instructions, ..case.clone() };
        let Some(found) = tally.evaluate(context.implementation, &case, precision) else { continue };
        let name = format!("{} {} {}", case.name, precision.name(), instructions.name());
        if instructions != InstructionSet::Portable {
            tally.measure(&EXACT, bitwise(&[found.value], &[best.value]), &name);
            tally.measure(&EXACT, bitwise(&found.gradient, &best.gradient), &name);
        } else if precision == Precision::F64 {
            let value = relative_to(found.value, best.value, scale(&case, best.value));
            tally.measure(&INSTRUCTIONS_F64, value, &name);
            tally.measure(&INSTRUCTIONS_F64, relative_to_max(&found.gradient, &best.gradient), &name);
        }
    }
}

/// Ways to cut four images.
const CUTS: [&[Range<usize>]; 3] = [&[0..3, 3..4], &[0..1, 1..4], &[0..1, 1..2, 2..3, 3..4]];

/// A batch in parts is the batch: the reduction is a monoid.
pub(super) fn partition(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for (kind, i, spec) in context.sampled("partition", [2, 12, 70, 350]) {
        let form = form(&spec, i);
        let name = format!("{}/{i}/{form:?}", kind.name()).to_lowercase();
        let case = draw(context.seed, &name, spec, Grid::new(4, 3, &[5, 2]), form);
        let case = if i % 3 == 0 { case.with_drawn_map(context.seed) } else { case };
        in_parts(context, &mut tally, &case);
    }
    Ok(tally)
}

fn in_parts(context: &Context<'_>, tally: &mut Tally, case: &Case) {
    let Some(whole) = tally.evaluate(context.implementation, case, Precision::F64) else { return };
    let is_additive = case.spec.kind().is_additive();
    for cut in CUTS {
        let name = format!("{} in {} parts", case.name, cut.len());
        let parts = context.implementation.evaluate_in_parts(case, cut);
        let Some(parts) = tally.accept(parts, &name) else { continue };
        tally.measure(&LAW_F64, relative_to(parts.value, whole.value, scale(case, whole.value)), &name);
        match is_additive {
            // What a pixel's gradient needs of the others, their labels say.
            true => tally.measure(&EXACT, bitwise(&parts.gradient, &whole.gradient), &name),
            // Sums over a region come together in another order.
            false => tally.measure(&LAW_F64, relative_to_max(&parts.gradient, &whole.gradient), &name),
        }
        tally.require(parts.at_once.is_some() == is_additive, &name, || {
            "a gradient before all parts are known, or none where it needs no other part".to_owned()
        });
        if let Some(at_once) = &parts.at_once {
            tally.measure(&EXACT, bitwise(at_once, &parts.gradient), &name);
        }
    }
}

/// More pixels than any chunk that a sum may be cut into, and no multiple of one.
const SIDES: [usize; 2] = [211, 187];
/// A few chunks of pixels; the labels are counted in one.
const QUICK_SIDES: [usize; 2] = [97, 61];

pub(super) fn threads(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let pools = (1..=3)
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.map_err(|error| HarnessError::Threads { threads, what: error.to_string() })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (sides, wanted): (_, &[TargetForm]) = match context.effort {
        Effort::Sweep | Effort::Quick => (QUICK_SIDES, &[TargetForm::Soft]),
        Effort::Default | Effort::Full => (SIDES, &[TargetForm::Indices, TargetForm::Soft]),
    };
    for kind in context.effort.kinds(context.seed) {
        let specs = matrix::specs(context.seed, "threads", kind, 3, wanted.len());
        for (i, spec) in specs.into_iter().enumerate() {
            let taken = forms(&spec);
            let form = if taken.contains(&wanted[i]) { wanted[i] } else { taken[0] };
            let name = format!("{}/{i}/{form:?}", kind.name()).to_lowercase();
            let case = draw(context.seed, &name, spec, Grid::new(2, 3, &sides), form);
            let case = case.with_drawn_map(context.seed);
            for precision in Precision::ALL {
                let evaluate = || tally.evaluate(context.implementation, &case, precision);
                let answers = on_each(&pools, evaluate);
                same_bits(&mut tally, &format!("{name}/{}", precision.name()), &answers);
            }
        }
    }
    Ok(tally)
}

fn on_each<T: Send>(pools: &[rayon::ThreadPool], mut f: impl FnMut() -> Option<T> + Send) -> Vec<T> {
    pools.iter().filter_map(|pool| pool.install(&mut f)).collect()
}

fn same_bits(tally: &mut Tally, name: &str, answers: &[Outcome]) {
    let Some((one, others)) = answers.split_first() else { return };
    let sums = |o: &Outcome| [o.value, o.numerator, o.denominator];
    for other in others {
        tally.measure(&EXACT, bitwise(&sums(other), &sums(one)), &format!("{name} value"));
        tally.measure(&EXACT, bitwise(&other.gradient, &one.gradient), &format!("{name} gradient"));
        if let (Some(other), Some(one)) = (&other.map, &one.map) {
            tally.measure(&EXACT, bitwise(other, one), &format!("{name} map"));
        }
        tally.require(other.weights == one.weights, &format!("{name} weights"), || {
            format!("{:?} and {:?}", other.weights, one.weights)
        });
    }
}
