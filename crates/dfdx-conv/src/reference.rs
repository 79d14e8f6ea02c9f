//! Slow, obvious definitions of the operations, on plain slices: plain nested loops that one can check
//! by eye against the formulas. Forward only; finite differences of these give the gradients.
//!
//! They are public so that tests elsewhere can hold the fast operations against them. Sizes are not
//! checked: a wrong one panics.

use crate::{Element, Shape4};

/// Where element (n, r, s, c) of an image (N, H, W, C), or of a kernel (Kh, Kw, Cin, Cout), lies.
fn at((_, h, w, c): Shape4, [n, r, s, k]: [usize; 4]) -> usize {
    ((n * h + r) * w + s) * c + k
}

/// All indices of a shape, in row-major order.
fn indices((n, h, w, c): Shape4) -> impl Iterator<Item = [usize; 4]> {
    (0..n).flat_map(move |n| {
        (0..h).flat_map(move |r| (0..w).flat_map(move |s| (0..c).map(move |k| [n, r, s, k])))
    })
}

/// [`conv2d`](crate::conv2d()): `x` of `shape` (N, H, W, Cin), `weight` of `kernel` (Kh, Kw, Cin, Cout).
pub fn conv2d<E: Element>(
    x: &[E],
    shape: Shape4,
    weight: &[E],
    kernel: Shape4,
    bias: Option<&[E]>,
) -> Vec<E> {
    let (n, h, w, inputs) = shape;
    let (kh, kw, _, outputs) = kernel;
    indices((n, h, w, outputs))
        .map(|[n, r, s, o]| {
            let mut y = bias.map_or(E::zero(), |b| b[o]);
            for i in 0..kh {
                for j in 0..kw {
                    // The pixel seen, counted from kh/2 rows above and kw/2 pixels left of the image.
                    let (row, column) = (r + i, s + j);
                    if row < kh / 2 || row - kh / 2 >= h || column < kw / 2 || column - kw / 2 >= w {
                        continue;
                    }
                    for c in 0..inputs {
                        let x = x[at(shape, [n, row - kh / 2, column - kw / 2, c])];
                        y += x * weight[at(kernel, [i, j, c, o])];
                    }
                }
            }
            y
        })
        .collect()
}

/// [`conv_transpose2d`](crate::conv_transpose2d()): `weight` of `kernel` (2, 2, Cin, Cout).
pub fn conv_transpose2d<E: Element>(
    x: &[E],
    shape: Shape4,
    weight: &[E],
    kernel: Shape4,
    bias: Option<&[E]>,
) -> Vec<E> {
    let (n, h, w, inputs) = shape;
    let outputs = kernel.3;
    indices((n, 2 * h, 2 * w, outputs))
        .map(|[n, r, s, o]| {
            let mut y = bias.map_or(E::zero(), |b| b[o]);
            for c in 0..inputs {
                y += x[at(shape, [n, r / 2, s / 2, c])] * weight[at(kernel, [r % 2, s % 2, c, o])];
            }
            y
        })
        .collect()
}

/// [`max_pool2d`](crate::max_pool2d()): the maximum of each 2×2 window, NaN if there is one.
pub fn max_pool2d<E: Element>(x: &[E], shape: Shape4) -> Vec<E> {
    let (n, h, w, c) = shape;
    indices((n, h / 2, w / 2, c))
        .map(|[n, r, s, c]| {
            let mut best = E::neg_infinity();
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let x = x[at(shape, [n, 2 * r + i, 2 * s + j, c])];
                if x.is_nan() {
                    return x;
                }
                best = best.max(x);
            }
            best
        })
        .collect()
}

/// [`upsample_nearest2d`](crate::upsample_nearest2d()): every pixel four times.
pub fn upsample_nearest2d<E: Element>(x: &[E], shape: Shape4) -> Vec<E> {
    let (n, h, w, c) = shape;
    indices((n, 2 * h, 2 * w, c)).map(|[n, r, s, c]| x[at(shape, [n, r / 2, s / 2, c])]).collect()
}

/// [`batch_norm2d`](crate::batch_norm2d()) in training: normalised by the batch's own mean and biased
/// variance.
pub fn batch_norm2d<E: Element>(x: &[E], shape: Shape4, gamma: &[E], beta: &[E], epsilon: E) -> Vec<E> {
    let channels = shape.3;
    let pixels = E::narrow((x.len() / channels) as f64);
    let mut y = x.to_vec();
    for c in 0..channels {
        let of_channel = || x.iter().skip(c).step_by(channels).copied();
        let mean = of_channel().sum::<E>() / pixels;
        let variance = of_channel().map(|x| (x - mean) * (x - mean)).sum::<E>() / pixels;
        for y in y.iter_mut().skip(c).step_by(channels) {
            *y = gamma[c] * (*y - mean) / (variance + epsilon).sqrt() + beta[c];
        }
    }
    y
}

/// [`relu`](crate::relu()): the larger of x and 0.
pub fn relu<E: Element>(x: &[E]) -> Vec<E> {
    x.iter().map(|&x| if x < E::zero() { E::zero() } else { x }).collect()
}

/// [`concat_channels`](crate::concat_channels()): `channels` are those of `a` and of `b`.
pub fn concat_channels<E: Element>(a: &[E], b: &[E], channels: (usize, usize)) -> Vec<E> {
    let pixels = a.len() / channels.0;
    (0..pixels)
        .flat_map(|p| {
            let of_a = a[p * channels.0..(p + 1) * channels.0].iter();
            of_a.chain(&b[p * channels.1..(p + 1) * channels.1])
        })
        .copied()
        .collect()
}

/// [`to_channels_last`](crate::to_channels_last()): `shape` is (N, C, H, W).
pub fn to_channels_last<E: Element>(x: &[E], shape: Shape4) -> Vec<E> {
    let (n, c, h, w) = shape;
    indices((n, h, w, c)).map(|[n, r, s, c]| x[at(shape, [n, c, r, s])]).collect()
}
