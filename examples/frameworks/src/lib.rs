//! segloss as the loss of a [burn](with_burn) and of a [candle](with_candle) model.
//!
//! Both frameworks differentiate what is made of their own operations; segloss hands over a value and its gradient
//! by the logits. The bridge is a sum whose slope is that gradient: for a constant g, ∂/∂z Σ z·g = g. What the sum
//! itself comes to is taken off again, without a slope, and the loss put in its place:
//!
//! ```text
//! S = Σ z·g,   L = S − detached(S) + value:   L is the value,   ∂L/∂z = g
//! ```
//!
//! The logits are read on the host, wherever they lie, and the gradient goes back to where they came from.

pub mod with_burn;
pub mod with_candle;

use ndarray::ArrayView;
use segloss::{Input, Loss, Target};
use std::error::Error;

/// The value, and the gradient as the logits lie; `labels` are class indices (N, spatial…).
fn value_and_gradient(
    loss: &Loss,
    logits: &[f32],
    shape: &[usize],
    labels: &[u8],
) -> Result<(f64, Vec<f32>), Box<dyn Error>> {
    let input = Input::from_slices(logits, shape, labels)?;
    evaluate(loss, logits.len(), &input)
}

/// The same of a distribution, which is shaped and lies like the logits.
fn value_and_gradient_soft(
    loss: &Loss,
    logits: &[f32],
    shape: &[usize],
    distribution: &[f32],
) -> Result<(f64, Vec<f32>), Box<dyn Error>> {
    let target = Target::distribution(ArrayView::from_shape(shape, distribution)?);
    let input = Input::new(ArrayView::from_shape(shape, logits)?, target)?;
    evaluate(loss, logits.len(), &input)
}

fn evaluate(loss: &Loss, logits: usize, input: &Input<'_, f32>) -> Result<(f64, Vec<f32>), Box<dyn Error>> {
    let mut gradient = vec![0.0; logits];
    let evaluation = loss.value_and_gradient(input, &mut gradient)?;
    Ok((evaluation.value, gradient))
}
