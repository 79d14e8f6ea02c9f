//! What a run has to say on a terminal, line by line. Who runs it prints.

use crate::run::Run;
use crate::tally::CheckResult;
use std::io::IsTerminal;
use std::path::Path;

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

/// How many checks held, and how many did not.
pub fn totals(run: &Run) -> String {
    format!("{} passed, {} failed", run.passed(), run.failed())
}

/// What makes a run again in which something fell short.
pub fn replay(run: &Run) -> Option<String> {
    (!run.held()).then(|| format!("replay: cargo xtask verify{} --seed {}", run.effort.flag(), run.seed))
}

/// Where a report is, seen from here.
pub fn report(page: &Path) -> String {
    let page = page.canonicalize().unwrap_or_else(|_| page.to_owned());
    let here = std::env::current_dir().unwrap_or_default();
    format!("report: {}", page.strip_prefix(&here).unwrap_or(&page).display())
}
