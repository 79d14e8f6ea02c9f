//! Faults that the answers show by themselves: a target of 0 and 255, NaN, no gradient, one that is no derivative, pixels that get none
//! or should get none.

use super::answer::answer;
use super::cause::Cause;
use super::finding::{Evidence, Finding, batch, first, in_words, percent};
use super::identified::{Identified, ValueFit};
use super::observation::Observation;
use super::reading::{Reading, Step};
use super::report::short;
use super::search::Found;
use super::symptoms::{self, Pixel, Slope};
use segloss::{Kind, LossSpec};

/// A target that holds another number than 1.
pub fn targets(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    // What is explained by a target of 0 and 1 has rescaled it.
    let rescales =
        matches!(evidence.found, Found::Loss(found) if found.has_its_value() && found.is_explained());
    if let Some(o) = evidence.capture.observations.iter().find(|o| o.target_scale != 1.0 && !rescales) {
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

/// Values and gradients that are no numbers.
pub fn finite(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let all = symptoms::non_finite(&evidence.capture.observations);
    // Of a single pixel a share of the pixels may be none.
    let Some(found) = all.iter().find(|found| found.batch != "pixel") else { return };
    // A probability of exactly 0 or 1 is no legal answer of a net whose loss takes probabilities.
    let by_value = found.value.is_some_and(|value| !value.is_finite());
    let o = evidence.capture.observations.iter().find(|o| o.name == found.batch);
    if found.saturated && o.is_some_and(|o| o.from_probabilities) && !by_value {
        return;
    }
    if let Some(witness) = symptoms::empty_mean(&evidence.capture.observations) {
        findings.push(Finding {
            remedy: "divide by max(1, n), or leave an image, or a class, that has no pixel out of the mean and of the weights",
            ..Finding::new(
                Cause::NotFinite,
                witness,
                "0/0, or 1/0: one such batch ends the training, as NaN spreads to every weight of the net",
            )
        });
        return;
    }
    let pixel = found.witness.as_ref().map(in_words);
    let value = found.value.map_or_else(String::new, |value| format!("the value is {value}"));
    let witness = match pixel {
        Some(pixel) => format!(
            "in {} {} pixels have a gradient that is no number, as {pixel}; {value}",
            batch(&found.batch),
            found.pixels
        ),
        None => format!("{value} in {}", batch(&found.batch)),
    };
    // A logarithm fails where a pixel is certainly wrong.
    if !by_value && found.witness.as_ref().is_some_and(is_certainly_right) {
        findings.push(Finding {
            remedy: "move what stands under a root, or under a power below 1, away from 0: (x + 1e-8) ** 0.5",
            ..Finding::new(
                Cause::NotFinite,
                witness.trim_start().to_owned(),
                "the loss of a pixel that is certainly right is 0, where a root, or a power below 1, has an infinite slope: 0·∞ is NaN, \
                 and the training ends when the net has learnt",
            )
        });
        return;
    }
    let consequence = match (found.saturated, evidence.found) {
        (_, Found::Loss(found)) if found.terms[0].shape.kind() == Kind::DocumentBinary => {
            "log(1 − max(0, σ(z) + 0.5 − th)) leaves its range as soon as σ(z) > 0.5 + th: one such pixel makes the whole \
             mean NaN, and the training ends"
                .to_owned()
        }
        (false, _) => "one such pixel makes the whole batch NaN, and the training ends".to_owned(),
        (true, _) if !by_value => "a net that becomes certain of one wrong pixel ends the training: its value is a number, and its slope, of a \
                                   logarithm, a root or a power of a probability that is rounded to 0, is none"
            .to_owned(),
        (true, _) => "a net that becomes certain of one wrong pixel ends the training: its logarithm is taken of a \
                      probability that is rounded to 0"
            .to_owned(),
    };
    findings.push(Finding::new(Cause::NotFinite, witness.trim_start().to_owned(), consequence));
}

/// Whether the right class of a pixel has all of its probability, within rounding.
fn is_certainly_right((logits, label): &Pixel) -> bool {
    let own = label.and_then(|label| usize::try_from(label).ok());
    match (logits.as_slice(), own) {
        ([z], Some(1)) => *z > 30.0,
        ([z], Some(_)) => *z < -30.0,
        (logits, Some(label)) => {
            let mut others = logits.iter().enumerate().filter(|&(c, _)| c != label);
            logits.get(label).is_some_and(|own| others.all(|(_, z)| own - z > 30.0))
        }
        _ => false,
    }
}

/// Whether the value does not depend on the logits.
fn constant(all: &[Observation]) -> bool {
    // The same labels under other logits.
    let same =
        all.iter().filter(|o| ["base", "shifted", "sure"].contains(&o.name.as_str()) || all.len() == 1);
    let values: Vec<f64> = same.filter_map(Observation::total).collect();
    values.first().is_none_or(|first| values.iter().all(|value| (value - first).abs() <= 1e-6 * first.abs()))
}

/// No gradient, or one that is not the slope of the value.
pub fn slopes(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
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
        } else if hard || (evidence.by_value.is_none() && slope == Slope::Zero && !values.is_empty()) {
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
        let gradient = match times(first(evidence), by_value) {
            Some(times) => {
                format!("{} times its: is it that of a scaled loss, as for mixed precision?", short(times))
            }
            None => "none of its".to_owned(),
        };
        findings.push(Finding::new(
            Cause::NotTheDerivative,
            format!("the value is {}, and the gradient is {gradient}", by_value.name()),
            "the net is pulled somewhere else than the printed value says",
        ));
    }
}

/// How many times the gradient is that of a loss; none where it is another.
fn times(o: &Observation, loss: &Identified) -> Option<f64> {
    let ((_, expected), g) = (loss.predict(o)?, o.gradient.as_ref()?);
    let (most, at) = (0..g.len()).map(|i| (expected[i].abs(), i)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    let times = g[at] / expected[at];
    let same =
        g.iter().zip(&expected).all(|(g, e)| (g - times * e).abs() <= o.tolerance() * most * times.abs());
    (times.is_finite() && same).then_some(times)
}

/// What happens where a class is absent.
pub fn absent(evidence: &Evidence<'_>, found: &Identified, findings: &mut Vec<Finding>) {
    if !found.unexplained.iter().any(|name| name == "absent") {
        return;
    }
    absent_without_name(evidence, findings);
}

/// The same of a loss that has no name.
pub fn absent_without_name(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
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
pub fn unactivated(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let all = &evidence.capture.observations;
    if first(evidence).from_probabilities || symptoms::slope(all) != Slope::Some {
        return;
    }
    let witness = match (symptoms::ignores_logits(all), symptoms::is_linear(all)) {
        (Some((class, least, most)), _) => format!(
            "all pixels of a label in an image get the same gradient in channel {class}, although their logits run from {least:.3} to {most:.3}"
        ),
        (None, true) => "batches `base`, `shifted` and `sure` have the same labels and other logits, and the same gradient".to_owned(),
        (None, false) => return,
    };
    findings.push(Finding::new(
        Cause::NoActivation,
        witness,
        "logits beyond 0 and 1 make the value whatever they like: the net gains by growing them",
    ));
}

/// Ignored pixels that count, where no reading says how.
pub fn ignored(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
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

/// Wrong pixels that get no gradient.
pub fn silent(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    // Along a wrong axis a pixel may stand alone, and have no slope.
    if symptoms::slope(&evidence.capture.observations) != Slope::Some
        || findings.iter().any(|finding| finding.cause == Cause::WrongAxis)
    {
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
    let exact = identified.filter(|found| found.is_exact() && found.reading() == Reading::PLAIN);
    let explained = matches!(evidence.found, Found::Loss(_));
    let weighed = identified.is_some_and(Identified::is_explained);
    let found = all.iter().filter(asked).find_map(|o| {
        let meant = exact.and_then(|found| found.predict(o));
        let meant = meant.map(|(_, gradient)| gradient).filter(|g| g.iter().all(|g| g.is_finite()));
        // Where the gradients are explained, zeros among them are, too, but for the most wrong ones.
        let by_itself = |silent: &symptoms::Silent| match silent.image {
            Some(_) => !explained || !weighed,
            None => !explained && !identified.is_some_and(|found| chooses_hard_pixels(found, o)),
        };
        symptoms::silent(o, meant.as_deref()).filter(|silent| silent.is_clip || by_itself(silent))
    });
    let Some(found) = found else { return };
    let witness = format!(
        "in {} {} wrong pixels get a gradient of exactly 0, as {}",
        batch(&found.batch),
        found.pixels,
        in_words(&found.witness)
    );
    if !found.is_clip {
        findings.push(Finding::new(
            Cause::SilentPixels,
            match found.image {
                Some(image) => {
                    format!("no pixel of image {image} in {} gets a gradient", batch(&found.batch))
                }
                None => witness,
            },
            "these are never learnt, whatever the net says of them",
        ));
        return;
    }
    let least = symptoms::least_spoken(all.iter().filter(asked));
    findings.push(Finding::new(
        Cause::ClippedGradient,
        witness,
        match (found.probability, least) {
            (0.0, _) => "a pixel whose right class has a probability that is rounded to 0 is never learnt".to_owned(),
            (p, Some(least)) if least > p => {
                format!("a pixel whose right class has a probability of {p:.1e} is never learnt, one of {least:.1e} is: the clip lies between")
            }
            (p, _) => format!("a pixel whose right class has a probability of {p:.1e} or less is never learnt"),
        },
    ));
}

/// Whether the pixels without a gradient are those that cost least, in all or in each image, with the loss's weights or without.
fn chooses_hard_pixels(found: &Identified, o: &Observation) -> bool {
    let [term] = found.terms.as_slice() else { return false };
    let chosen = |spec: &LossSpec| {
        let map = answer(o, term.reading, &term.reading.of(o), spec, true).and_then(|answer| answer.map);
        let Some(map) = map else { return false };
        let by_entry = map.len() == o.logits.len() && o.classes > 1;
        let cost = |n: usize, p: usize| match by_entry {
            true => (0..o.classes).map(|c| map[o.at(n, c, p)]).sum(),
            false => map[n * o.pixels() + p],
        };
        let ordered = |images: std::ops::Range<usize>| {
            let pixels = symptoms::places(o).filter(|&(n, p)| images.contains(&n) && o.is_valid(n, p));
            let (silent, spoken): (Vec<_>, Vec<_>) = pixels.partition(|&(n, p)| o.has_no_slope(n, p));
            let most = silent.iter().map(|&(n, p)| cost(n, p)).fold(f64::NEG_INFINITY, f64::max);
            let least = spoken.iter().map(|&(n, p)| cost(n, p)).fold(f64::INFINITY, f64::min);
            !spoken.is_empty() && most <= least
        };
        ordered(0..o.images) || (0..o.images).all(|n| ordered(n..n + 1))
    };
    chosen(&term.shape) || term.explanation.as_ref().is_some_and(|found| chosen(&found.spec))
}
