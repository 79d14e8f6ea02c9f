//! Timing two programs against each other while the machine does what it likes.
//!
//! A pair is of processes that are started anew. Where a process's memory happens to lie makes it a per cent or two
//! faster or slower than its twin for as long as it lives; calls of one and the same process agree with each other, and
//! are no better for being many. Within a pair calls alternate, in drawn order and then in the reverse of it, so that
//! whatever slows the machine down for a while slows down all.

use crate::speed::worker::{Worker, median};
use crate::trouble::Trouble;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;
use std::process::Command;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// A worker of any revision.
    pub program: PathBuf,
    /// After its name.
    pub arguments: Vec<String>,
}

impl Launch {
    /// The program as it is.
    pub fn plain(program: PathBuf) -> Self {
        Self { program, arguments: Vec::new() }
    }

    fn start(&self, name: &str) -> Result<Worker, Trouble> {
        let mut command = Command::new(&self.program);
        Worker::start(name, command.args(&self.arguments).env("RAYON_NUM_THREADS", "1"))
    }
}

/// How long processes of a pair run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// There and back again.
    pub rounds: usize,
    /// Calls of a program at its turn.
    pub calls: usize,
}

/// ln of times' ratios: positive where the other is slower than the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogRatios {
    /// The baseline's twin: the same program.
    pub twin: f64,
    /// The candidate.
    pub candidate: f64,
}

/// Starts the baseline, its twin and the candidate, and times them in turn on a single thread.
///
/// # Errors
/// [`Trouble::Worker`] if one refuses.
pub fn pair(
    workload: &str,
    baseline: &Launch,
    candidate: &Launch,
    rounds: Rounds,
    rng: &mut ChaCha8Rng,
) -> Result<LogRatios, Trouble> {
    let mut workers = [
        baseline.start("the baseline's worker")?,
        baseline.start("the baseline's worker, again")?,
        candidate.start("the worker")?,
    ];
    let mut seconds = [const { Vec::new() }; 3];
    let mut order = [0, 1, 2];
    order.shuffle(rng);
    for &i in &order {
        // The first calls meet fresh memory.
        workers[i].time(workload, 2)?;
    }
    for _ in 0..rounds.rounds {
        order.shuffle(rng);
        for &i in order.iter().chain(order.iter().rev()) {
            seconds[i].extend(workers[i].time(workload, rounds.calls)?);
        }
    }
    let [baseline, twin, candidate] = seconds.map(|seconds| median(&seconds).ln());
    Ok(LogRatios { twin: twin - baseline, candidate: candidate - baseline })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// A program that says that each of two calls took so many nanoseconds.
    fn clock(nanoseconds: u64) -> Launch {
        let script = format!("while read line; do echo {nanoseconds} {nanoseconds}; done");
        Launch { program: "sh".into(), arguments: vec!["-c".to_owned(), script] }
    }

    fn ratios(baseline: &Launch, candidate: &Launch) -> Result<LogRatios, Trouble> {
        let rounds = Rounds { rounds: 2, calls: 2 };
        pair("w", baseline, candidate, rounds, &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn the_slower_has_the_positive_ratio() {
        let found = ratios(&clock(1000), &clock(1100)).unwrap();
        assert_eq!(found.twin, 0.0);
        assert!((found.candidate - 1.1f64.ln()).abs() < 1e-12, "{found:?}");
        assert!(ratios(&clock(1100), &clock(1000)).unwrap().candidate < 0.0);
    }

    #[test]
    fn a_program_that_refuses_is_trouble() {
        let refusing =
            Launch { program: "sh".into(), arguments: vec!["-c".into(), "read line; echo error: no".into()] };
        assert!(
            matches!(ratios(&clock(1), &refusing), Err(Trouble::Worker { name, .. }) if name == "the worker")
        );
        assert!(ratios(&Launch::plain("/no/such/program".into()), &clock(1)).is_err());
    }
}
