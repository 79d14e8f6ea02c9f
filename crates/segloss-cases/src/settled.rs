//! A specification without what nothing reads.

use crate::spec::set;
use segloss::{Classes, Kind, LossSpec, Region, Source, Value, WeightSpec};

/// The same loss without options that nothing reads, which a specification must not have: a law that changes one
/// option may leave another without effect.
pub fn settled(spec: &LossSpec) -> LossSpec {
    let mut spec = spec.clone();
    let default = WeightSpec::default();
    let counted = is_counted(spec.weights.source);
    let sudre = spec.kind().weighs_by_size() && spec.weights.source == Source::None;
    if !counted {
        spec.weights.scheme = default.scheme;
    }
    if !counted && !sudre {
        spec.weights.absent = default.absent;
    }
    if !counted && spec.weights.source != Source::Fixed {
        spec.weights.normalise = default.normalise;
    }
    if !spec.reads_prior() {
        spec.prior = None;
    }
    if ![spec.weights.source, spec.prior().source].contains(&Source::Ema) {
        spec.weights.decay = default.decay;
    }
    if spec.kind() != Kind::Combined && ![spec.weights.source, spec.prior().source].contains(&Source::Dataset)
    {
        spec.dataset = None;
    }
    let source = spec.weights.source;
    let holds = |key: &str, x: f64| spec.options.get(key) == Some(x.into());
    let unsmoothed = holds("label_smoothing", 0.0) || matches!(source, Source::None | Source::Map);
    let alike = spec.classes() != Classes::Present && source != Source::PerSample;
    let idle = [
        ("smoothing_weight", unsmoothed),
        ("average", alike || spec.region() != Region::Image),
        ("confidence", holds("keep", 1.0)),
    ];
    for (key, idle) in idle {
        if idle && spec.options.get(key).is_some() {
            set(&mut spec, key, Value::None);
        }
    }
    spec.terms_mut().iter_mut().for_each(|term| term.loss = settled(&term.loss));
    spec
}

/// Whether weights are made of class counts.
fn is_counted(source: Source) -> bool {
    matches!(source, Source::Dataset | Source::PerBatch | Source::PerSample | Source::Ema)
}
