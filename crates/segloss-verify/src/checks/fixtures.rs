//! The golden numbers: of the document's worked example, of frameworks, and of the code that papers' authors published.

use crate::check::{Check, Context, FIXED, Judged};
use crate::compare::{bitwise, relative, relative_to_max, relative_where_finite};
use crate::error::HarnessError;
use crate::fixtures::FRAMEWORKS;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::{EXACT, FIXTURE_F32, FIXTURE_F64};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "fixture_files",
        claim: "every fixture is the file whose hash was recorded when it was made",
        judged: Judged::Run,
        run: files,
        ..FIXED
    },
    Check {
        name: "worked_example",
        claim: "the document's example gives TensorFlow's weight, map, mean and gradient (S3) and its class-1 prediction (S4)",
        run: worked_example,
        ..FIXED
    },
    Check {
        name: "fixtures_tensorflow",
        claim: "values and gradients agree with TensorFlow's and Keras', S1's NaN and infinity included",
        run: |context| golden(context, &FRAMEWORKS[0..=0]),
        ..FIXED
    },
    Check {
        name: "fixtures_torch",
        claim: "values and gradients agree with PyTorch's",
        run: |context| golden(context, &FRAMEWORKS[1..=1]),
        ..FIXED
    },
    Check {
        name: "fixtures_monai",
        claim: "values and gradients agree with MONAI's and torchvision's",
        run: |context| golden(context, &FRAMEWORKS[2..=2]),
        ..FIXED
    },
    Check {
        name: "fixtures_optax",
        claim: "values and gradients agree with Optax'",
        run: |context| golden(context, &FRAMEWORKS[3..=3]),
        ..FIXED
    },
    Check {
        name: "fixtures_keras",
        claim: "values and gradients agree with Keras' newer losses",
        run: |context| golden(context, &FRAMEWORKS[4..=4]),
        ..FIXED
    },
    Check {
        name: "fixtures_papers",
        claim: "values and gradients agree with the code that the papers' authors published",
        run: |context| golden(context, &FRAMEWORKS[5..]),
        ..FIXED
    },
    Check {
        name: "fixtures_known_wrong",
        claim: "where a formula or call in use is known to be wrong, the subject does not follow it",
        run: known_wrong,
        ..FIXED
    },
];

fn files(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let (listed, wrong) = context.fixtures.audit()?;
    for _ in wrong.len()..listed {
        tally.require(true, "", String::new);
    }
    for what in wrong {
        tally.require(false, "fixtures", || what);
    }
    Ok(tally)
}

const FOLDER: &str = "worked_example";
/// Per pixel and mean, as TensorFlow prints them.
const MAP: [f64; 4] = [0.4373005, 0.2933663, 0.3799437, 0.246935];
const MEAN: f64 = 0.33938637;

fn worked_example(context: &Context<'_>) -> Result<Tally, HarnessError> {
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

fn golden(context: &Context<'_>, frameworks: &[&str]) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let all: Result<Vec<_>, _> = frameworks.iter().map(|of| context.fixtures.golden(of)).collect();
    for golden in all?.into_iter().flatten() {
        let bound = match golden.precision {
            Precision::F32 => &FIXTURE_F32,
            Precision::F64 => &FIXTURE_F64,
        };
        let Some(found) = tally.evaluate(context.implementation, &golden.case, golden.precision) else {
            continue;
        };
        let name = |part: &str| format!("{} {} {part}", golden.case.name, golden.precision.name());
        tally.measure(bound, relative_where_finite(&[found.value], &[golden.value]), &name("value"));
        tally.measure(bound, relative_where_finite(&found.gradient, &golden.gradient), &name("gradient"));
        match (&golden.map, &found.map) {
            (Some(golden), Some(found)) => {
                tally.measure(bound, relative_where_finite(found, golden), &name("map"));
            }
            (Some(_), None) => tally.require(false, &name("map"), || "none came".to_owned()),
            (None, _) => {}
        }
    }
    Ok(tally)
}

fn known_wrong(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for framework in FRAMEWORKS {
        for known in context.fixtures.known_wrong(framework)? {
            let folder = format!("losses/{framework}/{}", known.case);
            let case = context.fixtures.case(&folder, "spec.toml", "target.npy")?;
            let Some(found) = tally.evaluate(context.implementation, &case, Precision::F64) else { continue };
            // Far apart, not a rounding: a tenth at least, where both are numbers at all.
            let apart = !(relative_to_max(&[found.value], &[known.value]) <= 0.1);
            tally.require(found.value.is_finite() && apart, &known.case, || {
                format!("{} against {} of {}: {}", found.value, known.value, known.call, known.why)
            });
        }
    }
    Ok(tally)
}
