//! The gradient of a step: of the whole batch at once, or of a micro-batch at a time.
//!
//! In micro-batches the loss is that of the whole batch, and so is its gradient, whatever the loss is: weights and
//! denominator come from the labels of all images, the parts are combined, and only then is a loss whose gradient needs
//! the totals (an overlap, a sort) differentiated, which takes the net a second pass forward. The sum of the parameters'
//! gradients is rounded in another order than that of the whole batch. Batch normalisations see their micro-batch alone.

use std::iter::once;

use dfdx::prelude::{Backward, Cpu, Gradients, OwnedTape, PutTape, SplitTape, Tensor, Trace, TryAdd, TryMul};

use segloss::Warning;

use crate::batch::Batch;
use crate::error::Result;
use crate::objective::{InParts, Objective};
use crate::supervision::{Level, levels};
use crate::unet::{Supervised, UNet};

type Scalar = Tensor<(), f32, Cpu, OwnedTape<f32, Cpu>>;
type Recorded = Supervised<f32, OwnedTape<f32, Cpu>>;

/// Adds the gradient of a batch's loss to `into`, one buffer for each parameter, and returns the loss. At most
/// `images` images are in memory at once; 0: all.
///
/// # Errors
/// What net or loss refuse.
pub fn accumulate(
    net: &mut UNet<f32>,
    objective: &Objective,
    batch: &Batch<f32>,
    images: usize,
    into: &mut [Vec<f32>],
) -> Result<f64> {
    accumulate_and_tell(net, objective, batch, images, into).map(|(loss, _)| loss)
}

/// As [`accumulate`], with what the loss has to say of the batch at full resolution.
///
/// # Errors
/// As [`accumulate`].
pub fn accumulate_and_tell(
    net: &mut UNet<f32>,
    objective: &Objective,
    batch: &Batch<f32>,
    images: usize,
    into: &mut [Vec<f32>],
) -> Result<(f64, Vec<Warning>)> {
    let levels = levels(batch, net.lower_heads());
    match images {
        0 => whole(net, objective, batch, &levels, into),
        images if images >= batch.shape.0 => whole(net, objective, batch, &levels, into),
        images => Micro { net, objective, batch, levels: &levels, images }.accumulate(into),
    }
}

fn whole(
    net: &mut UNet<f32>,
    objective: &Objective,
    batch: &Batch<f32>,
    levels: &[Level<'_, f32>],
    into: &mut [Vec<f32>],
) -> Result<(f64, Vec<Warning>)> {
    let images = net.tensor(batch.images.clone(), batch.shape)?;
    let supervised = net.forward_supervised(images.traced(Gradients::leaky()))?;
    let (mut loss, mut warnings) = (0.0, Vec::new());
    let scalar = sum(supervised, levels, |number, level, logits| {
        let (scalar, evaluation) = objective.apply(logits, &level.labels, &level.weights)?;
        loss += level.factor * evaluation.value;
        if number == 0 {
            warnings = evaluation.warnings;
        }
        Ok(scalar)
    })?;
    backward(net, scalar, into)?;
    Ok((loss, warnings))
}

/// A batch that is worked through a few images at a time.
struct Micro<'a> {
    net: &'a mut UNet<f32>,
    objective: &'a Objective,
    batch: &'a Batch<f32>,
    levels: &'a [Level<'a, f32>],
    images: usize,
}

impl Micro<'_> {
    fn accumulate(self, into: &mut [Vec<f32>]) -> Result<(f64, Vec<Warning>)> {
        let classes = self.net.classes();
        let mut parts = Vec::with_capacity(self.levels.len());
        for level in self.levels {
            let Level { size, labels, weights, .. } = level;
            parts.push(self.objective.in_parts(*size, classes, self.images, labels, weights)?);
        }
        let firsts = (0..self.batch.shape.0).step_by(self.images);
        let is_additive = parts.iter().all(InParts::is_additive);
        if !is_additive {
            for first in firsts.clone() {
                let Supervised { logits, lower } = self.net.look(self.tensor(first)?)?;
                for ((part, level), logits) in
                    parts.iter_mut().zip(self.levels).zip(once(logits).chain(lower))
                {
                    let (labels, weights) = of(level, first, self.images);
                    part.add(first, logits, labels, weights)?;
                }
            }
        }
        for first in firsts {
            let images = self.tensor(first)?.traced(Gradients::leaky());
            let supervised = self.net.forward_supervised(images)?;
            let scalar = sum(supervised, self.levels, |number, level, logits| {
                let (labels, weights) = of(level, first, self.images);
                match is_additive {
                    true => parts[number].add(first, logits, labels, weights),
                    false => parts[number].gradient(first, logits, labels, weights),
                }
            })?;
            backward(self.net, scalar, into)?;
        }
        let (mut loss, mut warnings) = (0.0, None);
        for (part, level) in parts.iter().zip(self.levels) {
            let evaluation = part.finish()?;
            loss += level.factor * evaluation.value;
            warnings.get_or_insert(evaluation.warnings);
        }
        Ok((loss, warnings.unwrap_or_default()))
    }

    /// The images from number `first` on.
    fn tensor(&self, first: usize) -> Result<dfdx_conv::Image<f32>> {
        let (n, h, w, c) = self.batch.shape;
        let last = (first + self.images).min(n);
        self.net
            .tensor(self.batch.images[first * h * w * c..last * h * w * c].to_vec(), (last - first, h, w, c))
    }
}

/// Labels and weights of a level's images from number `first` on.
fn of<'a>(level: &'a Level<'_, f32>, first: usize, images: usize) -> (&'a [u8], &'a [f32]) {
    let pixels = level.size.0 * level.size.1;
    let range = first * pixels..((first + images) * pixels).min(level.labels.len());
    let weights = if level.weights.is_empty() { &[][..] } else { &level.weights[range.clone()] };
    (&level.labels[range], weights)
}

/// Σ factor · loss over the levels, on the tape of the logits. `loss` is told the level's number.
fn sum<'a>(
    supervised: Recorded,
    levels: &'a [Level<'a, f32>],
    mut loss: impl FnMut(usize, &'a Level<'a, f32>, dfdx_conv::Image<f32, OwnedTape<f32, Cpu>>) -> Result<Scalar>,
) -> Result<Scalar> {
    let Supervised { logits, lower } = supervised;
    let counted = |scalar: Scalar, level: &Level<'_, f32>| match level.factor == 1.0 {
        true => Ok(scalar),
        false => scalar.try_mul(level.factor as f32).map_err(dfdx_conv::Error::from),
    };
    // The full resolution is always there.
    let mut total = counted(loss(0, &levels[0], logits)?, &levels[0])?;
    for (number, (level, logits)) in (1..).zip(levels[1..].iter().zip(lower)) {
        let (sum, tape) = total.split_tape();
        let scalar = counted(loss(number, level, logits.put_tape(tape))?, level)?;
        total = scalar.try_add(sum).map_err(dfdx_conv::Error::from)?;
    }
    Ok(total)
}

fn backward(net: &UNet<f32>, scalar: Scalar, into: &mut [Vec<f32>]) -> Result<()> {
    let mut gradients = scalar.try_backward().map_err(dfdx_conv::Error::from)?;
    for (parameter, sum) in net.parameters.iter().zip(into) {
        for (sum, &part) in sum.iter_mut().zip(parameter.gradient(&mut gradients)?) {
            *sum += part;
        }
    }
    Ok(())
}
