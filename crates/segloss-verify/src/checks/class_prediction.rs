//! S4 on drawn scores, ties included.

use crate::check::{Check, Context, Judged};
use crate::compare::bitwise;
use crate::error::HarnessError;
use crate::tally::Tally;
use crate::textbook;
use crate::tolerance::EXACT;
use rand::RngExt;
use segloss_cases::{Grid, LAYOUTS, generator};

pub(super) const CHECK: Check = Check {
    name: "class_prediction",
    claim: "S4 keeps a class's score where it is the first largest of its pixel, and 0 elsewhere",
    judged: Judged::Losses,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for layout in LAYOUTS {
        for grid in [Grid::new(2, 3, &[5, 4]), Grid::new(1, 5, &[30]), Grid::new(3, 2, &[2, 3, 2])] {
            let name = format!("{layout:?}, {:?}", grid.shape(layout));
            let mut rng = generator(context.seed, &name);
            // Few levels, so that ties are common.
            let scores: Vec<f64> =
                (0..grid.len()).map(|_| f64::from(rng.random_range(0..4u8)) * 0.25).collect();
            for class in 0..grid.classes {
                let found =
                    context.implementation.class_prediction(&scores, &grid.shape(layout), layout, class);
                let Some(found) = tally.accept(found, &name) else { continue };
                let want = textbook::class_prediction::class_prediction(&scores, &grid, layout, class);
                tally.measure(&EXACT, bitwise(&found, &want), &format!("{name}, class {class}"));
            }
        }
    }
    Ok(tally)
}
