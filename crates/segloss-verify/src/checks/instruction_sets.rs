//! What a loss is computed with changes no more than roundings.

use crate::check::{Check, Context, Judged};
use crate::compare::{bitwise, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook::scale;
use crate::tolerance::{EXACT, INSTRUCTIONS_F64};
use segloss::InstructionSet;
use segloss_cases::{Case, matrix};

pub(super) const CHECK: Check = Check {
    name: "instruction_sets",
    claim: "AVX2 and AVX-512 give the same bits, where the machine has them, and portable instructions the same but for rounding",
    judged: Judged::Losses,
    drawn: true,
    run,
};

/// Those of this machine, the plainest first.
pub(super) fn available() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.into_iter().filter(|set| set.is_available())
}

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for case in matrix::cases(context.seed, context.effort) {
        for precision in Precision::ALL {
            hold(context, &mut tally, &case, precision);
        }
    }
    Ok(tally)
}

fn hold(context: &Context<'_>, tally: &mut Tally, case: &Case, precision: Precision) {
    let Some(best) = tally.evaluate(context.implementation, case, precision) else { return };
    for instructions in available() {
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
