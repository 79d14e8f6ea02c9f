//! The document's worked example, with the numbers that README and DESIGN quote.

use crate::check::{Check, Context, Judged};
use crate::compare::{bitwise, relative, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::{EXACT, FIXTURE_F32};

pub(super) const CHECK: Check = Check {
    name: "worked_example",
    claim: "the document's example gives TensorFlow's weight, map, mean and gradient (S3) and its class-1 prediction (S4)",
    judged: Judged::Losses,
    drawn: false,
    run,
};

const FOLDER: &str = "worked_example";
/// Per pixel and mean, as TensorFlow prints them.
const MAP: [f64; 4] = [0.4373005, 0.2933663, 0.3799437, 0.246935];
const MEAN: f64 = 0.33938637;

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let wide = |name: &str| -> Result<Vec<f64>, HarnessError> {
        let array = context.fixtures.array::<f32>(&format!("{FOLDER}/{name}"))?;
        Ok(array.iter().map(|&x| f64::from(x)).collect())
    };
    let (gradient, map) = (wide("s3_gradient.npy")?, wide("s3_map.npy")?);
    for target in ["target.npy", "one_hot.npy"] {
        let case = context.fixtures.case(FOLDER, "s3.toml", target)?;
        let Some(found) = tally.evaluate(context.implementation, &case, Precision::F32) else { continue };
        tally.measure(&FIXTURE_F32, relative(found.value, MEAN), &format!("mean, {target}"));
        let own = found.map.unwrap_or_default();
        tally.measure(&FIXTURE_F32, relative_to_max(&own, &MAP), &format!("printed map, {target}"));
        tally.measure(&FIXTURE_F32, relative_to_max(&own, &map), &format!("map, {target}"));
        tally.measure(
            &FIXTURE_F32,
            relative_to_max(&found.gradient, &gradient),
            &format!("gradient, {target}"),
        );
        let third = vec![vec![1.0 / 3.0; 3]];
        tally.require(found.weights == third, &format!("weight, {target}"), || {
            format!("weights are {:?}, expected 1/3 for every class", found.weights)
        });
    }

    let case = context.fixtures.case(FOLDER, "s3.toml", "target.npy")?;
    let scores = wide("logits.npy")?;
    let kept = wide("class_prediction.npy")?;
    for class in 0..3 {
        let name = format!("S4, class {class}");
        let found = context.implementation.class_prediction(&scores, &case.shape(), case.spec.layout, class);
        let Some(found) = tally.accept(found, &name) else { continue };
        let want: Vec<f64> = kept.iter().skip(class).step_by(3).copied().collect();
        tally.measure(&EXACT, bitwise(&found, &want), &name);
        if class == 0 {
            // As the document prints it: [[[[0.], [0.6]], [[0.], [0.]]]].
            tally.measure(&EXACT, bitwise(&found, &[0.0, f64::from(0.6f32), 0.0, 0.0]), "S4 as printed");
        }
    }
    Ok(tally)
}
