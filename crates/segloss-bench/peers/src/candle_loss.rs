//! Weighted cross-entropy of candle's operations.
//!
//! candle's own `loss::cross_entropy` has neither weights nor ignored labels, so this is what its users write around
//! the same two operations, `log_softmax` and `gather`: Σ w·nll / Σ w, an ignored pixel's weight being 0.

use crate::{Drawn, Peer, draw, timed};
use candle_core::{Device, Error, Tensor, Var};
use candle_nn::ops::log_softmax;
use segloss::Layout;
use std::time::Duration;

struct Loss {
    logits: Var,
    /// The axis of the classes.
    axis: usize,
    /// As the logits, with one class; those of ignored pixels are 0.
    labels: Tensor,
    /// As the labels.
    weights: Tensor,
    weight_sum: f64,
}

pub fn make(drawn: &Drawn) -> Result<Box<dyn Peer>, String> {
    loss(drawn).map(|loss| Box::new(loss) as Box<dyn Peer>).map_err(|error| error.to_string())
}

fn loss(drawn: &Drawn) -> Result<Loss, Error> {
    let device = Device::Cpu;
    let [images, classes, height, width] = drawn.shape;
    let (shape, axis) = match drawn.layout {
        Layout::ChannelsFirst => ([images, classes, height, width], 1),
        Layout::ChannelsLast => ([images, height, width, classes], 3),
    };
    let mut one = shape;
    one[axis] = 1;
    let valid = |label: u8| label != draw::IGNORED;
    let labels: Vec<u32> =
        drawn.labels.iter().map(|&label| if valid(label) { label.into() } else { 0 }).collect();
    let weight = |&label: &u8| if valid(label) { drawn.weights[usize::from(label)] } else { 0.0 };
    let weights: Vec<f32> = drawn.labels.iter().map(weight).collect();
    Ok(Loss {
        logits: Var::from_tensor(&Tensor::from_slice(&drawn.logits, &shape, &device)?)?,
        axis,
        labels: Tensor::from_slice(&labels, &one, &device)?,
        weight_sum: weights.iter().copied().map(f64::from).sum(),
        weights: Tensor::from_slice(&weights, &one, &device)?,
    })
}

impl Loss {
    fn value(&self) -> Result<Tensor, Error> {
        let picked = log_softmax(&self.logits, self.axis)?.gather(&self.labels, self.axis)?;
        (picked * &self.weights)?.sum_all()?.affine(-1.0 / self.weight_sum, 0.0)
    }
}

impl Peer for Loss {
    fn call(&mut self) -> Result<(Duration, f64), String> {
        let (time, result) = timed(|| {
            let loss = self.value()?;
            let gradients = loss.backward()?;
            Ok((loss, gradients))
        });
        let (loss, gradients) = result.map_err(|error: Error| error.to_string())?;
        gradients.get(&self.logits).ok_or("no gradient")?;
        let value = loss.to_scalar::<f32>().map_err(|error| error.to_string())?;
        Ok((time, f64::from(value)))
    }
}
