//! Slow, obvious definitions of the operations, on plain slices: plain nested loops that one can check
//! by eye against the formulas. Forward only.
//!
//! They are generic over their numbers, so that a judge may bring its own: numbers of hundreds of bits show
//! what the fast operations round, and numbers that carry their derivatives what their gradients should be,
//! at the kinks of [`relu`] and [`max_pool2d`], too: where the definition makes a choice, its derivative follows.
//!
//! They are public so that tests elsewhere can hold the fast operations against them. Sizes are not
//! checked: a wrong one panics.

use std::ops::{Add, Div, Mul, Sub};

use crate::Shape4;

/// What the definitions ask of a number.
pub trait Number:
    Clone + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// A constant.
    fn constant(x: f64) -> Self;
    /// √x.
    fn square_root(&self) -> Self;
}

macro_rules! number {
    ($type:ty) => {
        impl Number for $type {
            fn constant(x: f64) -> Self {
                x as $type
            }

            fn square_root(&self) -> Self {
                self.sqrt()
            }
        }
    };
}

number!(f32);
number!(f64);

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
pub fn conv2d<E: Number>(x: &[E], shape: Shape4, weight: &[E], kernel: Shape4, bias: Option<&[E]>) -> Vec<E> {
    let (n, h, w, inputs) = shape;
    let (kh, kw, _, outputs) = kernel;
    indices((n, h, w, outputs))
        .map(|[n, r, s, o]| {
            let mut y = bias.map_or(E::constant(0.0), |b| b[o].clone());
            for i in 0..kh {
                for j in 0..kw {
                    // The pixel seen, counted from kh/2 rows above and kw/2 pixels left of the image.
                    let (row, column) = (r + i, s + j);
                    if row < kh / 2 || row - kh / 2 >= h || column < kw / 2 || column - kw / 2 >= w {
                        continue;
                    }
                    for c in 0..inputs {
                        let x = x[at(shape, [n, row - kh / 2, column - kw / 2, c])].clone();
                        y = y + x * weight[at(kernel, [i, j, c, o])].clone();
                    }
                }
            }
            y
        })
        .collect()
}

/// [`conv_transpose2d`](crate::conv_transpose2d()): `weight` of `kernel` (2, 2, Cin, Cout).
pub fn conv_transpose2d<E: Number>(
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
            let mut y = bias.map_or(E::constant(0.0), |b| b[o].clone());
            for c in 0..inputs {
                let x = x[at(shape, [n, r / 2, s / 2, c])].clone();
                y = y + x * weight[at(kernel, [r % 2, s % 2, c, o])].clone();
            }
            y
        })
        .collect()
}

/// [`max_pool2d`](crate::max_pool2d()): the maximum of each 2×2 window, of equal ones the first in row-major
/// order, NaN if there is one.
pub fn max_pool2d<E: Number>(x: &[E], shape: Shape4) -> Vec<E> {
    let (n, h, w, c) = shape;
    indices((n, h / 2, w / 2, c))
        .map(|[n, r, s, c]| {
            let of_window = |(i, j)| x[at(shape, [n, 2 * r + i, 2 * s + j, c])].clone();
            let window = [(0, 0), (0, 1), (1, 0), (1, 1)].map(of_window);
            // NaN alone compares with nothing, not with itself either.
            let nan = window.iter().find(|x| x.partial_cmp(x).is_none()).cloned();
            nan.unwrap_or_else(|| {
                let [first, others @ ..] = window;
                others.into_iter().fold(first, |best, x| if x > best { x } else { best })
            })
        })
        .collect()
}

/// [`upsample_nearest2d`](crate::upsample_nearest2d()): every pixel four times.
pub fn upsample_nearest2d<E: Clone>(x: &[E], shape: Shape4) -> Vec<E> {
    let (n, h, w, c) = shape;
    indices((n, 2 * h, 2 * w, c)).map(|[n, r, s, c]| x[at(shape, [n, r / 2, s / 2, c])].clone()).collect()
}

/// Mean and **biased** variance of each channel.
pub fn moments<E: Number>(x: &[E], shape: Shape4) -> (Vec<E>, Vec<E>) {
    let channels = shape.3;
    let pixels = E::constant((x.len() / channels) as f64);
    let moments = |c: usize| {
        let total = |terms: &mut dyn Iterator<Item = E>| terms.fold(E::constant(0.0), |sum, x| sum + x);
        let mut of_channel = x.iter().skip(c).step_by(channels).cloned();
        let mean = total(&mut of_channel) / pixels.clone();
        let mut squares = x.iter().skip(c).step_by(channels).map(|x| {
            let off = x.clone() - mean.clone();
            off.clone() * off
        });
        let variance = total(&mut squares) / pixels.clone();
        (mean, variance)
    };
    (0..channels).map(moments).unzip()
}

/// [`batch_norm2d`](crate::batch_norm2d()): normalised by these means and variances; in training they are the
/// batch's own [`moments`].
pub fn batch_norm2d<E: Number>(
    x: &[E],
    (mean, variance): (&[E], &[E]),
    gamma: &[E],
    beta: &[E],
    epsilon: f64,
) -> Vec<E> {
    let channels = mean.len();
    x.iter()
        .enumerate()
        .map(|(i, x)| {
            let c = i % channels;
            let deviation = (variance[c].clone() + E::constant(epsilon)).square_root();
            gamma[c].clone() * (x.clone() - mean[c].clone()) / deviation + beta[c].clone()
        })
        .collect()
}

/// What [`RunningStatistics`](crate::RunningStatistics) are after a batch with these [`moments`] of so many pixels:
/// (1 − momentum)·running + momentum·batch, the variance **unbiased**, and 0 of one pixel.
pub fn running_statistics<E: Number>(
    running: (&[E], &[E]),
    (mean, variance): (&[E], &[E]),
    pixels: usize,
    momentum: f64,
) -> (Vec<E>, Vec<E>) {
    let blend = |old: &E, new: E| E::constant(1.0 - momentum) * old.clone() + E::constant(momentum) * new;
    let unbiased = |variance: &E| match pixels {
        1 => E::constant(0.0),
        _ => variance.clone() * E::constant(pixels as f64) / E::constant(pixels as f64 - 1.0),
    };
    (
        running.0.iter().zip(mean).map(|(old, new)| blend(old, new.clone())).collect(),
        running.1.iter().zip(variance).map(|(old, new)| blend(old, unbiased(new))).collect(),
    )
}

/// [`relu`](crate::relu()): the larger of x and 0; at 0 it is the constant 0. NaN stays NaN.
pub fn relu<E: Number>(x: &[E]) -> Vec<E> {
    let zero = E::constant(0.0);
    x.iter().map(|x| if *x <= zero { zero.clone() } else { x.clone() }).collect()
}

/// [`concat_channels`](crate::concat_channels()): `channels` are those of `a` and of `b`.
pub fn concat_channels<E: Clone>(a: &[E], b: &[E], channels: (usize, usize)) -> Vec<E> {
    let pixels = a.len() / channels.0;
    (0..pixels)
        .flat_map(|p| {
            let of_a = a[p * channels.0..(p + 1) * channels.0].iter();
            of_a.chain(&b[p * channels.1..(p + 1) * channels.1])
        })
        .cloned()
        .collect()
}

/// [`to_channels_last`](crate::to_channels_last()): `shape` is (N, C, H, W).
pub fn to_channels_last<E: Clone>(x: &[E], shape: Shape4) -> Vec<E> {
    let (n, c, h, w) = shape;
    indices((n, h, w, c)).map(|[n, r, s, c]| x[at(shape, [n, c, r, s])].clone()).collect()
}

/// [`to_channels_first`](crate::to_channels_first()): `shape` is (N, H, W, C).
pub fn to_channels_first<E: Clone>(x: &[E], shape: Shape4) -> Vec<E> {
    let (n, h, w, c) = shape;
    indices((n, c, h, w)).map(|[n, c, r, s]| x[at(shape, [n, r, s, c])].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_statistics_by_hand() {
        // ¾·8 + ¼·4 and ¾·2 + ¼·(6·3/2).
        let of = |pixels| running_statistics(([8.0].as_slice(), &[2.0]), (&[4.0], &[6.0]), pixels, 0.25);
        assert_eq!(of(3), (vec![7.0], vec![3.75]));
        assert_eq!(of(1), (vec![7.0], vec![1.5]), "one pixel has no variance");
    }
}
