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
pub mod processors;
pub mod record;
pub mod report;
pub mod revision;
pub mod self_test;
pub mod table;
pub mod timing;
pub mod workloads;

use crate::error::Error;
use baseline::Baseline;
use environment::Environment;
use segloss_verify::Run;
use std::path::Path;
use table::Comparison;

/// Measures everything that is compared with what is written down. `run` is verify's, `worker` the program that computes
/// workloads; callgrind writes into `folder`.
///
/// # Errors
/// [`Error::Worker`], [`Error::Command`] or [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed) if something cannot be measured.
pub fn measure(run: &Run, worker: &Path, folder: &Path) -> Result<Baseline, Error> {
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
/// [`Error::Record`] with what is missing.
pub fn demand_completeness(found: &Baseline) -> Result<(), Error> {
    let valgrind = found.environment.valgrind.is_none().then(|| "valgrind is not installed".to_owned());
    let missing: Vec<String> = valgrind.into_iter().chain(instructions::missing_sets()).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::Record(missing.join("; "))) }
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

#[cfg(test)]
mod tests {
    use super::baseline::tests::sample;
    use super::*;

    /// The sample with twice as much of everything.
    fn doubled() -> Baseline {
        let mut found = sample();
        found.errors.iter_mut().for_each(|row| row.worst *= 2.0);
        found.instructions.iter_mut().for_each(|row| row.instructions *= 2);
        found.allocations.iter_mut().for_each(|row| row.allocations *= 2);
        found
    }

    fn held(found: &Baseline) -> [bool; 3] {
        compare(&sample(), found).map(|comparison| comparison.held())
    }

    #[test]
    fn each_table_is_compared_with_its_own() {
        assert_eq!(held(&sample()), [true; 3]);
        assert_eq!(held(&doubled()), [false; 3]);
        let tables = compare(&sample(), &doubled()).map(|comparison| comparison.table);
        assert_eq!(tables, ["errors", "instructions", "allocations"]);
    }

    #[test]
    fn without_valgrind_instructions_are_not_measured_and_that_is_said() {
        let mut found = doubled();
        found.environment.valgrind = None;
        found.instructions.clear();
        let [errors, instructions, allocations] = compare(&sample(), &found);
        assert!(instructions.held() && !errors.held() && !allocations.held());
        assert_eq!(instructions.left_out, ["not measured: valgrind is not installed"]);
        assert_eq!(instructions.compared, 0);
    }

    #[test]
    fn with_other_tools_more_instructions_are_told_and_no_failure() {
        let mut found = doubled();
        found.environment.libc = "9.9".into();
        assert_eq!(held(&found), [false, true, false]);
        let [_, instructions, _] = compare(&sample(), &found);
        let [told] = instructions.left_out.as_slice() else { panic!("{instructions:?}") };
        assert!(told.contains("+100.00 %") && told.contains("C library 9.9, recorded with 2.36"), "{told}");
        found.instructions.clear();
        assert_eq!(held(&found), [false; 3], "but all are counted");
    }

    #[test]
    fn errors_of_another_arithmetic_are_not_compared_and_that_is_said() {
        let mut found = doubled();
        found.environment.arithmetic = "portable".into();
        let [errors, instructions, _] = compare(&sample(), &found);
        assert!(errors.held() && !instructions.held());
        assert_eq!(errors.left_out, ["not compared: those of portable arithmetic, recorded with fused"]);
    }

    #[test]
    fn nothing_is_recorded_without_valgrind() {
        let mut found = sample();
        found.environment.valgrind = None;
        assert!(demand_completeness(&found).unwrap_err().to_string().contains("valgrind is not installed"));
    }
}
