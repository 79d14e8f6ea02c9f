//! What is wrong with a loss: from what was found and what the answers show, to causes with a witness each.

use super::capture::Capture;
use super::cause::Cause;
use super::expected::Expected;
use super::explain::{Explanation, Extra};
use super::fit::{Parts, fit};
use super::identified::{Identified, ValueFit};
use super::observation::Observation;
use super::reading::{Reading, Step, TargetReading};
use super::search::{Found, reread};
use super::symptoms::{self, Slope};
use segloss::{Kind, LossSpec, Reduction, Source, Value};
use serde::Serialize;

/// A fault, what shows it, and what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Which.
    pub cause: Cause,
    /// What it is, in words.
    pub title: &'static str,
    /// What shows it: a batch, a pixel, a number.
    pub witness: String,
    /// What it does to a training.
    pub consequence: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Finding {
    fn new(cause: Cause, witness: impl Into<String>, consequence: impl Into<String>) -> Self {
        let (witness, consequence) = (witness.into(), consequence.into());
        Self { cause, title: cause.title(), witness, consequence, remedy: cause.remedy() }
    }
}

/// What was looked for, and what came of it.
pub struct Evidence<'a> {
    /// The answers.
    pub capture: &'a Capture,
    /// The loss that explains the gradients (and the values).
    pub found: &'a Found,
    /// Where no loss explains gradient and value, or there is no gradient: the loss that explains the values.
    pub by_value: Option<&'a Identified>,
    /// Where no loss explains values and gradients: one that does but for pixels that get no gradient.
    pub but_silent: Option<&'a Identified>,
    /// What the user says that it is.
    pub expected: Option<&'a Expected>,
}

/// Every fault that the evidence shows, the gravest first.
pub fn diagnose(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    targets(evidence, &mut findings);
    finite(evidence, &mut findings);
    slopes(evidence, &mut findings);
    let identified = match evidence.found {
        Found::Loss(found) => Some(&**found),
        Found::Nothing(_) => evidence.by_value.or(evidence.but_silent),
    };
    if let Some(found) = identified {
        readings(first(evidence), found, &mut findings);
        for o in evidence.capture.observations.iter().filter(|o| o.name.starts_with("ignored")) {
            let kinds: Vec<Kind> = found.terms.iter().map(|term| term.shape.kind()).collect();
            if found.unexplained.contains(&o.name)
                && let Some(found) = reread(o, &kinds)
            {
                readings(o, &found, &mut findings);
            }
        }
        explanations(evidence, found, &mut findings);
        absent(evidence, found, &mut findings);
        expectations(evidence, found, &mut findings);
    } else {
        absent_without_name(evidence, &mut findings);
        unactivated(evidence, &mut findings);
    }
    ignored(evidence, &mut findings);
    silent(evidence, &mut findings);
    findings.dedup_by_key(|finding| finding.cause);
    findings
}

fn first<'a>(evidence: &Evidence<'a>) -> &'a Observation {
    let all = &evidence.capture.observations;
    // There is one: an empty capture is refused.
    all.iter().find(|o| o.gradient.is_some()).unwrap_or(&all[0])
}

/// A pixel in words.
fn in_words((logits, label): &(Vec<f64>, Option<i64>)) -> String {
    let logits: Vec<String> = logits.iter().take(6).map(|z| format!("{z:.3}")).collect();
    let more = if logits.len() == 6 { ", …" } else { "" };
    match label {
        Some(label) => format!("a pixel of class {label} with the logits ({}{more})", logits.join(", ")),
        None => format!("a pixel with the logits ({}{more})", logits.join(", ")),
    }
}

/// The batch's name, where there are several.
fn batch(name: &str) -> String {
    if name.is_empty() { "the batch".to_owned() } else { format!("batch `{name}`") }
}

fn percent(x: f64) -> String {
    match 100.0 * x {
        0.0 => "0 %".to_owned(),
        x if x < 0.01 => format!("{x:.1e} %"),
        x if x < 10.0 => format!("{x:.2} %"),
        x => format!("{x:.1} %"),
    }
}

/// "class 2, 3 % of the pixels, gets 0.3 % of the gradient".
fn rarest(o: &Observation) -> Option<String> {
    let (pixels, gradient) = (symptoms::pixel_shares(o)?, symptoms::gradient_shares(o)?);
    let (class, share) = pixels
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, share)| *share > 0.0)
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(format!(
        "class {class}, {} of the pixels, gets {} of the gradient here",
        percent(share),
        percent(gradient[class])
    ))
}

fn targets(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    if let Some(o) = evidence.capture.observations.iter().find(|o| o.target_scale != 1.0) {
        let value = o.total().filter(|value| *value < 0.0);
        findings.push(Finding::new(
            Cause::MaskScale,
            format!("the target holds 0 and {}", o.target_scale),
            match value {
                Some(value) => {
                    format!("the value is {value:.4}: overlaps are counted {} times", o.target_scale)
                }
                None => {
                    format!("each positive counts {} times, and no prediction can reach it", o.target_scale)
                }
            },
        ));
    }
}

fn finite(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let all = symptoms::non_finite(&evidence.capture.observations);
    // Of a single pixel a share of the pixels may be none.
    let Some(found) = all.iter().find(|found| found.batch != "pixel") else { return };
    // A probability of exactly 0 or 1 is no legal answer of a net whose loss takes probabilities.
    let by_value = found.value.is_some_and(|value| !value.is_finite());
    let o = evidence.capture.observations.iter().find(|o| o.name == found.batch);
    if found.saturated && o.is_some_and(|o| o.from_probabilities) && !by_value {
        return;
    }
    let pixel = found.witness.as_ref().map(in_words);
    let value = found.value.map_or_else(String::new, |value| format!("the value is {value}"));
    let witness = match pixel {
        Some(pixel) => format!(
            "{} in {}: {} pixels have a gradient that is no number, as {pixel}",
            value,
            batch(&found.batch),
            found.pixels
        ),
        None => format!("{value} in {}", batch(&found.batch)),
    };
    let consequence = match (found.saturated, evidence.found) {
        (_, Found::Loss(found)) if found.terms[0].shape.kind() == Kind::DocumentBinary => {
            "log(1 − max(0, σ(z) + 0.5 − th)) leaves its range as soon as σ(z) > 0.5 + th: one such pixel makes the whole \
             mean NaN, and the training ends"
                .to_owned()
        }
        (false, _) => "one such pixel makes the whole batch NaN, and the training ends".to_owned(),
        (true, _) => "a net that becomes certain of one wrong pixel ends the training: its logarithm is taken of a \
                      probability that is rounded to 0"
            .to_owned(),
    };
    findings.push(Finding::new(Cause::NotFinite, witness.trim_start().to_owned(), consequence));
}

/// Whether the value does not depend on the logits.
fn constant(all: &[Observation]) -> bool {
    // The same labels under other logits.
    let same =
        all.iter().filter(|o| ["base", "shifted", "sure"].contains(&o.name.as_str()) || all.len() == 1);
    let values: Vec<f64> = same.filter_map(Observation::total).collect();
    values.first().is_none_or(|first| values.iter().all(|value| (value - first).abs() <= 1e-6 * first.abs()))
}

fn slopes(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let all = &evidence.capture.observations;
    let derives = |framework: &str| ["torch", "keras", "jax"].contains(&framework);
    let slope = symptoms::slope(all);
    if all.len() > 1 && first(evidence).classes == 1 && constant(all) {
        findings.push(Finding::new(
            Cause::OneChannelSoftmax,
            format!(
                "the value is {:.4} on every batch, whatever the logits",
                all[0].total().unwrap_or_default()
            ),
            "the net does not learn",
        ));
        return;
    }
    let missing = slope == Slope::None && evidence.capture.about.framework.as_deref().is_some_and(derives);
    // A batch in which nothing counts has no value and no gradient, and shows nothing.
    let nothing = all.len() == 1 && all[0].total() == Some(0.0) && all[0].classes > 1;
    if (slope == Slope::Zero || missing) && !nothing {
        let o = first(evidence);
        let values: Vec<f64> = all.iter().filter_map(Observation::total).filter(|v| v.is_finite()).collect();
        let hard = evidence.by_value.is_some_and(|found| found.reading().step == Step::ArgMax);
        if o.classes == 1 && slope == Slope::Zero && !hard && constant(all) {
            findings.push(Finding::new(
                Cause::OneChannelSoftmax,
                format!(
                    "{}the gradient is 0 on every batch, and the prediction has one channel",
                    match values.first() {
                        Some(value) => format!("the value is {value:.4}, "),
                        None => String::new(),
                    }
                ),
                "the net does not learn",
            ));
        } else if hard || (evidence.by_value.is_none() && slope == Slope::Zero) {
            findings.push(Finding::new(
                Cause::Argmax,
                match evidence.by_value {
                    Some(found) => format!("the value is {} of the arg max; the gradient is 0", found.name()),
                    None => "the gradient is 0 on every batch".to_owned(),
                },
                "the net does not learn",
            ));
        } else {
            let value = evidence
                .by_value
                .map_or_else(String::new, |found| format!("the value is {}; ", found.name()));
            let gradient = if slope == Slope::None {
                "the framework gives no gradient"
            } else {
                "the gradient is 0 on every batch"
            };
            findings.push(Finding::new(
                Cause::Detached,
                format!("{value}{gradient}"),
                "the net does not learn",
            ));
        }
        return;
    }
    // A kind that holds a part constant by decree, as seesaw does, has a gradient that is none of its value, and is right.
    let by_decree = matches!(evidence.found, Found::Loss(found) if matches!(found.value, ValueFit::Same(_)));
    let derivative = symptoms::derivative(all)
        .filter(|_| !by_decree)
        .filter(|derivative| all.iter().find(|o| o.name == "base").is_some_and(|o| !derivative.agrees(o)));
    if let Some(found) = derivative {
        findings.push(Finding::new(
            Cause::NotTheDerivative,
            format!(
                "along a direction of the logits the value changes by {:.4e}, and the gradient says {:.4e}",
                found.found, found.said
            ),
            "the net is pulled somewhere else than the printed value says",
        ));
        return;
    }
    if let Found::Loss(found) = evidence.found
        && let ValueFit::Other { found: value, expected } = found.value
    {
        let hard = evidence.by_value.filter(|by_value| by_value.reading().step == Step::ArgMax);
        if let Some(hard) = hard {
            findings.push(Finding::new(
                Cause::Argmax,
                format!(
                    "the gradient is that of {}; what the value has besides is {} of the arg max",
                    found.name(),
                    hard.name()
                ),
                "that part is printed, and trains nothing",
            ));
            return;
        }
        let by_value =
            evidence.by_value.map_or_else(String::new, |by_value| format!(", which is {}", by_value.name()));
        findings.push(Finding::new(
            Cause::NotTheDerivative,
            format!(
                "the gradient is that of {}, whose value is {expected:.6}; the value is {value:.6}{by_value}",
                found.name()
            ),
            "the net is pulled somewhere else than the printed value says",
        ));
    } else if matches!(evidence.found, Found::Nothing(_))
        && let Some(by_value) = evidence.by_value
    {
        findings.push(Finding::new(
            Cause::NotTheDerivative,
            format!("the value is {}, and the gradient is none of its", by_value.name()),
            "the net is pulled somewhere else than the printed value says",
        ));
    }
}

fn readings(o: &Observation, found: &Identified, findings: &mut Vec<Finding>) {
    let name = found.name_of_misread();
    let rare = rarest(o).unwrap_or_default();
    let sum = |step: &str| format!("{} explained exactly by {name} of {step}", batch(&o.name));
    let Reading { step, target, .. } = found.reading();
    match step {
        Step::AsGiven | Step::ArgMax => {}
        Step::LogSigmoid => findings.push(Finding::new(
            Cause::SigmoidForSoftmax,
            sum("ln σ(z): probabilities σ(z)/Σσ(z)"),
            "a class whose logit is large cannot be told from another: both sigmoids are 1",
        )),
        Step::Viewed => findings.push(Finding::new(
            Cause::WrongAxis,
            sum("the prediction reshaped where its axes should be moved"),
            "the numbers of one pixel are spread over several: permute the axes before reshape or view",
        )),
        Step::Softmax => findings.push(Finding::new(
            Cause::SoftmaxTwice,
            sum("softmax(z), taken for logits"),
            format!(
                "the second softmax sees numbers from 0 to 1: with {} classes no probability exceeds {:.3}, however sure the \
                 net is, and the gradient fades; {rare}",
                o.classes,
                std::f64::consts::E / (std::f64::consts::E + o.classes as f64 - 1.0)
            ),
        )),
        Step::AddedToProbability(digits) => findings.push(Finding::new(
            Cause::ClippedGradient,
            sum(&format!("ln(p + 1e-{digits})")),
            format!(
                "a pixel whose right class has a probability p gets p/(p + 1e-{digits}) of the gradient: one that is confidently wrong next to none"
            ),
        )),
        Step::Sigmoid => findings.push(Finding::new(
            Cause::SoftmaxTwice,
            sum("σ(z), taken for logits"),
            format!("the second activation sees numbers from 0 to 1: no probability falls below ½ or exceeds 0.731; {rare}"),
        )),
        Step::ChannelsOfSoftmax => {}
        Step::ChannelsOfSoftmaxAlong(axis) => {
            let axes = ["the batch", "the classes", "the first spatial axis", "the second spatial axis", "the third spatial axis"];
            findings.push(Finding::new(
                Cause::WrongAxis,
                sum(&format!("a softmax along {}", axes.get(axis).unwrap_or(&"another axis"))),
                "pixels compete with each other, and the classes of a pixel do not",
            ));
        }
        Step::ChannelsOfSoftmaxOverPixels => findings.push(Finding::new(
            Cause::WrongAxis,
            sum("a softmax over all pixels of a channel"),
            "pixels compete with each other, and the classes of a pixel do not",
        )),
        Step::MaskedLogits | Step::ChannelsOfMaskedSoftmax => {
            let ignored = o.images * o.pixels() - o.valid();
            findings.push(Finding::new(
                Cause::IgnoredBeforeActivation,
                sum("logits that are 0 at ignored pixels"),
                format!("{ignored} ignored pixels count as undecided ones: they shift the value and the denominator"),
            ));
        }
    }
    let pixel = |what: &str| format!("{} explained exactly by {name} of {what}", batch(&o.name));
    match target {
        TargetReading::AsGiven => {}
        TargetReading::Next | TargetReading::Previous if o.classes > 2 => findings.push(Finding::new(
            Cause::LabelsOffByOne,
            pixel("labels that are one off"),
            "every class is trained as its neighbour",
        )),
        TargetReading::Next | TargetReading::Previous | TargetReading::Reversed => {
            findings.push(Finding::new(
                Cause::ClassesSwapped,
                pixel("labels in reverse order"),
                "the net learns the classes under each other's numbers",
            ))
        }
        TargetReading::Transposed => findings.push(Finding::new(
            Cause::AxesSwapped,
            pixel("a target whose last two axes are swapped"),
            "the net is trained to draw every mask mirrored along the diagonal",
        )),
        TargetReading::PreviousClamped => findings.push(Finding::new(
            Cause::LabelsOffByOne,
            pixel("labels that are one lower, class 0 as it is"),
            "every class is trained as its neighbour",
        )),
        TargetReading::PreviousDropped => findings.push(Finding::new(
            Cause::LabelsOffByOne,
            pixel("labels that are one lower, without the pixels of class 0"),
            "every class is trained as its neighbour, and class 0 not at all",
        )),
        TargetReading::PreviousAsNone => findings.push(Finding::new(
            Cause::LabelsOffByOne,
            pixel("labels that are one lower, pixels of class 0 in no class"),
            "every class is trained as its neighbour, and class 0 as none",
        )),
        TargetReading::Divided => findings.push(Finding::new(
            Cause::MaskScale,
            pixel("a target divided by 255, although it is 0 and 1 already"),
            "a positive is trained as 0.4 % of one: the net learns that nothing is there",
        )),
        TargetReading::IgnoredAsNone if step == Step::ChannelsOfMaskedSoftmax => {}
        TargetReading::IgnoredAsNone => findings.push(Finding::new(
            Cause::IgnoredAsClass,
            pixel("ignored pixels as pixels of no class"),
            format!(
                "whatever is predicted at {} ignored pixels counts as a false positive",
                o.images * o.pixels() - o.valid()
            ),
        )),
        TargetReading::IgnoredAs(class) => {
            if step != Step::MaskedLogits {
                findings.push(Finding::new(
                    Cause::IgnoredAsClass,
                    pixel(&format!("ignored pixels as class {class}")),
                    format!(
                        "{} ignored pixels are trained as class {class}",
                        o.images * o.pixels() - o.valid()
                    ),
                ));
            }
        }
    }
    if found.terms.iter().any(|term| term.shape.kind() == Kind::DocumentSigmoid) && step == Step::AsGiven {
        findings.push(Finding::new(
            Cause::SigmoidForSoftmax,
            format!("{} explained exactly by −y·ln σ(z)", batch(&o.name)),
            "raising every logit of every class lowers the loss: the net may answer all classes everywhere",
        ));
    }
}

/// Which part of an explanation is a fault.
fn explanations(evidence: &Evidence<'_>, found: &Identified, findings: &mut Vec<Finding>) {
    let o = first(evidence);
    for term in &found.terms {
        if let Parts::Along(_) = term.parts {
            findings.push(Finding::new(
                Cause::PosWeightAxis,
                format!(
                    "the factor of a pixel's loss depends on its column or row, not on its class ({})",
                    batch(&o.name)
                ),
                "places of the image are weighted, and no class is",
            ));
        }
        if term.parts == Parts::FocalOfWeighted {
            findings.push(Finding::new(
                Cause::FocalOfWeighted,
                format!("{} explained exactly by (1 − exp(−w·CE))^γ·w·CE", batch(&o.name)),
                "a class of weight 4 fades as if its probability were p⁴: heavy classes are taken for hard ones for ever",
            ));
        }
        let Some(explanation) = &term.explanation else { continue };
        let sum = found.terms.len() > 1;
        explained(evidence, o, term.shape.kind(), explanation, sum, findings);
    }
}

fn explained(
    evidence: &Evidence<'_>,
    o: &Observation,
    kind: Kind,
    explanation: &Explanation,
    sum: bool,
    findings: &mut Vec<Finding>,
) {
    let softmax = explanation.spec.activation() == segloss::Activation::Softmax;
    let single = evidence.capture.observations.len() == 1;
    // One half may be 1/C or 1/N, and is more often just one half.
    let chosen = |n: usize| [1, 2, 4, 5, 10].contains(&n) || sum;
    match explanation.extra {
        Extra::Classes if kind.is_additive() && softmax && kind != Kind::Focal && !chosen(o.classes) => {
            findings.push(Finding::new(
                Cause::ConstantWeight,
                format!(
                    "{} times 1/{} for every class of every batch: the one number that Σy/size(y) can be",
                    kind.name(),
                    o.classes
                ),
                format!(
                    "it is plain {} with a smaller learning rate; {}",
                    kind.name(),
                    rarest(o).unwrap_or_default()
                ),
            ))
        }
        Extra::Images | Extra::Pixels
            if !(single
                && (!kind.is_additive() || explanation.extra == Extra::Images && chosen(o.images))) =>
        {
            findings.push(Finding::new(
                Cause::DoubleReduction,
                format!("the mean is {}", explanation.divisor_in_words()),
                match explanation.extra {
                    Extra::Images => "the learning rate falls with the batch size",
                    _ => "the gradient is as many times too small as there are pixels",
                },
            ))
        }
        _ => {}
    }
    let reduction = explanation.spec.reduction();
    let weights = &explanation.spec.weights.values;
    let pairs =
        segloss_cases::has_pairs(&explanation.spec) && explanation.spec.weights.source == Source::Fixed;
    if pairs && o.classes > 1 && weights.chunks(2).all(|pair| pair[0] == 0.0 && pair[1] > 0.0) {
        findings.push(Finding::new(
            Cause::SigmoidForSoftmax,
            format!("{} explained exactly by {} whose negatives weigh 0", batch(&o.name), kind.name()),
            "raising every logit of every class lowers the loss: the net may answer all classes everywhere",
        ));
    }
    let with_ignored = evidence.capture.observations.iter().find(|o| o.valid() < o.images * o.pixels());
    if let (Some(o), Reduction::MeanAll, true) = (with_ignored, reduction, kind.is_additive()) {
        findings.push(Finding::new(
            Cause::IgnoredInDenominator,
            format!("{} of {} pixels count, and the sum is divided by all", o.valid(), o.images * o.pixels()),
            format!(
                "value and gradient are {:.2} of what they should be here, and change with the ignored share",
                o.valid() as f64 / (o.images * o.pixels()) as f64
            ),
        ));
    }
    if explanation.constant < 0.0 {
        findings.push(Finding::new(
            Cause::Sign,
            format!("value and gradient are those of {} times {}", kind.name(), explanation.constant),
            "a training that minimises it makes the prediction worse",
        ));
    }
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

/// What happens where a class is absent.
fn absent(evidence: &Evidence<'_>, found: &Identified, findings: &mut Vec<Finding>) {
    if !found.unexplained.iter().any(|name| name == "absent") {
        return;
    }
    absent_without_name(evidence, findings);
}

fn absent_without_name(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let named = |name: &str| evidence.capture.observations.iter().find(|o| o.name == name);
    let (Some(base), Some(absent)) = (named("base"), named("absent")) else { return };
    let (Some(whole), Some(g)) = (&base.gradient, &absent.gradient) else { return };
    let norm = |g: &[f64]| g.iter().filter(|g| g.is_finite()).map(|g| g.abs()).sum::<f64>();
    // The last class has no pixel there: what of the gradient moves its channel alone?
    let last = absent.classes - 1;
    let own: f64 = symptoms::places(absent).map(|(n, p)| g[absent.at(n, last, p)].abs()).sum();
    let (kept, share) = (norm(g) / norm(whole), own / norm(g));
    // Where two channels share every gradient, each has half of it.
    let owned = absent.classes > 2 && share > 0.49;
    if absent.classes > 1 && norm(g) > 0.0 && (!(0.02..=50.0).contains(&kept) || owned) {
        findings.push(Finding::new(
            Cause::AbsentClassOwns,
            format!(
                "without a pixel of class {last} the gradient is {kept:.2e} times as large, and {} of it moves that class's channel",
                percent(share)
            ),
            "one image without the rare class decides the step, and the classes that are there learn nothing from it",
        ));
    }
}

/// Sums of the logits themselves.
fn unactivated(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let all = &evidence.capture.observations;
    if first(evidence).from_probabilities || symptoms::slope(all) != Slope::Some {
        return;
    }
    if let Some((class, least, most)) = symptoms::ignores_logits(all) {
        findings.push(Finding::new(
            Cause::NoActivation,
            format!(
                "all pixels of a label in an image get the same gradient in channel {class}, although their logits run from {least:.3} to {most:.3}"
            ),
            "logits beyond 0 and 1 make the ratio whatever they like: the value leaves its range, and the net gains by growing them",
        ));
    }
}

/// Ignored pixels that count, where no reading says how.
fn ignored(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let known = [Cause::IgnoredAsClass, Cause::IgnoredBeforeActivation];
    if findings.iter().any(|finding| known.contains(&finding.cause)) {
        return;
    }
    for o in &evidence.capture.observations {
        if let Some((count, witness)) = symptoms::ignored_with_slope(o) {
            findings.push(Finding::new(
                Cause::IgnoredAsClass,
                format!(
                    "in {} {count} ignored pixels get a gradient, as {}",
                    batch(&o.name),
                    in_words(&witness)
                ),
                "the net learns from pixels that should not count",
            ));
            return;
        }
    }
}

fn silent(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    if symptoms::slope(&evidence.capture.observations) != Slope::Some {
        return;
    }
    let fades = |found: &Identified| {
        let kinds = || found.terms.iter().map(|term| term.shape.kind());
        kinds().any(|kind| [Kind::TopKCrossEntropy, Kind::Boundary].contains(&kind) || !kind.is_additive())
    };
    let identified = match evidence.found {
        Found::Loss(found) => Some(&**found),
        Found::Nothing(_) => evidence.but_silent,
    };
    if identified.is_none_or(fades) {
        return;
    }
    let all = &evidence.capture.observations;
    // Where a class is absent its weight may be 0, and a probability of exactly 0 has no slope.
    let asked = |o: &&Observation| match o.name.as_str() {
        "" | "base" | "shifted" | "sure" | "large" => true,
        "saturated" => !o.from_probabilities,
        _ => false,
    };
    let found = all.iter().filter(asked).find_map(symptoms::silent);
    if let Some(found) = found {
        findings.push(Finding::new(
            Cause::ClippedGradient,
            format!(
                "in {} {} wrong pixels get a gradient of exactly 0, as {}",
                batch(&found.batch),
                found.pixels,
                in_words(&found.witness)
            ),
            match found.probability {
                0.0 => "a pixel whose right class has a probability that is rounded to 0 is never learnt"
                    .to_owned(),
                p => {
                    format!("a pixel whose right class has a probability of {p:.1e} or less is never learnt")
                }
            },
        ));
    }
}

/// What the user says that it is, or its name.
fn expectations(evidence: &Evidence<'_>, found: &Identified, findings: &mut Vec<Finding>) {
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
    if kinds.len() == 1 && kinds[0] != expected.kind() && !expected.kind().is_sum() {
        findings.push(Finding::new(
            Cause::NotWhatItsNameSays,
            format!("it is {}, and {} was expected", found.name(), expected.kind().name()),
            "its options and its literature are another loss's",
        ));
        return;
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
        findings.push(Finding::new(
            Cause::ConstantWeight,
            format!("weights were expected, and every class has the factor {:.4}", explanation.constant),
            rarest(first(evidence)).unwrap_or_default(),
        ));
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
