//! A U-Net made of this crate's operations, and one training step of it: what other frameworks are asked for, too.
//!
//! Batch 4, 3×128×128, width 16, depth 4, nearest up-sampling with a 3×3 convolution after it, no bias,
//! no norm, a 1×1 head to 4 classes (2 157 040 weights), loss = mean of the squares of the output.

use dfdx::prelude::*;
use dfdx_conv::{
    Activation, Conv2dOptions, Error, Image, Kernel, concat_channels, conv2d, conv2d_with, external_loss,
    max_pool2d, upsample_conv2d, upsample_nearest2d,
};

const WIDTH: usize = 16;
const DEPTH: usize = 4;
const BATCH: usize = 4;
const SIDE: usize = 128;
const INPUTS: usize = 3;
const CLASSES: usize = 4;

const WITH_RELU: Conv2dOptions = Conv2dOptions { input_gradient: true, activation: Activation::Relu };

/// The net and its input.
pub struct UNet {
    image: Image<f32>,
    encoder: Vec<[Kernel<f32>; 2]>,
    decoder: Vec<[Kernel<f32>; 3]>,
    head: Kernel<f32>,
    /// Up-sample and convolve in two operations.
    plain: bool,
}

impl UNet {
    /// With drawn weights and a drawn image. `plain`: up-sampling and the convolution after it are two operations, with
    /// the arithmetic that other frameworks do, instead of `upsample_conv2d`.
    pub fn new(plain: bool) -> Self {
        let device = Cpu::default();
        // He initialisation.
        let kernel = |size: usize, inputs: usize, outputs: usize| -> Kernel<f32> {
            let scale = (2.0 / (size * size * inputs) as f32).sqrt();
            device.sample_normal_like(&(size, size, inputs, outputs)) * scale
        };
        let channels: Vec<usize> = (0..=DEPTH).map(|level| WIDTH << level).collect();
        let encoder = (0..=DEPTH).map(|level| {
            let before = if level == 0 { INPUTS } else { channels[level - 1] };
            [kernel(3, before, channels[level]), kernel(3, channels[level], channels[level])]
        });
        let decoder = (0..DEPTH).rev().map(|level| {
            let c = channels[level];
            [kernel(3, 2 * c, c), kernel(3, 2 * c, c), kernel(3, c, c)]
        });
        let head = kernel(1, WIDTH, CLASSES);
        let image = device.sample_normal_like(&(BATCH, SIDE, SIDE, INPUTS));
        Self { image, encoder: encoder.collect(), decoder: decoder.collect(), head, plain }
    }

    fn apply<T: Tape<f32, Cpu>>(&self, mut x: Image<f32, T>) -> Result<Image<f32, T>, Error> {
        let mut skips = Vec::new();
        for (level, [first, second]) in self.encoder.iter().enumerate() {
            // Nobody wants the gradient of the input image.
            x = conv2d_with(x, first, None, Conv2dOptions { input_gradient: level > 0, ..WITH_RELU })?;
            x = conv2d_with(x, second, None, WITH_RELU)?;
            if level < DEPTH {
                skips.push(x.retaped::<NoneTape>());
                x = max_pool2d(x)?;
            }
        }
        for ([up, first, second], skip) in self.decoder.iter().zip(skips.into_iter().rev()) {
            x = match self.plain {
                true => conv2d(upsample_nearest2d(x)?, up, None)?,
                false => upsample_conv2d(x, up, None)?,
            };
            x = concat_channels(x, skip)?;
            x = conv2d_with(x, first, None, WITH_RELU)?;
            x = conv2d_with(x, second, None, WITH_RELU)?;
        }
        conv2d(x, &self.head, None)
    }

    /// The output, and nothing kept for the way back.
    pub fn forward(&self) -> Result<Image<f32>, Error> {
        self.apply(self.image.clone())
    }

    /// Output, loss, and the gradient of every weight.
    pub fn forward_backward(&self) -> Result<Gradients<f32, Cpu>, Error> {
        Ok(mean_of_squares(self.apply(self.image.leaky_trace())?)?.backward())
    }

    /// How many weights there are.
    pub fn parameters(&self) -> usize {
        let kernels = self.encoder.iter().flatten().chain(self.decoder.iter().flatten());
        kernels.chain([&self.head]).map(|kernel| kernel.shape().num_elements()).sum()
    }
}

fn mean_of_squares<T: Tape<f32, Cpu>>(x: Image<f32, T>) -> Result<Tensor<(), f32, Cpu, T>, Error> {
    external_loss(x, |x, gradient| {
        let scale = 1.0 / x.len() as f32;
        if let Some(gradient) = gradient {
            gradient.iter_mut().zip(x).for_each(|(g, x)| *g = 2.0 * scale * x);
        }
        Ok(x.iter().map(|x| x * x).sum::<f32>() * scale)
    })
}
