//! Mistakes in what a loss is.

use super::bug::{Bug, Wrong};
use super::computing::nan_if;
use crate::implementation::{Implementation, Outcome, Precision};
use crate::textbook::{sigmoid, softmax};
use segloss::kinds::{CrossEntropy, GeneralizedDice, Tversky};
use segloss::{Activation, Kind, Layout, LossSpec, Options, Source, Threshold, WeightSpec};
use segloss_cases::{ByKey, Case, Grid, Labels, distribution, is_sigmoid, set};

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "softmax_twice",
        stands_for: "probabilities handed to a loss of logits",
        killer: "document_breakdown",
        wrong: Wrong::Misread(activated),
    },
    Bug {
        name: "sigmoid_for_softmax",
        stands_for: "one activation taken for the other",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if case.spec.options.get("activation") == Some(Activation::Softmax.into()) {
                set(&mut case.spec, "activation", Activation::Sigmoid);
            }
        }),
    },
    Bug {
        name: "common_logarithm",
        stands_for: "log10 for ln",
        killer: "document_weight",
        wrong: Wrong::Spoil(|case, _, out| {
            if case.spec.kind() == Kind::CrossEntropy {
                rescale(out, std::f64::consts::LN_10.recip());
            }
        }),
    },
    Bug {
        name: "lovasz_of_class_ids",
        stands_for: "labels fed to a loss that expects one-hot maps",
        killer: "one_hot",
        wrong: Wrong::Spoil(lovasz_of_class_ids),
    },
    Bug {
        name: "focal_of_weighted",
        stands_for: "pt = exp(-F.cross_entropy(z, y, weight))",
        killer: "values_f64",
        wrong: Wrong::Derive(focal_of_weighted),
    },
    Bug {
        name: "focal_exponent_one_less",
        stands_for: "γ − 1 of the derivative used for the value",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if let Options::Focal(options) = &mut case.spec.options {
                options.gamma = f64::max(options.gamma - 1.0, 0.0);
            }
        }),
    },
    Bug {
        name: "micro_tversky",
        stands_for: "sums over every axis, the class's too",
        killer: "values_f64",
        wrong: Wrong::Misread(micro_averaged),
    },
    Bug {
        name: "tversky_prices_swapped",
        stands_for: "α priced on what β should be, as in Keras",
        killer: "values_f64",
        wrong: Wrong::Misread(swap_prices),
    },
    Bug {
        name: "inverse_exponent",
        stands_for: "(1 − TI)^γ for (1 − TI)^(1/γ)",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if let Options::FocalTversky(options) = &mut case.spec.options {
                options.gamma = options.gamma.recip();
            }
        }),
    },
    Bug {
        name: "batch_for_image",
        stands_for: "regions flattened over the batch",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if case.spec.weights.source != Source::PerSample && case.spec.options.get("region").is_some() {
                set(&mut case.spec, "region", segloss::Region::Batch);
            }
        }),
    },
    Bug {
        name: "smoothing_per_class",
        stands_for: "PyTorch's label smoothing beside class weights",
        killer: "fixtures_torch",
        wrong: Wrong::Misread(smoothing_per_class),
    },
    Bug {
        name: "smoothing_of_others_only",
        stands_for: "label smoothing shared out over C − 1 classes",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            let classes = case.grid.classes.max(2) as f64;
            if let Some(s) = case.spec.number("label_smoothing") {
                set(&mut case.spec, "label_smoothing", f64::min(s * classes / (classes - 1.0), 0.99));
            }
        }),
    },
    Bug {
        name: "document_weight_one",
        stands_for: "S3's scalar taken as harmless and left out",
        killer: "document_weight",
        wrong: Wrong::Spoil(|case, _, out| {
            if case.spec.kind() == Kind::DocumentCategorical {
                rescale(out, case.grid.classes as f64);
            }
        }),
    },
    Bug {
        name: "one_hot_in_a_byte",
        stands_for: "a bit for each class, and eight bits",
        killer: "document_weight",
        wrong: Wrong::Spoil(|case, _, out| {
            if case.spec.kind() == Kind::DocumentCategorical && case.grid.classes > 8 {
                rescale(out, case.grid.classes as f64 / 8.0);
            }
        }),
    },
    Bug {
        name: "squeezed",
        stands_for: "squeeze() makes a single pixel of a single channel a number without axes",
        killer: "edges",
        wrong: Wrong::Spoil(|case, _, out| {
            if case.grid.len() == 1 {
                out.gradient.fill(0.0);
            }
        }),
    },
    Bug {
        name: "underflow_of_squares",
        stands_for: "logits normalised by √z², which is 0 below 1e-162",
        killer: "edges",
        wrong: Wrong::Spoil(|case, _, out| {
            nan_if(out, case.logits.iter().any(|z| *z != 0.0 && z.abs() < 1e-200));
        }),
    },
    Bug {
        name: "stacked_images",
        stands_for: "(N, C, H, W) flattened to one image before the mean over images",
        killer: "fixtures_torch",
        wrong: Wrong::Misread(|case| {
            if case.spec.layout == Layout::ChannelsLast && case.grid.spatial.len() == 1 {
                case.grid = Grid::new(1, case.grid.classes, &[case.grid.images * case.grid.pixels()]);
            }
        }),
    },
];

/// Value, sum, map and gradient times a factor.
fn rescale(out: &mut Outcome, by: f64) {
    (out.value, out.numerator) = (out.value * by, out.numerator * by);
    out.gradient.iter_mut().chain(out.map.iter_mut().flatten()).for_each(|x| *x *= by);
}

/// p for z.
fn activated(case: &mut Case) {
    for (n, p) in case.grid.places() {
        let places: Vec<usize> = (0..case.grid.classes).map(|c| case.at(n, c, p)).collect();
        let z: Vec<f64> = places.iter().map(|&at| case.logits[at]).collect();
        let p = if is_sigmoid(&case.spec) { z.iter().map(|&z| sigmoid(z)).collect() } else { softmax(&z) };
        places.iter().zip(p).for_each(|(&at, p)| case.logits[at] = p);
    }
}

/// α for β, and the other way round.
pub(super) fn swap_prices(case: &mut Case) {
    if let Options::Tversky(options) = &mut case.spec.options {
        std::mem::swap(&mut options.alpha, &mut options.beta);
    }
}

/// Lovász-softmax whose foreground is the class index itself, not its being the class's.
fn lovasz_of_class_ids(case: &Case, _: Precision, out: &mut Outcome) {
    let Labels::Indices(labels) = &case.target else { return };
    if case.spec.kind() != Kind::LovaszSoftmax {
        return;
    }
    let pixels = case.grid.pixels();
    let mut total = 0.0;
    for c in 0..case.grid.classes {
        let mut errors = Vec::new();
        for (n, p) in case.grid.places() {
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
fn focal_of_weighted(
    implementation: &dyn Implementation,
    case: &Case,
    out: &mut Outcome,
) -> Result<(), String> {
    let Options::Focal(segloss::kinds::Focal { gamma, .. }) = case.spec.options else { return Ok(()) };
    let mut plain = case.clone();
    let kind = if is_sigmoid(&case.spec) { Kind::BinaryCrossEntropy } else { Kind::CrossEntropy };
    plain.spec = LossSpec { options: kind.options(), ..case.spec.clone() };
    let Some(map) = implementation.evaluate(&plain, Precision::F64)?.map else { return Ok(()) };
    let per_pixel = map.len() / (case.grid.images * case.grid.pixels());
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

/// Tversky of all classes together: under softmax Σ FP = Σ FN, and α and β are one number.
fn micro_averaged(case: &mut Case) {
    let spec = &case.spec;
    let Options::Tversky(Tversky { activation, alpha, beta, smooth, region, .. }) = spec.options else {
        return;
    };
    if activation == Activation::Sigmoid || alpha + beta != 1.0 {
        return;
    }
    let ones = vec![1.0; case.grid.classes];
    case.spec = LossSpec {
        options: GeneralizedDice { activation, smooth: 2.0 * smooth, region }.into(),
        weights: WeightSpec { source: Source::Fixed, values: ones, ..WeightSpec::default() },
        ..spec.clone()
    };
}

/// PyTorch's label smoothing: each class's share of the smoothing has that class's weight.
pub(super) fn smoothing_per_class(case: &mut Case) {
    let Options::CrossEntropy(CrossEntropy { label_smoothing: s, .. }) = case.spec.options else { return };
    // Of fixed weights the soft target that amounts to it has the same ones.
    let same_weights = case.spec.weights.source == Source::Fixed
        && !matches!(case.spec.threshold, Some(Threshold::LogitAdjustment(_)));
    let some_ignored = case.grid.places().any(|(n, p)| case.is_ignored(n, p));
    if s == 0.0 || !same_weights || some_ignored {
        return;
    }
    let classes = case.grid.classes as f64;
    let y = distribution(case).iter().map(|y| (1.0 - s) * y + s / classes).collect();
    case.target = Labels::Distribution(y);
    set(&mut case.spec, "label_smoothing", 0.0);
}
