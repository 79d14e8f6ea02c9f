//! Mistakes in how a loss is computed: in what is read of the input, in which order it is added up, to which precision.

use super::bug::{Bug, Wrong};
use crate::implementation::{Outcome, Precision};
use segloss::{InstructionSet, Kind, Layout, Reduction};
use segloss_cases::{Case, Grid, Labels, distribution, is_sigmoid};

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
];

/// The next number but one bit.
fn last_bit(x: &mut f64) {
    if x.is_normal() {
        *x = f64::from_bits(x.to_bits() ^ 1);
    }
}

pub(super) fn nan_if(out: &mut Outcome, broken: bool) {
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
