//! Contestants timed in turn: what one is slowed by, a busy neighbour or a warm processor, slows the others, too.
//!
//! A round asks every contestant once; the order turns round from round to round. A ratio is the median over the
//! rounds of each round's ratio, so that a slow round cannot favour either side.

use super::worker::{Worker, median};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two contestants: threads of the last one that wait by spinning go to sleep.
const PAUSE: Duration = Duration::from_millis(50);

/// Calls of a turn, however short a call is.
const CALLS: f64 = 500.0;

/// Rounds, however long one takes: a median of fewer is none.
const FEWEST: usize = 3;

/// Seconds of a call that is so long that what the first one does beside the others is lost in it.
const LONG: f64 = 0.25;

/// Who is asked, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The contestant.
    pub contestant: String,
    /// The name of what it computes.
    pub workload: String,
}

impl Entry {
    /// Asks a contestant for a workload.
    pub fn new(contestant: &str, workload: String) -> Self {
        Self { contestant: contestant.to_owned(), workload }
    }
}

/// Entries whose times are compared with one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// As reports call it.
    pub name: String,
    /// In the order of the first round.
    pub entries: Vec<Entry>,
    /// How many times each is asked, if there is time.
    pub rounds: usize,
}

/// How long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// About how long one entry is computed in a round, if it can be computed more than once in it.
    pub turn: Duration,
    /// About how long all rounds take at most; three are always taken.
    pub contest: Duration,
}

/// An entry that takes part.
struct Turn<'a> {
    entry: &'a Entry,
    /// In a round, beside the first one, which does not count.
    calls: usize,
    /// Calls that do not count.
    warming: usize,
    /// Seconds that a round takes, about.
    length: f64,
    /// The median of each round.
    rounds: Vec<f64>,
}

impl Turn<'_> {
    /// One round of one entry.
    fn take(&self, worker: &mut Worker) -> Result<f64, Error> {
        // The first call wakes threads and fetches what others have displaced.
        let seconds = worker.time(&self.entry.workload, self.calls + self.warming)?;
        Ok(median(&seconds[self.warming..]))
    }
}

/// What one entry of a contest took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The contest.
    pub contest: String,
    /// Who and what.
    #[serde(flatten)]
    pub entry: Entry,
    /// Seconds of a call: the median of each round.
    pub rounds: Vec<f64>,
}

impl Timing {
    /// The median over the rounds.
    pub fn seconds(&self) -> f64 {
        median(&self.rounds)
    }

    /// What a quarter and three quarters of the rounds do not exceed.
    pub fn quartiles(&self) -> (f64, f64) {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * sorted.len().saturating_sub(1) as f64;
            sorted.get(place.round() as usize).copied().unwrap_or(f64::NAN)
        };
        (at(0.25), at(0.75))
    }

    /// How many times as long as another of the same contest; NaN if they were not timed in the same rounds.
    pub fn ratio(&self, other: &Self) -> f64 {
        if self.contest != other.contest || self.rounds.len() != other.rounds.len() {
            return f64::NAN;
        }
        let ratios: Vec<f64> = self.rounds.iter().zip(&other.rounds).map(|(a, b)| a / b).collect();
        median(&ratios)
    }
}

/// The programs, and why some are missing.
#[derive(Debug, Default)]
pub struct Workers {
    present: BTreeMap<String, Worker>,
    required: Vec<String>,
    absent: BTreeMap<String, String>,
}

impl Workers {
    /// A contestant without whom there is nothing to compare: its error is the run's.
    pub fn require(&mut self, worker: Worker) {
        self.required.push(worker.name().to_owned());
        self.invite(worker);
    }

    /// A contestant that may fail: it is then absent, with its reason.
    pub fn invite(&mut self, worker: Worker) {
        self.present.insert(worker.name().to_owned(), worker);
    }

    /// Names a contestant that is not there.
    pub fn miss(&mut self, name: &str, why: impl Into<String>) {
        self.present.remove(name);
        self.absent.insert(name.to_owned(), why.into());
    }

    /// Who is missing, and why.
    pub fn absent(&self) -> &BTreeMap<String, String> {
        &self.absent
    }

    /// What a contestant answers; nothing from one that is absent or has become so by failing.
    ///
    /// # Errors
    /// [`Error::Worker`] of a contestant that is required.
    pub fn ask<T>(
        &mut self,
        name: &str,
        ask: impl FnOnce(&mut Worker) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(worker) = self.present.get_mut(name) else { return Ok(None) };
        match ask(worker) {
            Ok(answer) => Ok(Some(answer)),
            Err(trouble) if self.required.iter().any(|required| required == name) => Err(trouble),
            Err(trouble) => {
                self.miss(name, trouble.to_string());
                Ok(None)
            }
        }
    }
}

impl Contest {
    /// Times every entry whose contestant is there.
    ///
    /// # Errors
    /// [`Error::Worker`] of a contestant that is required.
    pub fn run(&self, workers: &mut Workers, limits: Limits) -> Result<Vec<Timing>, Error> {
        let mut turns = self.turns(workers, limits)?;
        let length: f64 = turns.iter().map(|turn| turn.length).sum();
        let rounds = (limits.contest.as_secs_f64() / length) as usize;
        let rounds = rounds.clamp(FEWEST.min(self.rounds), self.rounds);
        let mut last: Option<&str> = None;
        for round in 0..rounds {
            let order: Vec<usize> = match round % 2 {
                0 => (0..turns.len()).collect(),
                _ => (0..turns.len()).rev().collect(),
            };
            for at in order {
                let turn = &mut turns[at];
                if last != Some(&turn.entry.contestant) {
                    std::thread::sleep(PAUSE);
                    last = Some(&turn.entry.contestant);
                }
                if let Some(seconds) = workers.ask(&turn.entry.contestant, |worker| turn.take(worker))? {
                    turn.rounds.push(seconds);
                }
            }
        }
        // Who failed on the way has fewer rounds than the others, and no place in the contest.
        let whole = turns.into_iter().filter(|turn| turn.rounds.len() == rounds);
        let timing = |turn: Turn<'_>| Timing {
            contest: self.name.clone(),
            entry: turn.entry.clone(),
            rounds: turn.rounds,
        };
        Ok(whole.map(timing).collect())
    }

    /// A round that does not count finds out how long a call takes, and compiles what must be compiled.
    fn turns(&self, workers: &mut Workers, limits: Limits) -> Result<Vec<Turn<'_>>, Error> {
        let mut turns = Vec::new();
        for entry in &self.entries {
            // The first call may compile; the second tells.
            let time = |worker: &mut Worker| Ok(worker.time(&entry.workload, 2)?[1]);
            if let Some(call) = workers.ask(&entry.contestant, time)? {
                let calls = (limits.turn.as_secs_f64() / call).round().clamp(1.0, CALLS) as usize;
                let warming = usize::from(call < LONG);
                let length = call * (calls + warming) as f64 + PAUSE.as_secs_f64();
                turns.push(Turn { entry, calls, warming, length, rounds: Vec::new() });
            }
        }
        Ok(turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Answers every call with so many nanoseconds; to a workload called `bad`, with an error.
    fn worker(name: &str, nanoseconds: u64) -> Worker {
        let script = format!(
            "while read verb workload calls; do
               if [ \"$workload\" = bad ]; then echo error: cannot; continue; fi
               line=; while [ $calls -gt 0 ]; do line=\"$line {nanoseconds}\"; calls=$((calls - 1)); done; echo $line
             done"
        );
        Worker::start(name, Command::new("sh").args(["-c", &script])).unwrap()
    }

    fn contest(entries: &[(&str, &str)]) -> Contest {
        let entries = entries.iter().map(|&(who, what)| Entry::new(who, what.to_owned())).collect();
        Contest { name: "contest".to_owned(), entries, rounds: 3 }
    }

    const LIMITS: Limits = Limits { turn: Duration::from_millis(10), contest: Duration::from_secs(60) };

    #[test]
    fn contestants_are_timed_in_turn() {
        let mut workers = Workers::default();
        workers.require(worker("slow", 8_000_000));
        workers.invite(worker("fast", 2_000_000));
        let timings = contest(&[("slow", "a"), ("fast", "a")]).run(&mut workers, LIMITS).unwrap();
        assert_eq!(timings[0].rounds, [8e-3; 3]);
        assert_eq!(timings[1].seconds(), 2e-3);
        assert_eq!(timings[0].ratio(&timings[1]), 4.0);
    }

    #[test]
    fn rounds_end_with_the_time_but_never_before_the_third() {
        let rounds = |rounds, seconds| {
            let mut workers = Workers::default();
            workers.require(worker("slow", 1_000_000_000));
            let limits = Limits { contest: Duration::from_secs(seconds), ..LIMITS };
            let contest = Contest { rounds, ..contest(&[("slow", "a")]) };
            contest.run(&mut workers, limits).unwrap()[0].rounds.len()
        };
        assert_eq!(rounds(9, 60), 9);
        assert_eq!(rounds(9, 6), 5);
        assert_eq!(rounds(9, 1), 3);
        assert_eq!(rounds(2, 1), 2);
    }

    #[test]
    fn who_is_absent_or_fails_has_a_reason_and_no_time() {
        let mut workers = Workers::default();
        workers.require(worker("ours", 1_000_000));
        workers.invite(worker("peer", 1_000_000));
        workers.miss("stranger", "not installed");
        let timings =
            contest(&[("ours", "a"), ("peer", "bad"), ("stranger", "a")]).run(&mut workers, LIMITS).unwrap();
        assert_eq!(timings.len(), 1);
        assert!(!workers.absent().contains_key("ours"));
        assert_eq!(workers.absent()["stranger"], "not installed");
        assert!(workers.absent()["peer"].contains("cannot"));
        assert!(contest(&[("ours", "bad")]).run(&mut workers, LIMITS).is_err());
    }

    #[test]
    fn ratios_are_of_rounds() {
        let timing = |rounds: &[f64]| Timing {
            contest: "contest".to_owned(),
            entry: Entry::new("who", "what".to_owned()),
            rounds: rounds.to_vec(),
        };
        // The second round was slow for both: the ratio does not notice.
        let (a, b) = (timing(&[2.0, 20.0, 2.2]), timing(&[1.0, 10.0, 1.1]));
        assert_eq!(a.ratio(&b), 2.0);
        assert!(a.ratio(&timing(&[1.0])).is_nan());
        assert!(a.ratio(&Timing { contest: "another".to_owned(), ..b }).is_nan());
        assert_eq!(timing(&[4.0, 1.0, 2.0, 3.0, 5.0]).quartiles(), (2.0, 4.0));
        assert!(timing(&[]).quartiles().0.is_nan());
    }
}
