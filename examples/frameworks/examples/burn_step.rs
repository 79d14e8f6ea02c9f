//! Training steps of a burn model whose loss is segloss's.
//!
//! ```text
//! cargo run --manifest-path examples/frameworks/Cargo.toml --example burn_step
//! ```

mod scene;

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use scene::{CLASSES, IMAGES, SIDE};
use segloss_frameworks::with_burn;
use std::error::Error;

#[derive(Module, Debug)]
struct Net {
    first: Conv2d,
    second: Conv2d,
}

impl Net {
    fn new(device: &Device) -> Self {
        let conv = |channels| {
            Conv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        Self { first: conv([3, 16]), second: conv([16, CLASSES]) }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        self.second.forward(relu(self.first.forward(images)))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(0);
    let loss = scene::loss()?;
    let images: Tensor<4> =
        Tensor::from_data(TensorData::new(scene::pictures(), [IMAGES, 3, SIDE, SIDE]), &device);
    let labels = scene::labels();
    let mut net = Net::new(&device);
    let mut optimizer = AdamConfig::new().init();
    for step in 0..=60 {
        let logits = net.forward(images.clone());
        let value = with_burn::of_labels(&loss, logits.clone(), &labels)?;
        if step % 20 == 0 {
            let recalls = scene::recalls(&logits.to_data().try_to_vec::<f32>()?);
            println!("step {step:2}: loss {:.4}, recalls {recalls:.2?}", value.clone().into_scalar::<f32>());
        }
        let gradients = GradientsParams::from_grads(value.backward(), &net);
        net = optimizer.step(0.02, net, gradients);
    }
    Ok(())
}
