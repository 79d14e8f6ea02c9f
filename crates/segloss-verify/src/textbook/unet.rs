//! The U-Net (Ronneberger, Fischer & Brox 2015) of `segloss-unet`, in training: the operations' own definitions,
//! one after the other, in any kind of number.

use crate::number::Number;
use crate::operation::EPSILON;
use dfdx_conv::{Shape4, reference};
use segloss_unet::config::{ModelConfig, Norm, Up};
use std::collections::BTreeMap;

/// The numbers of a net by name, each with its sizes.
pub type Parameters<T> = BTreeMap<String, (Vec<usize>, Vec<T>)>;

/// An image, (N, H, W, C).
struct Image<T>(Vec<T>, Shape4);

/// Logits (N, H, W, classes) of `images`, which are of `shape` (N, H, W, channels).
pub fn logits<T: Number + reference::Number>(
    config: &ModelConfig,
    parameters: &Parameters<T>,
    images: &[T],
    shape: Shape4,
) -> Vec<T> {
    let mut x = Image(images.to_vec(), shape);
    let mut skips = Vec::new();
    for level in 0..config.depth {
        x = block(config, parameters, &format!("down{level}"), x);
        let (n, h, w, c) = x.1;
        let pooled = Image(reference::max_pool2d(&x.0, x.1), (n, h / 2, w / 2, c));
        skips.push(std::mem::replace(&mut x, pooled));
    }
    x = block(config, parameters, "bottom", x);
    for (level, skip) in skips.into_iter().enumerate().rev() {
        let up = up(config, parameters, &format!("up{level}.up"), x);
        let (n, h, w, c) = skip.1;
        let both = reference::concat_channels(&skip.0, &up.0, (c, up.1.3));
        x = block(config, parameters, &format!("up{level}"), Image(both, (n, h, w, c + up.1.3)));
    }
    convolve(parameters, "head", x).0
}

/// Two convolutions, each with its normalisation, if there is one, and a rectifier.
fn block<T: Number + reference::Number>(
    config: &ModelConfig,
    parameters: &Parameters<T>,
    name: &str,
    mut x: Image<T>,
) -> Image<T> {
    for number in 1..=2 {
        x = convolve(parameters, &format!("{name}.conv{number}"), x);
        if config.norm == Norm::Batch {
            let (mean, variance) = reference::moments(&x.0, x.1);
            let gamma = &parameters[&format!("{name}.norm{number}.gamma")].1;
            let beta = &parameters[&format!("{name}.norm{number}.beta")].1;
            x.0 = reference::batch_norm2d(&x.0, (&mean, &variance), gamma, beta, EPSILON);
        }
        x.0 = reference::relu(&x.0);
    }
    x
}

fn convolve<T: Number + reference::Number>(
    parameters: &Parameters<T>,
    name: &str,
    Image(x, shape): Image<T>,
) -> Image<T> {
    let (weight, kernel, bias) = weights(parameters, name);
    let y = reference::conv2d(&x, shape, weight, kernel, bias);
    Image(y, (shape.0, shape.1, shape.2, kernel.3))
}

/// Twice as high and wide: by a transposed convolution, or every pixel four times and a convolution.
fn up<T: Number + reference::Number>(
    config: &ModelConfig,
    parameters: &Parameters<T>,
    name: &str,
    Image(x, shape): Image<T>,
) -> Image<T> {
    let (n, h, w, c) = shape;
    let (weight, kernel, bias) = weights(parameters, name);
    let y = match config.up {
        Up::Transposed => reference::conv_transpose2d(&x, shape, weight, kernel, bias),
        Up::Nearest => {
            let large = reference::upsample_nearest2d(&x, shape);
            reference::conv2d(&large, (n, 2 * h, 2 * w, c), weight, kernel, bias)
        }
    };
    Image(y, (n, 2 * h, 2 * w, kernel.3))
}

/// A convolution's weight, its sizes, and its bias, if it has one.
fn weights<'a, T>(parameters: &'a Parameters<T>, name: &str) -> (&'a [T], Shape4, Option<&'a [T]>) {
    let (sizes, weight) = &parameters[&format!("{name}.weight")];
    let bias = parameters.get(&format!("{name}.bias")).map(|(_, bias)| &bias[..]);
    (weight, (sizes[0], sizes[1], sizes[2], sizes[3]), bias)
}
