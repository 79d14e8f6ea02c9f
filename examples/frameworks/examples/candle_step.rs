//! Training steps of a candle model whose loss is segloss's.
//!
//! ```text
//! cargo run --manifest-path examples/frameworks/Cargo.toml --example candle_step
//! ```

mod scene;

use candle_core::{DType, Device, Tensor};
use candle_nn::{AdamW, Conv2d, Conv2dConfig, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap, conv2d};
use scene::{CLASSES, IMAGES, SIDE};
use segloss_frameworks::with_candle;
use std::error::Error;

struct Net {
    first: Conv2d,
    second: Conv2d,
}

impl Net {
    fn new(weights: &VarBuilder<'_>) -> candle_core::Result<Self> {
        let padded = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        Ok(Self {
            first: conv2d(3, 16, 3, padded, weights.pp("first"))?,
            second: conv2d(16, CLASSES, 3, padded, weights.pp("second"))?,
        })
    }

    fn forward(&self, images: &Tensor) -> candle_core::Result<Tensor> {
        self.second.forward(&self.first.forward(images)?.relu()?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::Cpu;
    let loss = scene::loss()?;
    let images = Tensor::from_vec(scene::pictures(), (IMAGES, 3, SIDE, SIDE), &device)?;
    let labels = scene::labels();
    let variables = VarMap::new();
    let net = Net::new(&VarBuilder::from_varmap(&variables, DType::F32, &device))?;
    let options = ParamsAdamW { lr: 0.02, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(variables.all_vars(), options)?;
    for step in 0..=60 {
        let logits = net.forward(&images)?;
        let value = with_candle::of_labels(&loss, &logits, &labels)?;
        if step % 20 == 0 {
            let recalls = scene::recalls(&logits.flatten_all()?.to_vec1::<f32>()?);
            println!("step {step:2}: loss {:.4}, recalls {recalls:.2?}", value.to_scalar::<f32>()?);
        }
        optimizer.backward_step(&value)?;
    }
    Ok(())
}
