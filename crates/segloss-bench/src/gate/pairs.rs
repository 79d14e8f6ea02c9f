//! Timing two programs against each other while the machine does what it likes.
//!
//! A pair is of processes that are started anew. Where a process's memory happens to lie makes it a per cent or two
//! faster or slower than another of the same program for as long as it lives; calls of one and the same process agree with each other, and
//! are no better for being many. Within a pair calls alternate, in drawn order and then in the reverse of it, so that
//! whatever slows the machine down for a while slows down all; and as others' work only ever adds to a call's time, the
//! shortest of a process's calls is the one that tells most of the program.

use super::processors;
use crate::error::Error;
use crate::speed::worker::Worker;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;
use std::time::Duration;

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

    fn start(&self, name: &str, processor: Option<usize>) -> Result<Worker, Error> {
        let mut command = processors::command(&self.program, processor);
        Worker::start(name, command.args(&self.arguments).env("RAYON_NUM_THREADS", "1"))
    }
}

/// How long processes of a pair run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// There and back again.
    pub rounds: usize,
    /// How long a program's turn is, at least: as many calls as that takes.
    pub turn: Duration,
}

/// ln of times' ratios: positive where the other is slower than the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogRatios {
    /// The A/A control: the baseline's own program once more.
    pub control: f64,
    /// The candidate.
    pub candidate: f64,
}

/// Starts the baseline, its A/A control and the candidate, and times them in turn on a single thread of a processor drawn from
/// these, or anywhere if there are none.
///
/// # Errors
/// [`Error::Worker`] if one refuses.
pub fn pair(
    workload: &str,
    baseline: &Launch,
    candidate: &Launch,
    rounds: Rounds,
    processors: &[usize],
    rng: &mut ChaCha8Rng,
) -> Result<LogRatios, Error> {
    let processor = processors.choose(rng).copied();
    let mut workers = [
        baseline.start("the baseline's worker", processor)?,
        baseline.start("the baseline's worker, again", processor)?,
        candidate.start("the worker", processor)?,
    ];
    let mut seconds = [const { Vec::new() }; 3];
    let mut order = [0, 1, 2];
    order.shuffle(rng);
    let mut longest = 0.0;
    for &i in &order {
        // The first call meets fresh memory; it is the others that count.
        let warm = shortest(&workers[i].time(workload, 3)?);
        longest = f64::max(longest, warm);
    }
    // All make as many calls: the shortest of more would be shorter.
    let calls = (rounds.turn.as_secs_f64() / longest).ceil().clamp(1.0, 1e4) as usize;
    for _ in 0..rounds.rounds {
        order.shuffle(rng);
        for &i in order.iter().chain(order.iter().rev()) {
            seconds[i].extend(workers[i].time(workload, calls)?);
        }
    }
    let [baseline, control, candidate] = seconds.map(|seconds| shortest(&seconds).ln());
    Ok(LogRatios { control: control - baseline, candidate: candidate - baseline })
}

fn shortest(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rand::SeedableRng;

    /// A program that says that the second of its calls took so many nanoseconds, and every other longer.
    pub(in crate::gate) fn clock(nanoseconds: u64) -> Launch {
        let script = "while read word name calls; do \
                      echo $((2 * $0)) $0 $(yes $((3 * $0)) | head -n $((calls - 2))); done";
        Launch { program: "sh".into(), arguments: vec!["-c".into(), script.into(), nanoseconds.to_string()] }
    }

    fn ratios(baseline: &Launch, candidate: &Launch) -> Result<LogRatios, Error> {
        let rounds = Rounds { rounds: 2, turn: Duration::from_nanos(1900) };
        pair("w", baseline, candidate, rounds, &[], &mut ChaCha8Rng::seed_from_u64(1))
    }

    /// Three calls to get warm, and then as many at each turn as the slowest needs for it, and at least two.
    #[test]
    fn all_make_as_many_calls_as_fill_a_turn() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut logging = clock(1000);
        logging.arguments[1] =
            logging.arguments[1].replace("do ", &format!("do echo $calls >> {}; ", log.path().display()));
        ratios(&logging, &clock(550)).unwrap();
        let calls: Vec<String> =
            std::fs::read_to_string(log.path()).unwrap().lines().map(str::to_owned).collect();
        // The baseline and its A/A control, four turns each.
        assert_eq!(calls, [vec!["3"; 2], vec!["2"; 8]].concat());
    }

    #[test]
    fn the_slower_has_the_positive_ratio() {
        let found = ratios(&clock(1000), &clock(1100)).unwrap();
        assert_eq!(found.control, 0.0);
        assert!((found.candidate - 1.1f64.ln()).abs() < 1e-12, "{found:?}");
        assert!(ratios(&clock(1100), &clock(1000)).unwrap().candidate < 0.0);
    }

    #[test]
    fn a_program_that_refuses_is_trouble() {
        let refusing =
            Launch { program: "sh".into(), arguments: vec!["-c".into(), "read line; echo error: no".into()] };
        assert!(
            matches!(ratios(&clock(1), &refusing), Err(Error::Worker { name, .. }) if name == "the worker")
        );
        assert!(ratios(&Launch::plain("/no/such/program".into()), &clock(1)).is_err());
    }
}
