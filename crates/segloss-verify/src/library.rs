//! segloss, as the checks ask it.

use crate::implementation::{Implementation, InParts, Outcome, Precision};
use crate::network::{NetworkTask, ParameterStep, Step};
use crate::operation::{Applied, EPSILON, MOMENTUM, Operation, Task};
use dfdx::prelude::{Backward, Cpu, NoneTape, OwnedTape, PutTape, SplitTape, TensorFromVec, Trace};
use dfdx_conv::{
    Activation, BatchNormMode, Conv2dOptions, Image, Kernel, RunningStatistics, Vector, data, external_loss,
    parameter_gradient,
};
use ndarray::{ArrayView, IxDyn};
use segloss::{Element, Error, Layout, Loss, Problem, Warning};
use segloss_cases::{Case, in_words, settled};
use segloss_unet::UNet;
use segloss_unet::objective::Objective;
use std::ops::Range;

/// segloss itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Library;

impl Implementation for Library {
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
        let loss = Loss::new(settled(&case.spec)).map_err(in_words)?.with_instructions(case.instructions);
        let pieces: Vec<Case> = parts.iter().map(|part| case.images(part.clone())).collect();
        let mut counts: Option<segloss::LabelCounts> = None;
        for piece in &pieces {
            let one = piece.with_input(|x| x, |input| loss.label_counts(input))?;
            match &mut counts {
                None => counts = Some(one),
                Some(all) => all.join_images(one).map_err(in_words)?,
            }
        }
        let plan = loss.plan(&counts.ok_or("no parts")?).map_err(in_words)?;
        let mut all: Option<segloss::Part> = None;
        for (piece, part) in pieces.iter().zip(parts) {
            let plan = plan.images(part.clone()).map_err(in_words)?;
            let one = piece.with_input(|x| x, |input| loss.part(input, &plan, None))?;
            match &mut all {
                None => all = Some(one),
                Some(all) => all.combine(one).map_err(in_words)?,
            }
        }
        let all = all.ok_or("no parts")?;
        let mut gradient = Vec::new();
        let mut at_once = case.spec.kind().is_additive().then(Vec::new);
        for (piece, part) in pieces.iter().zip(parts) {
            let plan = plan.images(part.clone()).map_err(in_words)?;
            let mut one = vec![f64::NAN; piece.logits.len()];
            piece.with_input(|x| x, |input| loss.part_gradient(input, &plan, &all, &mut one))?;
            gradient.extend(&one);
            if let Some(at_once) = &mut at_once {
                one.fill(f64::NAN);
                piece.with_input(|x| x, |input| loss.part(input, &plan, Some(&mut one)))?;
                at_once.extend(one);
            }
        }
        let value = loss.finish(&plan, &all).map_err(in_words)?.value;
        Ok(InParts { value, gradient, at_once })
    }

    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String> {
        let scores = ArrayView::from_shape(IxDyn(shape), scores).map_err(in_words)?;
        let found = segloss::class_prediction(scores, layout, class).map_err(in_words)?;
        Ok(found.into_iter().collect())
    }

    fn operate(&self, task: &Task, precision: Precision) -> Result<Applied, String> {
        match precision {
            Precision::F32 => operate(task, |x| x as f32),
            Precision::F64 => operate(task, |x| x),
        }
        .map_err(in_words)
    }

    fn step(&self, task: &NetworkTask) -> Result<Step, String> {
        step(task).map_err(in_words)
    }
}

fn evaluate<T: Element + Into<f64>>(
    case: &Case,
    narrow: impl Fn(f64) -> T + Copy,
) -> Result<Outcome, String> {
    let loss = Loss::new(settled(&case.spec)).map_err(in_words)?.with_instructions(case.instructions);
    case.with_input(narrow, |input| {
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
