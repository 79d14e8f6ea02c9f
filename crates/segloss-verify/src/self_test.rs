//! The harness judges itself: which check kills which planted bug, and how small a mistake it still sees.

use crate::check::Judged;
use crate::compare::relative_to_max;
use crate::error::HarnessError;
use crate::exact::ExactCases;
use crate::implementation::{Implementation, Precision};
use crate::library::Library;
use crate::planted::{Bug, Planted, zoo};
use crate::run::{Options, Run, run};
use crate::tolerance::{self, GRADIENT_EXACT, SCALED_F64};
use segloss::Kind;
use segloss_cases::Effort;
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
    /// The checks that judge a implementation: the oracles.
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
    /// The check that is meant to.
    pub killer: &'static str,
    /// The checks that failed.
    pub killed_by: Vec<&'static str>,
}

impl Verdict {
    /// Whether the check that is meant to notice it did.
    pub fn is_killed_as_meant(&self) -> bool {
        self.killed_by.contains(&self.killer)
    }

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
    pub fn run(seed: u64, mut report: impl FnMut(&Verdict)) -> Result<Self, HarnessError> {
        let exact = Arc::new(ExactCases::new(seed, Effort::Quick, None));
        let (mut checks, mut false_alarms) = (Vec::new(), Vec::new());
        for judged in [Judged::Losses, Judged::Operations, Judged::Networks, Judged::Training] {
            let clean = run(&Library, &short(seed, judged, Some(&exact)), |_| ())?;
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
                    some.iter().map(|&bug| scope.spawn(|| try_bug(bug, seed, &exact, false))).collect();
                let join = |thread: ScopedJoinHandle<'_, Result<Verdict, HarnessError>>| match thread.join() {
                    Ok(verdict) => verdict,
                    Err(panic) => std::panic::resume_unwind(panic),
                };
                threads.into_iter().map(join).collect::<Result<Vec<Verdict>, HarnessError>>()
            })?;
            verdicts.iter().for_each(&mut report);
            bugs.extend(verdicts);
        }
        Ok(Self { seed, checks, false_alarms, bugs, sensitivity: sensitivity(&exact) })
    }

    /// Some bugs of the zoo, each tried on nothing but the check that is meant to notice it: the quick form of
    /// [`run`](Self::run), for the tests.
    ///
    /// # Errors
    /// If the harness itself cannot work.
    pub fn sample(seed: u64, bugs: &[&str]) -> Result<Vec<Verdict>, HarnessError> {
        let exact = Arc::new(ExactCases::new(seed, Effort::Quick, None));
        let chosen = zoo().filter(|bug| bugs.contains(&bug.name));
        chosen.map(|bug| try_bug(bug, seed, &exact, true)).collect()
    }

    /// Whether nothing was killed that is right, everything that is not, and no check could be done without.
    pub fn held(&self) -> bool {
        let seen = |kind: &Kind| self.sensitivity.get(kind.name()).is_some_and(|error| *error <= SMALLEST);
        self.false_alarms.is_empty()
            && !self.checks.is_empty()
            && !self.bugs.is_empty()
            && self.bugs.iter().all(Verdict::is_killed_as_meant)
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

/// Tries one bug: on all checks that judge what it is in, or on the one alone that is meant to notice it.
fn try_bug(
    bug: &'static Bug,
    seed: u64,
    exact: &Arc<ExactCases>,
    alone: bool,
) -> Result<Verdict, HarnessError> {
    let planted = Planted::new(Library, bug);
    let check = alone.then(|| bug.killer.to_owned());
    let options = Options { check, ..short(seed, bug.judged(), known_of(&planted, exact)) };
    let killed_by = killers(&run(&planted, &options, |_| ())?);
    Ok(Verdict { bug: bug.name, stands_for: bug.stands_for, killer: bug.killer, killed_by })
}

/// The exact answers, unless the textbook shares a mistake with the implementation: then it works out all anew.
fn known_of<'a>(
    implementation: &dyn Implementation,
    exact: &'a Arc<ExactCases>,
) -> Option<&'a Arc<ExactCases>> {
    match (implementation.misreading(), implementation.false_rule()) {
        (None, None) => Some(exact),
        _ => None,
    }
}

/// The checks that judge one thing, as short as they can be.
fn short(seed: u64, judged: Judged, exact: Option<&Arc<ExactCases>>) -> Options {
    // A training has no quick form.
    let effort = if judged == Judged::Training { Effort::Default } else { Effort::Quick };
    let exact = exact.filter(|_| effort == Effort::Quick).cloned();
    Options { seed, effort, judged: Some(judged), exact, ..Options::default() }
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
            let bound = tolerance::scaled(&known.case.spec, &SCALED_F64, &GRADIENT_EXACT);
            if bound.holds(relative_to_max(&scaled(&found.gradient, error), &known.gradient)) {
                break;
            }
            let least = seen.entry(known.case.spec.kind().name()).or_insert(f64::INFINITY);
            *least = f64::min(*least, error);
        }
    }
    seen
}

/// gradient·(1 + ε).
fn scaled(gradient: &[f64], error: f64) -> Vec<f64> {
    gradient.iter().map(|g| g * (1.0 + error)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::Wrong;
    use crate::tally::CheckResult;
    use crate::tally::Tally;
    use segloss_cases::matrix;

    fn result(bugs: &[(&'static str, &[&'static str])]) -> SelfTest {
        let verdict = |(bug, killers): &(&'static str, &[&'static str])| Verdict {
            bug,
            stands_for: "a | b",
            killer: killers.first().copied().unwrap_or("values"),
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
        blind.sensitivity.insert("dice", SMALLEST);
        assert!(blind.held(), "no more is asked for");
        blind.sensitivity.remove("dice");
        assert!(!blind.held(), "a kind that was not tried");
        let nobody = SelfTest { checks: Vec::new(), ..good };
        assert!(!nobody.held(), "no check");
    }

    #[test]
    fn the_only_killer_is_marked_as_such() {
        let found = result(&[("A", &["values"]), ("B", &["values", "laws"]), ("C", &[])]);
        let marks = |check| found.bugs.iter().map(|bug| bug.mark(check)).collect::<Vec<_>>();
        assert_eq!((marks("values"), marks("laws")), (vec!["◆", "✗", ""], vec!["", "✗", ""]));
        assert_eq!(found.survivors().map(|bug| bug.bug).collect::<Vec<_>>(), ["C"]);
    }

    #[test]
    fn the_kill_matrix_as_it_is_printed() {
        let found = result(&[("A", &["values"]), ("B", &["values", "laws"]), ("C", &[])]);
        let sensitivity = BTreeMap::from([("dice", 1e-13)]);
        let found = SelfTest { seed: 7, false_alarms: vec!["laws"], sensitivity, ..found };
        let page = "\
# The harness judges itself

**2 of 3 planted bugs killed.** Seed 7.
Each of 1 of the 2 checks is the only killer of some bug (◆). Without a bug, 1 raise an alarm.

Checks: 1 `values`, 2 `laws`.

| bug | stands for | 1 | 2 |
|---|---|---|---|
| A | a \\| b | ◆ |  |
| B | a \\| b | ✗ | ✗ |
| C | a \\| b |  |  |

### The smallest error of scale that is seen

A gradient times 1 + ε, against the textbook's by dual numbers of 320 bits.

| kind | ε |
|---|---:|
| `dice` | 1e-13 |
";
        assert_eq!(found.markdown(), page);
    }

    #[test]
    fn what_does_not_hold_kills() {
        let result = |name, tally| CheckResult { name, claim: "", tally, seconds: 0.0 };
        let (mut good, mut bad) = (Tally::default(), Tally::default());
        good.require(true, "", String::new);
        bad.require(false, "", String::new);
        let results = vec![result("good", good), result("bad", bad), result("idle", Tally::default())];
        let run = Run { implementation: "s".to_owned(), seed: 1, effort: Effort::Quick, results };
        assert_eq!(killers(&run), ["bad", "idle"]);
    }

    #[test]
    fn only_a_training_is_not_quick() {
        let exact = Arc::new(ExactCases::new(7, Effort::Quick, None));
        for judged in [Judged::Losses, Judged::Operations, Judged::Networks] {
            let options = short(7, judged, Some(&exact));
            assert_eq!((options.seed, options.effort, options.judged), (7, Effort::Quick, Some(judged)));
            assert!(options.exact.is_some_and(|own| Arc::ptr_eq(&own, &exact)));
        }
        let options = short(7, Judged::Training, Some(&exact));
        assert_eq!((options.effort, options.judged), (Effort::Default, Some(Judged::Training)));
        assert!(options.exact.is_none(), "which are those of a quick run");
        assert!(short(7, Judged::Losses, None).exact.is_none());
    }

    #[test]
    fn what_the_textbook_gets_wrong_too_is_worked_out_anew() {
        let exact = Arc::new(ExactCases::new(1, Effort::Quick, None));
        let is_known = |implementation: &dyn Implementation| known_of(implementation, &exact).is_some();
        assert!(is_known(&Library));
        let is_shared = |bug: &Bug| {
            matches!(bug.wrong, Wrong::Shared(_) | Wrong::SharedSpec(_) | Wrong::SharedGradient(_))
        };
        for bug in zoo() {
            assert_eq!(is_known(&Planted::new(Library, bug)), !is_shared(bug), "{}", bug.name);
        }
        assert!(zoo().any(|bug| matches!(bug.wrong, Wrong::Shared(_))));
        assert!(zoo().any(|bug| matches!(bug.wrong, Wrong::SharedSpec(_))));
        assert!(zoo().any(|bug| matches!(bug.wrong, Wrong::SharedGradient(_))));
    }

    #[test]
    fn sensitivity_ends_where_the_bound_begins() {
        assert_eq!(scaled(&[2.0, -4.0], 0.5), [3.0, -6.0]);
        let case = matrix::of_kind(1, Effort::Quick, Kind::CrossEntropy).swap_remove(0);
        let exact = ExactCases::new(1, Effort::Quick, Some(case.name));
        // 1e−14 is within the bound of 1.5e−14, 1e−13 is beyond it.
        assert_eq!(sensitivity(&exact), BTreeMap::from([("cross_entropy", 10f64.powi(-13))]));
    }
}
