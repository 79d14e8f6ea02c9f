//! Misreadings that the textbook shares: who wrote the code wrote the definition. Numbers from elsewhere object, or a
//! law, or a step.

use super::bug::{Bug, Wrong};
use super::losses;
use segloss::{Kind, LossSpec, Options, Reduction, Region, Scheme, Source, Threshold};
use segloss_cases::{ByKey, Case, Labels, distribution, set};

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "shared: S2 divided by its pixels",
        stands_for: "the mean over pixels, where Keras means elements",
        killer: "fixtures_tensorflow",
        wrong: Wrong::SharedSpec(|spec| {
            if spec.kind() == Kind::DocumentSigmoid && spec.reduction() == Reduction::MeanAll {
                spec.reduction = Some(Reduction::MeanValid);
            }
        }),
    },
    Bug {
        name: "shared: half the adjustment",
        stands_for: "√π for π in logit adjustment",
        killer: "fixtures_torch",
        wrong: Wrong::SharedSpec(|spec| {
            if let Some(Threshold::LogitAdjustment(strength)) = &mut spec.threshold {
                *strength /= 2.0;
            }
        }),
    },
    Bug {
        name: "shared: 1/n for 1/n²",
        stands_for: "Sudre's weights without the square, as MONAI's `simple`",
        killer: "limits",
        wrong: Wrong::SharedSpec(|spec| {
            if spec.kind() == Kind::GeneralizedDice && spec.weights.source == Source::None {
                spec.weights.source = source_of(spec);
                spec.weights.scheme = Scheme::InverseFrequency;
            }
        }),
    },
    Bug {
        name: "shared: ε of Jaccard doubled",
        stands_for: "Dice's ε for Jaccard's, which has no 2 in front of its TP",
        killer: "fixtures_monai",
        wrong: Wrong::SharedSpec(|spec| {
            match &mut spec.options {
                // The larger ones have a law.
                Options::Jaccard(options) if options.smooth < 1e-3 => options.smooth *= 2.0,
                _ => {}
            }
        }),
    },
    Bug {
        name: "shared: half of ε",
        stands_for: "poly-1's coefficient without the 1 that it has already",
        killer: "fixtures_optax",
        wrong: Wrong::SharedSpec(|spec| {
            match &mut spec.options {
                // The default has a closed form far out.
                Options::Poly1CrossEntropy(options) if options.epsilon != 1.0 => options.epsilon /= 2.0,
                _ => {}
            }
        }),
    },
    Bug {
        name: "shared: smoothed towards 1/C",
        stands_for: "a categorical's label smoothing for channels that are problems of their own",
        killer: "fixtures_keras",
        wrong: Wrong::Shared(smoothed_to_share),
    },
    Bug {
        name: "shared: prices swapped",
        stands_for: "α priced on what β should be",
        killer: "fixtures_known_wrong",
        wrong: Wrong::Shared(losses::swap_prices),
    },
    Bug {
        name: "shared: p and q swapped",
        stands_for: "seesaw's two exponents, each in the other's place",
        killer: "fixtures_papers",
        wrong: Wrong::SharedSpec(|spec| {
            match &mut spec.options {
                // The defaults have a closed form far out.
                Options::Seesaw(options) if *options != Default::default() => {
                    std::mem::swap(&mut options.mitigation, &mut options.compensation);
                }
                _ => {}
            }
        }),
    },
    Bug {
        name: "shared: δ for 1 − δ",
        stands_for: "unified focal's weight of the rare given to the background",
        killer: "fixtures_known_wrong",
        wrong: Wrong::SharedSpec(|spec| {
            match &mut spec.options {
                // The default has a closed form far out.
                Options::UnifiedFocal(options) if options.delta != 0.6 => options.delta = 1.0 - options.delta,
                _ => {}
            }
        }),
    },
    Bug {
        name: "shared: smoothing per class",
        stands_for: "PyTorch's label smoothing beside class weights, taken for the definition",
        killer: "fixtures_known_wrong",
        wrong: Wrong::Shared(as_pytorch_smooths),
    },
    Bug {
        name: "shared: m² of regions",
        stands_for: "a map of weights in the intersection and again in the sum",
        killer: "limits",
        wrong: Wrong::Shared(|case| {
            if case.spec.kind().sums_regions() {
                case.weight_map.iter_mut().flatten().for_each(|m| *m *= *m);
            }
        }),
    },
    Bug {
        name: "shared: maps of volumes off by one",
        stands_for: "a map that was resampled to the grid of its voxels' corners",
        killer: "symmetry",
        wrong: Wrong::Shared(|case| {
            let pixels = case.grid.pixels();
            if case.grid.spatial.len() == 3 && case.spec.kind().sums_regions() {
                let images = case.weight_map.iter_mut().flat_map(|map| map.chunks_mut(pixels));
                images.for_each(|image| image.rotate_right(1));
            }
        }),
    },
    Bug {
        name: "shared: a false rule",
        stands_for: "a derivative by hand in the code and in the dual numbers: only a step knows better",
        killer: "gradients",
        wrong: Wrong::SharedGradient(|case, gradient| {
            // Where no framework was asked.
            if case.spec.number("label_smoothing") == Some(0.4) && case.grid.spatial.len() == 3 {
                gradient.iter_mut().for_each(|g| *g *= 1.001);
            }
        }),
    },
];

/// Estimated over what a region is.
fn source_of(spec: &LossSpec) -> Source {
    if spec.region() == Region::Image { Source::PerSample } else { Source::PerBatch }
}

/// Each class's share of the smoothing at that class's weight, divided by the weights of the labels.
fn as_pytorch_smooths(case: &mut Case) {
    let weight_of_labels = |case: &Case| {
        let weight = |(n, p)| -> f64 {
            let of_class = |c: usize| case.spec.weights.values.get(c).unwrap_or(&1.0) * case.target(n, p, c);
            (0..case.grid.classes).map(of_class).sum()
        };
        case.grid.places().map(weight).sum()
    };
    // No framework's golden numbers smooth so much.
    let smoothing = case.spec.number("label_smoothing");
    if case.spec.kind() == Kind::CrossEntropy && smoothing >= Some(0.5) {
        case.spec.reduction = Some(Reduction::Constant(weight_of_labels(case)));
        losses::smoothing_per_class(case);
    }
}

fn smoothed_to_share(case: &mut Case) {
    let Options::BinaryCrossEntropy(segloss::kinds::BinaryCrossEntropy { label_smoothing: s }) =
        case.spec.options
    else {
        return;
    };
    let classes = case.grid.classes as f64;
    let some_ignored = case.grid.places().any(|(n, p)| case.is_ignored(n, p));
    let weighted = case.spec.weights.source != Source::None || case.spec.threshold.is_some();
    // Of images PyTorch's golden numbers know it, too; of lines and volumes Keras' alone.
    let is_image = case.grid.spatial.len() == 2;
    if s == 0.0 || is_image || some_ignored || weighted {
        return;
    }
    let y = distribution(case).iter().map(|y| (1.0 - s) * y + s / classes).collect();
    case.target = Labels::Distribution(y);
    set(&mut case.spec, "label_smoothing", 0.0);
}
