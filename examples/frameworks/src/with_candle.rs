//! For a candle model.

use crate::{value_and_gradient, value_and_gradient_soft};
use candle_core::Tensor;
use segloss::Loss;
use std::error::Error;

/// The loss of logits (N, C, spatial…), or (N, spatial…, C) as the loss's layout says, and of one label a pixel;
/// `backward` of it reaches the logits and whatever they were made of.
///
/// # Errors
/// What segloss refuses, and logits of another type than f32.
pub fn of_labels(loss: &Loss, logits: &Tensor, labels: &[u8]) -> Result<Tensor, Box<dyn Error>> {
    let numbers = logits.flatten_all()?.to_vec1::<f32>()?;
    bridge(logits, value_and_gradient(loss, &numbers, logits.dims(), labels)?)
}

/// The same of a target that is a distribution over the classes, shaped like the logits.
///
/// # Errors
/// As [`of_labels`].
pub fn of_distribution(loss: &Loss, logits: &Tensor, target: &Tensor) -> Result<Tensor, Box<dyn Error>> {
    let numbers = logits.flatten_all()?.to_vec1::<f32>()?;
    let shares = target.flatten_all()?.to_vec1::<f32>()?;
    bridge(logits, value_and_gradient_soft(loss, &numbers, logits.dims(), &shares)?)
}

fn bridge(logits: &Tensor, (value, gradient): (f64, Vec<f32>)) -> Result<Tensor, Box<dyn Error>> {
    let gradient = Tensor::from_vec(gradient, logits.shape(), logits.device())?;
    let sum = (logits * gradient)?.sum_all()?;
    Ok(((&sum - sum.detach())? + value)?)
}
