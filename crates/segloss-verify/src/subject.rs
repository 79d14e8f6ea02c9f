//! What the checks judge: anything that computes losses.

use crate::case::{Case, Labels};
use crate::matrix::settled;
use crate::network::{NetworkTask, ParameterStep, Step};
use crate::operation::{Applied, EPSILON, MOMENTUM, Operation, Task};
use dfdx::prelude::{Backward, Cpu, NoneTape, OwnedTape, PutTape, SplitTape, TensorFromVec, Trace};
use dfdx_conv::{
    Activation, BatchNormMode, Conv2dOptions, Image, Kernel, RunningStatistics, Vector, data, external_loss,
    parameter_gradient,
};
use ndarray::{ArrayView, IxDyn};
use segloss::{Element, Error, Input, Layout, Loss, Problem, Target, Warning};
use segloss_unet::objective::Objective;
use segloss_unet::{Config, UNet};
use std::ops::Range;

/// The element type to compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 64 bits.
    F64,
}

impl Precision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::F32, Self::F64];

    /// As in the names of fixtures.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// What a subject answers. Numbers are widened to `f64`, which changes none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The loss.
    pub value: f64,
    /// Σ of the weighted losses.
    pub numerator: f64,
    /// What it was divided by.
    pub denominator: f64,
    /// Pixels that were not ignored.
    pub valid_pixels: u64,
    /// Laid out like the logits.
    pub gradient: Vec<f64>,
    /// The loss before it is summed, of a kind that is a sum over pixels.
    pub map: Option<Vec<f64>>,
    /// A row for each scope; none of a sum of losses.
    pub weights: Vec<Vec<f64>>,
    /// Entries that the subject itself says are NaN or infinite.
    pub broken: u64,
    /// Whether it says that every pixel is ignored.
    pub says_all_ignored: bool,
}

/// What a subject answers for a batch in parts.
#[derive(Clone, Debug, PartialEq)]
pub struct InParts {
    /// The loss of the whole.
    pub value: f64,
    /// The gradient of each part in the light of all others, put side by side.
    pub gradient: Vec<f64>,
    /// The same, each part's without a look at any other's result: of a kind that is a sum over pixels.
    pub at_once: Option<Vec<f64>>,
}

/// A computer of losses: the library, the library with a planted defect, one day somebody else's.
///
/// A refusal is an answer like any other, which a check holds against the subject: hence `String`.
pub trait Subject: Sync {
    /// Names the subject in reports.
    fn name(&self) -> &str;

    /// The only case that it is to be asked about, in a replay.
    fn only(&self) -> Option<&str> {
        None
    }

    /// Value, gradient and map of a case. The gradient's buffer holds NaN before, to prove that it is
    /// overwritten.
    ///
    /// # Errors
    /// The subject's own words for refusing.
    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String>;

    /// Value and gradient of a case that is computed in parts of consecutive images.
    ///
    /// # Errors
    /// The subject's own words for refusing.
    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String>;

    /// The document's S4 for a class.
    ///
    /// # Errors
    /// The subject's own words for refusing.
    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String>;

    /// An operation of the network, forward and backward.
    ///
    /// # Errors
    /// The subject's own words for refusing.
    fn operate(&self, task: &Task, precision: Precision) -> Result<Applied, String>;

    /// A whole net's training step, before anything is changed by it.
    ///
    /// # Errors
    /// The subject's own words for refusing.
    fn step(&self, task: &NetworkTask) -> Result<Step, String>;

    /// A training's configuration as it reaches the trainer.
    fn configure(&self, config: Config) -> Config {
        config
    }

    /// How it and the textbook misread every case alike: of planted bugs only.
    fn misreading(&self) -> Option<fn(&mut Case)> {
        None
    }

    /// What it and the textbook both take for the gradient: of planted bugs only.
    fn false_rule(&self) -> Option<fn(&Case, &mut [f64])> {
        None
    }
}

/// A subject that is asked about one case only, so that a replay prints that case and nothing else.
pub struct Only<'a> {
    /// Who answers.
    pub subject: &'a dyn Subject,
    /// The name of the case.
    pub case: &'a str,
}

impl Subject for Only<'_> {
    fn name(&self) -> &str {
        self.subject.name()
    }

    fn only(&self) -> Option<&str> {
        Some(self.case)
    }

    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String> {
        self.subject.evaluate(case, precision)
    }

    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String> {
        self.subject.evaluate_in_parts(case, parts)
    }

    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String> {
        self.subject.class_prediction(scores, shape, layout, class)
    }

    fn operate(&self, task: &Task, precision: Precision) -> Result<Applied, String> {
        self.subject.operate(task, precision)
    }

    fn step(&self, task: &NetworkTask) -> Result<Step, String> {
        self.subject.step(task)
    }

    fn configure(&self, config: Config) -> Config {
        self.subject.configure(config)
    }

    fn misreading(&self) -> Option<fn(&mut Case)> {
        self.subject.misreading()
    }

    fn false_rule(&self) -> Option<fn(&Case, &mut [f64])> {
        self.subject.false_rule()
    }
}

/// segloss itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Library;

impl Subject for Library {
    fn name(&self) -> &str {
        "segloss"
    }

    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String> {
        match precision {
            Precision::F32 => evaluate(case, |x| x as f32),
            Precision::F64 => evaluate(case, |x| x),
        }
    }

    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String> {
        let loss = Loss::new(settled(&case.spec)).map_err(text)?.with_instructions(case.instructions);
        let pieces: Vec<Case> = parts.iter().map(|part| case.images(part.clone())).collect();
        let mut counts: Option<segloss::LabelCounts> = None;
        for piece in &pieces {
            let one = with_input(piece, |x| x, |input| loss.label_counts(input))?;
            match &mut counts {
                None => counts = Some(one),
                Some(all) => all.join_images(one).map_err(text)?,
            }
        }
        let plan = loss.plan(&counts.ok_or("no parts")?).map_err(text)?;
        let mut all: Option<segloss::Part> = None;
        for (piece, part) in pieces.iter().zip(parts) {
            let plan = plan.images(part.clone()).map_err(text)?;
            let one = with_input(piece, |x| x, |input| loss.part(input, &plan, None))?;
            match &mut all {
                None => all = Some(one),
                Some(all) => all.combine(one).map_err(text)?,
            }
        }
        let all = all.ok_or("no parts")?;
        let mut gradient = Vec::new();
        let mut at_once = case.spec.kind().is_additive().then(Vec::new);
        for (piece, part) in pieces.iter().zip(parts) {
            let plan = plan.images(part.clone()).map_err(text)?;
            let mut one = vec![f64::NAN; piece.logits.len()];
            with_input(piece, |x| x, |input| loss.part_gradient(input, &plan, &all, &mut one))?;
            gradient.extend(&one);
            if let Some(at_once) = &mut at_once {
                one.fill(f64::NAN);
                with_input(piece, |x| x, |input| loss.part(input, &plan, Some(&mut one)))?;
                at_once.extend(one);
            }
        }
        let value = loss.finish(&plan, &all).map_err(text)?.value;
        Ok(InParts { value, gradient, at_once })
    }

    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String> {
        let scores = ArrayView::from_shape(IxDyn(shape), scores).map_err(text)?;
        let found = segloss::class_prediction(scores, layout, class).map_err(text)?;
        Ok(found.into_iter().collect())
    }

    fn operate(&self, task: &Task, precision: Precision) -> Result<Applied, String> {
        match precision {
            Precision::F32 => operate(task, |x| x as f32),
            Precision::F64 => operate(task, |x| x),
        }
        .map_err(text)
    }

    fn step(&self, task: &NetworkTask) -> Result<Step, String> {
        step(task).map_err(text)
    }
}

fn evaluate<T: Element + Into<f64>>(
    case: &Case,
    narrow: impl Fn(f64) -> T + Copy,
) -> Result<Outcome, String> {
    let loss = Loss::new(settled(&case.spec)).map_err(text)?.with_instructions(case.instructions);
    with_input(case, narrow, |input| {
        let mut gradient = vec![narrow(f64::NAN); case.logits.len()];
        let found = loss.value_and_gradient(input, &mut gradient)?;
        let map = match loss.map(input) {
            Ok((_, map)) => Some(map.into_iter().map(Into::into).collect()),
            Err(Error { problem: Problem::NoMap, .. }) => None,
            Err(other) => return Err(other),
        };
        Ok(Outcome {
            value: found.value,
            numerator: found.sums.numerator,
            denominator: found.sums.denominator,
            valid_pixels: found.sums.valid_pixels,
            gradient: gradient.into_iter().map(Into::into).collect(),
            map,
            weights: found.effective_weights.rows().into_iter().map(|row| row.to_vec()).collect(),
            broken: found.sums.non_finite.as_ref().map_or(0, |broken| broken.count),
            says_all_ignored: found.warnings.contains(&Warning::AllIgnored),
        })
    })
}

/// Hands the case to `use_it` as the library's input.
fn with_input<T: Element, R>(
    case: &Case,
    narrow: impl Fn(f64) -> T,
    use_it: impl FnOnce(&Input<'_, T>) -> Result<R, Error>,
) -> Result<R, String> {
    let logits: Vec<T> = case.logits.iter().map(|&z| narrow(z)).collect();
    let logits = ArrayView::from_shape(IxDyn(&case.shape()), &logits).map_err(text)?;
    let map: Option<Vec<T>> = case.weight_map.as_ref().map(|map| map.iter().map(|&m| narrow(m)).collect());
    let with_map = |input| weigh(input, case, map.as_deref());
    match &case.target {
        Labels::Indices(labels) => {
            let labels = ArrayView::from_shape(IxDyn(&case.grid.pixel_shape()), labels).map_err(text)?;
            let input = Input::new(logits, Target::indices(labels)).map_err(text)?;
            use_it(&with_map(input)?).map_err(text)
        }
        Labels::Distribution(y) => {
            let y: Vec<T> = y.iter().map(|&y| narrow(y)).collect();
            let y = ArrayView::from_shape(IxDyn(&case.shape()), &y).map_err(text)?;
            let input = Input::new(logits, Target::distribution(y)).map_err(text)?;
            use_it(&with_map(input)?).map_err(text)
        }
    }
}

/// The input with the weight of each pixel, if the case has one.
fn weigh<'a, T: Element>(
    input: Input<'a, T>,
    case: &Case,
    map: Option<&'a [T]>,
) -> Result<Input<'a, T>, String> {
    let Some(map) = map else { return Ok(input) };
    let map = ArrayView::from_shape(IxDyn(&case.grid.pixel_shape()), map).map_err(text)?;
    input.with_weight_map(map).map_err(text)
}

/// An image with its tape, in one of the two precisions.
type Recorded<E> = Image<E, OwnedTape<E, Cpu>>;

/// The operands of a task beside its image.
struct Operands<E: segloss_unet::Real> {
    kernel: Option<Kernel<E>>,
    vectors: Vec<Vector<E>>,
    running: RunningStatistics<E>,
}

fn operate<E: segloss_unet::Real + Into<f64>>(
    task: &Task,
    narrow: impl Fn(f64) -> E + Copy,
) -> Result<Applied, dfdx_conv::Error> {
    let device = Cpu::default();
    let all = |numbers: &[f64]| numbers.iter().map(|&x| narrow(x)).collect::<Vec<E>>();
    let wide = |numbers: &[E]| numbers.iter().map(|&x| x.into()).collect::<Vec<f64>>();
    let x: Image<E> = device.try_tensor_from_vec(all(&task.operands[0]), task.image)?;
    let mut rest = task.operands[1..].iter();
    let kernel = match (task.second, rest.len()) {
        (Some(shape), 1..) => rest.next().map(|numbers| device.try_tensor_from_vec(all(numbers), shape)),
        _ => None,
    };
    let vectors = rest.map(|numbers| device.try_tensor_from_vec(all(numbers), (numbers.len(),)));
    let mut operands = Operands {
        kernel: kernel.transpose()?,
        vectors: vectors.collect::<Result<_, _>>()?,
        running: RunningStatistics {
            mean: all(&task.running.0),
            variance: all(&task.running.1),
            momentum: narrow(MOMENTUM),
        },
    };
    let r = all(&task.cotangent);
    let loss = |y: Recorded<E>| {
        external_loss(y, |y, gradient| {
            if let Some(gradient) = gradient {
                gradient.copy_from_slice(&r);
            }
            // The value is nobody's business: only r comes back.
            Ok::<E, dfdx_conv::Error>(y[0])
        })
    };

    let y = apply(task.operation, x.leaky_trace(), &mut operands)?;
    let output = wide(data(&y)?);
    let statistics = match task.operation {
        Operation::BatchNorm2d | Operation::BatchNorm2dEvaluating => {
            [wide(&operands.running.mean), wide(&operands.running.variance)].concat()
        }
        _ => Vec::new(),
    };
    let mut total = loss(y)?;
    if task.twice {
        // Again, on the same tape: what both leave behind must add up.
        let (first, tape) = total.split_tape();
        total = loss(apply(task.operation, x.clone().put_tape(tape), &mut operands)?)? + first;
    }
    let mut gradients = total.backward();
    let mut found = vec![wide(parameter_gradient(&mut gradients, &x)?)];
    if let Some(kernel) = &operands.kernel {
        found.push(wide(parameter_gradient(&mut gradients, kernel)?));
    }
    for vector in &operands.vectors {
        found.push(wide(parameter_gradient(&mut gradients, vector)?));
    }
    Ok(Applied { output, gradients: found, statistics })
}

fn apply<E: segloss_unet::Real + Into<f64>>(
    operation: Operation,
    x: Recorded<E>,
    with: &mut Operands<E>,
) -> Result<Recorded<E>, dfdx_conv::Error> {
    let kernel = with.kernel.as_ref();
    // A task of a kernel, or of a second image, has one.
    let second =
        || kernel.ok_or_else(|| dfdx_conv::Error::Dfdx("the task has one operand too few".to_owned()));
    let epsilon = E::nearest(EPSILON);
    match operation {
        Operation::Conv2d => dfdx_conv::conv2d(x, second()?, with.vectors.first()),
        Operation::Conv2dRelu => {
            let options = Conv2dOptions { activation: Activation::Relu, ..Conv2dOptions::default() };
            dfdx_conv::conv2d_with(x, second()?, with.vectors.first(), options)
        }
        Operation::ConvTranspose2d => dfdx_conv::conv_transpose2d(x, second()?, with.vectors.first()),
        Operation::MaxPool2d => dfdx_conv::max_pool2d(x),
        Operation::UpsampleNearest2d => dfdx_conv::upsample_nearest2d(x),
        Operation::UpsampleConv2d => dfdx_conv::upsample_conv2d(x, second()?, with.vectors.first()),
        Operation::BatchNorm2d => {
            let mode = BatchNormMode::Train(&mut with.running);
            dfdx_conv::batch_norm2d(x, &with.vectors[0], &with.vectors[1], epsilon, mode)
        }
        Operation::BatchNorm2dEvaluating => {
            let mode = BatchNormMode::Evaluate(&with.running);
            dfdx_conv::batch_norm2d(x, &with.vectors[0], &with.vectors[1], epsilon, mode)
        }
        Operation::Relu => dfdx_conv::relu(x),
        Operation::ConcatChannels => dfdx_conv::concat_channels(x, second()?.retaped::<NoneTape>()),
        Operation::ToChannelsLast => dfdx_conv::to_channels_last(x),
        Operation::ToChannelsFirst => dfdx_conv::to_channels_first(x),
        Operation::ExternalLoss => {
            let half_square = external_loss(x, |x, gradient| {
                if let Some(gradient) = gradient {
                    gradient.copy_from_slice(x);
                }
                let squares = x.iter().map(|&x| x.into() * x.into());
                Ok::<E, dfdx_conv::Error>(E::nearest(0.5 * squares.sum::<f64>()))
            })?;
            // A number as an image of one pixel.
            let (value, tape) = half_square.split_tape();
            Ok(dfdx::prelude::BroadcastTo::broadcast_like(value.put_tape(tape), &(1, 1, 1, 1)))
        }
    }
}

fn step(task: &NetworkTask) -> Result<Step, segloss_unet::Error> {
    let classes = task.classes.count();
    let mut net = UNet::<f64>::new(&task.config, task.shape.3, classes, task.seed)?;
    let objective = Objective::new(&task.spec, &task.classes, None, false)?;
    let input = net.tensor(task.images.clone(), task.shape)?;
    let logits = net.forward(input.leaky_trace())?;
    let (loss, found) = objective.apply(logits, &task.labels, &[])?;
    let mut gradients = loss.backward();
    let mut parameters = Vec::new();
    for parameter in &net.parameters {
        parameters.push(ParameterStep {
            name: parameter.name.clone(),
            shape: parameter.shape(),
            values: parameter.values()?.to_vec(),
            gradient: parameter.gradient(&mut gradients)?.to_vec(),
        });
    }
    Ok(Step { value: found.value, parameters })
}

/// The error and what it came of.
fn text(error: impl std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
