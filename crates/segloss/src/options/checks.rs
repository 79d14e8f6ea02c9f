//! What is refused of an option, in the words that many kinds share.

use super::choices::{Average, Classes, Region, SmoothingWeight};
use super::weights::{Source, WeightSpec};
use crate::error::{Error, Problem};

/// The operation that all errors of a specification name.
pub(crate) const OPERATION: &str = "loss specification";

/// Refuses an option's value.
pub(crate) fn option(key: &'static str, expected: &str, found: impl std::fmt::Display) -> Error {
    let problem = Problem::Option { key, expected: expected.to_owned(), found: found.to_string() };
    Error { operation: OPERATION, problem }
}

/// Demands a finite number that fits.
pub(crate) fn number(key: &'static str, x: f64, fits: bool, expected: &str) -> Result<(), Error> {
    if fits && x.is_finite() { Ok(()) } else { Err(option(key, expected, x)) }
}

/// Demands that an option acts.
pub(crate) fn acts(key: &'static str, acts: bool, because: &str) -> Result<(), Error> {
    match acts {
        true => Ok(()),
        false => {
            let problem = Problem::NoEffect { key, because: because.to_owned() };
            Err(Error { operation: OPERATION, problem })
        }
    }
}

/// Checks `smooth`.
pub(crate) fn smooth(s: f64) -> Result<(), Error> {
    number("smooth", s, s >= 0.0, "a finite number ≥ 0")
}

/// Checks `label_smoothing`.
pub(crate) fn smoothing(s: f64) -> Result<(), Error> {
    number("label_smoothing", s, (0.0..1.0).contains(&s), "at least 0 and below 1")
}

/// Demands that `smoothing_weight` acts, where it is set.
pub(crate) fn smoothing_acts(
    weight: Option<SmoothingWeight>,
    smoothing: f64,
    weights: &WeightSpec,
) -> Result<(), Error> {
    let unset = weight.is_none();
    acts("smoothing_weight", unset || smoothing != 0.0, "without `label_smoothing`")?;
    let weighted = !matches!(weights.source, Source::None | Source::Map);
    acts("smoothing_weight", unset || weighted, "without `weights.source`: every class weighs 1")
}

/// Demands that `average` acts, where it is set.
pub(crate) fn average_acts(
    average: Option<Average>,
    region: Region,
    classes: Classes,
    weights: &WeightSpec,
) -> Result<(), Error> {
    let unset = average.is_none();
    let images = region == Region::Image;
    acts("average", unset || images, "without `region` = \"image\": the batch is one region")?;
    let differ = classes == Classes::Present || weights.source == Source::PerSample;
    let because = "where every image counts all classes with the same weights; `classes` = \"present\" or per-sample weights \
         make them differ";
    acts("average", unset || differ, because)
}
