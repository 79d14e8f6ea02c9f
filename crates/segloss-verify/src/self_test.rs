//! The harness judges itself: which check kills which planted bug, and how small a mistake it still sees.

use crate::checks::Judges;
use crate::compare::relative_to_max;
use crate::exact::ExactCases;
use crate::matrix::Effort;
use crate::planted::{Bug, Planted, zoo};
use crate::run::{Options, Run, run};
use crate::subject::{Library, Precision, Subject};
use crate::tolerance::GRADIENT_EXACT;
use crate::trouble::Trouble;
use segloss::Kind;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;

/// A scale error of this size must be seen in every kind's gradient.
const SMALLEST: f64 = 1e-9;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct SelfTest {
    /// From which the cases were drawn.
    pub seed: u64,
    /// The checks that judge a subject: the oracles.
    pub checks: Vec<&'static str>,
    /// Those that fail without any bug: false alarms.
    pub false_alarms: Vec<&'static str>,
    /// The kill matrix, a row for each planted bug.
    pub bugs: Vec<Verdict>,
    /// The smallest relative error of a gradient's scale that is seen, by kind.
    pub sensitivity: BTreeMap<&'static str, f64>,
}

/// A planted bug and its killers.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Its name.
    pub bug: &'static str,
    /// The mistake it stands for.
    pub stands_for: &'static str,
    /// The checks that failed.
    pub killed_by: Vec<&'static str>,
}

impl Verdict {
    /// ◆ where a check is the only killer, ✗ where it is one of several.
    pub fn mark(&self, check: &str) -> &'static str {
        match self.killed_by.as_slice() {
            [only] if *only == check => "◆",
            some if some.contains(&check) => "✗",
            _ => "",
        }
    }
}

impl SelfTest {
    /// Runs the library and every planted bug through the checks that judge what the bug is in; each verdict goes to
    /// `report` as it falls.
    ///
    /// # Errors
    /// If the harness itself cannot work.
    pub fn run(seed: u64, mut report: impl FnMut(&Verdict)) -> Result<Self, Trouble> {
        let exact = Arc::new(ExactCases::new(seed, Effort::Quick, None));
        let (mut checks, mut false_alarms) = (Vec::new(), Vec::new());
        for judges in [Judges::Losses, Judges::Operations, Judges::Networks, Judges::Training] {
            let clean = judge(&Library, seed, judges, Some(&exact))?;
            checks.extend(clean.results.iter().map(|result| result.name));
            false_alarms.extend(killers(&clean));
        }
        let all: Vec<&'static Bug> = zoo().collect();
        let mut bugs = Vec::with_capacity(all.len());
        // Bug by bug on threads of their own, not of a pool whose threads would take up one bug while another holds
        // what both wait for.
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        for some in all.chunks(workers) {
            let verdicts = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    some.iter().map(|&bug| scope.spawn(|| try_bug(bug, seed, &exact))).collect();
                let join = |thread: ScopedJoinHandle<'_, Result<Verdict, Trouble>>| match thread.join() {
                    Ok(verdict) => verdict,
                    Err(panic) => std::panic::resume_unwind(panic),
                };
                threads.into_iter().map(join).collect::<Result<Vec<Verdict>, Trouble>>()
            })?;
            verdicts.iter().for_each(&mut report);
            bugs.extend(verdicts);
        }
        Ok(Self { seed, checks, false_alarms, bugs, sensitivity: sensitivity(&exact) })
    }

    /// Whether nothing was killed that is right, everything that is not, and no check could be done without.
    pub fn held(&self) -> bool {
        let seen = |kind: &Kind| self.sensitivity.get(kind.name()).is_some_and(|error| *error <= SMALLEST);
        self.false_alarms.is_empty()
            && !self.checks.is_empty()
            && !self.bugs.is_empty()
            && self.survivors().next().is_none()
            && self.dispensable().next().is_none()
            && Kind::ALL.iter().all(seen)
    }

    /// The bugs that no check killed.
    pub fn survivors(&self) -> impl Iterator<Item = &Verdict> {
        self.bugs.iter().filter(|bug| bug.killed_by.is_empty())
    }

    /// The checks without which no bug would survive.
    pub fn dispensable(&self) -> impl Iterator<Item = &'static str> {
        let is_only = |check: &&str| self.bugs.iter().any(|bug| bug.killed_by == [*check]);
        self.checks.iter().copied().filter(move |check| !is_only(check))
    }

    /// The kill matrix as Markdown.
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        _ = writeln!(page, "# The harness judges itself\n").and_then(|()| self.write(&mut page));
        page
    }

    /// The same without its title, onto a page.
    pub(crate) fn write(&self, page: &mut String) -> std::fmt::Result {
        let killed = self.bugs.len() - self.survivors().count();
        writeln!(page, "**{killed} of {} planted bugs killed.** Seed {}.", self.bugs.len(), self.seed)?;
        let least = self.checks.len() - self.dispensable().count();
        writeln!(
            page,
            "Each of {least} of the {} checks is the only killer of some bug (◆). Without a bug, {} raise an alarm.\n",
            self.checks.len(),
            self.false_alarms.len()
        )?;
        let names: Vec<String> =
            self.checks.iter().enumerate().map(|(i, name)| format!("{} `{name}`", i + 1)).collect();
        writeln!(page, "Checks: {}.\n", names.join(", "))?;
        let columns: Vec<String> = (1..=self.checks.len()).map(|i| i.to_string()).collect();
        writeln!(page, "| bug | stands for | {} |", columns.join(" | "))?;
        writeln!(page, "|---|---|{}", "---|".repeat(self.checks.len()))?;
        for bug in &self.bugs {
            let marks: Vec<&str> = self.checks.iter().map(|&check| bug.mark(check)).collect();
            let stands_for = bug.stands_for.replace('|', "\\|");
            writeln!(page, "| {} | {stands_for} | {} |", bug.bug, marks.join(" | "))?;
        }
        writeln!(page, "\n### The smallest error of scale that is seen\n")?;
        writeln!(page, "A gradient times 1 + ε, against the textbook's by dual numbers of 320 bits.\n")?;
        writeln!(page, "| kind | ε |\n|---|---:|")?;
        for (kind, error) in &self.sensitivity {
            writeln!(page, "| `{kind}` | {error:.0e} |")?;
        }
        Ok(())
    }
}

fn try_bug(bug: &'static Bug, seed: u64, exact: &Arc<ExactCases>) -> Result<Verdict, Trouble> {
    let planted = Planted::new(Library, bug);
    // Who shares a misreading with the textbook works it out anew.
    let is_shared = planted.misreading().is_some() || planted.false_rule().is_some();
    let exact = if is_shared { None } else { Some(exact) };
    let killed_by = killers(&judge(&planted, seed, bug.judges(), exact)?);
    Ok(Verdict { bug: bug.name, stands_for: bug.stands_for, killed_by })
}

/// A run of the checks that judge one thing, as short as they can be.
fn judge(
    subject: &dyn Subject,
    seed: u64,
    judges: Judges,
    exact: Option<&Arc<ExactCases>>,
) -> Result<Run, Trouble> {
    // A training has no quick form.
    let effort = if judges == Judges::Training { Effort::Default } else { Effort::Quick };
    let exact = exact.filter(|_| effort == Effort::Quick).cloned();
    run(subject, &Options { seed, effort, judges: Some(judges), exact, ..Options::default() }, |_| ())
}

fn killers(run: &Run) -> Vec<&'static str> {
    run.results.iter().filter(|result| !result.held()).map(|result| result.name).collect()
}

/// For each kind the smallest power of ten ε for which gradient·(1 + ε) fails in some case.
fn sensitivity(exact: &ExactCases) -> BTreeMap<&'static str, f64> {
    let mut seen = BTreeMap::new();
    for known in exact.get() {
        let Ok(found) = Library.evaluate(&known.case, Precision::F64) else { continue };
        for exponent in 1..=15 {
            let error = 10f64.powi(-exponent);
            let scaled: Vec<f64> = found.gradient.iter().map(|g| g * (1.0 + error)).collect();
            if GRADIENT_EXACT.holds(relative_to_max(&scaled, &known.gradient)) {
                break;
            }
            let least = seen.entry(known.case.spec.kind.name()).or_insert(f64::INFINITY);
            *least = f64::min(*least, error);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(bugs: &[(&'static str, &[&'static str])]) -> SelfTest {
        let verdict = |(bug, killers): &(&'static str, &[&'static str])| Verdict {
            bug,
            stands_for: "a | b",
            killed_by: killers.to_vec(),
        };
        SelfTest {
            seed: 1,
            checks: vec!["values", "laws"],
            false_alarms: Vec::new(),
            bugs: bugs.iter().map(verdict).collect(),
            sensitivity: Kind::ALL.iter().map(|kind| (kind.name(), 1e-12)).collect(),
        }
    }

    #[test]
    fn a_survivor_a_false_alarm_or_an_idle_check_fails() {
        let good = result(&[("A", &["values"]), ("B", &["values", "laws"]), ("C", &["laws"])]);
        assert!(good.held());
        let idle = result(&[("A", &["values"]), ("B", &["values", "laws"])]);
        assert_eq!(idle.dispensable().collect::<Vec<_>>(), ["laws"]);
        assert!(!idle.held() && !result(&[]).held());
        assert!(!result(&[("A", &["values"]), ("B", &[]), ("C", &["laws"])]).held());
        assert!(!SelfTest { false_alarms: vec!["laws"], ..good.clone() }.held());
        let mut blind = good.clone();
        blind.sensitivity.insert("dice", 1e-3);
        assert!(!blind.held());
        blind.sensitivity.remove("dice");
        assert!(!blind.held(), "a kind that was not tried");
        assert!(good.markdown().contains("| A | a \\| b | ◆ |  |"), "{}", good.markdown());
    }
}
