//! Mistakes in the network's operations.

use super::bug::{Bug, Wrong};
use crate::operation::{Applied, EPSILON, MOMENTUM, Operation, Task};
use dfdx_conv::{Shape4, reference};

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "max_pool_split_evenly",
        stands_for: "tied maxima that share the gradient",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| pooled(task, out, Ties::Share)),
    },
    Bug {
        name: "max_pool_last_of_ties",
        stands_for: "≥ for > on the way back",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| pooled(task, out, Ties::Last)),
    },
    Bug {
        name: "max_pool_to_each_of_ties",
        stands_for: "dy·(x == y): each of tied maxima gets it all",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| pooled(task, out, Ties::Each)),
    },
    Bug {
        name: "max_pool_quarter",
        stands_for: "an average pool's factor: off by four, as in candle",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| times(task, out, Operation::MaxPool2d, 0, 0.25)),
    },
    Bug {
        name: "relu_slope_at_zero",
        stands_for: "x ≥ 0 for x > 0",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            if task.operation == Operation::Relu {
                let x = task.operands[0].iter().zip(&task.cotangent);
                out.gradients[0]
                    .iter_mut()
                    .zip(x)
                    .filter(|(_, (x, _))| **x == 0.0)
                    .for_each(|(g, (_, r))| *g = *r);
            }
        }),
    },
    Bug {
        name: "leaky_relu",
        stands_for: "a slope of 1 % that nobody asked for",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            if task.operation == Operation::Relu {
                out.output.iter_mut().zip(&task.operands[0]).for_each(|(y, x)| *y = x.max(0.01 * x));
            }
        }),
    },
    Bug {
        name: "true_convolution",
        stands_for: "a kernel that is turned by 180°, as mathematicians mean it",
        killer: "operations",
        wrong: Wrong::MisreadTask(|task| {
            if let (Operation::Conv2d, Some((h, w, a, b))) = (task.operation, task.second) {
                let taps: Vec<Vec<f64>> = task.operands[1].chunks(a * b).map(<[f64]>::to_vec).collect();
                debug_assert_eq!(taps.len(), h * w);
                task.operands[1] = taps.into_iter().rev().flatten().collect();
            }
        }),
    },
    Bug {
        name: "kernel_in_other_order",
        stands_for: "(Kh, Kw, Cout, Cin) read as (Kh, Kw, Cin, Cout)",
        killer: "operations",
        wrong: Wrong::MisreadTask(|task| {
            if let (Operation::ConvTranspose2d, Some((_, _, a, b))) = (task.operation, task.second) {
                task.operands[1] =
                    task.operands[1].chunks(a * b).flat_map(|tap| transposed(tap, b, a)).collect();
            }
        }),
    },
    Bug {
        name: "bias_forgotten",
        stands_for: "a bias that is added in one of two paths",
        killer: "operations",
        wrong: Wrong::MisreadTask(|task| {
            if task.operation == Operation::UpsampleConv2d {
                task.operands[2].fill(0.0);
            }
        }),
    },
    Bug {
        name: "bias_gradient_is_mean",
        stands_for: "the mean over pixels for the sum",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            let pixels = f64::from((task.image.0 * task.image.1 * task.image.2) as u32);
            times(task, out, Operation::Conv2d, 2, pixels.recip());
        }),
    },
    Bug {
        name: "masked_after_the_bias",
        stands_for: "relu and convolution in one pass, and the bias' gradient taken before the mask",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            if let (Operation::Conv2dRelu, Some((.., outputs))) = (task.operation, task.second) {
                let of_channel = |o: usize| task.cotangent.iter().skip(o).step_by(outputs).sum();
                out.gradients[2] = (0..outputs).map(of_channel).collect();
            }
        }),
    },
    Bug {
        name: "upsampled_to_mean",
        stands_for: "a pixel's four copies hand back their mean, not their sum",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| times(task, out, Operation::UpsampleNearest2d, 0, 0.25)),
    },
    Bug {
        name: "stale_statistics",
        stands_for: "running statistics that no batch updates",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            if task.operation == Operation::BatchNorm2d {
                out.statistics = [&task.running.0[..], &task.running.1].concat();
            }
        }),
    },
    Bug {
        name: "momentum_of_the_old",
        stands_for: "TensorFlow's momentum taken for PyTorch's",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            if task.operation == Operation::BatchNorm2d {
                let old = task.running.0.iter().chain(&task.running.1);
                for (new, old) in out.statistics.iter_mut().zip(old) {
                    let batch = (*new - (1.0 - MOMENTUM) * old) / MOMENTUM;
                    *new = MOMENTUM * old + (1.0 - MOMENTUM) * batch;
                }
            }
        }),
    },
    Bug {
        name: "biased_running_variance",
        stands_for: "m for m − 1 in the statistics that evaluation uses",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            if task.operation == Operation::BatchNorm2d {
                let pixels = task.image.0 * task.image.1 * task.image.2;
                let (_, variance) = reference::moments(&task.operands[0], task.image);
                let channels = variance.len();
                for (c, variance) in variance.iter().enumerate().filter(|_| pixels > 1) {
                    out.statistics[channels + c] -= MOMENTUM * variance / (pixels as f64 - 1.0);
                }
            }
        }),
    },
    Bug {
        name: "moments_as_constants",
        stands_for: "batch norm's μ and σ detached",
        killer: "operations",
        wrong: Wrong::SpoilTask(detached),
    },
    Bug {
        name: "left_in_training",
        stands_for: "a net that is evaluated without eval()",
        killer: "operations",
        wrong: Wrong::MisreadTask(|task| {
            if task.operation == Operation::BatchNorm2dEvaluating {
                task.operation = Operation::BatchNorm2d;
            }
        }),
    },
    Bug {
        name: "second_image_detached",
        stands_for: "a skip connection that carries no gradient",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| times(task, out, Operation::ConcatChannels, 1, 0.0)),
    },
    Bug {
        name: "reshaped_for_transposed",
        stands_for: "view() for permute()",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            if task.operation == Operation::ToChannelsLast {
                out.output.clone_from(&task.operands[0]);
            }
        }),
    },
    Bug {
        name: "overwritten_gradient",
        stands_for: "= for += where a tensor is used twice",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            if task.twice {
                out.gradients.iter_mut().flatten().for_each(|g| *g *= 0.5);
            }
        }),
    },
    Bug {
        name: "outer_gradient_forgotten",
        stands_for: "a loss that was scaled afterwards",
        killer: "operations",
        wrong: Wrong::SpoilTask(|task, out| {
            let outer = task.cotangent[0];
            times(task, out, Operation::ExternalLoss, 0, outer.recip());
        }),
    },
    Bug {
        name: "operations_in_f32",
        stands_for: "a product of matrices in single precision",
        killer: "operations",
        wrong: Wrong::NarrowTask,
    },
];

/// The gradient of an operand of an operation, times a factor.
fn times(task: &Task, out: &mut Applied, operation: Operation, operand: usize, by: f64) {
    if task.operation == operation {
        out.gradients[operand].iter_mut().for_each(|g| *g *= by);
    }
}

/// Rows for columns.
fn transposed(matrix: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| matrix[r * columns + c])).collect()
}

/// Who gets the gradient of equal maxima.
#[derive(Clone, Copy, PartialEq)]
enum Ties {
    Share,
    Last,
    Each,
}

fn pooled(task: &Task, out: &mut Applied, ties: Ties) {
    if task.operation != Operation::MaxPool2d {
        return;
    }
    let (x, (images, h, w, c)): (_, Shape4) = (&task.operands[0], task.image);
    let times = if task.twice { 2.0 } else { 1.0 };
    let at = |n: usize, r: usize, s: usize, k: usize| ((n * h + r) * w + s) * c + k;
    let gradient = &mut out.gradients[0];
    gradient.fill(0.0);
    let mut outputs = task.cotangent.iter();
    for (n, r) in (0..images).flat_map(|n| (0..h / 2).map(move |r| (n, r))) {
        for (s, k) in (0..w / 2).flat_map(|s| (0..c).map(move |k| (s, k))) {
            let window = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| at(n, 2 * r + i, 2 * s + j, k));
            let best = window.iter().map(|&i| x[i]).fold(f64::MIN, f64::max);
            let tied: Vec<usize> = window.into_iter().filter(|&i| x[i] == best).collect();
            let dy = times * outputs.next().copied().unwrap_or_default();
            match ties {
                Ties::Share => tied.iter().for_each(|&i| gradient[i] = dy / tied.len() as f64),
                Ties::Last => tied.last().into_iter().for_each(|&i| gradient[i] = dy),
                Ties::Each => tied.iter().for_each(|&i| gradient[i] = dy),
            }
        }
    }
}

fn detached(task: &Task, out: &mut Applied) {
    if task.operation != Operation::BatchNorm2d {
        return;
    }
    let channels = task.image.3;
    let times = if task.twice { 2.0 } else { 1.0 };
    let (_, variance) = reference::moments(&task.operands[0], task.image);
    for (i, (g, r)) in out.gradients[0].iter_mut().zip(&task.cotangent).enumerate() {
        let c = i % channels;
        *g = times * task.operands[1][c] * r / (variance[c] + EPSILON).sqrt();
    }
}
