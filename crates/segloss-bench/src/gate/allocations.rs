//! How often and how much a call allocates: exactly as recorded.

use super::table::{Change, Row};
use crate::error::Error;
use crate::speed::worker::Worker;
use segloss::InstructionSet;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::path::Path;
use std::process::Command;

/// The allocations of one call, alone on a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocations {
    /// What was computed.
    pub workload: String,
    /// How many.
    pub allocations: u64,
    /// Of how many bytes altogether.
    pub bytes: u64,
}

impl Row for Allocations {
    const TABLE: &'static str = "allocations";
    const COLUMNS: &'static [&'static str] = &["workload", "allocations", "bytes"];

    fn key(&self) -> String {
        self.workload.clone()
    }

    fn is_sound(&self) -> bool {
        // An allocation is of a byte at least.
        self.allocations <= self.bytes
    }

    fn since(&self, recorded: &Self) -> Change {
        let told = |row: &Self| format!("{} allocations of {} bytes", row.allocations, row.bytes);
        let told = format!("{}, recorded {}", told(self), told(recorded));
        let each = [self.allocations.cmp(&recorded.allocations), self.bytes.cmp(&recorded.bytes)];
        // Fewer of one for more of the other is a trade, and a trade is to be decided by somebody.
        if each.contains(&Ordering::Greater) {
            Change::Worse(told)
        } else if each.contains(&Ordering::Less) {
            Change::Better(told)
        } else {
            Change::None
        }
    }
}

/// Counts every workload, with the instructions of every machine: with others a few classes need less memory.
///
/// # Errors
/// [`Error::Worker`] if the worker refuses.
pub fn count(worker: &Path, workloads: &[String]) -> Result<Vec<Allocations>, Error> {
    let portable = ["--instructions", InstructionSet::Portable.name()];
    let mut worker = Worker::start("worker", Command::new(worker).args(portable))?;
    let count = |workload: &String| {
        let answer = worker.ask(&format!("count {workload}"))?;
        let (allocations, bytes) = parse(&answer).ok_or_else(|| Error::Worker {
            name: "worker".to_owned(),
            what: format!("count {workload}: `{answer}` is no number of allocations and of bytes"),
        })?;
        Ok(Allocations { workload: workload.clone(), allocations, bytes })
    };
    workloads.iter().map(count).collect()
}

fn parse(answer: &str) -> Option<(u64, u64)> {
    let (allocations, bytes) = answer.split_once(' ')?;
    Some((allocations.parse().ok()?, bytes.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(recorded: (u64, u64), found: (u64, u64)) -> Change {
        let of = |(allocations, bytes)| Allocations { workload: "w".into(), allocations, bytes };
        of(found).since(&of(recorded))
    }

    #[test]
    fn one_more_is_worse_and_one_less_is_better() {
        assert_eq!(since((3, 100), (3, 100)), Change::None);
        let told = "4 allocations of 100 bytes, recorded 3 allocations of 100 bytes".to_owned();
        assert_eq!(since((3, 100), (4, 100)), Change::Worse(told));
        assert!(matches!(since((3, 100), (3, 101)), Change::Worse(_)));
        assert!(matches!(since((3, 100), (2, 100)), Change::Better(_)));
        assert!(matches!(since((3, 100), (3, 99)), Change::Better(_)));
        assert!(matches!(since((3, 100), (2, 101)), Change::Worse(_)), "a trade");
    }

    #[test]
    fn answers_are_two_numbers() {
        assert_eq!(parse("79 16384"), Some((79, 16384)));
        for answer in ["", "79", "79 x", "x 1", "-1 2", "1 2 3"] {
            assert_eq!(parse(answer), None, "{answer}");
        }
    }
}
