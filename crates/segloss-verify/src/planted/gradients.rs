//! Mistakes in the gradient of a value that is right.

use super::bug::{Bug, Wrong};
use crate::implementation::{Outcome, Precision};
use segloss::Kind;
use segloss_cases::Case;

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "flipped_sign",
        stands_for: "p − y written as y − p",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, -1.0)),
    },
    Bug {
        name: "detached_gradient",
        stands_for: "a loss computed outside the tape, or arg max inside it",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, 0.0)),
    },
    Bug {
        name: "dropped_mean",
        stands_for: "reduction applied to the value only",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| {
            let denominator = out.denominator;
            scale(out, denominator);
        }),
    },
    Bug {
        name: "scaled_by_1e-2",
        stands_for: "a rate of decay left in",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, 1.01)),
    },
    Bug {
        name: "scaled_by_1e-4",
        stands_for: "below what fast gradient checkers see",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, 1.0 + 1e-4)),
    },
    Bug {
        name: "scaled_by_1e-6",
        stands_for: "an ε inside a denominator",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, 1.0 + 1e-6)),
    },
    Bug {
        name: "scaled_by_1e-8",
        stands_for: "a constant written with eight digits",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, 1.0 + 1e-8)),
    },
    Bug {
        name: "scaled_by_1e-9",
        stands_for: "a smaller ε inside a denominator",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, 1.0 + 1e-9)),
    },
    Bug {
        name: "scaled_by_1e-10",
        stands_for: "what differences still see",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, 1.0 + 1e-10)),
    },
    Bug {
        name: "scaled_by_1e-13",
        stands_for: "what only numbers without rounding see",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| scale(out, 1.0 + 1e-13)),
    },
    Bug {
        name: "maps_of_volumes_in_forty_bits",
        stands_for: "a fixed-point format for three-dimensional maps",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|case, _, out| {
            if case.weight_map.is_some() && case.grid.spatial.len() == 3 && case.spec.kind().sums_regions() {
                scale(out, 1.0 + 1e-12);
            }
        }),
    },
    Bug {
        name: "nan_gradient",
        stands_for: "0·∞ at a saturated pixel",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| out.gradient[0] = f64::NAN),
    },
    Bug {
        name: "stale_gradient",
        stands_for: "an early return that leaves last step's gradient in place",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(stale),
    },
    Bug {
        name: "first_image_only",
        stands_for: "a loop over the batch that was tried with one image",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|case, _, out| keep(case, out, |n, _, _| n == 0)),
    },
    Bug {
        name: "last_pixel_forgotten",
        stands_for: "a loop that ends one too early",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|case, _, out| keep(case, out, |_, p, _| p + 1 < case.grid.pixels())),
    },
    Bug {
        name: "last_class_forgotten",
        stands_for: "the last class as 1 − Σ of the others, its logit without a gradient",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|case, _, out| keep(case, out, |_, _, c| c == 0 || c + 1 < case.grid.classes)),
    },
    Bug {
        name: "remainder_forgotten",
        stands_for: "the pixels behind the last full block of a large image",
        killer: "directions",
        wrong: Wrong::Spoil(|case, _, out| keep(case, out, |_, p, _| p < 2048)),
    },
    Bug {
        name: "own_class_only",
        stands_for: "the softmax's Jacobian without what lies beside its diagonal",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|case, _, out| keep(case, out, |n, p, c| !(case.target(n, p, c) <= 0.0))),
    },
    Bug {
        name: "clipped_gradient",
        stands_for: "clip_grad_value left in the loss",
        killer: "exact_gradients",
        wrong: Wrong::Spoil(|_, _, out| out.gradient.iter_mut().for_each(|g| *g = g.clamp(-0.05, 0.05))),
    },
    Bug {
        name: "flushed_mixture",
        stands_for: "a mixed loss in f32 whose gradient is lost once all pixels are sure",
        killer: "confidently_wrong",
        wrong: Wrong::Spoil(|case, precision, out| {
            let sure = case.logits.iter().all(|z| z.abs() > 30.0);
            if case.spec.kind() == Kind::Combined && precision == Precision::F32 && sure {
                scale(out, 0.0);
            }
        }),
    },
];

fn scale(out: &mut Outcome, by: f64) {
    out.gradient.iter_mut().for_each(|g| *g *= by);
}

/// Sets the gradient to 0 where (image, pixel, class) is not kept.
fn keep(case: &Case, out: &mut Outcome, is_kept: impl Fn(usize, usize, usize) -> bool) {
    for (n, p, c) in case.grid.entries().filter(|&(n, p, c)| !is_kept(n, p, c)) {
        out.gradient[case.at(n, c, p)] = 0.0;
    }
}

fn stale(case: &Case, _: Precision, out: &mut Outcome) {
    for (n, p) in case.grid.places().filter(|&(n, p)| case.is_ignored(n, p)) {
        (0..case.grid.classes).for_each(|c| out.gradient[case.at(n, c, p)] = 1e-3);
    }
}
