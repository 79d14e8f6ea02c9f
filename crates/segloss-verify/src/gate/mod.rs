//! The regression gate: nothing that was measured once may get worse unnoticed.
//!
//! ```text
//! reports/baseline/ ─► baseline ───────────────────────┐
//! run of verify ─────► errors ───────────┐             │
//! worker, callgrind ─► instructions ─────┼─► Measured ─┴─► table: Comparison ─► held? ─► record, with a reason
//! worker ────────────► allocations ──────┘
//! worker, and that of the baseline's revision ─► pairs ─► bootstrap ─► timing: Verdict
//! ```
//!
//! Errors, instructions and allocations are the same in every run: they are compared with what is written down. Time is
//! not, and is compared with the baseline's own code, built beside ours and run in turn with it. [`self_test`] plants
//! what each must notice.

pub mod allocations;
pub mod baseline;
pub mod bootstrap;
pub mod callgrind;
pub mod command;
pub mod environment;
pub mod errors;
pub mod instructions;
pub mod pairs;
pub mod record;
pub mod report;
pub mod revision;
pub mod self_test;
pub mod table;
pub mod timing;
pub mod workloads;

use crate::run::Run;
use crate::trouble::Trouble;
use baseline::Baseline;
use environment::Environment;
use std::path::Path;
use table::Comparison;

/// Measures everything that is compared with what is written down. `run` is verify's, `worker` the program that computes
/// workloads; callgrind writes into `folder`.
///
/// # Errors
/// [`Trouble::Worker`], [`Trouble::Command`] or [`Trouble::Malformed`] if something cannot be measured.
pub fn measure(run: &Run, worker: &Path, folder: &Path) -> Result<Baseline, Trouble> {
    let environment = Environment::here()?;
    let workloads = workloads::counted();
    let instructions = match environment.valgrind {
        Some(_) => instructions::count(worker, &workloads, folder)?,
        None => Vec::new(),
    };
    Ok(Baseline {
        environment,
        errors: errors::of(run),
        instructions,
        allocations: allocations::count(worker, &workloads)?,
    })
}

/// A baseline lacks nothing: what this machine cannot measure, it cannot record.
///
/// # Errors
/// [`Trouble::Record`] with what is missing.
pub fn demand_completeness(found: &Baseline) -> Result<(), Trouble> {
    let valgrind = found.environment.valgrind.is_none().then(|| "valgrind is not installed".to_owned());
    let missing: Vec<String> = valgrind.into_iter().chain(instructions::missing_sets()).collect();
    if missing.is_empty() { Ok(()) } else { Err(Trouble::Record(missing.join("; "))) }
}

/// Compares what was found with what is recorded, table by table.
pub fn compare(recorded: &Baseline, found: &Baseline) -> [Comparison; 3] {
    [compare_errors(recorded, found), compare_instructions(recorded, found), {
        Comparison::of(&recorded.allocations, &found.allocations, |_| false)
    }]
}

fn compare_errors(recorded: &Baseline, found: &Baseline) -> Comparison {
    let (here, there) = (&found.environment.arithmetic, &recorded.environment.arithmetic);
    let apart = here != there;
    let told = apart.then(|| format!("not compared: those of {here} arithmetic, recorded with {there}"));
    Comparison::of(&recorded.errors, &found.errors, |_| apart).without(told)
}

/// With other tools than those of the recording, more instructions are no fault of the code; as many as recorded are as
/// good as ever.
fn compare_instructions(recorded: &Baseline, found: &Baseline) -> Comparison {
    if found.environment.valgrind.is_none() {
        let comparison = Comparison::of(&recorded.instructions, &found.instructions, |_| true);
        return comparison.without(["not measured: valgrind is not installed".to_owned()]);
    }
    let missing: Vec<String> = instructions::missing_sets().collect();
    let is_missing = |row: &instructions::Instructions| missing.iter().any(|set| set.starts_with(&row.set));
    let mut comparison = Comparison::of(&recorded.instructions, &found.instructions, is_missing);
    if let Some(apart) = found.environment.apart(&recorded.environment) {
        let worse = std::mem::take(&mut comparison.worse);
        comparison.left_out.extend(worse.into_iter().map(|what| format!("{what} (with {apart})")));
    }
    comparison.without(missing.into_iter().map(|set| format!("not measured: {set}")))
}
