//! S3's weight balances nothing: it is 1/C for any one-hot target.

use crate::check::{Check, Context, Judged};
use crate::compare::{relative, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::LAW_F64;
use segloss::{Kind, LossSpec, Reduction};
use segloss_cases::{Grid, LAYOUTS, TargetForm, draw};

pub(super) const CHECK: Check = Check {
    name: "document_weight",
    claim: "S3's weight is exactly 1/C for every class of any one-hot target, so that S3 is cross-entropy / C",
    judged: Judged::Losses,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for classes in 2..=12 {
        for layout in LAYOUTS {
            for form in [TargetForm::Indices, TargetForm::OneHot] {
                let spec = LossSpec { layout, ..LossSpec::new(Kind::DocumentCategorical) };
                let name = format!("{classes} classes, {layout:?}, {form:?}");
                let grid = Grid::new(2, classes, &[4, 5]);
                let case = draw(context.seed, &name, spec, grid, form, 4.0);
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
