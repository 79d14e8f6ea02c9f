//! What a run measured: `results.json`, from which the tables, pictures and the page are made.

use super::contest::Timing;
use super::criterion::Estimate;
use super::machine::Machine;
use super::workload::{LAYOUTS, bytes_of, copy_beside};
use super::{bars, growth, plan};
use crate::error::Error;
use segloss_verify::HarnessError;
use segloss_verify::report::csv;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Rises when a reader of an older `results.json`, or of a table, would misread a newer one.
pub const VERSION: u32 = 1;

/// A run of `cargo xtask bench-report`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`VERSION`].
    pub version: u32,
    /// Whether it took the time to be believed.
    pub quick: bool,
    /// Where, and what of.
    pub machine: Machine,
    /// Who did not take part, and why.
    pub absent: BTreeMap<String, String>,
    /// The loss that each contestant computes of a small input.
    pub values: Vec<Value>,
    /// The contests.
    pub timings: Vec<Timing>,
    /// What criterion estimated.
    pub estimates: Vec<Estimate>,
}

/// What a peer makes of an input, and what we do: it must be the same loss that is timed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The peer.
    pub contestant: String,
    /// The input.
    pub workload: String,
    /// Its value.
    pub theirs: f64,
    /// Ours.
    pub ours: f64,
}

/// f32 sums of the same loss in another order differ by less; other losses by more.
const AGREEMENT: f64 = 1e-5;

impl Value {
    /// Whether it is the same loss.
    pub fn agrees(&self) -> bool {
        (self.theirs - self.ours).abs() <= AGREEMENT * self.ours.abs()
    }
}

impl Results {
    /// The timing of an entry of a contest.
    pub fn find(&self, contest: &str, contestant: &str, workload: &str) -> Option<&Timing> {
        self.timings.iter().find(|timing| {
            timing.contest == contest
                && timing.entry.contestant == contestant
                && timing.entry.workload == workload
        })
    }

    /// How many times as long an entry takes as another of the same contest, both (who, what).
    pub fn ratio(&self, contest: &str, a: (&str, &str), b: (&str, &str)) -> Option<f64> {
        Some(self.find(contest, a.0, a.1)?.ratio(self.find(contest, b.0, b.1)?))
    }

    /// How many times as long a timing is as the copy beside it: of the same contestant, if it was asked for one, or
    /// ours, of the same layout, precision and shape; a contest whose workloads are no arrays of logits has one copy.
    pub fn copies(&self, timing: &Timing) -> Option<f64> {
        let copy = copy_beside(&timing.entry.workload)?;
        let of = |who: &str| self.find(&timing.contest, who, &copy);
        let only = || {
            let mut copies = self
                .timings
                .iter()
                .filter(|other| other.contest == timing.contest && other.entry.workload.starts_with("copy/"));
            let first = copies.next();
            first.filter(|_| timing.contest == plan::UNET)
        };
        let copy = of(&timing.entry.contestant).or_else(|| of(plan::OURS)).or_else(only)?;
        Some(timing.ratio(copy))
    }

    /// Every time, a row each.
    ///
    /// # Errors
    /// [`HarnessError::Report`].
    pub fn times_csv(&self) -> Result<String, HarnessError> {
        let header = [
            "version",
            "contest",
            "contestant",
            "workload",
            "bytes",
            "rounds",
            "seconds",
            "q1",
            "q3",
            "copies",
        ];
        let rows = self.timings.iter().map(|timing| {
            let (entry, (q1, q3)) = (&timing.entry, timing.quartiles());
            let bytes = bytes_of(&entry.workload);
            let who = (VERSION, &timing.contest, &entry.contestant, &entry.workload);
            (who, bytes, timing.rounds.len(), timing.seconds(), q1, q3, self.copies(timing))
        });
        csv::table(&header, rows)
    }

    /// Every bar, a row for each shape and layout.
    ///
    /// # Errors
    /// [`HarnessError::Report`].
    pub fn bars_csv(&self) -> Result<String, HarnessError> {
        let rows = bars::all(self).into_iter().flat_map(|bar| {
            let verdict = |ratio: Option<f64>, bound| match ratio {
                Some(ratio) if bar.sense.holds(ratio, bound) => "met",
                Some(_) => "missed",
                None => "not measured",
            };
            let row = |mark: &bars::Mark| {
                let (sense, verdict) = (bar.sense.sign(), verdict(mark.ratio, mark.bound));
                (VERSION, bar.name, mark.shape.clone(), mark.layout, mark.ratio, sense, mark.bound, verdict)
            };
            bar.marks.iter().map(row).collect::<Vec<_>>()
        });
        csv::table(&["version", "bar", "shape", "layout", "ratio", "sense", "bound", "verdict"], rows)
    }

    /// How cost grows, a row for each loss and layout.
    ///
    /// # Errors
    /// [`HarnessError::Report`].
    pub fn growth_csv(&self) -> Result<String, HarnessError> {
        let rows = ["pixels", "classes"].into_iter().flat_map(|along| {
            let of = move |what| LAYOUTS.map(|layout| (along, what, layout));
            plan::GROWING.into_iter().flat_map(of)
        });
        let rows = rows.flat_map(|(along, what, layout)| {
            let points = growth::points(self, along, what, layout).into_iter();
            points.map(move |(logits, seconds)| (VERSION, along, what, layout, logits as u64, seconds))
        });
        csv::table(&["version", "along", "loss", "layout", "logits", "seconds"], rows)
    }

    /// What criterion estimated, a row each.
    ///
    /// # Errors
    /// [`HarnessError::Report`].
    pub fn criterion_csv(&self) -> Result<String, HarnessError> {
        let rows = self.estimates.iter().map(|estimate| {
            let Estimate { name, median, low, high, mean, deviation } = estimate;
            (VERSION, name, median, low, high, mean, deviation)
        });
        csv::table(&["version", "benchmark", "median", "low", "high", "mean", "deviation"], rows)
    }

    /// All of it.
    ///
    /// # Errors
    /// [`HarnessError::Report`].
    pub fn json(&self) -> Result<String, Error> {
        let failed = |error: serde_json::Error| Error::report("JSON", error);
        // A timing a line: pretty-printed, its rounds would have one each.
        let mut value = serde_json::to_value(self).map_err(failed)?;
        let mut text = "{\n".to_owned();
        let Some(fields) = value.as_object_mut() else {
            return Err(Error::report("JSON", "no object"));
        };
        let count = fields.len();
        for (i, (key, field)) in fields.iter().enumerate() {
            let field = match field.as_array() {
                Some(rows) => {
                    let rows: Vec<String> = rows.iter().map(|row| format!("    {row}")).collect();
                    format!("[\n{}\n  ]", rows.join(",\n"))
                }
                None => field.to_string(),
            };
            text += &format!("  \"{key}\": {field}{}\n", if i + 1 < count { "," } else { "" });
        }
        Ok(text + "}\n")
    }

    /// Of an earlier run; nothing if there is no such file, or it is of another version.
    ///
    /// # Errors
    /// [`HarnessError::File`], and [`HarnessError::Malformed`] for a file of this version that is none.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Any {
            version: u32,
        }
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::file(path))?,
        };
        let any: Any = serde_json::from_str(&text).map_err(|error| Error::malformed(path, error))?;
        if any.version != VERSION {
            return Ok(None);
        }
        serde_json::from_str(&text).map(Some).map_err(|error| Error::malformed(path, error))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::contest::Entry;
    use super::*;

    /// Results of some entries of a contest: who, what, seconds.
    pub fn results(timings: &[(&str, &str, &str, f64)]) -> Results {
        let timing = |&(contest, who, what, seconds): &(&str, &str, &str, f64)| Timing {
            contest: contest.to_owned(),
            entry: Entry::new(who, what.to_owned()),
            rounds: vec![seconds; 3],
        };
        Results {
            version: VERSION,
            quick: false,
            machine: Machine::default(),
            absent: BTreeMap::new(),
            values: Vec::new(),
            timings: timings.iter().map(timing).collect(),
            estimates: Vec::new(),
        }
    }

    #[test]
    fn copies_are_those_beside() {
        let results = results(&[
            ("c", "segloss", "copy/channels_last/f32/1x2x4x4", 1.0),
            ("c", "segloss", "dice/channels_last/f32/1x2x4x4", 3.0),
            ("c", "segloss", "dice/channels_last/f64/1x2x4x4", 3.0),
            ("c", "segloss, 1 thread", "copy/channels_last/f32/1x2x4x4", 2.0),
            ("c", "segloss, 1 thread", "dice/channels_last/f32/1x2x4x4", 5.0),
            ("c", "burn", "dice/channels_last/f32/1x2x4x4", 60.0),
            ("unet", "segloss", "copy/channels_last/f32/4x12x360x480", 1.0),
            ("unet", "PyTorch", "unet/forward/channels_first", 30.0),
        ]);
        let copies: Vec<Option<f64>> = results.timings.iter().map(|timing| results.copies(timing)).collect();
        assert_eq!(
            copies,
            [Some(1.0), Some(3.0), None, Some(1.0), Some(2.5), Some(60.0), Some(1.0), Some(30.0)]
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        assert_eq!(Results::read(&path).unwrap(), None);
        let mut results = results(&[("c", "segloss", "copy/channels_last/f32/1x2x4x4", 0.1)]);
        results.absent.insert("burn".to_owned(), "no \"network\"".to_owned());
        std::fs::write(&path, results.json().unwrap()).unwrap();
        assert_eq!(Results::read(&path).unwrap(), Some(results.clone()));
        results.version = VERSION + 1;
        std::fs::write(&path, results.json().unwrap()).unwrap();
        assert_eq!(Results::read(&path).unwrap(), None);
        std::fs::write(&path, "{\"version\": 1}").unwrap();
        assert!(Results::read(&path).is_err());
    }

    #[test]
    fn another_loss_does_not_agree() {
        let value = |theirs| Value { contestant: String::new(), workload: String::new(), theirs, ours: 2.0 };
        assert!(value(2.0 + 1e-6).agrees());
        assert!(!value(2.1).agrees());
        assert!(!value(f64::NAN).agrees());
    }
}
