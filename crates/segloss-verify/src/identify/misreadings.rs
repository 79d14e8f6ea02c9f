//! Arguments that were read by mistake, in words.

use super::cause::Cause;
use super::finding::{Finding, batch, rarest};
use super::identified::Identified;
use super::observation::Observation;
use super::own_class::OwnClass;
use super::reading::{Reading, Step, TargetReading};
use segloss::Kind;

/// What the reading of the arguments that explains a batch says of them.
pub fn readings(o: &Observation, found: &Identified, findings: &mut Vec<Finding>) {
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
            match o.classes {
                1 => "the second activation sees numbers from 0 to 1: no probability falls below ½ or exceeds 0.731".to_owned(),
                classes => {
                    let (e, others) = (std::f64::consts::E, classes as f64 - 1.0);
                    format!(
                        "the softmax sees numbers from 0 to 1: every probability lies between {:.3} and {:.3}, however sure the net is; {rare}",
                        1.0 / (1.0 + e * others),
                        e / (e + others)
                    )
                }
            },
        )),
        Step::ChannelsOfSoftmax => {}
        Step::Clipped | Step::ChannelsOfClipped | Step::Own(OwnClass::Share) => {
            let (below, above) = (count(o, |z| z < 0.0), count(o, |z| z > 1.0));
            findings.push(Finding::new(
                Cause::NoActivation,
                sum(match step {
                    Step::Own(_) => "z/Σz, clipped to [1e-7, 1 − 1e-7]",
                    _ => "logits clipped to [1e-7, 1 − 1e-7]",
                }),
                format!(
                    "of {} logits {below} lie below 0 and {above} above 1, and are clipped: most pixels get no gradient that would help them",
                    o.logits.len()
                ),
            ));
        }
        Step::Own(OwnClass::Sigmoid) => findings.push(Finding::new(
            Cause::SigmoidForSoftmax,
            sum("σ(z) of the right class alone"),
            "raising every logit of every class lowers the loss: the net may answer all classes everywhere",
        )),
        Step::Own(OwnClass::Probability) => findings.push(no_logarithm(o)),
        Step::Own(OwnClass::Fading(gamma)) => findings.push(Finding::new(
            Cause::FocalInverted,
            format!("{} explained exactly by −p^{gamma}·ln p of the right class", batch(&o.name)),
            format!("a pixel that is confidently wrong gets next to no gradient; {rare}"),
        )),
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
        TargetReading::NextAsNone => findings.push(Finding::new(
            Cause::LabelsOffByOne,
            pixel("labels that are one higher, pixels of the last class in no class"),
            "every class is trained as its neighbour, and the last as none",
        )),
        TargetReading::Divided => findings.push(Finding::new(
            Cause::MaskScale,
            pixel("a target divided by 255, although it is 0 and 1 already"),
            "a positive is trained as 0.4 % of one: the net learns that nothing is there",
        )),
        TargetReading::OfAllImages => findings.push(Finding::new(
            Cause::BroadcastOverImages,
            pixel("targets averaged over the images"),
            "the net is trained to draw the same mean mask for every image",
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

fn count(o: &Observation, is: impl Fn(f64) -> bool) -> usize {
    o.logits.iter().filter(|&&z| is(z)).count()
}

/// Of a loss that is −p where −ln p was meant.
pub fn no_logarithm(o: &Observation) -> Finding {
    Finding::new(
        Cause::NoLogarithm,
        format!("{}: value and gradient are those of −p of the right class", batch(&o.name)),
        format!(
            "a pixel whose right class has a probability p gets p times the gradient of cross-entropy: one that is confidently wrong next \
             to none; {}",
            rarest(o).unwrap_or_default()
        ),
    )
}
