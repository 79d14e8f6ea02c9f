//! Whether code takes longer than the baseline's, on a machine that is never quiet.
//!
//! Beside the candidate an A/A control is timed: the baseline's own program. Pairs are added until the control can be
//! told to be as fast as it is, and the candidate's interval is as narrow as the control's had to be, or there is no more
//! time. Where the candidate's interval lies has no say in when to stop, so that stopping cannot make an alarm of noise. A
//! candidate that is found to be slower is timed once more, and is slower only if it is so again.

use super::bootstrap::{Interval, of_median};
use super::pairs::{Launch, LogRatios, Rounds, pair};
use super::processors;
use crate::error::Error;
use segloss_cases::generator;
use serde::Serialize;
use std::time::Duration;

/// By what share a candidate may be slower.
pub const SLOWER: f64 = 0.05;

/// As how near to the baseline its A/A control must be told.
pub const CONTROL: f64 = 0.02;

/// How many pairs, and how long each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Of a pair.
    pub rounds: Rounds,
    /// Pairs before the first look.
    pub at_first: usize,
    /// Between looks.
    pub step: usize,
    /// After which there is no more time.
    pub at_most: usize,
}

/// A few seconds a workload on a quiet machine, most of a minute on one that is not.
pub const EFFORT: Effort = Effort {
    rounds: Rounds { rounds: 6, turn: Duration::from_millis(5) },
    at_first: 15,
    step: 10,
    at_most: 155,
};

/// What is said of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies wholly above +5 %, and did so again.
    Slower,
    /// It does not.
    Held,
    /// It lies wholly below −5 %: held, and worth recording.
    Faster,
    /// The machine cannot tell a program from itself: neither held nor not.
    Inconclusive,
}

impl Verdict {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Held => "held",
            Self::Faster => "faster",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One series of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Series {
    /// How many.
    pub pairs: usize,
    /// ln of the control's time over the baseline's.
    pub control: Interval,
    /// ln of the candidate's time over the baseline's.
    pub candidate: Interval,
}

impl Series {
    /// What it says by itself. NaN says nothing.
    pub fn verdict(&self) -> Verdict {
        if !self.control_is_told() {
            Verdict::Inconclusive
        } else if self.candidate.low > SLOWER.ln_1p() {
            Verdict::Slower
        } else if self.candidate.high < (-SLOWER).ln_1p() {
            Verdict::Faster
        } else if self.candidate.median.is_nan() {
            Verdict::Inconclusive
        } else {
            Verdict::Held
        }
    }

    fn control_is_told(&self) -> bool {
        self.control.is_within((-CONTROL).ln_1p(), CONTROL.ln_1p())
    }

    /// Whether the candidate's interval would fit where the control's must, wherever it lies.
    fn candidate_is_narrow(&self) -> bool {
        self.candidate.high - self.candidate.low <= CONTROL.ln_1p() - (-CONTROL).ln_1p()
    }
}

/// A workload's verdict, and the series that led to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// What was computed.
    pub workload: String,
    /// The first.
    pub first: Series,
    /// The one that confirms an alarm, or does not.
    pub confirming: Option<Series>,
}

impl Timing {
    /// Slower only if both say so; an alarm that could not be looked into is inconclusive.
    pub fn verdict(&self) -> Verdict {
        match (self.first.verdict(), self.confirming.map(|series| series.verdict())) {
            (Verdict::Slower, Some(Verdict::Slower)) => Verdict::Slower,
            (Verdict::Slower, Some(Verdict::Inconclusive) | None) => Verdict::Inconclusive,
            (Verdict::Slower, Some(_)) => Verdict::Held,
            (first, _) => first,
        }
    }

    /// The series that decided.
    pub fn decisive(&self) -> &Series {
        self.confirming.as_ref().unwrap_or(&self.first)
    }
}

/// Of all workloads: slower if one is, else inconclusive if one is. Of none, nothing is known.
pub fn overall(timings: &[Timing]) -> Verdict {
    let any = |verdict| timings.iter().any(|timing| timing.verdict() == verdict);
    if any(Verdict::Slower) {
        Verdict::Slower
    } else if any(Verdict::Inconclusive) || timings.is_empty() {
        Verdict::Inconclusive
    } else if any(Verdict::Faster) {
        Verdict::Faster
    } else {
        Verdict::Held
    }
}

/// What may be recorded only with a reason: what is slower, and what could not be told.
pub fn costs(timings: &[Timing]) -> Vec<String> {
    let costly = |timing: &&Timing| matches!(timing.verdict(), Verdict::Slower | Verdict::Inconclusive);
    let told = |timing: &Timing| {
        let ratio = 100.0 * timing.decisive().candidate.median.exp_m1();
        format!("time: {}: {}, {ratio:+.1} %", timing.workload, timing.verdict().name())
    };
    timings.iter().filter(costly).map(told).collect()
}

/// Times a workload: once, and if it seems slower once more.
///
/// # Errors
/// [`Error::Worker`] if a program refuses.
pub fn time(
    workload: &str,
    baseline: &Launch,
    candidate: &Launch,
    effort: Effort,
    seed: u64,
) -> Result<Timing, Error> {
    let processors = processors::choice();
    let series = |name: &str| {
        let mut rng = generator(seed, &format!("{workload} {name}"));
        let mut resampling = generator(seed, &format!("{workload} {name}, resampled"));
        series(
            effort,
            || pair(workload, baseline, candidate, effort.rounds, &processors, &mut rng),
            |ratios| of_median(ratios, &mut resampling),
        )
    };
    let first = series("first")?;
    let confirming = match first.verdict() {
        Verdict::Slower => Some(series("confirming")?),
        _ => None,
    };
    Ok(Timing { workload: workload.to_owned(), first, confirming })
}

/// Pairs until the control is told, and the candidate as narrowly, or there is no more time.
fn series(
    effort: Effort,
    mut pair: impl FnMut() -> Result<LogRatios, Error>,
    mut interval: impl FnMut(&[f64]) -> Interval,
) -> Result<Series, Error> {
    let (mut controls, mut candidates) = (Vec::new(), Vec::new());
    let mut wanted = effort.at_first.min(effort.at_most);
    loop {
        while controls.len() < wanted {
            let LogRatios { control, candidate } = pair()?;
            controls.push(control);
            candidates.push(candidate);
        }
        let series = Series { pairs: wanted, control: interval(&controls), candidate: interval(&candidates) };
        if (series.control_is_told() && series.candidate_is_narrow()) || wanted >= effort.at_most {
            return Ok(series);
        }
        wanted = (wanted + effort.step.max(1)).min(effort.at_most);
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::clock;
    use super::*;

    fn interval(low: f64, high: f64) -> Interval {
        Interval { low: low.ln_1p(), median: ((low + high) / 2.0).ln_1p(), high: high.ln_1p() }
    }

    const TOLD: (f64, f64) = (-0.01, 0.01);

    fn series_of(control: (f64, f64), candidate: (f64, f64)) -> Series {
        Series {
            pairs: 9,
            control: interval(control.0, control.1),
            candidate: interval(candidate.0, candidate.1),
        }
    }

    #[test]
    fn only_an_interval_wholly_above_five_per_cent_is_slower() {
        for (candidate, verdict) in [
            ((0.051, 0.2), Verdict::Slower),
            ((0.049, 0.2), Verdict::Held),
            ((-0.2, 0.2), Verdict::Held),
            ((-0.04, 0.04), Verdict::Held),
            ((-0.2, -0.049), Verdict::Held),
            ((-0.2, -0.051), Verdict::Faster),
        ] {
            assert_eq!(series_of(TOLD, candidate).verdict(), verdict, "{candidate:?}");
        }
    }

    #[test]
    fn without_a_control_that_is_told_there_is_no_verdict() {
        for control in [(-0.021, 0.0), (0.0, 0.021), (0.021, 0.03), (f64::NAN, 0.0), (0.0, f64::NAN)] {
            for candidate in [(0.5, 0.6), (0.0, 0.0), (-0.6, -0.5)] {
                assert_eq!(series_of(control, candidate).verdict(), Verdict::Inconclusive, "{control:?}");
            }
        }
        assert_eq!(series_of((-0.019, 0.019), (0.5, 0.6)).verdict(), Verdict::Slower);
        assert_eq!(series_of(TOLD, (f64::NAN, f64::NAN)).verdict(), Verdict::Inconclusive);
    }

    #[test]
    fn an_alarm_must_be_confirmed() {
        let (slow, fine) = (series_of(TOLD, (0.08, 0.12)), series_of(TOLD, (0.0, 0.01)));
        let noisy = series_of((-0.1, 0.1), (0.08, 0.12));
        let verdict = |first, confirming| Timing { workload: "w".into(), first, confirming }.verdict();
        assert_eq!(verdict(slow, Some(slow)), Verdict::Slower);
        assert_eq!(verdict(slow, Some(fine)), Verdict::Held);
        assert_eq!(verdict(slow, Some(noisy)), Verdict::Inconclusive);
        assert_eq!(verdict(slow, None), Verdict::Inconclusive);
        assert_eq!((verdict(fine, None), verdict(noisy, None)), (Verdict::Held, Verdict::Inconclusive));
    }

    #[test]
    fn one_slower_makes_all_slower_and_one_unknown_makes_all_unknown() {
        let of = |candidates: &[(f64, f64)]| -> Vec<Timing> {
            let series = |&candidate: &(f64, f64)| match candidate {
                (low, _) if low > 1.0 => series_of((-0.1, 0.1), candidate),
                _ => series_of(TOLD, candidate),
            };
            let timing = |first| Timing { workload: "w".into(), first, confirming: Some(first) };
            candidates.iter().map(series).map(timing).collect()
        };
        let (slow, fine, fast, unknown) = ((0.1, 0.2), (0.0, 0.01), (-0.2, -0.1), (1.1, 1.2));
        assert_eq!(overall(&of(&[fine, slow, unknown])), Verdict::Slower);
        assert_eq!(overall(&of(&[fine, unknown, fast])), Verdict::Inconclusive);
        assert_eq!(overall(&of(&[fine, fast])), Verdict::Faster);
        assert_eq!((overall(&of(&[fine])), overall(&[])), (Verdict::Held, Verdict::Inconclusive));
        assert_eq!(costs(&of(&[fine, slow, fast])), ["time: w: slower, +15.0 %"]);
        assert_eq!(costs(&of(&[unknown])), ["time: w: inconclusive, +115.0 %"]);
        assert!(costs(&of(&[fine])).is_empty());
    }

    const FEW: Effort = Effort {
        rounds: Rounds { rounds: 1, turn: Duration::from_nanos(20_000) },
        at_first: 4,
        step: 3,
        at_most: 9,
    };

    /// How many pairs a series takes if the intervals of the control and of the candidate, after so many pairs, are as given.
    fn pairs(control: impl Fn(usize) -> Interval, candidate: impl Fn(usize) -> Interval) -> usize {
        let mut taken = 0;
        let pair = || {
            taken += 1;
            Ok(LogRatios { control: 0.0, candidate: 1.0 })
        };
        let found = series(FEW, pair, |ratios| match ratios[0] {
            0.0 => control(ratios.len()),
            _ => candidate(ratios.len()),
        });
        assert_eq!(found.unwrap().pairs, taken);
        taken
    }

    #[test]
    fn pairs_are_added_until_the_control_is_told_wherever_the_candidate_lies() {
        let told_after = |n| move |pairs| if pairs >= n { interval(0.0, 0.0) } else { interval(-0.1, 0.1) };
        for candidate in [-0.5, 0.0, 0.06, 9.0] {
            let candidate = |_| interval(candidate, candidate);
            assert_eq!(pairs(told_after(0), candidate), 4);
            assert_eq!(pairs(told_after(4), candidate), 4);
            assert_eq!(pairs(told_after(5), candidate), 7);
            assert_eq!(pairs(told_after(8), candidate), 9, "at most");
            assert_eq!(pairs(told_after(100), candidate), 9);
            assert_eq!(pairs(|_| Interval::UNKNOWN, candidate), 9);
        }
    }

    #[test]
    fn pairs_are_added_until_the_candidate_is_told_as_narrowly() {
        let control = |_| interval(0.0, 0.0);
        for (low, narrow, wide) in [(-0.3, -0.28, -0.25), (0.0, 0.03, 0.05), (0.07, 0.11, 0.12)] {
            let narrow_after = |n| move |pairs| interval(low, if pairs >= n { narrow } else { wide });
            assert_eq!(pairs(control, narrow_after(0)), 4);
            assert_eq!(pairs(control, narrow_after(5)), 7);
            assert_eq!(pairs(control, narrow_after(100)), 9);
        }
        assert_eq!(pairs(control, |_| Interval::UNKNOWN), 9);
    }

    #[test]
    fn a_slower_program_is_timed_twice_and_another_once() {
        let timed = |candidate| time("w", &clock(10_000), &clock(candidate), FEW, 1).unwrap();
        let slow = timed(10_600);
        assert_eq!(
            (slow.verdict(), slow.confirming, slow.first.pairs),
            (Verdict::Slower, Some(slow.first), 4)
        );
        let fine = timed(10_400);
        assert_eq!((fine.verdict(), fine.confirming), (Verdict::Held, None));
        assert_eq!(timed(9_000).verdict(), Verdict::Faster);
        assert!(time("w", &clock(1), &Launch::plain("/no/such/program".into()), FEW, 1).is_err());
    }
}
