//! Before and after: an earlier run's times beside this one's, each by a copy of its own run, so that a machine that has
//! become slower or busier changes nothing.

use super::plan::{BURN, CANDLE, COMPILED, TORCH};
use super::results::Results;

/// An entry that both runs timed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The contest.
    pub contest: String,
    /// Who.
    pub contestant: String,
    /// What.
    pub workload: String,
    /// Copies that it took.
    pub before: f64,
    /// Copies that it takes.
    pub after: f64,
}

impl Change {
    /// Below 1: faster than before.
    pub fn ratio(&self) -> f64 {
        self.after / self.before
    }
}

/// Everything of ours that both runs timed beside a copy, in the order of the later run.
pub fn changes(before: &Results, after: &Results) -> Vec<Change> {
    let ours = after.timings.iter().filter(|timing| {
        ![BURN, CANDLE, TORCH, COMPILED].contains(&timing.entry.contestant.as_str())
            && !timing.entry.workload.starts_with("copy/")
    });
    let change = |timing: &super::contest::Timing| {
        let (who, what) = (&timing.entry.contestant, &timing.entry.workload);
        let old = before.find(&timing.contest, who, what)?;
        Some(Change {
            contest: timing.contest.clone(),
            contestant: who.clone(),
            workload: what.clone(),
            before: before.copies(old)?,
            after: after.copies(timing)?,
        })
    };
    ours.filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::*;

    #[test]
    fn a_slower_machine_is_no_change() {
        let run = |slower: f64, dice: f64| {
            results(&[
                ("c", "segloss", "copy/channels_last/f32/1x2x4x4", slower),
                ("c", "segloss", "dice/channels_last/f32/1x2x4x4", 4.0 * dice * slower),
                ("c", "burn", "dice/channels_last/f32/1x2x4x4", 9.0),
            ])
        };
        let changes = changes(&run(1.0, 1.0), &run(3.0, 0.5));
        assert_eq!(changes.len(), 1, "the copy and the peer are no changes of ours");
        assert_eq!((changes[0].before, changes[0].after, changes[0].ratio()), (4.0, 2.0, 0.5));
    }

    #[test]
    fn what_was_not_timed_before_has_not_changed() {
        let after = results(&[
            ("c", "segloss", "copy/channels_last/f32/1x2x4x4", 1.0),
            ("c", "segloss", "dice/channels_last/f32/1x2x4x4", 4.0),
        ]);
        assert_eq!(changes(&results(&[]), &after), []);
    }
}
