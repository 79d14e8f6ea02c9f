//! The network's operations against their slow definitions, forward and backward.

use crate::check::{Check, Context, Judged};
use crate::compare::{largest_relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::operation::{Applied, Operation, Task, tasks};
use crate::tally::Tally;
use crate::tolerance::{OPERATION_F32, OPERATION_F64};
use rayon::prelude::*;

pub(super) const CHECK: Check = Check {
    name: "operations",
    claim: "convolution, pooling, up-sampling, batch norm, ReLU, layouts and concatenation are their definitions, with their derivatives, at ties and kinks, too",
    judged: Judged::Operations,
    drawn: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let exact: Vec<(Task, Applied)> = tasks(context.seed)
        .into_par_iter()
        .map(|task| {
            let exact = task.exact();
            (task, exact)
        })
        .collect();
    for (task, want) in &exact {
        for precision in Precision::ALL {
            let bound = match precision {
                Precision::F32 => &OPERATION_F32,
                Precision::F64 => &OPERATION_F64,
            };
            let found = context.implementation.operate(task, precision);
            let Some(found) = tally.accept(found, &task.name) else { continue };
            let name = |part: &str| format!("{} {} {part}", task.name, precision.name());
            let scale = task.output_scale(&want.output);
            let output = largest_relative_to(&found.output, &want.output, scale);
            tally.measure(bound, output, &name("output"));
            tally.require(found.gradients.len() == want.gradients.len(), &name("operands"), || {
                format!("gradients of {} operands, expected {}", found.gradients.len(), want.gradients.len())
            });
            for (i, (found, want)) in found.gradients.iter().zip(&want.gradients).enumerate() {
                // Of the image only: kernel and vectors have no terms that cancel by construction.
                let off = match i {
                    0 => largest_relative_to(found, want, task.scale(want)),
                    _ => relative_to_max(found, want),
                };
                tally.measure(bound, off, &name(&format!("gradient {i}")));
            }
            if !want.statistics.is_empty() {
                let off = relative_to_max(&found.statistics, &want.statistics);
                tally.measure(bound, off, &name("running statistics"));
            }
        }
        tally.operations.insert(task.operation);
    }
    for operation in Operation::ALL {
        tally
            .require(tally.operations.contains(&operation), operation.function(), || "not judged".to_owned());
    }
    Ok(tally)
}
