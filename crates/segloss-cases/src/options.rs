//! Specifications with all their options sampled.

use crate::sampler::{FIRST, OptionSampler};
use crate::settled::settled;
use crate::spec::set;
use crate::weighting::{dataset, prior, weights};
use segloss::kinds::Combined;
use segloss::{Activation, Kind, LossSpec, OptionInfo, Reduction, Source, Term, Threshold, Value};

/// A specification of a kind; with this activation where one is named, but of a sum, whose terms have their own.
pub(crate) fn sampled(
    sampler: &mut OptionSampler,
    kind: Kind,
    activation: Option<Activation>,
    classes: usize,
) -> LossSpec {
    match kind {
        Kind::Combined => combined(sampler, classes),
        _ => options(sampler, kind, activation, classes),
    }
}

/// A sum of two or three losses, one of them nested now and then.
fn combined(sampler: &mut OptionSampler, classes: usize) -> LossSpec {
    // S1 is defined for small logits only, which would leave the others little to do.
    let others: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| ![Kind::Combined, Kind::DocumentBinary].contains(kind)).collect();
    let count = sampler.sample("terms", &[2, 2, 3]);
    let terms = (0..count)
        .map(|_| {
            let kind = sampler.sample("term", &others);
            let activation = sampler.sample("activation", &[None, Some(Activation::Sigmoid)]);
            let activation = activation.filter(|_| kind.info().takes("activation"));
            let loss = options(sampler, kind, activation, classes);
            let nested = Combined::new(vec![Term { factor: 0.75, loss: loss.clone() }]);
            let loss = if sampler.sample("nested", &[false, false, false, true]) { nested } else { loss };
            Term { factor: sampler.sample("factor", &[1.0, 0.25, 2.0]), loss }
        })
        .collect();
    Combined::new(terms)
}

/// The kind as it is by default, with this activation where one is named.
pub(crate) fn with_activation(kind: Kind, activation: Option<Activation>) -> LossSpec {
    let mut spec = LossSpec::new(kind);
    if let Some(activation) = activation {
        set(&mut spec, "activation", activation);
    }
    spec
}

/// A specification of this kind with all its options sampled.
fn options(
    sampler: &mut OptionSampler,
    kind: Kind,
    activation: Option<Activation>,
    classes: usize,
) -> LossSpec {
    let mut spec = with_activation(kind, activation);
    own_options(sampler, &mut spec, classes);
    let info = kind.info();
    let takes = |key: &str| info.takes(key);
    spec.reduction = takes("reduction").then(|| reduction(sampler, kind)).flatten();
    spec.threshold = takes("threshold").then(|| threshold(sampler, &spec, classes)).flatten();
    if takes("prior") {
        spec.prior = Some(prior(sampler, classes));
    }
    if takes("weights") {
        spec.weights = weights(sampler, &spec, classes);
    }
    let sources = [spec.weights.source, spec.prior().source];
    spec.dataset = sources.contains(&Source::Dataset).then(|| dataset(sampler, &spec, classes));
    settled(&spec)
}

/// Samples the options that are the kind's own from the values that its registry entry names.
fn own_options(sampler: &mut OptionSampler, spec: &mut LossSpec, classes: usize) {
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut infos = spec.options.infos();
    infos.sort_by_key(|info| place(info.key));
    for OptionInfo { key, samples, .. } in infos {
        let sampled = match key {
            // Sampled beforehand, and the prices in pairs.
            "activation" | "beta" => None,
            "alpha" => {
                let prices = [None, Some((0.5, 0.5)), Some((1.0, 0.0)), Some((0.0, 1.0)), Some((2.0, 0.25))];
                if let Some((alpha, beta)) = sampler.sample("prices", &prices) {
                    set(spec, "alpha", alpha);
                    set(spec, "beta", beta);
                }
                None
            }
            "background" => sampler.sample_option(key, &(0..classes).map(Value::from).collect::<Vec<_>>()),
            // The two do not go together.
            "confidence" if spec.options.get("label_smoothing") != Some(0.0.into()) => None,
            _ => sampler.sample_option(key, &samples),
        };
        if let Some(value) = sampled {
            set(spec, key, value);
        }
    }
}

fn reduction(sampler: &mut OptionSampler, kind: Kind) -> Option<Reduction> {
    use Reduction::{Constant, Mean, MeanAll, MeanImages, MeanValid, Sum};
    match kind.sums_regions() {
        true => sampler.sample_or_none("reduction of regions", &[Mean, MeanImages, Sum, Constant(1.5)]),
        false => {
            let all = [Mean, MeanValid, MeanAll, MeanImages, Sum, Constant(37.5)];
            sampler.sample_or_none("reduction", &all)
        }
    }
}

fn threshold(sampler: &mut OptionSampler, spec: &LossSpec, classes: usize) -> Option<Threshold> {
    if spec.kind() == Kind::DocumentBinary {
        return sampler.sample_or_none("document threshold", &[0.45, 0.5, 0.6]).map(Threshold::Document);
    }
    match sampler.sample("threshold", &["none", "shift", "adjustment"]) {
        "shift" => {
            let tenths = || sampler.number(1..10) as f64 / 10.0;
            Some(Threshold::LogitShift(std::iter::repeat_with(tenths).take(classes).collect()))
        }
        "adjustment" => Some(Threshold::LogitAdjustment(sampler.sample("adjustment", &[1.0, 0.5, -0.25]))),
        _ => None,
    }
}
