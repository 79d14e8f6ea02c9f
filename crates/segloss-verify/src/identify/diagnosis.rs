//! What is wrong with a loss: from what was found and what the answers show, to causes with a witness each.

use super::behaviour::{absent, absent_without_name, finite, ignored, silent, slopes, targets, unactivated};
use super::cause::Cause;
use super::expectations::{expectations, expectations_of_factor};
use super::explain::{Explanation, Extra};
use super::finding::{Evidence, Finding, batch, first, rarest};
use super::fit::Parts;
use super::identified::{Identified, ValueFit};
use super::misreadings::{no_logarithm, readings};
use super::observation::Observation;
use super::search::{Found, reread};
use super::swapped;
use segloss::{Kind, Reduction, Scheme, Source};

/// Every fault that the evidence shows, the gravest first.
pub fn diagnose(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    targets(evidence, &mut findings);
    if let Some(swapped) = swapped::arguments(evidence) {
        return vec![swapped];
    }
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
        expectations_of_factor(evidence, &mut findings);
    }
    ignored(evidence, &mut findings);
    silent(evidence, &mut findings);
    findings.dedup_by_key(|finding| finding.cause);
    findings
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
        // 1 − Σ p/N is a loss; −Σ p/N is what nll_loss makes of probabilities.
        let even =
            term.shape.kind().weighs_by_size() && explanation.spec.weights.scheme == Scheme::Power(0.0);
        if even && matches!(found.value, ValueFit::Offset(offset) if (offset + 1.0).abs() < 1e-4) {
            findings.push(no_logarithm(o));
        }
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
        extra @ (Extra::Classes | Extra::SumOfClasses)
            if kind.is_additive()
                && softmax
                && kind != Kind::Focal
                && !chosen(o.classes)
                && (extra == Extra::Classes || !single) =>
        {
            let (times, made, rate) = match extra {
                Extra::Classes => {
                    ("1/", "Σy/size(y) can be, and a mean over the class axis makes", "smaller")
                }
                _ => ("", "size(y)/Σy can be", "larger"),
            };
            findings.push(Finding::new(
                Cause::ConstantWeight,
                format!(
                    "{} times {times}{} for every class of every batch: the one number that {made}",
                    kind.name(),
                    o.classes
                ),
                format!(
                    "it is plain {} with a {rate} learning rate; {}",
                    kind.name(),
                    rarest(o).unwrap_or_default()
                ),
            ))
        }
        Extra::Images | Extra::Pixels | Extra::Area
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
    if let Scheme::Power(power) = explanation.spec.weights.scheme
        && power < 0.0
        && explanation.spec.weights.source != Source::None
    {
        findings.push(Finding::new(
            Cause::FavoursFrequent,
            format!(
                "each class weighs {} of the pixels",
                if power == -1.0 { "its share" } else { "the root of its share" }
            ),
            rarest(o).unwrap_or_default(),
        ));
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
    // Where an image has no pixel at all, a mean over images is none over pixels.
    let with_ignored = with_ignored.filter(|o| (0..o.images).all(|n| o.valid_in(n) > 0));
    // With a number besides, one batch does not say what it is divided by.
    let with_ignored = with_ignored.filter(|_| !single || explanation.constant == 1.0);
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
