//! The bridge from the net to the loss: logits and labels in, value and gradient out.

use dfdx::prelude::{Cpu, HasShape, Tape, Tensor};
use dfdx_conv::{Image, external_loss};
use segloss::{Evaluation, Input, Layout, Loss, LossSpec};

use crate::classes::Classes;
use crate::error::{ConfigProblem, Error, Result};
use crate::real::Real;

/// The loss of a run, fitted to the net's layout and to the data's ignored label.
#[derive(Debug, Clone)]
pub struct Objective {
    loss: Loss,
}

impl Objective {
    /// Fits a loss to the data: channels-last logits, and the ignored label of the data (or the one
    /// that padding gets).
    ///
    /// # Errors
    /// [`ConfigProblem::Contradiction`] if the loss names another ignored label than the data.
    pub fn new(spec: &LossSpec, classes: &Classes) -> Result<Self> {
        let padding = i64::from(classes.padding_label());
        if let Some(ignored) = spec.ignore_index.filter(|&ignored| ignored != padding) {
            let data = match classes.ignore_index {
                Some(label) => format!("the data ignores label {label}"),
                None => "the data ignores none (set data.ignore_index)".to_owned(),
            };
            let text = format!("loss.ignore_index is {ignored}, but {data}");
            return Err(ConfigProblem::Contradiction(text).into());
        }
        let spec = LossSpec { layout: Layout::ChannelsLast, ignore_index: Some(padding), ..spec.clone() };
        Ok(Self { loss: Loss::new(spec)? })
    }

    /// The loss as it is computed.
    pub fn spec(&self) -> &LossSpec {
        self.loss.spec()
    }

    /// The loss of logits (N, H, W, C) for labels (N, H, W), as a scalar on the logits' tape, and all that
    /// the loss has to say.
    ///
    /// # Errors
    /// If the loss refuses its input.
    pub fn apply<E: Real, T: Tape<E, Cpu>>(
        &self,
        logits: Image<E, T>,
        labels: &[u8],
    ) -> Result<(Tensor<(), E, Cpu, T>, Evaluation)> {
        let &(n, h, w, c) = logits.shape();
        let mut evaluation = None;
        let scalar = external_loss(logits, |values, gradient| -> Result<E> {
            let input = Input::from_slices(values, &[n, h, w, c], labels)?;
            let result = match gradient {
                Some(gradient) => self.loss.value_and_gradient(&input, gradient)?,
                None => self.loss.value(&input)?,
            };
            let value = <E as segloss::Element>::of(result.value);
            evaluation = Some(result);
            Ok(value)
        })?;
        let missing = || Error::Operation(dfdx_conv::Error::Dfdx("the loss was not computed".to_owned()));
        Ok((scalar, evaluation.ok_or_else(missing)?))
    }
}
