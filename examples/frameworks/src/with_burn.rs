//! For a burn model.

use crate::{value_and_gradient, value_and_gradient_soft};
use burn::tensor::{Tensor, TensorData};
use segloss::Loss;
use std::error::Error;

/// The loss of logits (N, C, spatial…), or (N, spatial…, C) as the loss's layout says, and of one label a pixel;
/// `backward` of it reaches the logits and whatever they were made of.
///
/// # Errors
/// What segloss refuses, and logits of another type than f32.
pub fn of_labels<const D: usize>(
    loss: &Loss,
    logits: Tensor<D>,
    labels: &[u8],
) -> Result<Tensor<1>, Box<dyn Error>> {
    let (data, shape) = (logits.to_data(), logits.dims());
    let numbers = data.as_slice::<f32>().map_err(|error| format!("logits: {error:?}"))?;
    Ok(bridge(logits, value_and_gradient(loss, numbers, &shape, labels)?))
}

/// The same of a target that is a distribution over the classes, shaped like the logits.
///
/// # Errors
/// As [`of_labels`].
pub fn of_distribution<const D: usize>(
    loss: &Loss,
    logits: Tensor<D>,
    target: Tensor<D>,
) -> Result<Tensor<1>, Box<dyn Error>> {
    let (data, shape, target) = (logits.to_data(), logits.dims(), target.into_data());
    let numbers = data.as_slice::<f32>().map_err(|error| format!("logits: {error:?}"))?;
    let shares = target.as_slice::<f32>().map_err(|error| format!("target: {error:?}"))?;
    Ok(bridge(logits, value_and_gradient_soft(loss, numbers, &shape, shares)?))
}

fn bridge<const D: usize>(logits: Tensor<D>, (value, gradient): (f64, Vec<f32>)) -> Tensor<1> {
    let gradient = Tensor::from_data(TensorData::new(gradient, logits.dims()), &logits.device());
    let sum = (logits * gradient).sum();
    sum.clone() - sum.detach() + value
}
