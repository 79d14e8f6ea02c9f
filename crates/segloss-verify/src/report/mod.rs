//! What a run leaves behind: `report.json` is the source, everything else is made from the same data.

pub mod csv;
mod data;
mod html;
mod junit;
mod markdown;
mod plots;

use crate::error::HarnessError;
use crate::self_test::SelfTest;
use crate::sweep::Sweep;
use serde::Serialize;
use std::path::{Path, PathBuf};

pub use data::{CheckEntry, HardCase, HardInput, Report, ToleranceEntry, VERSION};

impl Report {
    /// Every file of the report: (name, contents).
    ///
    /// # Errors
    /// [`HarnessError::Report`] if one cannot be put together.
    pub fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, HarnessError> {
        let failed =
            |part| move |error: serde_json::Error| HarnessError::Report { part, what: error.to_string() };
        let json = serde_json::to_string_pretty(self).map_err(failed("JSON"))?;
        let mut texts = vec![
            ("report.json", json + "\n"),
            ("report.md", markdown::page(self)),
            ("checks.csv", csv::checks(self)?),
            ("junit.xml", junit::suite(self)),
            ("hardest.csv", csv::hardest(self)?),
            ("ulps.csv", csv::ulps(self)?),
            ("ulps.svg", plots::ulps(self)?),
            ("gradient_error.csv", csv::step_errors(self)?),
            ("gradient_error.svg", plots::step_errors(self)?),
        ];
        if let Some(training) = &self.training {
            texts.push(("training.csv", csv::training(training)?));
            texts.push(("training_loss.svg", plots::training_loss(training)?));
            texts.push(("training_classes.svg", plots::training_classes(training)?));
        }
        texts.push(("report.html", html::page(self, &texts)));
        let mut files: Vec<_> = texts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
        files.extend(self.training.iter().map(|training| ("training_images.png", training.picture.clone())));
        Ok(files)
    }

    /// Writes the report into a folder; each file appears whole or not at all. Returns the page to read.
    ///
    /// # Errors
    /// [`HarnessError::Report`] or [`HarnessError::File`].
    pub fn write(&self, folder: &Path) -> Result<PathBuf, HarnessError> {
        write_all(folder, self.files()?)?;
        Ok(folder.join("report.md"))
    }
}

/// Writes the kill matrix beside the report. Returns the page to read.
///
/// # Errors
/// [`HarnessError::Report`] or [`HarnessError::File`].
pub fn write_self_test(found: &SelfTest, folder: &Path) -> Result<PathBuf, HarnessError> {
    beside(folder, "self_test", found, found.markdown())
}

/// Writes what came of many seeds beside the report. Returns the page to read.
///
/// # Errors
/// [`HarnessError::Report`] or [`HarnessError::File`].
pub fn write_sweep(found: &Sweep, folder: &Path) -> Result<PathBuf, HarnessError> {
    beside(folder, "seeds", found, markdown::sweep(found))
}

fn beside(
    folder: &Path,
    part: &'static str,
    of: &impl Serialize,
    page: String,
) -> Result<PathBuf, HarnessError> {
    let failed = |error: serde_json::Error| HarnessError::Report { part, what: error.to_string() };
    let json = serde_json::to_string_pretty(of).map_err(failed)?;
    write_all(folder, [(format!("{part}.json"), (json + "\n").into_bytes())])?;
    let name = format!("{part}.md");
    write_all(folder, [(name.clone(), page.into_bytes())])?;
    Ok(folder.join(name))
}

/// Each file whole, or not at all.
pub fn write_all<N: AsRef<Path>>(
    folder: &Path,
    files: impl IntoIterator<Item = (N, Vec<u8>)>,
) -> Result<(), HarnessError> {
    std::fs::create_dir_all(folder).map_err(HarnessError::file(folder))?;
    for (name, contents) in files {
        let path = folder.join(name);
        segloss_unet::files::write_atomic(&path, &contents)
            .map_err(|error| HarnessError::file(path)(std::io::Error::other(error)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Artifact, StepError, Training, TrainingRun};
    use crate::run::Run;
    use crate::tally::{CheckResult, Tally};
    use crate::tolerance;
    use segloss_cases::Effort;

    /// A run with a check that held, one that failed with NaN, one that compared nothing.
    fn sample() -> Run {
        let mut held = Tally::default();
        held.measure(&tolerance::VALUE_F64, 1e-15, "case");
        held.artifacts.push(Artifact::Steps(
            (0..20).map(|i| StepError { kind: "dice".into(), step: 10f64.powi(-i), error: 1e-9 }).collect(),
        ));
        let run = |loss| TrainingRun {
            loss,
            seed: 1,
            losses: vec![1.0, 0.5],
            recall: vec![0.9, 0.2],
            iou: vec![0.8, 0.1],
        };
        held.artifacts.push(Artifact::Training(Training {
            classes: vec!["background".into(), "boundary".into()],
            rare: 1,
            margin: 0.1,
            runs: vec![run("plain"), run("weighted")],
            picture: vec![1, 2, 3],
        }));
        let mut failed = Tally::default();
        failed.measure(&tolerance::VALUE_F64, f64::NAN, "case | with a pipe");
        let result = |name, tally| CheckResult { name, claim: "something holds", tally, seconds: 1.25 };
        Run {
            implementation: "s".into(),
            seed: 7,
            effort: Effort::Default,
            results: vec![result("first", held), result("second", failed), result("third", Tally::default())],
        }
    }

    #[test]
    fn json_csv_and_markdown_agree_on_the_counts() {
        let report = Report::new(&sample());
        let files = report.files().unwrap().into_iter();
        let files: std::collections::BTreeMap<_, _> =
            files.filter_map(|(name, contents)| Some((name, String::from_utf8(contents).ok()?))).collect();
        let json: serde_json::Value = serde_json::from_str(&files["report.json"]).unwrap();
        assert_eq!(
            (json["version"].as_u64(), json["passed"].as_u64(), json["failed"].as_u64()),
            (Some(u64::from(VERSION)), Some(1), Some(2))
        );
        assert_eq!(json["checks"][1]["worst"], "NaN");

        let table = &files["checks.csv"];
        assert_eq!(table.lines().count(), 1 + 3);
        assert_eq!(table.lines().filter(|line| line.contains(",true,")).count(), 1);

        let page = &files["report.md"];
        assert!(page.contains("1 passed, 2 failed"), "{page}");
        assert_eq!(page.lines().filter(|line| line.starts_with("| ✓ |")).count(), 1);
        assert_eq!(page.lines().filter(|line| line.starts_with("| ✗ |")).count(), 2);
        assert!(page.contains("case \\| with a pipe"));
    }

    #[test]
    fn a_report_is_the_same_twice_and_holds_no_time() {
        let mut slower = sample();
        slower.results.iter_mut().for_each(|result| result.seconds = 99.5);
        let (once, again) = (Report::new(&sample()).files().unwrap(), Report::new(&slower).files().unwrap());
        assert_eq!(once, again);
    }

    #[test]
    fn files_are_written_where_asked() {
        let folder = tempfile::tempdir().unwrap();
        let report = Report::new(&sample());
        let page = report.write(&folder.path().join("a/b")).unwrap();
        assert!(page.is_file());
        assert_eq!(std::fs::read_dir(page.parent().unwrap()).unwrap().count(), report.files().unwrap().len());
    }
}
