//! A whole U-Net with its loss: its gradient along directions through the space of all parameters.

use crate::check::{Check, Context, Judged};
use crate::compare::relative_to;
use crate::error::HarnessError;
use crate::network::tasks;
use crate::tally::Tally;
use crate::tolerance::NETWORK_F64;
use rand::RngExt;
use rayon::prelude::*;
use segloss_cases::generator;

pub(super) const CHECK: Check = Check {
    name: "network",
    claim: "through a whole U-Net and its loss, the tape's gradient is the definition's, by dual numbers: no step crosses a kink",
    judged: Judged::Networks,
    drawn: true,
    run,
};

const DIRECTIONS: usize = 8;

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let tasks = tasks(context.seed, context.effort).map_err(|error| error.to_string());
    let Some(tasks) = tally.accept(tasks, "embedded images") else { return Ok(tally) };
    let mut steps = Vec::new();
    for task in &tasks {
        let Some(step) = tally.accept(context.implementation.step(task), &task.name) else { continue };
        let mut rng = generator(context.seed, &format!("directions of {}", task.name));
        let directions: Vec<Vec<Vec<f64>>> = (0..DIRECTIONS)
            .map(|_| {
                let drawn = |n: usize| (0..n).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect();
                step.parameters.iter().map(|parameter| parameter.values.len()).map(drawn).collect()
            })
            .collect();
        steps.push((task, step, directions));
    }
    let exact: Vec<_> =
        steps.par_iter().map(|(task, step, directions)| task.exact(step, directions)).collect();
    for ((task, step, directions), (value, slopes)) in steps.iter().zip(exact) {
        let name = |part: &str| format!("{} {part}", task.name);
        tally.measure(&NETWORK_F64, relative_to(step.value, value, value.abs()), &name("value"));
        for (d, (direction, want)) in directions.iter().zip(slopes).enumerate() {
            // What goes up along a direction and what goes down nearly cancel: the scale is that of the terms.
            let (mut slope, mut scale) = (0.0, 0.0);
            for (parameter, direction) in step.parameters.iter().zip(direction) {
                for (g, d) in parameter.gradient.iter().zip(direction) {
                    slope += g * d;
                    scale += (g * d).abs();
                }
            }
            tally.measure(&NETWORK_F64, relative_to(slope, want, scale), &name(&format!("direction {d}")));
        }
    }
    Ok(tally)
}
