//! The number of threads changes no bit.

use crate::check::{Check, Context, Judged};
use crate::compare::bitwise;
use crate::error::HarnessError;
use crate::implementation::{Outcome, Precision};
use crate::tally::Tally;
use crate::tolerance::EXACT;
use segloss_cases::{Effort, Grid, TargetForm, draw, forms, matrix, spread};

pub(super) const CHECK: Check = Check {
    name: "threads",
    claim: "1, 2 and 3 threads give the same bits: value, gradient, map and weights",
    judged: Judged::Losses,
    drawn: true,
    run,
};

/// More pixels than any chunk that a sum may be cut into, and no multiple of one.
const SIDES: [usize; 2] = [211, 187];
/// A few chunks of pixels; the labels are counted in one.
const QUICK_SIDES: [usize; 2] = [97, 61];

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
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
            let spread = spread(&spec);
            let case = draw(context.seed, &name, spec, Grid::new(2, 3, &sides), form, spread);
            let case = case.with_drawn_map(context.seed);
            for precision in Precision::ALL {
                let name = format!("{name}/{}", precision.name());
                let mut answers = Vec::new();
                for pool in &pools {
                    answers.extend(pool.install(|| tally.evaluate(context.implementation, &case, precision)));
                }
                let Some((one, others)) = answers.split_first() else { continue };
                for other in others {
                    let sums = |o: &Outcome| [o.value, o.numerator, o.denominator];
                    tally.measure(&EXACT, bitwise(&sums(other), &sums(one)), &format!("{name} value"));
                    tally.measure(
                        &EXACT,
                        bitwise(&other.gradient, &one.gradient),
                        &format!("{name} gradient"),
                    );
                    if let (Some(other), Some(one)) = (&other.map, &one.map) {
                        tally.measure(&EXACT, bitwise(other, one), &format!("{name} map"));
                    }
                    tally.require(other.weights == one.weights, &format!("{name} weights"), || {
                        format!("{:?} and {:?}", other.weights, one.weights)
                    });
                }
            }
        }
    }
    Ok(tally)
}
