//! A batch in which every pixel is ignored has no loss, and says so.

use crate::check::{Check, Context, Judged};
use crate::compare::bitwise;
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::EXACT;
use segloss::Kind;
use segloss_cases::{Grid, IGNORED, Labels, TargetForm, draw, matrix};

pub(super) const CHECK: Check = Check {
    name: "all_ignored",
    claim: "with every pixel ignored the value and the gradient are 0, never NaN, and the result says why",
    judged: Judged::Losses,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let count = context.effort.of([2, 20, 40, 200]);
    for kind in Kind::ALL {
        for (i, spec) in matrix::specs(context.seed, "all_ignored", kind, 3, count).into_iter().enumerate() {
            let name = format!("{}/{i}", kind.name());
            let grid = Grid::new(2, 3, &[4]);
            let mut case = draw(context.seed, &name, spec, grid, TargetForm::Indices, 1.0);
            case.target = Labels::Indices(vec![IGNORED; 8]);
            for precision in Precision::ALL {
                let Some(found) = tally.evaluate(context.implementation, &case, precision) else { continue };
                tally.measure(&EXACT, bitwise(&[found.value], &[0.0]), &name);
                tally.measure(&EXACT, bitwise(&found.gradient, &[0.0; 24]), &name);
                tally.require(found.valid_pixels == 0 && found.says_all_ignored, &name, || {
                    format!("{} valid pixels, and no word that all are ignored", found.valid_pixels)
                });
            }
        }
    }
    Ok(tally)
}
