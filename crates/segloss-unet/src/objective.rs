//! The bridge from the net to the loss: logits and labels in, value and gradient out.

use std::borrow::Cow;

use dfdx::prelude::{Cpu, HasShape, Tape, Tensor};
use dfdx_conv::{Image, external_loss};
use ndarray::ArrayView3;
use segloss::{ClassCounts, Evaluation, Input, Layout, Loss, LossSpec, Part, Plan, Term, kinds::Combined};

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

    /// The specification of L + `factor` · L′: layout and ignored label are for the sum to say.
    pub fn sum(first: &LossSpec, factor: f64, second: &LossSpec) -> LossSpec {
        let bare =
            |spec: &LossSpec| LossSpec { layout: Layout::default(), ignore_index: None, ..spec.clone() };
        Combined::new(vec![Term { factor: 1.0, loss: bare(first) }, Term { factor, loss: bare(second) }])
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
        if self.keeps_running_counts() {
            self.loss.update_running_counts(&count(labels.chunks(pixels), classes)?)?;
        }
        Ok(())
    }

    /// Whether the loss depends on the batches before.
    pub fn keeps_running_counts(&self) -> bool {
        self.loss.needs_running_counts()
    }

    /// What the loss remembers of the batches so far, for a checkpoint; empty for one that needs no memory.
    pub fn running_counts(&self) -> Vec<ClassCounts> {
        if self.keeps_running_counts() { self.loss.running_counts() } else { Vec::new() }
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
        let weights = self.weights(weights, labels.len());
        let mut evaluation = None;
        let scalar = external_loss(logits, |values, gradient| -> Result<E> {
            let input = input(values, [n, h, w, c], labels, &weights)?;
            let result = match gradient {
                Some(gradient) => self.loss.value_and_gradient(&input, gradient)?,
                None => self.loss.value(&input)?,
            };
            let value = E::nearest(result.value);
            evaluation = Some(result);
            Ok(value)
        })?;
        Ok((scalar, evaluation.ok_or(Error::Fault("the loss was not computed"))?))
    }

    /// Begins the loss of a batch (N, H, W) whose images do not come all at once, `images` at a time: of such a batch
    /// weights and denominator are known from its labels alone.
    ///
    /// # Errors
    /// If the loss refuses the labels.
    pub fn in_parts<E: Real>(
        &self,
        size: (usize, usize),
        classes: usize,
        images: usize,
        labels: &[u8],
        weights: &[E],
    ) -> Result<InParts<'_>> {
        let pixels = size.0 * size.1;
        let weights = self.weights(weights, labels.len());
        // Logits that nobody looks at.
        let logits = vec![E::zero(); images * pixels * classes];
        let mut counts = None;
        for (number, labels) in labels.chunks(images * pixels).enumerate() {
            let n = labels.len() / pixels;
            let weights = part(&weights, number * images * pixels, labels.len());
            let input =
                input(&logits[..n * pixels * classes], [n, size.0, size.1, classes], labels, weights)?;
            let found = self.loss.label_counts(&input)?;
            match &mut counts {
                None => counts = Some(found),
                Some(counts) => counts.join_images(found)?,
            }
        }
        let plan = self.loss.plan(&counts.ok_or(Error::Fault("a batch without an image"))?)?;
        Ok(InParts { objective: self, plan, all: None })
    }

    /// A loss that is nothing without weights is given ones where an image has none.
    fn weights<'a, E: Real>(&self, weights: &'a [E], pixels: usize) -> Cow<'a, [E]> {
        match weights {
            [] if self.loss.spec().needs_weight_map() => Cow::Owned(vec![E::one(); pixels]),
            _ => Cow::Borrowed(weights),
        }
    }
}

/// The loss of a batch that comes part by part.
#[derive(Debug)]
pub struct InParts<'a> {
    objective: &'a Objective,
    plan: Plan,
    /// All parts so far.
    all: Option<Part>,
}

impl InParts<'_> {
    /// Whether a part's gradient is known as soon as it is added.
    pub fn is_additive(&self) -> bool {
        self.objective.loss.is_additive()
    }

    /// Adds the images from number `first` on, and puts the gradient on their logits' tape if there is one and the loss
    /// is additive. The scalar's own value is 0: the parts have one only together.
    ///
    /// # Errors
    /// If the loss refuses its input.
    pub fn add<E: Real, T: Tape<E, Cpu>>(
        &mut self,
        first: usize,
        logits: Image<E, T>,
        labels: &[u8],
        weights: &[E],
    ) -> Result<Tensor<(), E, Cpu, T>> {
        let Self { objective, plan, all } = self;
        on_tape(objective, plan, first, logits, labels, weights, |input, plan, gradient| {
            let part = objective.loss.part(input, plan, gradient)?;
            match all {
                None => *all = Some(part),
                Some(all) => all.combine(part)?,
            }
            Ok(())
        })
    }

    /// Puts the gradient of a part on its logits' tape, once all parts are added.
    ///
    /// # Errors
    /// If the loss refuses its input.
    pub fn gradient<E: Real, T: Tape<E, Cpu>>(
        &self,
        first: usize,
        logits: Image<E, T>,
        labels: &[u8],
        weights: &[E],
    ) -> Result<Tensor<(), E, Cpu, T>> {
        let all = self.all.as_ref().ok_or(NO_PART)?;
        on_tape(self.objective, &self.plan, first, logits, labels, weights, |input, plan, gradient| {
            if let Some(gradient) = gradient {
                self.objective.loss.part_gradient(input, plan, all, gradient)?;
            }
            Ok(())
        })
    }

    /// The loss of all parts together.
    ///
    /// # Errors
    /// If a part is missing.
    pub fn finish(&self) -> Result<Evaluation> {
        Ok(self.objective.loss.finish(&self.plan, self.all.as_ref().ok_or(NO_PART)?)?)
    }
}

const NO_PART: Error = Error::Fault("no part of the loss was computed");

/// Puts on the tape of a part's logits what `loss` makes of them; the scalar is 0.
fn on_tape<E: Real, T: Tape<E, Cpu>>(
    objective: &Objective,
    plan: &Plan,
    first: usize,
    logits: Image<E, T>,
    labels: &[u8],
    weights: &[E],
    loss: impl FnOnce(&Input<'_, E>, &Plan, Option<&mut [E]>) -> Result<()>,
) -> Result<Tensor<(), E, Cpu, T>> {
    let &(n, h, w, c) = logits.shape();
    let plan = plan.images(first..first + n)?;
    let weights = objective.weights(weights, labels.len());
    external_loss(logits, |values, gradient| -> Result<E> {
        loss(&input(values, [n, h, w, c], labels, &weights)?, &plan, gradient)?;
        Ok(E::zero())
    })
}

/// The entries from `first` on of weights that may be none.
fn part<E>(weights: &[E], first: usize, length: usize) -> &[E] {
    if weights.is_empty() { weights } else { &weights[first..first + length] }
}

fn input<'a, E: Real>(
    logits: &'a [E],
    shape: [usize; 4],
    labels: &'a [u8],
    weights: &'a [E],
) -> Result<Input<'a, E>> {
    let input = Input::from_slices(logits, &shape, labels)?;
    if weights.is_empty() {
        return Ok(input);
    }
    let [n, h, w, _] = shape;
    let map = ArrayView3::from_shape((n, h, w), weights);
    Ok(input.with_weight_map(map.map_err(|_| Error::Fault("another number of weights than of labels"))?)?)
}
