//! What the defects make of a case that need more than a word to be wrong.

use crate::case::{Case, Labels, distribution};
use crate::subject::{Outcome, Precision, Subject};
use crate::textbook::is_sigmoid;
use segloss::{Absent, Activation, Denominator, Kind, Layout, LossSpec, Source, Threshold, WeightSpec};

/// Lovász-softmax whose foreground is the class index itself, not its being the class's.
pub(super) fn lovasz_of_class_ids(case: &Case, out: &mut Outcome) {
    let Labels::Indices(labels) = &case.target else { return };
    if case.spec.kind != Kind::LovaszSoftmax {
        return;
    }
    let pixels = case.grid.pixels();
    let mut total = 0.0;
    for c in 0..case.grid.classes {
        let mut errors = Vec::new();
        for (n, p) in (0..case.grid.images).flat_map(|n| (0..pixels).map(move |p| (n, p))) {
            if case.is_ignored(n, p) {
                continue;
            }
            let z = |k: usize| case.logits[case.at(n, k, p)].exp();
            let probability = z(c) / (0..case.grid.classes).map(z).sum::<f64>();
            let id = labels[n * pixels + p] as f64;
            errors.push(((id - probability).abs(), id));
        }
        errors.sort_by(|a, b| b.0.total_cmp(&a.0));
        let all: f64 = errors.iter().map(|(_, id)| id).sum();
        let (mut hits, mut alarms, mut before) = (0.0, 0.0, 0.0);
        for (error, id) in errors {
            (hits, alarms) = (hits + id, alarms + 1.0 - id);
            let jaccard = 1.0 - (all - hits) / (all + alarms);
            total += error * (jaccard - before);
            before = jaccard;
        }
    }
    out.value = total / case.grid.classes as f64;
}

/// Focal loss with p = exp(−(weighted cross-entropy)): a class weight changes the probability.
pub(super) fn focal_of_weighted(subject: &dyn Subject, case: &Case, out: &mut Outcome) -> Result<(), String> {
    if case.spec.kind != Kind::Focal {
        return Ok(());
    }
    let mut plain = case.clone();
    let kind = if is_sigmoid(&case.spec) { Kind::BinaryCrossEntropy } else { Kind::CrossEntropy };
    plain.spec = LossSpec { kind, gamma: None, activation: None, ..case.spec.clone() };
    let Some(map) = subject.evaluate(&plain, Precision::F64)?.map else { return Ok(()) };
    let per_pixel = map.len() / (case.grid.images * case.grid.pixels());
    let gamma = case.spec.gamma.unwrap_or(2.0);
    let focused = |(i, &loss): (usize, &f64)| {
        let pixel = match case.spec.layout {
            Layout::ChannelsFirst if per_pixel > 1 => {
                i / (case.grid.pixels() * per_pixel) * case.grid.pixels() + i % case.grid.pixels()
            }
            _ => i / per_pixel,
        };
        let mass = case.mass(pixel / case.grid.pixels(), pixel % case.grid.pixels());
        if mass > 0.0 { (1.0 - (-loss / mass).exp()).powf(gamma) * loss } else { 0.0 }
    };
    let map: Vec<f64> = map.iter().enumerate().map(focused).collect();
    out.numerator = map.iter().sum();
    out.value = if out.denominator > 0.0 { out.numerator / out.denominator } else { 0.0 };
    out.map = Some(map);
    Ok(())
}

/// A mean over all pixels, ignored ones too, where it should be over the valid ones.
pub(super) fn ignored_in_denominator(case: &Case, out: &mut Outcome) {
    let denominator = case.spec.denominator();
    if !matches!(denominator, Denominator::WeightSum | Denominator::ValidPixels) || out.denominator == 0.0 {
        return;
    }
    let pixels = (0..case.grid.images).flat_map(|n| (0..case.grid.pixels()).map(move |p| (n, p)));
    let ignored = pixels.filter(|&(n, p)| case.is_ignored(n, p)).count() as f64;
    let share = out.denominator / (out.denominator + ignored);
    out.denominator /= share;
    out.value *= share;
    out.gradient.iter_mut().for_each(|g| *g *= share);
}

/// Tversky of all classes together: under softmax Σ FP = Σ FN, and α and β are one number.
pub(super) fn micro_averaged(case: &mut Case) {
    let spec = &case.spec;
    let prices = spec.alpha.unwrap_or(0.3) + spec.beta.unwrap_or(0.7);
    if spec.kind != Kind::Tversky || spec.activation == Some(Activation::Sigmoid) || prices != 1.0 {
        return;
    }
    let ones = vec![1.0; case.grid.classes];
    case.spec = LossSpec {
        kind: Kind::GeneralizedDice,
        smooth: Some(2.0 * spec.smooth.unwrap_or(1e-5)),
        weights: WeightSpec { source: Source::Fixed, values: ones, ..WeightSpec::default() },
        alpha: None,
        beta: None,
        classes: None,
        ..spec.clone()
    };
}

/// Generalised Dice with 1/(0 + ε)² for a class that is not there.
pub(super) fn absent_takes_all(case: &mut Case) {
    if case.spec.kind == Kind::GeneralizedDice && case.spec.weights.source == Source::None {
        case.spec.weights.absent = Absent::Cap(1e10);
    }
}

/// PyTorch's label smoothing: each class's share of the smoothing has that class's weight.
pub(super) fn smoothing_per_class(case: &mut Case) {
    let s = case.spec.label_smoothing;
    // Of fixed weights the soft target that amounts to it has the same ones.
    let same_weights = case.spec.weights.source == Source::Fixed
        && !matches!(case.spec.threshold, Some(Threshold::LogitAdjustment(_)));
    let mut pixels = (0..case.grid.images).flat_map(|n| (0..case.grid.pixels()).map(move |p| (n, p)));
    let some_ignored = pixels.any(|(n, p)| case.is_ignored(n, p));
    if case.spec.kind != Kind::CrossEntropy || s == 0.0 || !same_weights || some_ignored {
        return;
    }
    let classes = case.grid.classes as f64;
    let y = distribution(case).iter().map(|y| (1.0 - s) * y + s / classes).collect();
    case.target = Labels::Distribution(y);
    case.spec.label_smoothing = 0.0;
}

/// Ignored pixels' logits and targets multiplied by 0: what is left has p = 1/C, or ½, of every class.
pub(super) fn masked_logits(case: &mut Case) {
    let Labels::Indices(_) = case.target else { return };
    let y = distribution(case);
    for (n, p, c) in case.grid.entries() {
        if case.is_ignored(n, p) {
            let at = case.at(n, c, p);
            case.logits[at] = 0.0;
        }
    }
    case.target = Labels::Distribution(y);
    case.spec.ignore_index = None;
}
