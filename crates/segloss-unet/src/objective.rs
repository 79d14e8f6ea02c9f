//! The bridge from the net to the loss: logits and labels in, value and gradient out.

use dfdx::prelude::{Cpu, HasShape, Tape, Tensor};
use dfdx_conv::{Image, external_loss};
use ndarray::ArrayView3;
use segloss::{ClassCounts, Evaluation, Input, Layout, Loss, LossSpec};

use crate::classes::Classes;
use crate::dataset::count;
use crate::error::{ConfigProblem, Error, Result};
use crate::real::Real;

/// The loss of a run, fitted to the net's layout and to the data's ignored label.
#[derive(Debug, Clone)]
pub struct Objective {
    loss: Loss,
}

impl Objective {
    /// Fits a loss to the data: channels-last logits, the ignored label of the data (or the one that padding
    /// gets), and the data's own class counts where the loss asks for those of a data set and has none.
    ///
    /// # Errors
    /// [`ConfigProblem::Contradiction`] if the loss names another ignored label than the data, or needs a
    /// weight for each pixel and `maps` says that there are none.
    pub fn new(spec: &LossSpec, classes: &Classes, counts: Option<&ClassCounts>, maps: bool) -> Result<Self> {
        if spec.needs_weight_map() && !maps {
            let text = "loss.weights.source is map, but data.maps is not set: no weight is read from maps/";
            return Err(ConfigProblem::Contradiction(text.to_owned()).into());
        }
        let padding = i64::from(classes.padding_label());
        if let Some(ignored) = spec.ignore_index.filter(|&ignored| ignored != padding) {
            let data = match classes.ignore_index {
                Some(label) => format!("the data ignores label {label}"),
                None => format!("the data ignores none; use --set data.ignore_index={ignored}"),
            };
            let text = format!("loss.ignore_index is {ignored}, but {data}");
            return Err(ConfigProblem::Contradiction(text).into());
        }
        let mut spec = LossSpec { layout: Layout::ChannelsLast, ignore_index: Some(padding), ..spec.clone() };
        if let Some(counts) = counts {
            spec.fill_dataset(counts);
        }
        Ok(Self { loss: Loss::new(spec)? })
    }

    /// The loss as it is computed.
    pub fn spec(&self) -> &LossSpec {
        self.loss.spec()
    }

    /// Adds a batch's labels to the running counts of a loss that keeps them (`source = "ema"`).
    ///
    /// # Errors
    /// As [`count`].
    pub fn update_running_counts(&mut self, labels: &[u8], pixels: usize, classes: &Classes) -> Result<()> {
        if self.loss.needs_running_counts() {
            self.loss.update_running_counts(&count(labels.chunks(pixels), classes)?)?;
        }
        Ok(())
    }

    /// What the loss remembers of the batches so far, for a checkpoint; empty for one that needs no memory.
    pub fn running_counts(&self) -> Vec<ClassCounts> {
        if self.loss.needs_running_counts() { self.loss.running_counts() } else { Vec::new() }
    }

    /// Goes on from a checkpoint's memory.
    ///
    /// # Errors
    /// [`ConfigProblem::Contradiction`] if it is that of another loss.
    pub fn restore_running_counts(&mut self, counts: &[ClassCounts]) -> Result<()> {
        let text = "the checkpoint's class counts are not those of its loss";
        let contradiction = |_| ConfigProblem::Contradiction(text.to_owned());
        Ok(self.loss.restore_running_counts(counts).map_err(contradiction)?)
    }

    /// The loss of logits (N, H, W, C) for labels (N, H, W), as a scalar on the logits' tape, and all that
    /// the loss has to say. `weights` are as many as labels, or none, where every pixel weighs 1.
    ///
    /// # Errors
    /// If the loss refuses its input.
    pub fn apply<E: Real, T: Tape<E, Cpu>>(
        &self,
        logits: Image<E, T>,
        labels: &[u8],
        weights: &[E],
    ) -> Result<(Tensor<(), E, Cpu, T>, Evaluation)> {
        let &(n, h, w, c) = logits.shape();
        // A loss that is nothing without weights is given ones where an image has none.
        let ones = match weights {
            [] if self.loss.spec().needs_weight_map() => vec![E::one(); n * h * w],
            _ => Vec::new(),
        };
        let weights = if weights.is_empty() { ones.as_slice() } else { weights };
        let shape = if weights.is_empty() { (0, h, w) } else { (n, h, w) };
        let weights = ArrayView3::from_shape(shape, weights)
            .map_err(|_| Error::Operation(dfdx_conv::Error::Dfdx("as many weights as labels".to_owned())))?;
        let mut evaluation = None;
        let scalar = external_loss(logits, |values, gradient| -> Result<E> {
            let mut input = Input::from_slices(values, &[n, h, w, c], labels)?;
            if !weights.is_empty() {
                input = input.with_weight_map(weights)?;
            }
            let result = match gradient {
                Some(gradient) => self.loss.value_and_gradient(&input, gradient)?,
                None => self.loss.value(&input)?,
            };
            let value = E::nearest(result.value);
            evaluation = Some(result);
            Ok(value)
        })?;
        let missing = || Error::Operation(dfdx_conv::Error::Dfdx("the loss was not computed".to_owned()));
        Ok((scalar, evaluation.ok_or_else(missing)?))
    }
}
