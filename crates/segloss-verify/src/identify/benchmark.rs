//! How often `check` is right: losses of other frameworks, right ones and wrong ones, whose answers lie in `reports/check`.

use super::about::About;
use super::capture::Capture;
use super::cause::Cause;
use super::error::CheckError;
use super::expected::expected;
use super::report::{Report, Verdict};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;

/// A loss of the benchmark: a row of `cases.csv`.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its name, and that of its files.
    #[serde(rename = "case")]
    pub name: String,
    /// `right` or `wrong`.
    pub truth: String,
    /// The kind that it is, or is meant to be; of a sum with `+`.
    pub kind: String,
    /// What is wrong with it.
    pub cause: String,
    /// Whose it is.
    pub dialect: String,
    /// Where it shows: `both`, `answers`, `capture`.
    pub shows: String,
    /// What its author says that it is, where only that makes it wrong.
    pub expect: String,
    /// What `torch.autograd.gradcheck` says of it: pass, fail or error; empty where it is none of PyTorch's.
    pub gradcheck: String,
    /// `first`, `second`, `third`, `fourth`; see [`tables`].
    pub part: String,
}

/// From what a loss is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The answers to the probe.
    Answers,
    /// One batch.
    Capture,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Answers, Self::Capture];

    fn folder(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Capture => "captures",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Capture => "capture",
        }
    }
}

/// What came of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The case.
    pub case: String,
    /// As in [`Case::part`].
    pub part: String,
    /// From what.
    pub mode: Mode,
    /// `right` or `wrong`.
    pub truth: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What it was said to be.
    pub name: String,
    /// What is wrong with it, the gravest first.
    pub causes: String,
    /// Whether that is so: a right one by its kind, a wrong one by its cause.
    pub hit: bool,
    /// What `torch.autograd.gradcheck` says.
    pub gradcheck: String,
    /// Seconds that it took; not a part of the report.
    #[serde(skip)]
    pub seconds: f64,
}

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// That are so.
    pub hits: usize,
    /// Of.
    pub all: usize,
}

/// The cases of a folder.
///
/// # Errors
/// [`CheckError::Content`] where `cases.csv` cannot be read.
pub fn cases(folder: &Path) -> Result<Vec<Case>, CheckError> {
    let path = folder.join("cases.csv");
    let problem = |error: csv::Error| CheckError::Content {
        path: path.clone(),
        batch: String::new(),
        problem: error.to_string(),
    };
    csv::Reader::from_path(&path).map_err(problem)?.deserialize().collect::<Result<_, _>>().map_err(problem)
}

/// Judges a case; none where it does not show in this mode.
///
/// # Errors
/// As [`Capture::open`].
pub fn judge(folder: &Path, case: &Case, mode: Mode) -> Result<Option<Outcome>, CheckError> {
    if case.shows != "both" && case.shows != mode.name() {
        return Ok(None);
    }
    let begun = Instant::now();
    let path = folder.join(mode.folder()).join(format!("{}.npz", case.name));
    let capture = Capture::open(&path, About::default())?;
    let meant = (!case.expect.is_empty()).then(|| expected(&case.expect)).transpose().map_err(|problem| {
        CheckError::Content { path: folder.join("cases.csv"), batch: format!("{}: ", case.name), problem }
    })?;
    let report = Report::new(&capture, meant.as_ref());
    let causes: Vec<String> = report.causes().into_iter().map(Cause::name).collect();
    let name = report.name.clone().unwrap_or_default();
    let hit = match case.truth.as_str() {
        "right" => report.verdict == Verdict::Right && kinds(&name) == kinds(&case.kind),
        _ => report.verdict == Verdict::Wrong && causes.contains(&case.cause),
    };
    Ok(Some(Outcome {
        case: case.name.clone(),
        part: case.part.clone(),
        mode,
        truth: case.truth.clone(),
        verdict: report.verdict,
        name,
        causes: causes.join(" "),
        hit,
        gradcheck: case.gradcheck.clone(),
        seconds: begun.elapsed().as_secs_f64(),
    }))
}

/// The kinds of a sum, in order of their names.
fn kinds(name: &str) -> Vec<String> {
    let mut kinds: Vec<String> =
        name.split(" + ").map(|term| term.split(" (").next().unwrap_or(term).trim().to_owned()).collect();
    kinds.sort();
    kinds
}

/// How many of the outcomes that `of` names are so.
pub fn share(outcomes: &[Outcome], of: impl Fn(&Outcome) -> bool, is: impl Fn(&Outcome) -> bool) -> Share {
    let of: Vec<&Outcome> = outcomes.iter().filter(|outcome| of(outcome)).collect();
    Share { hits: of.iter().filter(|outcome| is(outcome)).count(), all: of.len() }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = if self.all == 0 { 0.0 } else { 100.0 * self.hits as f64 / self.all as f64 };
        write!(f, "{} of {} ({share:.0} %)", self.hits, self.all)
    }
}

/// The tables of the report, in Markdown: of each part one.
pub fn tables(outcomes: &[Outcome]) -> String {
    let of = |part: &str, title: &str| {
        let own: Vec<Outcome> = outcomes.iter().filter(|outcome| outcome.part == part).cloned().collect();
        format!("{title}\n\n{}", table(&own))
    };
    let parts = [
        ("first", "Those that the search was written beside:"),
        ("second", "Those that were held out once, and are known to it since:"),
        ("third", "Those that were held out last, and are known to it since:"),
        ("fourth", "Those that newcomers asked about, known to it since:"),
    ];
    parts.map(|(part, title)| of(part, title)).join("\n")
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = "| | probes | one capture |\n| --- | --- | --- |\n".to_owned();
    let mut line = |title: &str, of: &dyn Fn(&Outcome) -> bool, is: &dyn Fn(&Outcome) -> bool| {
        let share = |mode| share(outcomes, |outcome| outcome.mode == mode && of(outcome), is);
        text += &format!("| {title} | {} | {} |\n", share(Mode::Answers), share(Mode::Capture));
    };
    let (right, wrong) = (|o: &Outcome| o.truth == "right", |o: &Outcome| o.truth == "wrong");
    line("right ones, named", &right, &|o| o.hit);
    line("right ones, called wrong", &right, &|o| o.verdict == Verdict::Wrong);
    line("right ones, named as another kind", &right, &|o| o.verdict == Verdict::Right && !o.hit);
    line("wrong ones, found", &wrong, &|o| o.verdict == Verdict::Wrong);
    line("wrong ones, with the right cause", &wrong, &|o| o.hit);
    let torch = |o: &Outcome| !o.gradcheck.is_empty();
    line("wrong ones in PyTorch, found", &|o| wrong(o) && torch(o), &|o| o.verdict == Verdict::Wrong);
    line("the same, by `torch.autograd.gradcheck`", &|o| wrong(o) && torch(o), &|o| o.gradcheck != "pass");
    line("right ones in PyTorch, refused by `gradcheck`", &|o| right(o) && torch(o), &|o| {
        o.gradcheck != "pass"
    });
    text
}
