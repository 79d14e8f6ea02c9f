//! What a run says on a terminal, line by line, and where its report is.

use crate::error::HarnessError;
use crate::matrix::Effort;
use crate::report::Report;
use crate::run::{CheckResult, Options, Run, run};
use crate::self_test::SelfTest;
use crate::subject::Library;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

/// The run itself: its lines, its report, its verdict.
pub fn prove(options: &Options, folder: &Path) -> Result<(Run, bool), HarnessError> {
    let run = run(&Library, options, |result| print(&check_line(result)))?;

    let mut report = Report::new(&run);
    let mut held = run.held();
    if options.effort == Effort::Full {
        let found = judge_itself(options.seed)?;
        held &= found.held();
        report = report.with_self_test(found);
    }
    let page = report.write(folder)?;
    tell(&page);
    if !run.held() {
        eprintln!("replay: cargo xtask verify{} --seed {}", run.effort.flag(), run.seed);
    }
    print(&format!("{} passed, {} failed", run.passed(), run.failed()));
    Ok((run, held))
}

/// The kill matrix, bug by bug as they fall, and the smallest error that is seen.
pub fn judge_itself(seed: u64) -> Result<SelfTest, HarnessError> {
    let found = SelfTest::run(seed, |bug| {
        let mark = if bug.killed_by.is_empty() { "✗ survives" } else { "✓ killed by" };
        print(&format!("{:<34} {:<70} {mark} {}", bug.bug, bug.stands_for, bug.killed_by.join(" ")));
    })?;
    for (kind, error) in &found.sensitivity {
        print(&format!("smallest error of scale seen in {kind:<22} {error:.0e}"));
    }
    for name in &found.false_alarms {
        print(&format!("✗ {name} fails without any bug"));
    }
    for name in found.dispensable() {
        print(&format!("✗ {name} is the only killer of no bug"));
    }
    let (bugs, survivors) = (found.bugs.len(), found.survivors().count());
    print(&format!("{} of {bugs} planted bugs killed", bugs - survivors));
    Ok(found)
}

/// ✓ name, cases, worst difference, bound, seconds; then what fell short.
pub fn check_line(result: &CheckResult) -> String {
    let mark = mark(result.held());
    let verdict = match result.tally.headline() {
        Some((bound, worst)) if result.tally.cases > 0 => {
            format!(
                "{:>7} cases   worst {worst:<8.1e} bound {:<8e} {:<21}",
                result.tally.cases, bound.bound, bound.name
            )
        }
        _ => format!("{:<68}", "nothing compared"),
    };
    let mut line = format!("{mark} {:<22}{verdict}{:>6.1} s", result.name, result.seconds);
    for failure in &result.tally.failures {
        line.push_str(&format!("\n    {failure}"));
    }
    let more = result.tally.failed.saturating_sub(result.tally.failures.len() as u64);
    if more > 0 {
        line.push_str(&format!("\n    and {more} more"));
    }
    line
}

/// ✓ or ✗, in colour where somebody sees it.
pub fn mark(held: bool) -> String {
    let (mark, paint) = if held { ("✓", "32") } else { ("✗", "31") };
    match std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        true => format!("\x1b[{paint}m{mark}\x1b[0m"),
        false => mark.to_owned(),
    }
}

/// Like `println!`, but a reader that has seen enough (`| head`) is no error.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => eprintln!("error: standard output: {error}"),
        _ => {}
    }
}

/// Where a report is, seen from here.
pub fn tell(page: &Path) {
    let page = page.canonicalize().unwrap_or_else(|_| page.to_owned());
    let here = std::env::current_dir().unwrap_or_default();
    eprintln!("report: {}", page.strip_prefix(&here).unwrap_or(&page).display());
}
