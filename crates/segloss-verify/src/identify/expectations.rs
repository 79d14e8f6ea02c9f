//! What the user says that a loss is, against what it is.

use super::cause::Cause;
use super::expected::{Expected, FACTORS};
use super::explain::{Explanation, weights_in_words};
use super::finding::{Evidence, Finding, first, rarest};
use super::fit::{Parts, fit};
use super::identified::{Identified, Term, name};
use super::observation::Observation;
use super::reading::Reading;
use super::report::short;
use super::search::{Found, Nearest};
use segloss::{Kind, LossSpec, Options, Reduction, Source, Value, WeightSpec};

/// What the user says that it is, or its name.
pub fn expectations(evidence: &Evidence<'_>, found: &Identified, findings: &mut Vec<Finding>) {
    let function = evidence.capture.about.function.as_deref().unwrap_or_default();
    let name = function.rsplit(':').next().unwrap_or_default().to_lowercase();
    let kinds: Vec<Kind> = found.terms.iter().map(|term| term.shape.kind()).collect();
    let explanation = found.terms[0].explanation.as_ref();
    let said = evidence.expected.map(|expected| expected.spec.kind());
    let generalized = said == Some(Kind::GeneralizedDice)
        || (said.is_none()
            && ["generalized_dice", "generalised_dice"].iter().any(|word| name.contains(word)));
    if generalized && [Kind::Dice, Kind::DiceSemimetric].contains(&kinds[0]) {
        findings.push(Finding::new(
            Cause::WeightsCancel,
            format!("it is plain {}, although it is called generalised", found.name()),
            "rare classes weigh no more than in plain Dice",
        ));
        return;
    }
    let Some(Expected { spec: expected, said }) = evidence.expected else { return };
    if expected.kind().is_sum() && kinds.len() == 1 && first(evidence).classes == 1 {
        findings.push(Finding::new(
            Cause::OneChannelSoftmax,
            format!("of the sum that was expected only {} is there; a softmax over one channel is 1, and its logarithm 0", found.name()),
            "the other term trains nothing",
        ));
        return;
    }
    let mut found_kinds = kinds.clone();
    let mut expected_kinds = match &expected.options {
        Options::Combined(_) => expected.terms().iter().map(|term| term.loss.kind()).collect(),
        _ => vec![expected.kind()],
    };
    found_kinds.sort_by_key(|kind| kind.name());
    expected_kinds.sort_by_key(|kind| kind.name());
    if found_kinds != expected_kinds {
        let expected: Vec<&str> = expected_kinds.iter().map(|kind| kind.name()).collect();
        findings.push(Finding::new(
            Cause::NotWhatItsNameSays,
            format!("it is {}, and {} was expected", found.name(), expected.join(" + ")),
            "its options and its literature are another loss's",
        ));
        return;
    }
    if said.iter().any(|key| key == FACTORS)
        && let Some(what) = other_factors(found, expected)
    {
        findings.push(Finding::new(
            Cause::NotWhatItsNameSays,
            what,
            "one of the losses moves the net more than was meant, and the other less",
        ));
    }
    if let [term] = found.terms.as_slice()
        && let Some(what) = other_option(first(evidence), &term.shape, expected, said)
    {
        findings.push(Finding::new(
            Cause::NotWhatItsNameSays,
            what,
            "the numbers that a paper or a search recommends are not those that train the net",
        ));
    }
    if explanation.is_none()
        && let [Term { parts: Parts::All, .. }] = found.terms.as_slice()
        && expected.weights.source != Source::None
    {
        findings.push(Finding::new(
            Cause::ConstantWeight,
            "weights were expected, and all pixels of a batch have the same factor",
            rarest(first(evidence)).unwrap_or_default(),
        ));
        return;
    }
    if said.iter().any(|key| key == "weights")
        && let Some(what) =
            other_weights(&expected.weights, said.iter().any(|key| key == "weights.scheme"), explanation)
    {
        findings.push(Finding::new(
            Cause::NotWhatItsNameSays,
            what,
            "the classes are balanced otherwise than meant",
        ));
    }
    let Some(explanation) = explanation else { return };
    let sources = (expected.weights.source, explanation.spec.weights.source);
    if let (Source::PerSample, Source::PerBatch) | (Source::PerBatch, Source::PerSample) = sources {
        findings.push(Finding::new(
            Cause::NotWhatItsNameSays,
            format!("the classes are counted otherwise than expected: {}", explanation.words()),
            "an image's rare class is weighed by what other images hold, or is not",
        ));
    }
    let weighted = explanation.spec.weights.source != Source::None;
    if expected.weights.source != Source::None && !weighted && !explanation.spec.kind().weighs_by_size() {
        let rare = rarest(first(evidence)).unwrap_or_default();
        // Of a ratio of sums weights within each class cancel; of a sum they are not there.
        findings.push(match explanation.spec.kind().sums_regions() {
            true => Finding::new(
                Cause::WeightsCancel,
                format!("weights were expected, and it is plain {}", found.name()),
                rare,
            ),
            false => Finding::new(
                Cause::ConstantWeight,
                format!("weights were expected, and every class has the factor {:.4}", explanation.constant),
                rare,
            ),
        });
    }
    let over_pixels = [Reduction::MeanValid, Reduction::MeanAll].contains(&explanation.spec.reduction());
    if weighted && expected.reduction() == Reduction::Mean && over_pixels {
        findings.push(Finding::new(
            Cause::MeanOverPixels,
            format!("{}; the weights' sum was expected", explanation.words()),
            "the size of a step changes with the classes that a batch happens to hold",
        ));
    }
}

/// The same of a loss whose gradient is another's, times a number of each batch that nothing explains.
pub fn expectations_of_factor(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let Found::Nothing(Nearest { up_to_a_factor: Some(found), .. }) = evidence.found else { return };
    let Some(Expected { spec: expected, .. }) = evidence.expected else { return };
    let found_name = name(found);
    if found.kind() != expected.kind() {
        findings.push(Finding::new(
            Cause::NotWhatItsNameSays,
            format!(
                "every batch has the gradient of {found_name}, times a number that is the same for all its pixels; {} was expected",
                expected.kind().name()
            ),
            "hard pixels and rare classes weigh as they do in the plain loss; the number only scales the learning rate, batch by batch",
        ));
    } else if expected.weights.source != Source::None {
        findings.push(Finding::new(
            Cause::ConstantWeight,
            format!(
                "weights were expected, and all pixels of a batch have the same factor, beside {found_name}"
            ),
            rarest(first(evidence)).unwrap_or_default(),
        ));
    }
}

/// Factors of a sum that stand in another ratio than was expected, in words.
fn other_factors(found: &Identified, expected: &LossSpec) -> Option<String> {
    let of = |term: &Term| Some((term.shape.kind(), term.explanation.as_ref()?.constant));
    // Weights of regions have no scale: a factor may be theirs.
    let scaled = |term: &Term| term.shape.kind().sums_regions() && term.parts != Parts::All;
    if found.terms.iter().any(scaled) {
        return None;
    }
    let found: Vec<(Kind, f64)> = found.terms.iter().map(of).collect::<Option<_>>()?;
    let pairs: Vec<(f64, f64)> = expected
        .terms()
        .iter()
        .filter_map(|term| Some((term.factor, found.iter().find(|(kind, _)| *kind == term.loss.kind())?.1)))
        .collect();
    let (first, rest) = pairs.split_first()?;
    let ratio = |(said, is): &(f64, f64)| is / said;
    let same = rest.iter().all(|pair| (ratio(pair) / ratio(first) - 1.0).abs() <= 1e-3);
    let words = |factors: &mut dyn Iterator<Item = f64>| factors.map(short).collect::<Vec<_>>().join(" : ");
    (!same).then(|| {
        format!(
            "its terms stand as {}, and {} was expected",
            words(&mut pairs.iter().map(|pair| pair.1)),
            words(&mut pairs.iter().map(|pair| pair.0))
        )
    })
}

/// Weights that are not those that were expected in words; weights that are missing, or counted over another scope, are told apart elsewhere.
fn other_weights(expected: &WeightSpec, scheme: bool, found: Option<&Explanation>) -> Option<String> {
    let Some(found) = found else {
        return Some("its weights are none that are known, and others were expected".to_owned());
    };
    let weights = &found.spec.weights;
    let other = match (expected.source, weights.source) {
        (Source::Fixed, Source::Fixed) => {
            let ratio = |i: usize| expected.values[i] / weights.values[i];
            expected.values.len() != weights.values.len()
                || (1..weights.values.len()).any(|i| !((ratio(i) / ratio(0) - 1.0).abs() <= 1e-3))
        }
        (Source::PerBatch | Source::PerSample, Source::PerBatch | Source::PerSample) => {
            scheme && expected.scheme != weights.scheme
        }
        (Source::None, found) => found != Source::None,
        // A batch does not say what a data set holds, and weights of one batch may be given ones.
        _ => false,
    };
    let words = weights_in_words(&LossSpec { weights: expected.clone(), ..found.spec.clone() });
    let words = if words.is_empty() { "none".to_owned() } else { words };
    other.then(|| format!("it has {}, and {words} were expected", weights_in_words(&found.spec)))
}

/// An option that was expected in words, and is another; none where what was expected fits as well.
fn other_option(o: &Observation, found: &LossSpec, expected: &LossSpec, keys: &[String]) -> Option<String> {
    if found.kind() != expected.kind() {
        return None;
    }
    let mut bare = found.clone();
    for info in expected.options.infos().iter().filter(|info| keys.iter().any(|said| said == info.key)) {
        bare.options.set(info.key, expected.options.get(info.key)?).ok()?;
    }
    let fits = |parts| {
        let fit = fit(o, Reading::PLAIN, &Reading::PLAIN.of(o), &bare, parts);
        fit.is_some_and(|fit| fit.misfit <= o.tolerance())
    };
    if o.gradient.is_none() || [Parts::All, Parts::ImageAndClass, Parts::Class].into_iter().any(fits) {
        return None;
    }
    let other = |key: &str| {
        let (said, is) = (expected.options.get(key)?, found.options.get(key)?);
        let same = match (&said, &is) {
            (Value::Number(said), Value::Number(is)) => (said - is).abs() <= 1e-3 * said.abs().max(is.abs()),
            _ => said == is,
        };
        (!same && keys.iter().any(|said| said == key))
            .then(|| format!("{key} is {is}, and {said} was expected"))
    };
    expected.options.infos().iter().find_map(|info| other(info.key))
}
