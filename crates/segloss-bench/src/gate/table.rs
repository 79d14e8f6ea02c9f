//! Rows that were recorded, and rows that were found: what differs, in words.

use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// A measurement that is recorded in a table of its own kind.
pub trait Row: Serialize + DeserializeOwned + Clone {
    /// What the table is called, and its file before `.csv`.
    const TABLE: &'static str;

    /// Its columns, in order.
    const COLUMNS: &'static [&'static str];

    /// What was measured: the row's name, which is the same whenever it is measured.
    fn key(&self) -> String;

    /// Whether the numbers are such as can have been measured.
    fn is_sound(&self) -> bool;

    /// How it differs from what was recorded of the same.
    fn since(&self, recorded: &Self) -> Change;
}

/// How a measurement differs from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Not, or by less than matters.
    None,
    /// For the better, in words.
    Better(String),
    /// For the worse, in words.
    Worse(String),
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The table.
    pub table: &'static str,
    /// Rows that were found and recorded.
    pub compared: usize,
    /// Those that are worse, in words.
    pub worse: Vec<String>,
    /// Those that are better, in words.
    pub better: Vec<String>,
    /// Names of rows that were found, and are not recorded.
    pub unrecorded: Vec<String>,
    /// Names of rows that are recorded, and were not found.
    pub vanished: Vec<String>,
    /// What was not measured or not compared, and why: no failure, but to be said aloud.
    pub left_out: Vec<String>,
}

impl Comparison {
    /// Compares what was found with what is recorded. A row for which `is_left_out` has a reason is not compared.
    pub fn of<R: Row>(recorded: &[R], found: &[R], is_left_out: impl Fn(&R) -> bool) -> Self {
        let mut comparison = Self { table: R::TABLE, ..Self::default() };
        let in_question = |row: &&R| !is_left_out(row);
        let mut before: BTreeMap<String, &R> =
            recorded.iter().filter(in_question).map(|row| (row.key(), row)).collect();
        for row in found.iter().filter(in_question) {
            let key = row.key();
            let Some(recorded) = before.remove(&key) else {
                comparison.unrecorded.push(key);
                continue;
            };
            comparison.compared += 1;
            match row.since(recorded) {
                Change::None => {}
                Change::Better(what) => comparison.better.push(format!("{key}: {what}")),
                Change::Worse(what) => comparison.worse.push(format!("{key}: {what}")),
            }
        }
        comparison.vanished.extend(before.into_keys());
        comparison
    }

    /// With something that was left out of it.
    pub fn without(mut self, what: impl IntoIterator<Item = String>) -> Self {
        self.left_out.extend(what);
        self
    }

    /// Whether something was compared, or it was said why not, and nothing is worse, new or gone.
    pub fn held(&self) -> bool {
        (self.compared > 0 || !self.left_out.is_empty())
            && self.worse.is_empty()
            && self.unrecorded.is_empty()
            && self.vanished.is_empty()
    }

    /// What may be recorded only with a reason: what got worse, and what is no longer measured.
    pub fn costs(&self) -> impl Iterator<Item = String> {
        let vanished = self.vanished.iter().map(|key| format!("{key}: no longer measured"));
        self.worse.iter().cloned().chain(vanished).map(|what| format!("{}: {what}", self.table))
    }
}

/// Reads a table of the baseline.
///
/// # Errors
/// [`Error::NoBaseline`] if it is not there, [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed) if it is not what [`write()`] writes.
pub fn read<R: Row>(folder: &Path) -> Result<Vec<R>, Error> {
    let path = folder.join(format!("{}.csv", R::TABLE));
    let text = super::baseline::read_text(&path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|error| Error::malformed(&path, error))?;
    if columns != R::COLUMNS {
        let (found, wanted) = (columns.iter().collect::<Vec<_>>().join(","), R::COLUMNS.join(","));
        return Err(Error::malformed(&path, format!("the columns are {found} instead of {wanted}")));
    }
    let rows: Result<Vec<R>, csv::Error> = reader.deserialize().collect();
    let rows = rows.map_err(|error| Error::malformed(&path, error))?;
    let mut seen = std::collections::BTreeSet::new();
    for row in &rows {
        if !row.is_sound() {
            return Err(Error::malformed(&path, format!("{}: no such measurement", row.key())));
        }
        if !seen.insert(row.key()) {
            return Err(Error::malformed(&path, format!("{}: twice", row.key())));
        }
    }
    if rows.is_empty() { Err(Error::malformed(&path, "no rows")) } else { Ok(rows) }
}

/// The table's file: name and contents.
///
/// # Errors
/// [`HarnessError::Report`](segloss_verify::HarnessError::Report) if a row cannot be written.
pub fn write<R: Row>(rows: &[R]) -> Result<(String, Vec<u8>), Error> {
    let failed = |what: String| Error::report(R::TABLE, what);
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(R::COLUMNS).map_err(|error| failed(error.to_string()))?;
    for row in rows {
        writer.serialize(row).map_err(|error| failed(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    Ok((format!("{}.csv", R::TABLE), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Length {
        name: String,
        metres: f64,
    }

    impl Row for Length {
        const TABLE: &'static str = "lengths";
        const COLUMNS: &'static [&'static str] = &["name", "metres"];

        fn key(&self) -> String {
            self.name.clone()
        }

        fn is_sound(&self) -> bool {
            self.metres >= 0.0
        }

        fn since(&self, recorded: &Self) -> Change {
            match self.metres - recorded.metres {
                0.0 => Change::None,
                by if by < 0.0 => Change::Better(format!("{by}")),
                by => Change::Worse(format!("{by}")),
            }
        }
    }

    fn lengths(of: &[(&str, f64)]) -> Vec<Length> {
        of.iter().map(|&(name, metres)| Length { name: name.to_owned(), metres }).collect()
    }

    fn compare(recorded: &[(&str, f64)], found: &[(&str, f64)]) -> Comparison {
        Comparison::of(&lengths(recorded), &lengths(found), |row| row.name == "left out")
    }

    #[test]
    fn rows_are_compared_by_name_in_any_order() {
        let same = compare(&[("a", 1.0), ("b", 2.0)], &[("b", 2.0), ("a", 1.0)]);
        assert_eq!(same, Comparison { table: "lengths", compared: 2, ..Comparison::default() });
        assert!(same.held());
    }

    #[test]
    fn worse_new_and_gone_fail_and_better_does_not() {
        let worse = compare(&[("a", 1.0)], &[("a", 3.0)]);
        assert_eq!((worse.worse.as_slice(), worse.held()), (["a: 2".to_owned()].as_slice(), false));
        let better = compare(&[("a", 3.0)], &[("a", 1.0)]);
        assert_eq!((better.better.as_slice(), better.held()), (["a: -2".to_owned()].as_slice(), true));
        let new = compare(&[("a", 1.0)], &[("a", 1.0), ("b", 1.0)]);
        assert_eq!((new.unrecorded.as_slice(), new.held()), (["b".to_owned()].as_slice(), false));
        let gone = compare(&[("a", 1.0), ("b", 1.0)], &[("a", 1.0)]);
        assert_eq!((gone.vanished.as_slice(), gone.held()), (["b".to_owned()].as_slice(), false));
        assert!(!compare(&[("a", 1.0)], &[("a", f64::NAN)]).held());
    }

    #[test]
    fn what_is_left_out_is_neither_new_nor_gone_nor_worse() {
        for (recorded, found) in [(Some(1.0), Some(2.0)), (Some(1.0), None), (None, Some(2.0))] {
            let with = |metres: Option<f64>| match metres {
                Some(metres) => vec![("a", 1.0), ("left out", metres)],
                None => vec![("a", 1.0)],
            };
            assert!(compare(&with(recorded), &with(found)).held());
        }
    }

    #[test]
    fn nothing_compared_does_not_hold_unless_it_is_said_why() {
        assert!(!compare(&[], &[]).held());
        assert!(compare(&[], &[]).without(["no such tool".to_owned()]).held());
        assert!(!compare(&[("a", 1.0)], &[("a", 2.0)]).without(["some".to_owned()]).held());
    }

    #[test]
    fn only_what_costs_needs_a_reason() {
        let found = compare(&[("a", 1.0), ("b", 2.0), ("c", 1.0)], &[("a", 2.0), ("b", 1.0), ("d", 1.0)]);
        let costs: Vec<String> = found.costs().collect();
        assert_eq!(costs, ["lengths: a: 1", "lengths: c: no longer measured"]);
    }

    #[test]
    fn tables_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let rows = lengths(&[("a, b", 1.5e-17), ("c", 0.0)]);
        let (name, bytes) = write(&rows).unwrap();
        assert_eq!((name.as_str(), bytes.starts_with(b"name,metres\n")), ("lengths.csv", true));
        std::fs::write(folder.path().join(name), bytes).unwrap();
        assert_eq!(read::<Length>(folder.path()).unwrap(), rows);
    }

    #[test]
    fn a_table_that_is_missing_or_malformed_is_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let trouble = |text: Option<&str>| {
            let path = folder.path().join("lengths.csv");
            if let Some(text) = text {
                std::fs::write(path, text).unwrap();
            }
            read::<Length>(folder.path()).unwrap_err().to_string()
        };
        assert!(trouble(None).contains("lengths.csv") && trouble(None).contains("cargo xtask gate --record"));
        for (text, what) in [
            ("", "columns"),
            ("metres,name\n1,a\n", "the columns are metres,name instead of name,metres"),
            ("name,metres\n", "no rows"),
            ("name,metres\na,long\n", "line: 2"),
            ("name,metres\na\n", "line: 2"),
            ("name,metres\na,-1\n", "a: no such measurement"),
            ("name,metres\na,NaN\n", "a: no such measurement"),
            ("name,metres\na,1\na,1\n", "a: twice"),
        ] {
            let told = trouble(Some(text));
            assert!(told.contains("lengths.csv") && told.contains(what), "{text:?}: {told}");
        }
    }
}
