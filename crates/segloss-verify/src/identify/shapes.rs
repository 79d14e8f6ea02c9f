//! Every loss that segloss knows, with the options that people set: from the registry, so that a new kind is here, too.

use segloss::{Kind, LossSpec, Options, Reduction, Scheme, Source, Threshold, Value, WeightSpec};

/// Numbers that people give to an option, the most usual first. Of an option that is not named here, those that the
/// registry has.
const USUAL: [(&str, &[f64]); 10] = [
    ("gamma", &[2.0, 1.0, 0.5, 1.5, 3.0, 4.0, 5.0, 0.75, 4.0 / 3.0, 0.25]),
    ("smooth", &[1e-5, 0.0, 1.0, 2.0, 1e-6, 1e-7, 1e-8, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 10.0, 100.0]),
    ("alpha", &[0.3, 0.5, 0.7, 0.2, 0.8, 0.1, 0.9, 0.25, 0.75, 0.4, 0.6, 1.0, 2.0]),
    ("beta", &[0.7, 0.5, 0.3, 0.8, 0.2, 0.9, 0.1, 0.75, 0.25, 0.6, 0.4, 1.0, 2.0]),
    ("label_smoothing", &[0.0, 0.1, 0.05, 0.2, 0.01, 0.15, 0.3]),
    ("keep", &[0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.05, 0.15, 0.75, 0.8, 0.4, 0.6, 0.9, 0.95, 0.01, 0.02]),
    ("epsilon", &[1.0, 2.0, -1.0, 0.5]),
    ("delta", &[0.6, 0.5, 0.7, 0.8]),
    ("scale", &[30.0, 10.0, 1.0, 20.0, 5.0, 16.0, 64.0]),
    ("mix", &[0.5, 1.0, 0.25, 0.75]),
];

/// What the numbers of an option may be.
pub fn usual(spec: &LossSpec, key: &str) -> Vec<f64> {
    let known = USUAL.iter().find(|(known, _)| *known == key).map(|(_, numbers)| numbers.to_vec());
    let Some(default) = number(spec, key) else { return Vec::new() };
    let mut all = vec![default];
    match known {
        Some(known) => all.extend(known),
        None => {
            let infos = spec.options.infos();
            let samples = infos.iter().filter(|info| info.key == key).flat_map(|info| &info.samples);
            all.extend(
                samples.filter_map(|value| if let Value::Number(x) = value { Some(*x) } else { None }),
            );
        }
    }
    all.dedup();
    all
}

/// The options of a specification that are numbers.
pub fn numeric_keys(spec: &LossSpec) -> Vec<&'static str> {
    let keys = spec.options.infos().into_iter().map(|info| info.key);
    keys.filter(|key| number(spec, key).is_some()).collect()
}

/// The number that an option holds.
pub fn number(spec: &LossSpec, key: &str) -> Option<f64> {
    match spec.options.get(key) {
        Some(Value::Number(x)) => Some(x),
        _ => None,
    }
}

/// The same with another value of an option; none where it cannot have that.
pub fn with(spec: &LossSpec, key: &'static str, value: impl Into<Value>) -> Option<LossSpec> {
    let mut spec = spec.clone();
    spec.options.set(key, value).ok()?;
    is_valid(&spec).then_some(spec)
}

/// Whether there is such a loss, if need be with weights, which its parts are then fitted with.
pub fn is_valid(spec: &LossSpec) -> bool {
    let weights = WeightSpec { source: Source::PerBatch, ..WeightSpec::default() };
    let is = |spec: LossSpec| segloss::Loss::new(spec).is_ok();
    is(spec.clone()) || spec.weights.source == Source::None && is(LossSpec { weights, ..spec.clone() })
}

/// Every kind with every choice of its words and switches, its numbers as they are by default and at the ends of what is usual:
/// as a sum over pixels, or the mean over regions.
pub fn shapes() -> Vec<LossSpec> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::Combined).flat_map(of_kind).collect()
}

/// What a value alone is compared with: the same, with every usual number and with weights of the labels.
pub fn shapes_with_numbers() -> Vec<LossSpec> {
    let mut all = shapes();
    for spec in all.clone() {
        for key in numeric_keys(&spec) {
            let now = number(&spec, key);
            let others = usual(&spec, key).into_iter().filter(|x| Some(*x) != now);
            all.extend(others.filter_map(|x| with(&spec, key, x)));
        }
        if !spec.kind().info().takes("weights") || spec.weights.source != Source::None {
            continue;
        }
        for source in [Source::PerBatch, Source::PerSample] {
            for scheme in
                [Scheme::InverseFrequency, Scheme::InverseSqrt, Scheme::MedianFrequency, Scheme::Complement]
            {
                let weights = WeightSpec { source, scheme, ..WeightSpec::default() };
                all.push(LossSpec { weights, ..spec.clone() });
            }
        }
    }
    all.retain(|spec| segloss::Loss::new(spec.clone()).is_ok());
    all
}

/// All that are sums over pixels, and the plainest of the others.
pub fn cheapest(shapes: Vec<LossSpec>, others: usize) -> Vec<LossSpec> {
    let (mut all, mut rest): (Vec<_>, Vec<_>) =
        shapes.into_iter().partition(|spec| spec.kind().is_additive());
    rest.sort_by_key(cost);
    rest.truncate(others);
    all.append(&mut rest);
    all
}

fn of_kind(kind: Kind) -> Vec<LossSpec> {
    let mut all = vec![plain(kind)];
    for info in kind.options().infos() {
        let choices = info.choices();
        let values: Vec<Value> =
            choices.into_iter().chain(coarse(info.key).iter().map(|&x| Value::Number(x))).collect();
        for spec in all.clone() {
            let others = values.iter().filter(|&value| spec.options.get(info.key).as_ref() != Some(value));
            all.extend(others.filter_map(|value| {
                let mut spec = spec.clone();
                spec.options.set(info.key, value.clone()).ok()?;
                Some(spec)
            }));
        }
    }
    all.extend(all.clone().iter().flat_map(shared));
    // Which options act depends on others.
    all.retain(|spec| !is_another(&spec.options) && is_valid(spec));
    all
}

/// The same with other values of the keys that kinds share, where these change more than the scale of a class.
fn shared(spec: &LossSpec) -> Vec<LossSpec> {
    let threshold = |threshold| LossSpec { threshold: Some(threshold), ..spec.clone() };
    let weights = |weights| LossSpec { weights, ..spec.clone() };
    match spec.kind() {
        // What a user writes for 1/C is any number.
        Kind::DocumentBinary => {
            [1.0 / 3.0, 0.5, 0.25, 0.2, 0.4, 0.6, 0.7].map(|th| threshold(Threshold::Document(th))).to_vec()
        }
        // Balanced softmax, and half of it.
        Kind::CrossEntropy => [1.0, 0.5].map(|t| threshold(Threshold::LogitAdjustment(t))).to_vec(),
        Kind::ExponentialLogarithmic => of_the_logarithm(spec).into_iter().collect(),
        kind if kind.weighs_by_size() => {
            let counted = |scheme| WeightSpec { source: Source::PerBatch, scheme, ..WeightSpec::default() };
            let per_image =
                |scheme| WeightSpec { source: Source::PerSample, scheme, ..WeightSpec::default() };
            let schemes = [Scheme::InverseFrequency, Scheme::InverseSqrt, Scheme::Power(0.0)];
            schemes
                .into_iter()
                .flat_map(|scheme| [weights(counted(scheme)), weights(per_image(scheme))])
                .collect()
        }
        _ => Vec::new(),
    }
}

/// −ln Dice alone.
fn of_the_logarithm(spec: &LossSpec) -> Option<LossSpec> {
    let numbers = [("dice_weight", 1.0), ("cross_weight", 0.0), ("gamma_dice", 1.0)];
    numbers.into_iter().try_fold(spec.clone(), |spec, (key, x)| with(&spec, key, x))
}

/// Values of a number that are too far from its default to be found by a search that begins there.
fn coarse(key: &str) -> &'static [f64] {
    match key {
        "label_smoothing" => &[0.1],
        "smooth" => &[0.0, 1.0],
        "keep" => &[0.05, 0.2, 0.25, 0.3, 0.5, 0.7],
        "confidence" => &[0.5, 0.7, 0.9],
        _ => &[],
    }
}

/// Whether it is a plainer kind in fact.
fn is_another(options: &Options) -> bool {
    match options {
        Options::TopKCrossEntropy(options) => options.label_smoothing != 0.0,
        // Cross-entropy times a number.
        Options::DocumentCategorical(_) => true,
        _ => false,
    }
}

/// A kind without weights: a sum over pixels undivided, a mean over regions as it is.
pub fn plain(kind: Kind) -> LossSpec {
    let mut spec = LossSpec::new(kind);
    if kind.is_additive() && kind.info().takes("reduction") {
        spec.reduction = Some(Reduction::Sum);
    }
    spec
}

/// Whether a kind is seldom what somebody wrote.
pub fn is_rare(kind: Kind) -> bool {
    use Kind::{DocumentBinary, DocumentCategorical, DocumentSigmoid};
    rank(kind) >= 3 && ![DocumentBinary, DocumentSigmoid, DocumentCategorical].contains(&kind)
}

/// Common kinds go first where two explain the same numbers.
fn rank(kind: Kind) -> usize {
    match kind {
        Kind::CrossEntropy | Kind::BinaryCrossEntropy | Kind::Dice => 0,
        Kind::Focal | Kind::Jaccard | Kind::Tversky | Kind::LovaszSoftmax => 1,
        Kind::GeneralizedDice | Kind::TopKCrossEntropy | Kind::LovaszHinge => 2,
        Kind::DocumentBinary | Kind::DocumentSigmoid | Kind::DocumentCategorical => 5,
        _ => 3,
    }
}

/// How far a specification is from the plainest: a choice or number that differs from its kind's default costs one, an
/// unusual number three.
pub fn cost(spec: &LossSpec) -> usize {
    let default = spec.kind().options();
    let of = |key: &str| match (spec.options.get(key), default.get(key)) {
        (found, default) if found == default => 0,
        (Some(Value::Number(x)), _) => 1 + 2 * usize::from(!usual(&plain(spec.kind()), key).contains(&x)),
        _ => 1,
    };
    let own: usize = spec.options.infos().iter().map(|info| of(info.key)).sum();
    own + rank(spec.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kind that is new in the registry is among the hypotheses, and every hypothesis is a loss.
    #[test]
    fn every_kind_is_a_hypothesis() {
        let all = shapes();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Combined) {
            let known = all.iter().any(|spec| spec.kind() == kind);
            // S3 is cross-entropy times a number, and found as that.
            assert!(known || kind == Kind::DocumentCategorical, "{}", kind.name());
        }
        assert!(all.iter().all(is_valid));
    }
}
