//! A run in words and numbers: what all files of a report are made from.

use crate::artifact::{Artifact, StepError, Training, UlpCount, finite_or_name};
use crate::run::Run;
use crate::self_test::SelfTest;
use crate::tally::Hardest;
use crate::tolerance;
use segloss_cases::{Case, Effort, Labels, matrix};
use serde::{Serialize, Serializer};

/// Rises when a reader of an older `report.json` would misread a newer one.
pub const VERSION: u32 = 3;

/// A run, written down. Holds no time and no path: identical inputs give identical files.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// What was judged.
    #[serde(rename = "subject")]
    pub implementation: String,
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
        for artifact in run.results.iter().flat_map(|result| &result.tally.artifacts) {
            match artifact {
                Artifact::Steps(errors) => step_errors.extend(errors.iter().cloned()),
                Artifact::Training(runs) => training = Some(runs.clone()),
                Artifact::Ulps(counts) => ulps.extend(counts.iter().cloned()),
            }
        }
        Self {
            version: VERSION,
            implementation: run.implementation.clone(),
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

fn optional_finite_or_name<S: Serializer>(x: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match x {
        None => serializer.serialize_none(),
        Some(x) => finite_or_name(x, serializer),
    }
}
