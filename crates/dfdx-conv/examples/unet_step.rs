//! The time of one training step of a U-Net made of this crate's operations.
//!
//! Batch 4, 3×128×128, width 16, depth 4, nearest up-sampling with a 3×3 convolution after it, no bias,
//! no norm, a 1×1 head to 4 classes (2 157 040 weights), loss = mean of the squares of the output.
//!
//! ```text
//! cargo run --release -p dfdx-conv --example unet_step
//! ```
//! Up-sampling and the convolution after it are one operation here, `upsample_conv2d`; with `-- --plain`
//! they are two, with the arithmetic that other frameworks do. `RAYON_NUM_THREADS` sets the number of threads.

use std::time::Instant;

use dfdx::prelude::*;
use dfdx_conv::{
    Activation, Conv2dOptions, Error, Image, KeepLarge, Kernel, concat_channels, conv2d, conv2d_with,
    external_loss, max_pool2d, upsample_conv2d, upsample_nearest2d,
};

/// As in any program that trains: without it, much of a step's time goes to fresh pages.
#[global_allocator]
static ALLOCATOR: KeepLarge = KeepLarge::new(4 << 30);

const WIDTH: usize = 16;
const DEPTH: usize = 4;
const STEPS: usize = 30;

const WITH_RELU: Conv2dOptions = Conv2dOptions { input_gradient: true, activation: Activation::Relu };

struct UNet {
    encoder: Vec<[Kernel<f32>; 2]>,
    decoder: Vec<[Kernel<f32>; 3]>,
    head: Kernel<f32>,
    /// Up-sample and convolve in two operations.
    plain: bool,
}

impl UNet {
    fn new(device: &Cpu, inputs: usize, classes: usize, plain: bool) -> Self {
        // He initialisation.
        let kernel = |size: usize, inputs: usize, outputs: usize| -> Kernel<f32> {
            let scale = (2.0 / (size * size * inputs) as f32).sqrt();
            device.sample_normal_like(&(size, size, inputs, outputs)) * scale
        };
        let channels: Vec<usize> = (0..=DEPTH).map(|level| WIDTH << level).collect();
        let encoder = (0..=DEPTH).map(|level| {
            let before = if level == 0 { inputs } else { channels[level - 1] };
            [kernel(3, before, channels[level]), kernel(3, channels[level], channels[level])]
        });
        let decoder = (0..DEPTH).rev().map(|level| {
            let c = channels[level];
            [kernel(3, 2 * c, c), kernel(3, 2 * c, c), kernel(3, c, c)]
        });
        let head = kernel(1, WIDTH, classes);
        Self { encoder: encoder.collect(), decoder: decoder.collect(), head, plain }
    }

    fn forward<T: Tape<f32, Cpu>>(&self, mut x: Image<f32, T>) -> Result<Image<f32, T>, Error> {
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

    fn parameters(&self) -> usize {
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

fn main() -> Result<(), Error> {
    let device = Cpu::default();
    let net = UNet::new(&device, 3, 4, std::env::args().any(|argument| argument == "--plain"));
    let x: Image<f32> = device.sample_normal_like(&(4, 128, 128, 3));
    println!("{} weights, {} threads", net.parameters(), rayon::current_num_threads());
    let (mut forward, mut both) = (Vec::new(), Vec::new());
    for step in 0..STEPS + 5 {
        let start = Instant::now();
        let y = net.forward(x.clone())?;
        let forward_time = start.elapsed();
        drop(y);
        let start = Instant::now();
        let loss = mean_of_squares(net.forward(x.leaky_trace())?)?;
        let gradients = loss.backward();
        let both_time = start.elapsed();
        drop(gradients);
        if step >= 5 {
            forward.push(forward_time.as_secs_f64() * 1e3);
            both.push(both_time.as_secs_f64() * 1e3);
        }
    }
    for (name, times) in [("forward", &mut forward), ("forward + backward", &mut both)] {
        times.sort_by(f64::total_cmp);
        println!("{name}: median {:.1} ms, fastest {:.1} ms", times[STEPS / 2], times[0]);
    }
    Ok(())
}
