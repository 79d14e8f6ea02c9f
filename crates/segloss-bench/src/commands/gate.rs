//! `cargo xtask gate`.

use super::print;
use crate::error::Error;
use crate::gate::baseline::{Baseline, Changes, TimedAgainst};
use crate::gate::command::build_worker;
use crate::gate::pairs::Launch;
use crate::gate::report::{Origin, write_self_test};
use crate::gate::self_test::{SelfTest, Trials, count};
use crate::gate::table::Comparison;
use crate::gate::timing::{self, Timing, Verdict};
use crate::gate::{self, environment, record, revision, workloads};
use segloss_verify::Options;
use segloss_verify::library::Library;
use segloss_verify::report::Report;
use segloss_verify::terminal::{self, check_line, mark};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// Instead of all else, build the baseline's revision and time the code against it, in turn: minutes.
    #[arg(long)]
    time: bool,
    /// Judge the gate instead: plant what it must notice, and time a program against itself: a quarter of an hour.
    #[arg(long, conflicts_with = "time")]
    self_test: bool,
    /// Fewer trials of the self-test: a minute or two.
    #[arg(long, requires = "self_test", conflicts_with = "record")]
    quick: bool,
    /// Write what was measured to reports/baseline, to be committed; with --time, the revision to be timed against;
    /// with --self-test, its report to reports/gate.
    #[arg(long)]
    record: bool,
    /// Why it is right that something gets worse; it is recorded with the date.
    #[arg(long, requires = "record", conflicts_with = "self_test", value_name = "TEXT")]
    reason: Option<String>,
    /// Decides the order of timed calls, and what is planted where.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

/// Whether nothing got worse.
pub fn run(arguments: &Arguments) -> Result<bool, Error> {
    let project = Project::here();
    match arguments {
        Arguments { time: true, .. } => time(&project, arguments),
        Arguments { self_test: true, .. } => self_test(&project, arguments),
        _ => judge(&project, arguments),
    }
}

/// Where things are.
struct Project {
    root: PathBuf,
    baseline: PathBuf,
    /// For what is built and written on the way.
    scratch: PathBuf,
}

impl Project {
    fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Self { baseline: root.join("reports/baseline"), scratch: root.join("target/gate"), root }
    }
}

/// Verify, and what is compared with what is written down.
fn judge(project: &Project, arguments: &Arguments) -> Result<bool, Error> {
    if arguments.record {
        demand_a_revision(project)?;
    }
    let run = segloss_verify::run(&Library, &Options::default(), |result| print(&check_line(result)))?;
    eprintln!("{}", terminal::report(&Report::new(&run).write(&project.root.join("target/verify"))?));
    terminal::replay(&run).iter().for_each(|line| eprintln!("{line}"));
    print(&terminal::totals(&run));
    let proven = run.held();
    let worker = build_worker(&project.root, None)?;
    let found = gate::measure(&run, &worker, &project.scratch.join("callgrind"))?;
    if arguments.record {
        return record_measurements(project, arguments, &found, proven);
    }
    let recorded = Baseline::read(&project.baseline)?;
    let comparisons = gate::compare(&recorded, &found);
    comparisons.iter().for_each(|comparison| print(&lines(comparison)));
    let held = proven && comparisons.iter().all(Comparison::held);
    if comparisons.iter().any(|comparison| !comparison.held() || !comparison.better.is_empty()) {
        eprintln!(
            "to record what was measured: cargo xtask gate --record [--reason \"why it may cost that\"]"
        );
    }
    print(if held { "gate: held" } else { "gate: regression" });
    Ok(held)
}

/// A baseline is of a revision: what is not committed cannot be had again.
fn demand_a_revision(project: &Project) -> Result<(), Error> {
    let uncommitted = revision::uncommitted(&project.root)?;
    if uncommitted.is_empty() {
        return Ok(());
    }
    let told = uncommitted.join("\n  ");
    Err(Error::Record(format!("a baseline is of a revision, and these are not committed:\n  {told}")))
}

fn record_measurements(
    project: &Project,
    arguments: &Arguments,
    found: &Baseline,
    proven: bool,
) -> Result<bool, Error> {
    if !proven {
        return Err(Error::Record("verify failed".to_owned()));
    }
    gate::demand_completeness(found)?;
    let costs = match Baseline::read(&project.baseline) {
        Ok(recorded) => record::costs(&gate::compare(&recorded, found)),
        // The first of all.
        Err(Error::NoBaseline(_)) => Vec::new(),
        Err(trouble) => return Err(trouble),
    };
    allow(project, arguments, costs)?;
    found.write(&project.baseline)?;
    if matches!(TimedAgainst::read(&project.baseline), Err(Error::NoBaseline(_))) {
        record_revision(project)?;
    }
    print("gate: recorded");
    Ok(true)
}

fn allow(project: &Project, arguments: &Arguments, costs: Vec<String>) -> Result<(), Error> {
    let mut changes = Changes::read(&project.baseline)?;
    let (head, today) = (revision::head(&project.root)?, record::today());
    if record::allow(&mut changes, costs, arguments.reason.as_deref(), &head, &today)? {
        changes.write(&project.baseline)?;
    }
    Ok(())
}

fn record_revision(project: &Project) -> Result<(), Error> {
    let revision = revision::head(&project.root)?;
    TimedAgainst { revision, date: record::today() }.write(&project.baseline)
}

/// A line for the table, and one for each thing that is to be known of it.
fn lines(comparison: &Comparison) -> String {
    let mut line =
        format!("{} {:<14}{:>6} compared", mark(comparison.held()), comparison.table, comparison.compared);
    for (what, rows) in [
        ("worse", &comparison.worse),
        ("new", &comparison.unrecorded),
        ("gone", &comparison.vanished),
        ("better", &comparison.better),
    ] {
        if !rows.is_empty() {
            line.push_str(&format!(", {} {what}", rows.len()));
        }
    }
    for (what, rows) in [
        ("worse: ", &comparison.worse),
        ("not recorded: ", &comparison.unrecorded),
        ("no longer measured: ", &comparison.vanished),
        ("better, record it: ", &comparison.better),
        ("", &comparison.left_out),
    ] {
        rows.iter().for_each(|row| line.push_str(&format!("\n    {what}{row}")));
    }
    line
}

/// The code against the baseline's revision, in turn.
fn time(project: &Project, arguments: &Arguments) -> Result<bool, Error> {
    if arguments.record {
        demand_a_revision(project)?;
    }
    let against = match TimedAgainst::read(&project.baseline) {
        Err(Error::NoBaseline(_)) if arguments.record => {
            record_revision(project)?;
            print("gate: recorded");
            return Ok(true);
        }
        against => against?,
    };
    let ours = Launch::plain(build_worker(&project.root, None)?);
    let theirs = Launch::plain(revision::worker(&project.root, &against.revision, &project.scratch)?);
    eprintln!("against {} of {}", against.revision, against.date);
    let mut timings = Vec::new();
    for workload in workloads::TIMED {
        let timing = timing::time(workload, &theirs, &ours, timing::EFFORT, arguments.seed)?;
        print(&timing_line(&timing));
        timings.push(timing);
    }
    if arguments.record {
        allow(project, arguments, timing::costs(&timings))?;
        record_revision(project)?;
        print("gate: recorded");
        return Ok(true);
    }
    match timing::overall(&timings) {
        Verdict::Slower => {
            eprintln!(
                "to time against this revision from now on: cargo xtask gate --time --record --reason \"…\""
            );
            print("gate: regression");
            Ok(false)
        }
        Verdict::Inconclusive => Err(Error::Inconclusive),
        Verdict::Held | Verdict::Faster => {
            print("gate: held");
            Ok(true)
        }
    }
}

/// Verdict, ratio with its interval, the A/A control's interval, pairs.
fn timing_line(timing: &Timing) -> String {
    let series = timing.decisive();
    let per_cent = |ln: f64| 100.0 * ln.exp_m1();
    let (control, own) = (series.control, series.candidate);
    let mark = match timing.verdict() {
        Verdict::Inconclusive => "?".to_owned(),
        verdict => mark(verdict != Verdict::Slower),
    };
    format!(
        "{mark} {:<58}{:<13}{:>+6.1} % ({:+.1} to {:+.1})   A/A {:+.1} to {:+.1}   {} pairs{}",
        timing.workload,
        timing.verdict().name(),
        per_cent(own.median),
        per_cent(own.low),
        per_cent(own.high),
        per_cent(control.low),
        per_cent(control.high),
        series.pairs,
        if timing.confirming.is_some() { ", twice" } else { "" },
    )
}

/// What is planted must be noticed, and nothing else.
fn self_test(project: &Project, arguments: &Arguments) -> Result<bool, Error> {
    if arguments.record {
        demand_a_revision(project)?;
    }
    let origin = Origin {
        machine: environment::machine(),
        tools: environment::Environment::here()?.words(),
        revision: revision::head(&project.root)?,
        date: record::today(),
    };
    let worker = build_worker(&project.root, None)?;
    let trials = if arguments.quick { Trials::QUICK } else { Trials::FULL };
    let found = SelfTest::run(&worker, &project.scratch.join("callgrind"), arguments.seed, trials, print)?;
    let folder =
        if arguments.record { project.root.join("reports/gate") } else { project.scratch.join("self_test") };
    eprintln!("{}", terminal::report(&write_self_test(&found, &origin, &folder)?));
    let (caught, planted) = found.instructions_caught();
    let (slower, alarms) = (count(&found.slowdowns, Verdict::Slower), count(&found.alike, Verdict::Slower));
    print(&format!("{caught} of {planted} planted instructions caught"));
    print(&format!("{slower} of {} planted slowdowns caught", found.slowdowns.len()));
    print(&format!("{alarms} alarms in {} timings of the same program", found.alike.len()));
    print(if found.held() { "gate: held" } else { "gate: falls short" });
    Ok(found.held())
}
