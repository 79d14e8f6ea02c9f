//! burn's own `CrossEntropyLoss` with class weights, on its CPU backend `flex`.
//!
//! It takes (pixels, classes) rows: channels-first logits are permuted and reshaped to them, as its users must. Its
//! padding is one of the classes, so it cannot ignore a label outside them: it is asked for losses in which no pixel
//! is ignored.

use crate::{Drawn, Peer, timed};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use segloss::Layout;
use std::time::Duration;

struct Loss {
    loss: CrossEntropyLoss,
    layout: Layout,
    logits: Tensor<4>,
    labels: Tensor<1, Int>,
}

pub fn make(drawn: &Drawn) -> Result<Box<dyn Peer>, String> {
    if drawn.ignoring {
        return Err("its cross-entropy cannot ignore a label outside the classes; ask for +full".to_owned());
    }
    let device = Device::flex().autodiff();
    let [images, classes, height, width] = drawn.shape;
    let shape = match drawn.layout {
        Layout::ChannelsFirst => [images, classes, height, width],
        Layout::ChannelsLast => [images, height, width, classes],
    };
    let labels: Vec<i64> = drawn.labels.iter().map(|&label| i64::from(label)).collect();
    Ok(Box::new(Loss {
        loss: CrossEntropyLossConfig::new().with_weights(Some(drawn.weights.clone())).init(&device),
        layout: drawn.layout,
        logits: Tensor::from_data(TensorData::new(drawn.logits.clone(), shape), &device).require_grad(),
        labels: Tensor::from_data(TensorData::new(labels, [drawn.labels.len()]), &device),
    }))
}

impl Peer for Loss {
    fn call(&mut self) -> Result<(Duration, f64), String> {
        let (time, (loss, gradient)) = timed(|| {
            let logits = match self.layout {
                Layout::ChannelsFirst => self.logits.clone().permute([0, 2, 3, 1]),
                Layout::ChannelsLast => self.logits.clone(),
            };
            let [images, height, width, classes] = logits.dims();
            let rows = logits.reshape([images * height * width, classes]);
            let loss = self.loss.forward(rows, self.labels.clone());
            let gradient = self.logits.grad(&loss.backward());
            (loss, gradient)
        });
        gradient.ok_or("no gradient")?;
        Ok((time, f64::from(loss.into_scalar::<f32>())))
    }
}
