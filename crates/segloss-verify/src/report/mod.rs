//! What a run leaves behind: `report.json` is the source, everything else is made from the same data.

pub mod csv;
mod html;
mod junit;
mod markdown;
mod plots;

use crate::case::{Case, Labels};
use crate::error::HarnessError;
use crate::matrix::{self, Effort};
use crate::run::Run;
use crate::self_test::SelfTest;
use crate::sweep::Sweep;
use crate::tally::{Exhibit, Hardest};
use crate::tolerance;
use serde::{Serialize, Serializer};
use std::path::{Path, PathBuf};

/// Rises when a reader of an older `report.json` would misread a newer one.
pub const VERSION: u32 = 3;

/// A run, written down. Holds no time and no path: identical inputs give identical files.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// What was judged.
    pub subject: String,
    /// From which everything drawn was drawn.
    pub seed: u64,
    /// `quick` or `default`.
    pub profile: &'static str,
    /// Checks that held.
    pub passed: usize,
    /// Checks that fell short.
    pub failed: usize,
    /// In the order in which they ran.
    pub checks: Vec<CheckEntry>,
    /// The tolerance table.
    pub tolerances: Vec<ToleranceEntry>,
    /// The cases that came nearest to their bounds, or went beyond: the worst first.
    pub hardest: Vec<HardCase>,
    /// How many entries were off by how many units in the last place.
    pub ulps: Vec<UlpCount>,
    /// Errors of one-step differences.
    pub step_errors: Vec<StepError>,
    /// The short training, if it ran.
    pub training: Option<Training>,
    /// The kill matrix, of a full run.
    pub self_test: Option<SelfTest>,
}

/// A check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckEntry {
    /// Its name.
    pub name: &'static str,
    /// What holds if it passed.
    pub claim: &'static str,
    /// Whether it did.
    pub held: bool,
    /// Comparisons made.
    pub cases: u64,
    /// Comparisons that fell short.
    pub failed: u64,
    /// The bound that came nearest to failing.
    pub bound: &'static str,
    /// The worst difference under it.
    #[serde(serialize_with = "finite_or_name")]
    pub worst: f64,
    /// What 99 % of the differences under it do not exceed.
    #[serde(serialize_with = "finite_or_name")]
    pub p99: f64,
    /// bound / worst: how many times worse it could be. ∞ where nothing was off.
    #[serde(serialize_with = "finite_or_name")]
    pub headroom: f64,
    /// The kinds that were judged.
    pub kinds: Vec<&'static str>,
    /// The first failures.
    pub failures: Vec<String>,
}

/// A bound and what came nearest to it.
#[derive(Clone, Debug, Serialize)]
pub struct ToleranceEntry {
    /// The bound's name.
    pub name: &'static str,
    /// The bound.
    pub bound: f64,
    /// Comparisons under it.
    pub cases: u64,
    /// The worst difference of the run; absent if no check used it.
    #[serde(serialize_with = "optional_finite_or_name")]
    pub worst: Option<f64>,
    /// What 99 % of the differences do not exceed.
    #[serde(serialize_with = "optional_finite_or_name")]
    pub p99: Option<f64>,
    /// Why this number.
    pub reason: &'static str,
}

/// A case that was hard on its bound, with all that is needed to look at it again.
#[derive(Clone, Debug, Serialize)]
pub struct HardCase {
    /// The check.
    pub check: &'static str,
    /// What was compared.
    pub case: String,
    /// Under which bound.
    pub bound: &'static str,
    /// How far it was off.
    #[serde(serialize_with = "finite_or_name")]
    pub difference: f64,
    /// Does it again, bit for bit.
    pub replay: String,
    /// The input, of a drawn case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<HardInput>,
}

/// The input of a drawn case.
#[derive(Clone, Debug, Serialize)]
pub struct HardInput {
    /// The loss, as TOML.
    pub spec: String,
    /// Of the logits.
    pub shape: Vec<usize>,
    /// Laid out as the specification says.
    pub logits: Vec<f64>,
    /// Labels (N, spatial…), or a distribution like the logits.
    pub target: Vec<f64>,
    /// The weight of each pixel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_map: Option<Vec<f64>>,
}

/// How many entries of a kind's maps and gradients were off by so many units in the last place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UlpCount {
    /// Which loss.
    pub loss: String,
    /// `f32` or `f64`.
    pub precision: &'static str,
    /// Units in the last place.
    pub ulps: u64,
    /// Entries.
    pub count: u64,
    /// What is allowed.
    pub bound: f64,
}

/// How far a central difference of one step size is off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepError {
    /// The kind of loss.
    pub kind: String,
    /// h.
    pub step: f64,
    /// Relative to max|g|.
    #[serde(serialize_with = "finite_or_name")]
    pub error: f64,
}

/// The short training: plain against weighted, from the same seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Training {
    /// Names of the classes, by label.
    pub classes: Vec<String>,
    /// The class whose recall the claim is about.
    pub rare: usize,
    /// By how much the mean recall must rise.
    pub margin: f64,
    /// Every run.
    pub runs: Vec<TrainingRun>,
    /// A PNG: an image that was not trained on, its truth, and what the first seed's plain and weighted
    /// nets make of it.
    #[serde(skip)]
    pub picture: Vec<u8>,
}

/// One training run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingRun {
    /// `plain` or `weighted`.
    pub loss: &'static str,
    /// Of weights, order and flips.
    pub seed: u64,
    /// Mean loss of each epoch.
    pub losses: Vec<f64>,
    /// On images that were not trained on.
    pub recall: Vec<f64>,
    /// On images that were not trained on.
    pub iou: Vec<f64>,
}

impl Training {
    /// The runs of one loss.
    pub fn runs_of<'a>(&'a self, loss: &'a str) -> impl Iterator<Item = &'a TrainingRun> {
        self.runs.iter().filter(move |run| run.loss == loss)
    }

    /// The mean over the seeds of a number of each run.
    pub fn mean(&self, loss: &str, of: impl Fn(&TrainingRun) -> f64) -> f64 {
        let values: Vec<f64> = self.runs_of(loss).map(of).collect();
        values.iter().sum::<f64>() / values.len() as f64
    }
}

impl Report {
    /// Puts a run into words and numbers.
    pub fn new(run: &Run) -> Self {
        let checks: Vec<CheckEntry> = run
            .results
            .iter()
            .map(|result| {
                let (bound, worst) = result.tally.headline().unwrap_or((&tolerance::EXACT, f64::NAN));
                CheckEntry {
                    name: result.name,
                    claim: result.claim,
                    held: result.held(),
                    cases: result.tally.cases,
                    failed: result.tally.failed,
                    bound: bound.name,
                    worst,
                    p99: result
                        .tally
                        .spreads
                        .get(bound.name)
                        .map_or(f64::NAN, |spread| spread.percentile(0.99)),
                    headroom: if worst == 0.0 { f64::INFINITY } else { bound.bound / worst },
                    kinds: result.tally.kinds.iter().map(|kind| kind.name()).collect(),
                    failures: result.tally.failures.clone(),
                }
            })
            .collect();
        let tolerances = tolerance::ALL
            .iter()
            .map(|bound| {
                let seen = run.results.iter().filter_map(|result| result.tally.spreads.get(bound.name));
                let spread = seen.cloned().reduce(|mut all, one| {
                    all.join(&one);
                    all
                });
                ToleranceEntry {
                    name: bound.name,
                    bound: bound.bound,
                    cases: spread.as_ref().map_or(0, |spread| spread.count),
                    worst: spread.as_ref().map(|spread| spread.worst),
                    p99: spread.as_ref().map(|spread| spread.percentile(0.99)),
                    reason: bound.reason,
                }
            })
            .collect();
        let (mut step_errors, mut training, mut ulps) = (Vec::new(), None, Vec::new());
        for exhibit in run.results.iter().flat_map(|result| &result.tally.exhibits) {
            match exhibit {
                Exhibit::Steps(errors) => step_errors.extend(errors.iter().cloned()),
                Exhibit::Training(runs) => training = Some(runs.clone()),
                Exhibit::Ulps(counts) => ulps.extend(counts.iter().cloned()),
            }
        }
        Self {
            version: VERSION,
            subject: run.subject.clone(),
            seed: run.seed,
            profile: run.effort.name(),
            passed: run.passed(),
            failed: run.failed(),
            checks,
            tolerances,
            hardest: hardest(run),
            ulps,
            step_errors,
            training,
            self_test: None,
        }
    }

    /// With the kill matrix.
    pub fn with_self_test(self, found: SelfTest) -> Self {
        Self { self_test: Some(found), ..self }
    }

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

/// Hard cases that are written out.
const HARDEST: usize = 10;

/// Of one check.
const HARDEST_OF_CHECK: usize = 2;

/// The ten hardest cases, two of a check at most, each of a drawn case with its input.
fn hardest(run: &Run) -> Vec<HardCase> {
    let mut all: Vec<(&'static str, &Hardest)> = run
        .results
        .iter()
        .flat_map(|result| {
            let hardest = result.tally.hardest.iter().take(HARDEST_OF_CHECK);
            hardest.map(|hard| (result.name, hard))
        })
        .collect();
    all.sort_by(|a, b| b.1.strain().total_cmp(&a.1.strain()));
    let drawn: Vec<Case> = matrix::cases(run.seed, run.effort).collect();
    all.into_iter()
        .take(HARDEST)
        .map(|(check, hard)| {
            // What is compared is named after its case, with a word or two behind.
            let named = |case: &&Case| hard.case.split([' ', ',']).next() == Some(case.name.as_str());
            let (case, profile, seed) = match hard.seed {
                None => (drawn.iter().find(named).cloned(), run.effort.flag(), run.seed),
                Some(seed) => {
                    let of_seed = matrix::cases(seed, Effort::Sweep).find(|case| named(&case));
                    (of_seed, Effort::Sweep.flag(), seed)
                }
            };
            let only = case.as_ref().map_or_else(String::new, |case| format!(" --case {}", case.name));
            HardCase {
                check,
                case: hard.case.clone(),
                bound: hard.bound.name,
                difference: hard.difference,
                replay: format!("cargo xtask verify{profile} --seed {} --check {check}{only}", seed),
                input: case.map(|case| HardInput {
                    spec: case.spec.to_toml(),
                    shape: case.shape(),
                    logits: case.logits.clone(),
                    target: match &case.target {
                        Labels::Indices(labels) => labels.iter().map(|&label| label as f64).collect(),
                        Labels::Distribution(y) => y.clone(),
                    },
                    weight_map: case.weight_map.clone(),
                }),
            }
        })
        .collect()
}

/// JSON knows no NaN and no infinity: these are written by name.
fn finite_or_name<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if x.is_finite() { serializer.serialize_f64(*x) } else { serializer.collect_str(x) }
}

fn optional_finite_or_name<S: Serializer>(x: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match x {
        None => serializer.serialize_none(),
        Some(x) => finite_or_name(x, serializer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::CheckResult;
    use crate::tally::Tally;

    /// A run with a check that held, one that failed with NaN, one that compared nothing.
    fn sample() -> Run {
        let mut held = Tally::default();
        held.measure(&tolerance::VALUE_F64, 1e-15, "case");
        held.exhibits.push(Exhibit::Steps(
            (0..20).map(|i| StepError { kind: "dice".into(), step: 10f64.powi(-i), error: 1e-9 }).collect(),
        ));
        let run = |loss| TrainingRun {
            loss,
            seed: 1,
            losses: vec![1.0, 0.5],
            recall: vec![0.9, 0.2],
            iou: vec![0.8, 0.1],
        };
        held.exhibits.push(Exhibit::Training(Training {
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
            subject: "s".into(),
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
