//! Mistakes in a whole net and in its training.

use super::bug::{Bug, Wrong};
use crate::network::{ParameterStep, Step};
use segloss::WeightSpec;

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "frozen_encoder",
        stands_for: "a tape that was cut between encoder and decoder",
        killer: "network",
        wrong: Wrong::SpoilStep(|step| each(step, "down0", |parameter| parameter.gradient.fill(0.0))),
    },
    Bug {
        name: "gradients_not_cleared",
        stands_for: "zero_grad() forgotten",
        killer: "network",
        wrong: Wrong::SpoilStep(|step| each(step, "", |p| p.gradient.iter_mut().for_each(|g| *g *= 2.0))),
    },
    Bug {
        name: "shifts_do_not_learn",
        stands_for: "β and biases left out of the list of parameters",
        killer: "network",
        wrong: Wrong::SpoilStep(|step| {
            let is_shift = |p: &&mut ParameterStep| p.name.ends_with(".beta") || p.name.ends_with(".bias");
            step.parameters.iter_mut().filter(is_shift).for_each(|p| p.gradient.fill(0.0));
        }),
    },
    Bug {
        name: "head_transposed",
        stands_for: "a 1×1 convolution's gradient, outputs by inputs",
        killer: "network",
        wrong: Wrong::SpoilStep(|step| each(step, "head.weight", |parameter| parameter.gradient.reverse())),
    },
    Bug {
        name: "clipped_norm",
        stands_for: "clipping left on while debugging",
        killer: "network",
        wrong: Wrong::SpoilStep(|step| {
            let square: f64 = step.parameters.iter().flat_map(|p| &p.gradient).map(|g| g * g).sum();
            let by = f64::min(1.0, 0.1 / square.sqrt());
            each(step, "", |p| p.gradient.iter_mut().for_each(|g| *g *= by));
        }),
    },
    Bug {
        name: "value_of_the_last_step",
        stands_for: "a log that is one step behind",
        killer: "network",
        wrong: Wrong::SpoilStep(|step| step.value *= 1.0 + 1e-6),
    },
    Bug {
        name: "weights_do_not_reach_the_trainer",
        stands_for: "a configuration read and not handed on",
        killer: "training",
        wrong: Wrong::Configure(|config| config.loss.weights = WeightSpec::default()),
    },
];

/// Changes every parameter whose name begins so.
fn each(step: &mut Step, name: &str, change: impl Fn(&mut ParameterStep)) {
    step.parameters.iter_mut().filter(|parameter| parameter.name.starts_with(name)).for_each(change);
}
