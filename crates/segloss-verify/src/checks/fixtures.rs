//! The golden numbers: of frameworks, and of the code that papers' authors published.

use crate::check::{Check, Context, Judged};
use crate::compare::{relative_to_max, relative_where_finite};
use crate::error::HarnessError;
use crate::fixtures::FRAMEWORKS;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::{FIXTURE_F32, FIXTURE_F64};

pub(super) const FILES: Check = Check {
    name: "fixture_files",
    claim: "every fixture is the file whose hash was recorded when it was made",
    judged: Judged::Run,
    drawn: false,
    run: files,
};

pub(super) const TENSORFLOW: Check = Check {
    name: "fixtures_tensorflow",
    claim: "values and gradients agree with TensorFlow's and Keras', S1's NaN and infinity included",
    judged: Judged::Losses,
    drawn: false,
    run: |context| golden(context, &FRAMEWORKS[0..=0]),
};

pub(super) const TORCH: Check = Check {
    name: "fixtures_torch",
    claim: "values and gradients agree with PyTorch's",
    judged: Judged::Losses,
    drawn: false,
    run: |context| golden(context, &FRAMEWORKS[1..=1]),
};

pub(super) const MONAI: Check = Check {
    name: "fixtures_monai",
    claim: "values and gradients agree with MONAI's and torchvision's",
    judged: Judged::Losses,
    drawn: false,
    run: |context| golden(context, &FRAMEWORKS[2..=2]),
};

pub(super) const OPTAX: Check = Check {
    name: "fixtures_optax",
    claim: "values and gradients agree with Optax'",
    judged: Judged::Losses,
    drawn: false,
    run: |context| golden(context, &FRAMEWORKS[3..=3]),
};

pub(super) const KERAS: Check = Check {
    name: "fixtures_keras",
    claim: "values and gradients agree with Keras' newer losses",
    judged: Judged::Losses,
    drawn: false,
    run: |context| golden(context, &FRAMEWORKS[4..=4]),
};

pub(super) const PAPERS: Check = Check {
    name: "fixtures_papers",
    claim: "values and gradients agree with the code that the papers' authors published",
    judged: Judged::Losses,
    drawn: false,
    run: |context| golden(context, &FRAMEWORKS[5..]),
};

pub(super) const KNOWN_WRONG: Check = Check {
    name: "fixtures_known_wrong",
    claim: "where a formula or call in use is known to be wrong, the subject does not follow it",
    judged: Judged::Losses,
    drawn: false,
    run: known_wrong,
};

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
