//! How many instructions a call takes, alone on a thread: the same number in every run, whatever else the machine does.

use super::callgrind;
use super::table::{Change, Row};
use super::workloads::COUNTED_SETS;
use crate::error::Error;
use rayon::prelude::*;
use segloss::InstructionSet;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// By how many per cent of the recorded number a count may differ.
pub const PER_CENT: i128 = 1;

/// The instructions of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// With which instructions.
    pub set: String,
    /// What was computed, as `crates/segloss/benches/workload` names it.
    pub workload: String,
    /// How many.
    pub instructions: u64,
}

impl Row for Instructions {
    const TABLE: &'static str = "instructions";
    const COLUMNS: &'static [&'static str] = &["set", "workload", "instructions"];

    fn key(&self) -> String {
        format!("{} {}", self.set, self.workload)
    }

    fn is_sound(&self) -> bool {
        self.instructions > 0
    }

    fn since(&self, recorded: &Self) -> Change {
        let (found, before) = (i128::from(self.instructions), i128::from(recorded.instructions));
        // In whole numbers: one per cent of a count is no number that a float holds.
        let hundredfold = 100 * (found - before);
        let per_cent = hundredfold as f64 / before as f64;
        let told = format!("{found} instructions, recorded {before}: {per_cent:+.2} %");
        if hundredfold > PER_CENT * before {
            Change::Worse(told)
        } else if hundredfold < -PER_CENT * before {
            Change::Better(told)
        } else {
            Change::None
        }
    }
}

/// Counts every workload with every counted set that the machine has, as many at a time as it has processors; callgrind
/// writes into `folder`.
///
/// # Errors
/// [`Error::Worker`] if the worker or callgrind refuses, [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed) if what callgrind wrote cannot be read.
pub fn count(worker: &Path, workloads: &[String], folder: &Path) -> Result<Vec<Instructions>, Error> {
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let sets = COUNTED_SETS.into_iter().filter(|set| set.is_available());
    let all: Vec<(InstructionSet, &String)> =
        sets.flat_map(|set| workloads.iter().map(move |workload| (set, workload))).collect();
    let count = |(i, &(set, workload)): (usize, &(InstructionSet, &String))| {
        let out = folder.join(i.to_string());
        let instructions = callgrind::count(worker, set, 0, workload, &out)?;
        Ok(Instructions { set: set.name().to_owned(), workload: workload.clone(), instructions })
    };
    all.par_iter().enumerate().map(count).collect()
}

/// Those of the counted sets that this machine lacks, in words.
pub fn missing_sets() -> impl Iterator<Item = String> {
    let missing = COUNTED_SETS.into_iter().filter(|set: &InstructionSet| !set.is_available());
    missing.map(|set| format!("{}: this machine does not have it", set.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(recorded: u64, found: u64) -> Change {
        let of = |instructions| Instructions { set: "avx2".into(), workload: "w".into(), instructions };
        of(found).since(&of(recorded))
    }

    #[test]
    fn one_per_cent_more_holds_and_no_more() {
        assert_eq!((since(100_000, 101_000), since(100_000, 99_000)), (Change::None, Change::None));
        let told = "101001 instructions, recorded 100000: +1.00 %".to_owned();
        assert_eq!(since(100_000, 101_001), Change::Worse(told));
        let told = "98000 instructions, recorded 100000: -2.00 %".to_owned();
        assert_eq!(since(100_000, 98_000), Change::Better(told));
        assert!(matches!(since(1, u64::MAX), Change::Worse(_)));
    }
}
