//! Mistakes in what a loss is.

use super::bug::{Bug, Wrong};
use crate::implementation::{Implementation, Outcome, Precision};
use crate::textbook::{sigmoid, softmax};
use segloss::kinds::{CrossEntropy, GeneralizedDice, Tversky};
use segloss::{
    Activation, InstructionSet, Kind, Layout, LossSpec, Options, Reduction, Source, Threshold, WeightSpec,
};
use segloss_cases::{ByKey, Case, Grid, Labels, distribution, is_sigmoid, set};

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "swapped_classes",
        stands_for: "background and foreground in the other order",
        killer: "confidently_wrong",
        wrong: Wrong::Misread(swap_targets),
    },
    Bug {
        name: "ignored_pixels_counted",
        stands_for: "void clamped to class 0",
        killer: "all_ignored",
        wrong: Wrong::Misread(count_ignored),
    },
    Bug {
        name: "ignored_in_denominator",
        stands_for: ".mean() after masking with zeros",
        killer: "partition",
        wrong: Wrong::Spoil(ignored_in_denominator),
    },
    Bug {
        name: "masked_logits",
        stands_for: "z·mask before softmax: p = 1/C is no 0",
        killer: "threads",
        wrong: Wrong::Misread(masked_logits),
    },
    Bug {
        name: "masked_by_product",
        stands_for: "loss·mask after the logarithm: NaN·0 is NaN",
        killer: "ignored",
        wrong: Wrong::Spoil(masked_by_product),
    },
    Bug {
        name: "mean_of_nothing",
        stands_for: "0/0 where every pixel is ignored",
        killer: "all_ignored",
        wrong: Wrong::Spoil(mean_of_nothing),
    },
    Bug {
        name: "nobody_says_so",
        stands_for: "0 for a batch without a valid pixel, as if it were learnt",
        killer: "all_ignored",
        wrong: Wrong::Spoil(|_, _, out| out.says_all_ignored = false),
    },
    Bug {
        name: "layout_mix_up",
        stands_for: "reshape where a transpose was meant",
        killer: "document_weight",
        wrong: Wrong::Misread(|case| {
            case.spec.layout = match case.spec.layout {
                Layout::ChannelsFirst => Layout::ChannelsLast,
                Layout::ChannelsLast => Layout::ChannelsFirst,
            };
        }),
    },
    Bug {
        name: "channels_last_in_other_order",
        stands_for: "a second kernel for the other layout, which sums in another order",
        killer: "layouts",
        wrong: Wrong::Spoil(|case, _, out| {
            if case.spec.layout == Layout::ChannelsLast {
                last_bit(&mut out.value);
            }
        }),
    },
    Bug {
        name: "twin_left_behind",
        stands_for: "a kernel that was changed, and its portable twin was not",
        killer: "instruction_sets",
        wrong: Wrong::Spoil(|case, _, out| {
            if case.instructions == InstructionSet::Portable {
                out.value *= 1.0 + 1e-13;
            }
        }),
    },
    Bug {
        name: "one_hot_in_other_order",
        stands_for: "a second path for targets that are written out",
        killer: "one_hot",
        wrong: Wrong::Spoil(|case, _, out| {
            if let Labels::Distribution(_) = case.target {
                last_bit(&mut out.value);
            }
        }),
    },
    Bug {
        name: "arrival_order",
        stands_for: "a parallel reduction in arrival order",
        killer: "threads",
        wrong: Wrong::Spoil(|_, _, out| {
            if rayon::current_num_threads() > 2 {
                last_bit(&mut out.value);
            }
        }),
    },
    Bug {
        name: "mean_of_parts",
        stands_for: "gradient accumulation over micro-batches of unequal weight",
        killer: "partition",
        wrong: Wrong::PartByPart,
    },
    Bug {
        name: "naive_exponential",
        stands_for: "ln(exp(z)/Σexp(z)) as it stands in the book",
        killer: "ignored",
        wrong: Wrong::Spoil(|case, _, out| nan_if(out, case.logits.iter().any(|z| z.abs() > 700.0))),
    },
    Bug {
        name: "log_of_sigmoid",
        stands_for: "ln(1 − σ(z)) in f32: σ is 1 from z = 17 on",
        killer: "confidently_wrong",
        wrong: Wrong::Spoil(log_of_sigmoid),
    },
    Bug {
        name: "seesaw_overflows",
        stands_for: "(p_j/p_y)^q by exp in f32, pixels side by side: infinite from a distance of 89 on",
        killer: "extreme_logits",
        wrong: Wrong::Spoil(|case, precision, out| {
            let far = case.grid.pixels() > 1 && case.logits.iter().any(|z| z.abs() > 89.0);
            nan_if(out, precision == Precision::F32 && case.spec.kind() == Kind::Seesaw && far);
        }),
    },
    Bug {
        name: "sum_in_half_precision",
        stands_for: "a sum that is infinite beyond 65 504",
        killer: "fixtures_known_wrong",
        wrong: Wrong::Spoil(|case, _, out| {
            // Of large logits, not of many: neither one pixel's nor a large image's.
            let largest = case.logits.iter().map(|z| z.abs()).fold(0.0, f64::max);
            let sum: f64 = case.logits.iter().map(|z| z.abs()).sum();
            nan_if(out, (1e3..=1e4).contains(&largest) && sum > 65_504.0);
        }),
    },
    Bug {
        name: "polynomial_exponential",
        stands_for: "an exponential that is good to six units in the last place",
        killer: "ulps",
        wrong: Wrong::Spoil(|_, precision, out| {
            if precision == Precision::F64 {
                out.gradient.iter_mut().for_each(|g| *g *= 1.0 + 3.0 * f64::EPSILON);
            }
        }),
    },
    Bug {
        name: "hidden_nan",
        stands_for: "nan_to_num after the loss",
        killer: "document_breakdown",
        wrong: Wrong::Spoil(|_, _, out| {
            for x in out.map.iter_mut().flatten().chain(&mut out.gradient).chain([&mut out.value]) {
                if !x.is_finite() {
                    *x = 0.0;
                }
            }
            out.broken = 0;
        }),
    },
    Bug {
        name: "silent_nan",
        stands_for: "NaN comes out, and nobody says where from",
        killer: "document_breakdown",
        wrong: Wrong::Spoil(|_, _, out| out.broken = 0),
    },
    Bug {
        name: "single_precision",
        stands_for: "a cast in the middle of the computation",
        killer: "document_weight",
        wrong: Wrong::Narrow,
    },
    Bug {
        name: "autocast",
        stands_for: "soft targets and maps in half precision",
        killer: "values_f32",
        wrong: Wrong::Spoil(|case, precision, out| {
            let cast = case.weight_map.is_some() && matches!(case.target, Labels::Distribution(_));
            if precision == Precision::F32 && cast {
                out.value *= 1.0 + 1e-4;
            }
        }),
    },
    Bug {
        name: "hardened_targets",
        stands_for: "labels taken by arg max from a distribution",
        killer: "threads",
        wrong: Wrong::Misread(harden),
    },
    Bug {
        name: "last_of_ties",
        stands_for: "≥ for > in arg max",
        killer: "class_prediction",
        wrong: Wrong::Scores(last_of_ties),
    },
    Bug {
        name: "last_of_ties_in_one_kernel",
        stands_for: "≥ for > in one of two layouts",
        killer: "class_prediction",
        wrong: Wrong::Scores(|scores, shape, layout| {
            if layout == Layout::ChannelsFirst {
                last_of_ties(scores, shape, layout);
            }
        }),
    },
    Bug {
        name: "predicted_in_bfloat16",
        stands_for: "scores that come back with eight bits",
        killer: "worked_example",
        wrong: Wrong::Scores(|scores, _, _| {
            scores
                .iter_mut()
                .for_each(|x| *x = f64::from(f32::from_bits((*x as f32).to_bits() & 0xffff_0000)));
        }),
    },
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

/// The next number but one bit.
fn last_bit(x: &mut f64) {
    if x.is_normal() {
        *x = f64::from_bits(x.to_bits() ^ 1);
    }
}

/// Value, sum, map and gradient times a factor.
fn rescale(out: &mut Outcome, by: f64) {
    (out.value, out.numerator) = (out.value * by, out.numerator * by);
    out.gradient.iter_mut().chain(out.map.iter_mut().flatten()).for_each(|x| *x *= by);
}

fn nan_if(out: &mut Outcome, broken: bool) {
    if broken {
        out.value = f64::NAN;
        out.gradient.fill(f64::NAN);
    }
}

fn log_of_sigmoid(case: &Case, precision: Precision, out: &mut Outcome) {
    let sure = case.grid.entries().any(|(n, p, c)| {
        !case.is_ignored(n, p) && case.target(n, p, c) < 1.0 && case.logits[case.at(n, c, p)] > 17.0
    });
    nan_if(out, precision == Precision::F32 && is_sigmoid(&case.spec) && sure);
}

fn mean_of_nothing(case: &Case, _: Precision, out: &mut Outcome) {
    nan_if(out, case.grid.places().all(|(n, p)| case.is_ignored(n, p)));
}

fn masked_by_product(case: &Case, _: Precision, out: &mut Outcome) {
    let broken = |(n, p, c)| case.is_ignored(n, p) && !case.logits[case.at(n, c, p)].is_finite();
    nan_if(out, case.grid.entries().any(broken));
}

fn count_ignored(case: &mut Case) {
    if let (Labels::Indices(labels), Some(ignored)) = (&mut case.target, case.spec.ignore_index) {
        labels.iter_mut().filter(|label| **label == ignored).for_each(|label| *label = 0);
    }
}

fn swap_targets(case: &mut Case) {
    let (grid, layout) = (case.grid.clone(), case.spec.layout);
    if grid.classes == 1 {
        return;
    }
    match &mut case.target {
        Labels::Indices(labels) => {
            for label in labels {
                *label = match *label {
                    0 => 1,
                    1 => 0,
                    other => other,
                };
            }
        }
        Labels::Distribution(y) => {
            for (n, p) in grid.places() {
                y.swap(grid.at(layout, n, 0, p), grid.at(layout, n, 1, p));
            }
        }
    }
}

fn harden(case: &mut Case) {
    let mut hard = distribution(case);
    for (n, p) in case.grid.places() {
        let y: Vec<f64> = (0..case.grid.classes).map(|c| case.target(n, p, c)).collect();
        let largest = y.iter().copied().fold(0.0, f64::max);
        let single = case.grid.classes == 1;
        for (c, &y) in y.iter().enumerate() {
            hard[case.at(n, c, p)] = f64::from(u8::from(if single { y >= 0.5 } else { y == largest }));
        }
    }
    if matches!(case.target, Labels::Distribution(_)) {
        case.target = Labels::Distribution(hard);
    }
}

/// Favours later classes by less than any difference between scores that are not tied.
fn last_of_ties(scores: &mut [f64], shape: &[usize], layout: Layout) {
    let grid = Grid::from_shape(shape, layout);
    for (n, p, c) in grid.entries() {
        scores[grid.at(layout, n, c, p)] += 1e-12 * c as f64;
    }
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

/// A mean over all pixels, ignored ones too, where it should be over the valid ones.
fn ignored_in_denominator(case: &Case, _: Precision, out: &mut Outcome) {
    let denominator = case.spec.reduction();
    if !matches!(denominator, Reduction::Mean | Reduction::MeanValid) || out.denominator == 0.0 {
        return;
    }
    let ignored = case.grid.places().filter(|&(n, p)| case.is_ignored(n, p)).count() as f64;
    let share = out.denominator / (out.denominator + ignored);
    out.denominator /= share;
    out.value *= share;
    out.gradient.iter_mut().for_each(|g| *g *= share);
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

/// Ignored pixels' logits and targets multiplied by 0: what is left has p = 1/C, or ½, of every class.
fn masked_logits(case: &mut Case) {
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
