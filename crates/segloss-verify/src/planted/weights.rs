//! Mistakes in weights, priors and denominators.

use super::bug::{Bug, Wrong};
use segloss::{Absent, Kind, Normalise, Reduction, Scheme, Source, Threshold, WeightSpec};

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "missing_weight",
        stands_for: "weights accepted and never used",
        killer: "values_f64",
        wrong: Wrong::MisreadSpec(|spec| spec.weights = WeightSpec::default()),
    },
    Bug {
        name: "weights_applied_twice",
        stands_for: "weights in the loss and again in the mean",
        killer: "values_f64",
        wrong: Wrong::MisreadSpec(|spec| spec.weights.values.iter_mut().for_each(|w| *w *= *w)),
    },
    Bug {
        name: "weights_reversed",
        stands_for: "a table of weights in the order of another data set",
        killer: "values_f64",
        wrong: Wrong::MisreadSpec(|spec| spec.weights.values.reverse()),
    },
    Bug {
        name: "frequency_for_weight",
        stands_for: "f for 1/f: the rare weigh least",
        killer: "document_breakdown",
        wrong: Wrong::MisreadSpec(|spec| {
            if spec.weights.scheme == Scheme::InverseFrequency {
                spec.weights.scheme = Scheme::Power(-1.0);
            }
        }),
    },
    Bug {
        name: "batch_for_sample",
        stands_for: "dynamic weights averaged over the batch",
        killer: "instruction_sets",
        wrong: Wrong::Misread(|case| {
            if case.spec.weights.source == Source::PerSample {
                case.spec.weights.source = Source::PerBatch;
            }
        }),
    },
    Bug {
        name: "sum_for_mean_of_weights",
        stands_for: "weights that sum to 1 where their mean should be 1",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if case.spec.weights.normalise == Normalise::MeanOne {
                case.spec.weights.normalise = Normalise::SumOne;
            }
        }),
    },
    Bug {
        name: "absent_for_free",
        stands_for: "an absent class's weight set to 0 whatever was asked for",
        killer: "values_f64",
        wrong: Wrong::MisreadSpec(|spec| spec.weights.absent = Absent::Zero),
    },
    Bug {
        name: "absent_takes_all",
        stands_for: "1/(size² + ε), with nothing there",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if case.spec.kind() == Kind::GeneralizedDice && case.spec.weights.source == Source::None {
                case.spec.weights.absent = Absent::Cap(1e10);
            }
        }),
    },
    Bug {
        name: "mean_over_pixels",
        stands_for: "the mean over elements for the mean over weights",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if case.spec.kind().is_additive() && case.spec.reduction() == Reduction::Mean {
                case.spec.reduction = Some(Reduction::MeanValid);
            }
        }),
    },
    Bug {
        name: "map_dropped",
        stands_for: "sample_weight of the wrong rank, silently not used",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if case.spec.weights.source != Source::Map && case.spec.kind() != Kind::Combined {
                case.weight_map = None;
            }
        }),
    },
    Bug {
        name: "raw_weights_reported",
        stands_for: "a log that shows the weights before they are normalised",
        killer: "values_f64",
        wrong: Wrong::Spoil(|case, _, out| {
            if case.spec.weights.normalise != Normalise::None {
                out.weights.iter_mut().flatten().for_each(|w| *w *= 2.0);
            }
        }),
    },
    Bug {
        name: "threshold_multiplied",
        stands_for: "z + ln τ for z − ln τ: the threshold works the other way",
        killer: "one_hot",
        wrong: Wrong::Misread(|case| {
            if let Some(Threshold::LogitShift(thresholds)) = &mut case.spec.threshold {
                thresholds.iter_mut().for_each(|threshold| *threshold = threshold.recip());
            }
        }),
    },
    Bug {
        name: "prior_subtracted",
        stands_for: "the adjustment of prediction used in training",
        killer: "values_f64",
        wrong: Wrong::Misread(|case| {
            if let Some(Threshold::LogitAdjustment(strength)) = &mut case.spec.threshold {
                *strength = -*strength;
            }
        }),
    },
];
