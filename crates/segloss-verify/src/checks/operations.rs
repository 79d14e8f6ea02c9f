//! The network's operations: values against their slow definitions, gradients against finite differences
//! of those.

use super::{Check, Context, Judges};
use crate::case::generator;
use crate::compare::relative_to_max;
use crate::finite_difference::ridders;
use crate::tally::Tally;
use crate::tolerance::{OPERATION_F64, OPERATION_GRADIENT_F64};
use crate::trouble::Trouble;
use dfdx::prelude::{Backward, Cpu, OwnedTape, Tape, Tensor, TensorFromVec, Trace};
use dfdx_conv::reference;
use dfdx_conv::{
    BatchNormMode, Error, Image, Kernel, RunningStatistics, Shape4, Vector, data, parameter_gradient,
};
use rand::RngExt;

pub(super) const CHECK: Check = Check {
    name: "operations",
    claim: "convolution, pooling, up-sampling, batch norm, ReLU and concatenation are their definitions, with their derivatives",
    judges: Judges::Network,
    run,
};

type Recorded = OwnedTape<f64, Cpu>;
type Slow = dyn Fn(&[Vec<f64>]) -> Vec<f64>;
type Fast = dyn Fn(Image<f64, Recorded>, &Operands) -> Result<Image<f64, Recorded>, Error>;

/// What an operation takes beside its image.
#[derive(Default)]
struct Operands {
    kernel: Option<Kernel<f64>>,
    vectors: Vec<Vector<f64>>,
    image: Option<Image<f64>>,
}

/// An operation with the sizes of all that it takes; the image comes first.
struct Operation {
    name: &'static str,
    image: Shape4,
    kernel: Option<Shape4>,
    vectors: Vec<usize>,
    second_image: Option<Shape4>,
    fast: Box<Fast>,
    slow: Box<Slow>,
    /// Inputs are kept this far from 0 and from each other, where the operation has kinks.
    kinks: bool,
}

const EPSILON: f64 = 1e-5;

fn operations() -> Vec<Operation> {
    let plain = |name, image, fast: Box<Fast>, slow: Box<Slow>, kinks| Operation {
        name,
        image,
        kernel: None,
        vectors: Vec::new(),
        second_image: None,
        fast,
        slow,
        kinks,
    };
    let mut all = Vec::new();
    for (name, image, kernel) in [
        ("conv2d 3x3", (2, 5, 6, 3), (3, 3, 3, 4)),
        ("conv2d 3x3, one row", (1, 1, 7, 2), (3, 3, 2, 3)),
        ("conv2d 1x1", (2, 3, 4, 5), (1, 1, 5, 2)),
        ("conv2d 5x5", (1, 6, 5, 2), (5, 5, 2, 3)),
    ] {
        all.push(Operation {
            kernel: Some(kernel),
            vectors: vec![kernel.3],
            ..plain(
                name,
                image,
                Box::new(|x, with| dfdx_conv::conv2d(x, with.kernel(), Some(&with.vectors[0]))),
                Box::new(move |v| reference::conv2d(&v[0], image, &v[1], kernel, Some(&v[2]))),
                false,
            )
        });
    }
    let (image, kernel) = ((2, 3, 4, 3), (2, 2, 3, 2));
    all.push(Operation {
        kernel: Some(kernel),
        vectors: vec![kernel.3],
        ..plain(
            "conv_transpose2d",
            image,
            Box::new(|x, with| dfdx_conv::conv_transpose2d(x, with.kernel(), Some(&with.vectors[0]))),
            Box::new(move |v| reference::conv_transpose2d(&v[0], image, &v[1], kernel, Some(&v[2]))),
            false,
        )
    });
    let image = (2, 4, 6, 3);
    all.push(plain(
        "max_pool2d",
        image,
        Box::new(|x, _| dfdx_conv::max_pool2d(x)),
        Box::new(move |v| reference::max_pool2d(&v[0], image)),
        true,
    ));
    all.push(plain(
        "upsample_nearest2d",
        image,
        Box::new(|x, _| dfdx_conv::upsample_nearest2d(x)),
        Box::new(move |v| reference::upsample_nearest2d(&v[0], image)),
        false,
    ));
    all.push(plain(
        "relu",
        image,
        Box::new(|x, _| dfdx_conv::relu(x)),
        Box::new(|v| reference::relu(&v[0])),
        true,
    ));
    all.push(Operation {
        vectors: vec![3, 3],
        ..plain(
            "batch_norm2d",
            image,
            Box::new(|x, with| {
                let mut statistics = RunningStatistics::new(3);
                let mode = BatchNormMode::Train(&mut statistics);
                dfdx_conv::batch_norm2d(x, &with.vectors[0], &with.vectors[1], EPSILON, mode)
            }),
            Box::new(move |v| reference::batch_norm2d(&v[0], image, &v[1], &v[2], EPSILON)),
            false,
        )
    });
    let second = (2, 4, 6, 2);
    all.push(Operation {
        second_image: Some(second),
        ..plain(
            "concat_channels",
            image,
            Box::new(|x, with| dfdx_conv::concat_channels(x, with.image())),
            Box::new(|v| reference::concat_channels(&v[0], &v[1], (3, 2))),
            false,
        )
    });
    all
}

impl Operands {
    fn kernel(&self) -> &Kernel<f64> {
        self.kernel.as_ref().expect("an operation that has a kernel is given one")
    }

    fn image(&self) -> Image<f64> {
        self.image.clone().expect("an operation of two images is given two")
    }
}

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
    let mut tally = Tally::default();
    for operation in operations() {
        let outcome = judge(context, &mut tally, &operation).map_err(|error| error.to_string());
        tally.accept(outcome, operation.name);
    }
    Ok(tally)
}

fn judge(context: &Context<'_>, tally: &mut Tally, operation: &Operation) -> Result<(), Error> {
    let device = Cpu::default();
    let mut rng = generator(context.seed, operation.name);
    let size = |(a, b, c, d): Shape4| a * b * c * d;
    let sizes: Vec<usize> = [size(operation.image)]
        .into_iter()
        .chain(operation.kernel.map(size))
        .chain(operation.vectors.iter().copied())
        .chain(operation.second_image.map(size))
        .collect();
    let mut values: Vec<Vec<f64>> =
        sizes.iter().map(|&n| (0..n).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect()).collect();
    if operation.kinks {
        // All different, none nearer to 0 or to another than two steps of the differences.
        let n = values[0].len();
        let turned = |i: usize| (i * 89 % n) as f64;
        values[0] = (0..n).map(|i| 0.1 * (turned(i) + 0.5 - n as f64 / 2.0)).collect();
    }

    let x: Image<f64> = device.try_tensor_from_vec(values[0].clone(), operation.image)?;
    let mut rest = values[1..].iter().cloned();
    let mut next = || rest.next().unwrap_or_default();
    let kernel = operation.kernel.map(|shape| device.try_tensor_from_vec(next(), shape)).transpose()?;
    let vectors = operation.vectors.iter().map(|&n| device.try_tensor_from_vec(next(), (n,)));
    let vectors = vectors.collect::<Result<Vec<_>, _>>()?;
    let image = operation.second_image.map(|shape| device.try_tensor_from_vec(next(), shape)).transpose()?;
    let operands = Operands { kernel, vectors, image };

    let y = (operation.fast)(x.leaky_trace(), &operands)?;
    let slow = (operation.slow)(&values);
    tally.measure(&OPERATION_F64, relative_to_max(data(&y)?, &slow), operation.name);

    // L = Σ r·y with drawn r, so that every output counts differently.
    let r: Vec<f64> = (0..slow.len()).map(|_| rng.random::<f64>() + 0.5).collect();
    let loss = weighted_sum(y, &r)?;
    let mut gradients = loss.backward();
    let mut found = vec![parameter_gradient(&mut gradients, &x)?.to_vec()];
    if let Some(kernel) = &operands.kernel {
        found.push(parameter_gradient(&mut gradients, kernel)?.to_vec());
    }
    for vector in &operands.vectors {
        found.push(parameter_gradient(&mut gradients, vector)?.to_vec());
    }
    if let Some(image) = &operands.image {
        found.push(parameter_gradient(&mut gradients, image)?.to_vec());
    }
    for (operand, found) in found.iter().enumerate() {
        let want = differentiate(&operation.slow, &mut values, operand, &r);
        let name = format!("{}, gradient by operand {operand}", operation.name);
        tally.measure(&OPERATION_GRADIENT_F64, relative_to_max(found, &want), &name);
    }
    Ok(())
}

fn weighted_sum<T: Tape<f64, Cpu>>(y: Image<f64, T>, r: &[f64]) -> Result<Tensor<(), f64, Cpu, T>, Error> {
    dfdx_conv::external_loss(y, |y, gradient| {
        if let Some(gradient) = gradient {
            gradient.copy_from_slice(r);
        }
        Ok(y.iter().zip(r).map(|(y, r)| y * r).sum())
    })
}

fn differentiate(slow: &Slow, values: &mut [Vec<f64>], operand: usize, r: &[f64]) -> Vec<f64> {
    (0..values[operand].len())
        .map(|i| {
            let at = values[operand][i];
            let loss = |x: f64| {
                values[operand][i] = x;
                slow(values).iter().zip(r).map(|(y, r)| y * r).sum()
            };
            let slope = ridders(loss, at, 0.04).value;
            values[operand][i] = at;
            slope
        })
        .collect()
}
