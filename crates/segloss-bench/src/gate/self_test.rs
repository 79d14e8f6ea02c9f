//! The gate judges itself: it is made to meet what it must notice, and what it must not.

use super::callgrind;
use super::instructions::{self, Instructions};
use super::pairs::{Launch, Rounds};
use super::table::Comparison;
use super::timing::{self, Effort, Timing, Verdict, time};
use super::workloads::{COUNTED_SETS, TIMED, counted};
use crate::error::Error;
use rand::seq::SliceRandom;
use segloss::InstructionSet;
use segloss_cases::generator;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Planted more instructions, in per cent.
pub const MORE_INSTRUCTIONS: f64 = 3.0;

/// Planted slowdown, in per cent.
pub const SLOWDOWN: f64 = 10.0;

/// How many trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trials {
    /// Of what must be noticed: more instructions, and slowdowns.
    pub planted: usize,
    /// Of what must not: a program timed against itself.
    pub alike: usize,
}

impl Trials {
    /// Those that count.
    pub const FULL: Self = Self { planted: 20, alike: 200 };

    /// A look.
    pub const QUICK: Self = Self { planted: 4, alike: 20 };

    /// Of what was planted so many must be caught: 19 of 20.
    fn wanted(self) -> usize {
        (19 * self.planted).div_ceil(20)
    }
}

/// What programs that are the same are timed with: small, so that there is time for many trials.
const SMALL: [&str; 4] = [
    "cross_entropy+per_sample/channels_first/f32/1x4x128x128",
    "cross_entropy+per_sample/channels_last/f32/1x4x128x128",
    "dice/channels_last/f32/1x4x128x128",
    "focal/channels_first/f32/1x4x128x128",
];

/// As for the larger shapes, with shorter turns.
const EFFORT_OF_SMALL: Effort =
    Effort { rounds: Rounds { rounds: 6, turn: Duration::from_millis(1) }, ..timing::EFFORT };

/// What came of it.
#[derive(Clone, Debug)]
pub struct SelfTest {
    /// From which workloads and orders were drawn.
    pub seed: u64,
    /// How many there were to be.
    pub trials: Trials,
    /// How many workloads were counted twice.
    pub recounted: usize,
    /// How many of them were not the same number both times: none may be.
    pub different: usize,
    /// More instructions than there were, one trial each.
    pub instructions: Vec<InstructionTrial>,
    /// A slower program than the baseline, one trial each.
    pub slowdowns: Vec<Timing>,
    /// The same program as the baseline, one trial each.
    pub alike: Vec<Timing>,
}

/// Instructions that were planted in one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstructionTrial {
    /// With which instructions.
    pub set: String,
    /// In which workload.
    pub workload: String,
    /// Without what was planted.
    pub recorded: u64,
    /// With it.
    pub found: u64,
    /// Whether the gate names this workload, and no other.
    pub caught: bool,
}

impl SelfTest {
    /// Plants everything, one trial after the other, each told to `report` as it ends.
    ///
    /// # Errors
    /// If the gate itself cannot work: [`Error::Worker`] or [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed), and [`Error::Command`] without
    /// valgrind.
    pub fn run(
        worker: &Path,
        folder: &Path,
        seed: u64,
        trials: Trials,
        mut report: impl FnMut(&str),
    ) -> Result<Self, Error> {
        if callgrind::version().is_none() {
            return Err(Error::Command { command: "valgrind".into(), what: "is not installed".into() });
        }
        let workloads = counted();
        let recorded = instructions::count(worker, &workloads, folder)?;
        let again = instructions::count(worker, &workloads, folder)?;
        let different = recorded.iter().zip(&again).filter(|(once, again)| once != again).count();
        let instructions = plant_instructions(worker, folder, seed, trials.planted, &recorded, |trial| {
            let per_cent = 100.0 * (trial.found as f64 / trial.recorded as f64 - 1.0);
            let verdict = if trial.caught { "caught" } else { "missed" };
            report(&format!("instructions {per_cent:+.2} % {verdict} {} {}", trial.set, trial.workload));
        })?;
        let launch = |arguments: &[String]| Launch { program: worker.into(), arguments: arguments.to_vec() };
        let (plain, slowed) = (launch(&[]), launch(&["--planted-slowdown".into(), SLOWDOWN.to_string()]));
        let mut timings = |count, workloads: &[&str], candidate: &Launch, effort, what: &str| {
            let mut found = Vec::with_capacity(count);
            for (i, workload) in workloads.iter().cycle().take(count).enumerate() {
                let timing = time(workload, &plain, candidate, effort, seed.wrapping_add(i as u64))?;
                let median = 100.0 * timing.decisive().candidate.median.exp_m1();
                let verdict = timing.verdict().name();
                report(&format!("{what} {} of {count}: {verdict}, {median:+.1} %, {workload}", i + 1));
                found.push(timing);
            }
            Ok::<_, Error>(found)
        };
        Ok(Self {
            seed,
            trials,
            recounted: recorded.len(),
            different,
            instructions,
            slowdowns: timings(trials.planted, &TIMED, &slowed, timing::EFFORT, "slowed down")?,
            alike: timings(trials.alike, &SMALL, &plain, EFFORT_OF_SMALL, "alike")?,
        })
    }

    /// Whether enough was caught, and no alarm was raised.
    pub fn held(&self) -> bool {
        let (wanted, full) = (self.trials.wanted(), |some: usize, all| some == all && all > 0);
        full(self.instructions.len(), self.trials.planted)
            && full(self.slowdowns.len(), self.trials.planted)
            && full(self.alike.len(), self.trials.alike)
            && self.instructions_caught().0 >= wanted
            && count(&self.slowdowns, Verdict::Slower) >= wanted
            && count(&self.alike, Verdict::Slower) == 0
            && self.recounted > 0
            && self.different == 0
    }

    /// How many of the planted instructions were caught, and of how many.
    pub fn instructions_caught(&self) -> (usize, usize) {
        (self.instructions.iter().filter(|trial| trial.caught).count(), self.instructions.len())
    }
}

/// How many of the timings ended so.
pub fn count(timings: &[Timing], verdict: Verdict) -> usize {
    timings.iter().filter(|timing| timing.verdict() == verdict).count()
}

/// So many rounds of the worker's idle loop tell what one costs.
const MANY_ROUNDS: u64 = 100_000;

fn plant_instructions(
    worker: &Path,
    folder: &Path,
    seed: u64,
    planted: usize,
    recorded: &[Instructions],
    mut report: impl FnMut(&InstructionTrial),
) -> Result<Vec<InstructionTrial>, Error> {
    let count = |row: &Instructions, rounds: u64| {
        let set =
            COUNTED_SETS.into_iter().find(|set| set.name() == row.set).unwrap_or(InstructionSet::Portable);
        callgrind::count(worker, set, rounds, &row.workload, &folder.join("planted"))
    };
    let mut order: Vec<usize> = (0..recorded.len()).collect();
    order.shuffle(&mut generator(seed, "planted instructions"));
    let of_a_round = match recorded.first() {
        Some(row) => (count(row, MANY_ROUNDS)? - count(row, 0)?) as f64 / MANY_ROUNDS as f64,
        None => f64::NAN,
    };
    let mut trials = Vec::new();
    for i in order.into_iter().cycle().take(planted) {
        let row = &recorded[i];
        let rounds = MORE_INSTRUCTIONS / 100.0 * row.instructions as f64 / of_a_round;
        let mut found = recorded.to_vec();
        found[i].instructions = count(row, rounds.round() as u64)?;
        let trial = InstructionTrial {
            set: row.set.clone(),
            workload: row.workload.clone(),
            recorded: row.instructions,
            found: found[i].instructions,
            caught: is_caught(recorded, &found, row),
        };
        report(&trial);
        trials.push(trial);
    }
    Ok(trials)
}

/// Whether the gate finds this row worse and no other.
fn is_caught(recorded: &[Instructions], found: &[Instructions], row: &Instructions) -> bool {
    let key = super::table::Row::key(row);
    let comparison = Comparison::of(recorded, found, |_| false);
    !comparison.held()
        && matches!(comparison.worse.as_slice(), [only] if only.starts_with(&format!("{key}: ")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::bootstrap::Interval;
    use super::super::timing::Series;
    use super::*;

    fn timing(verdict: Verdict) -> Timing {
        let about = |x: f64| Interval { low: x - 0.001, median: x, high: x + 0.001 };
        let (control, candidate) = match verdict {
            Verdict::Slower => (0.0, 0.095),
            Verdict::Held => (0.0, 0.0),
            Verdict::Faster => (0.0, -0.2),
            Verdict::Inconclusive => (0.5, 0.0),
        };
        let first = Series { pairs: 15, control: about(control), candidate: about(candidate) };
        Timing { workload: "w".into(), first, confirming: (verdict == Verdict::Slower).then_some(first) }
    }

    /// What is wanted, and no more.
    pub(in crate::gate) fn good() -> SelfTest {
        let trial = |caught| InstructionTrial {
            set: "avx2".into(),
            workload: "w".into(),
            recorded: 1000,
            found: 1030,
            caught,
        };
        let slowdowns = [vec![timing(Verdict::Slower); 19], vec![timing(Verdict::Inconclusive)]].concat();
        SelfTest {
            seed: 1,
            trials: Trials::FULL,
            recounted: 96,
            different: 0,
            instructions: [vec![trial(true); 19], vec![trial(false)]].concat(),
            slowdowns,
            alike: [vec![timing(Verdict::Held); 150], vec![timing(Verdict::Inconclusive); 50]].concat(),
        }
    }

    #[test]
    fn nineteen_of_twenty_and_no_alarm_are_wanted() {
        assert!(good().held());
        let mut missed = good();
        missed.instructions[0].caught = false;
        assert!(!missed.held());
        let mut missed = good();
        missed.slowdowns[0] = timing(Verdict::Held);
        assert!(!missed.held());
        let mut alarmed = good();
        alarmed.alike[7] = timing(Verdict::Slower);
        assert!(!alarmed.held());
        let mut few = good();
        few.alike.pop();
        assert!(!few.held());
        assert!(!SelfTest { different: 1, ..good() }.held());
        assert!(!SelfTest { recounted: 0, ..good() }.held());
    }

    #[test]
    fn of_fewer_trials_as_large_a_share_is_wanted() {
        assert_eq!((Trials::FULL.wanted(), Trials::QUICK.wanted()), (19, 4));
        let none = SelfTest {
            trials: Trials { planted: 0, alike: 0 },
            instructions: Vec::new(),
            slowdowns: Vec::new(),
            alike: Vec::new(),
            ..good()
        };
        assert!(!none.held(), "no trial at all");
    }

    #[test]
    fn only_what_was_planted_is_caught() {
        let row = |workload: &str, instructions| Instructions {
            set: "avx2".into(),
            workload: workload.into(),
            instructions,
        };
        let recorded = [row("a", 1000), row("b", 1000)];
        let caught = |a, b| is_caught(&recorded, &[row("a", a), row("b", b)], &recorded[0]);
        assert!(caught(1030, 1000));
        assert!(!caught(1000, 1000) && !caught(1000, 1030) && !caught(1030, 1030));
    }

    #[test]
    fn verdicts_are_counted() {
        let found = good();
        assert_eq!((count(&found.slowdowns, Verdict::Slower), found.instructions_caught()), (19, (19, 20)));
        assert_eq!(count(&found.alike, Verdict::Inconclusive), 50);
    }
}
