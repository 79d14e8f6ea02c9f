//! A whole U-Net with its loss: directional derivatives from the tape against finite differences.

use super::{Check, Context, Judges};
use crate::case::generator;
use crate::compare::relative;
use crate::finite_difference::ridders;
use crate::tally::Tally;
use crate::tolerance::NETWORK_GRADIENT_F64;
use crate::trouble::Trouble;
use dfdx::prelude::{Backward, Trace};
use rand::RngExt;
use segloss::{LossSpec, Scheme, Source, WeightSpec};
use segloss_unet::config::{ModelConfig, Norm, Up};
use segloss_unet::objective::Objective;
use segloss_unet::{Classes, Dataset, UNet};

pub(super) const CHECK: Check = Check {
    name: "network_gradient",
    claim: "through a whole U-Net and a weighted loss, the tape's gradient is the derivative",
    judges: Judges::Network,
    run,
};

/// Images and their size: (N, H, W, C).
const SHAPE: (usize, usize, usize, usize) = (2, 16, 8, 1);
/// Small enough that hardly any of the thousands of ReLUs changes sides, large enough for f64.
const STEP: f64 = 3e-6;
const DIRECTIONS: usize = 6;

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
    let mut tally = Tally::default();
    let dataset = Dataset::load(&Default::default()).map_err(|error| error.to_string());
    let Some(dataset) = tally.accept(dataset, "embedded images") else { return Ok(tally) };
    for (norm, up) in
        [(Norm::Batch, Up::Transposed), (Norm::Batch, Up::Nearest), (Norm::None, Up::Transposed)]
    {
        let name = format!("U-Net, {norm:?}, {up:?}");
        let outcome = judge(context, &mut tally, &name, norm, up, &dataset.classes);
        tally.accept(outcome.map_err(|error| error.to_string()), &name);
    }
    Ok(tally)
}

fn judge(
    context: &Context<'_>,
    tally: &mut Tally,
    name: &str,
    norm: Norm,
    up: Up,
    classes: &Classes,
) -> Result<(), segloss_unet::Error> {
    let config = ModelConfig { width: 3, depth: 2, norm, up, ..ModelConfig::default() };
    let mut net = UNet::<f64>::new(&config, SHAPE.3, classes.count(), context.seed)?;
    let spec = LossSpec {
        weights: WeightSpec {
            source: Source::PerSample,
            scheme: Scheme::InverseFrequency,
            ..WeightSpec::default()
        },
        ..LossSpec::default()
    };
    let objective = Objective::new(&spec, classes, None)?;
    let mut rng = generator(context.seed, name);
    let images: Vec<f64> =
        (0..SHAPE.0 * SHAPE.1 * SHAPE.2).map(|_| rng.random::<f64>() * 3.0 - 1.5).collect();
    let labels: Vec<u8> = (0..images.len()).map(|_| rng.random_range(0..classes.count() as u8)).collect();

    let input = net.tensor(images.clone(), SHAPE)?;
    let logits = net.forward(input.leaky_trace())?;
    let (loss, _) = objective.apply(logits, &labels)?;
    let mut gradients = loss.backward();
    let mut found = Vec::new();
    let mut start = Vec::new();
    for parameter in &net.parameters {
        found.push(parameter.gradient(&mut gradients)?.to_vec());
        start.push(parameter.values()?.to_vec());
    }
    drop(gradients);

    for direction in 0..DIRECTIONS {
        // Uphill in every parameter, each at its own rate: nothing cancels, so that the slope stands far
        // above the rounding of the loss.
        let toward: Vec<Vec<f64>> = found
            .iter()
            .map(|gradient| gradient.iter().map(|g| g.signum() * rng.random::<f64>()).collect())
            .collect();
        let slope: f64 = found.iter().flatten().zip(toward.iter().flatten()).map(|(g, d)| g * d).sum();
        let mut trouble = None;
        let want = ridders(
            |t| {
                let value = move_to(&mut net, &start, &toward, t).and_then(|()| {
                    let logits = net.forward(net.tensor(images.clone(), SHAPE)?)?;
                    Ok(objective.apply(logits, &labels)?.1.value)
                });
                value.unwrap_or_else(|error| {
                    trouble = Some(error);
                    f64::NAN
                })
            },
            0.0,
            STEP,
        );
        if let Some(error) = trouble {
            return Err(error);
        }
        tally.measure(
            &NETWORK_GRADIENT_F64,
            relative(slope, want.value),
            &format!("{name}, direction {direction}"),
        );
    }
    Ok(())
}

/// Every parameter at start + t·toward.
fn move_to(
    net: &mut UNet<f64>,
    start: &[Vec<f64>],
    toward: &[Vec<f64>],
    t: f64,
) -> Result<(), segloss_unet::Error> {
    for ((parameter, start), toward) in net.parameters.iter_mut().zip(start).zip(toward) {
        for ((value, start), toward) in parameter.values_mut()?.iter_mut().zip(start).zip(toward) {
            *value = start + t * toward;
        }
    }
    Ok(())
}
