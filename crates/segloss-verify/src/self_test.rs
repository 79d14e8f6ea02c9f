//! The harness judges itself: which check kills which planted bug, and how small a mistake it still sees.

use crate::checks::Judges;
use crate::compare::relative_to_max;
use crate::exact::ExactCases;
use crate::matrix::Effort;
use crate::planted::{Defect, Planted};
use crate::run::{Options, Run, run};
use crate::subject::{Library, Precision, Subject};
use crate::tolerance::GRADIENT_EXACT;
use crate::trouble::Trouble;
use segloss::Kind;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// A scale error of this size must be seen in every kind's gradient.
const SMALLEST: f64 = 1e-9;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct SelfTest {
    /// From which the cases were drawn.
    pub seed: u64,
    /// The checks that ran.
    pub checks: Vec<&'static str>,
    /// Those that fail without any defect: false alarms.
    pub false_alarms: Vec<&'static str>,
    /// The kill matrix, a row for each planted bug.
    pub bugs: Vec<Bug>,
    /// The smallest relative error of a gradient's scale that is seen, by kind.
    pub sensitivity: BTreeMap<&'static str, f64>,
}

/// A planted bug and its killers.
#[derive(Clone, Debug, Serialize)]
pub struct Bug {
    /// Its name.
    pub bug: String,
    /// The mistake it stands for.
    pub stands_for: &'static str,
    /// The checks that failed.
    pub killed_by: Vec<&'static str>,
}

impl SelfTest {
    /// Runs the library and every planted bug through the checks that judge losses; each bug goes to `report` as
    /// it falls.
    ///
    /// # Errors
    /// If the harness itself cannot work.
    pub fn run(seed: u64, mut report: impl FnMut(&Bug)) -> Result<Self, Trouble> {
        let exact = Arc::new(ExactCases::new(seed, Effort::Quick, None));
        let judge = |subject: &dyn Subject| {
            let exact = Some(exact.clone());
            let options = Options {
                seed,
                effort: Effort::Quick,
                judges: Some(Judges::Losses),
                exact,
                ..Options::default()
            };
            run(subject, &options, |_| ())
        };
        let clean = judge(&Library)?;
        let mut bugs = Vec::new();
        for defect in Defect::ALL {
            let killed_by = killers(&judge(&Planted::new(Library, defect))?);
            let bug = Bug { bug: format!("{defect:?}"), stands_for: defect.stands_for(), killed_by };
            report(&bug);
            bugs.push(bug);
        }
        Ok(Self {
            seed,
            checks: clean.results.iter().map(|result| result.name).collect(),
            false_alarms: killers(&clean),
            bugs,
            sensitivity: sensitivity(&exact),
        })
    }

    /// Whether nothing was killed that is right, and everything that is not.
    pub fn held(&self) -> bool {
        let seen = |kind: &Kind| self.sensitivity.get(kind.name()).is_some_and(|error| *error <= SMALLEST);
        self.false_alarms.is_empty() && self.survivors().next().is_none() && Kind::ALL.iter().all(seen)
    }

    /// The bugs that no check killed.
    pub fn survivors(&self) -> impl Iterator<Item = &Bug> {
        self.bugs.iter().filter(|bug| bug.killed_by.is_empty())
    }

    /// The checks without which some bug would survive.
    pub fn indispensable(&self) -> BTreeSet<&'static str> {
        let only = |bug: &Bug| match bug.killed_by.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        self.bugs.iter().filter_map(only).collect()
    }

    /// The kill matrix as Markdown.
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "# The harness judges itself\n")?;
        let killed = self.bugs.len() - self.survivors().count();
        writeln!(page, "**{killed} of {} planted bugs killed.** Seed {}.", self.bugs.len(), self.seed)?;
        writeln!(page, "Without a defect, {} checks raise an alarm.\n", self.false_alarms.len())?;
        let number: BTreeMap<&str, usize> =
            self.checks.iter().enumerate().map(|(i, &name)| (name, i + 1)).collect();
        write!(page, "Checks: ")?;
        let names: Vec<String> =
            self.checks.iter().enumerate().map(|(i, name)| format!("{} `{name}`", i + 1)).collect();
        writeln!(page, "{}.\n", names.join(", "))?;
        let columns: Vec<String> = (1..=self.checks.len()).map(|i| i.to_string()).collect();
        writeln!(page, "| bug | stands for | {} |", columns.join(" | "))?;
        writeln!(page, "|---|---|{}", "---|".repeat(self.checks.len()))?;
        for bug in &self.bugs {
            let killers: BTreeSet<usize> =
                bug.killed_by.iter().filter_map(|name| number.get(name).copied()).collect();
            let marks: Vec<&str> =
                (1..=self.checks.len()).map(|i| if killers.contains(&i) { "✗" } else { "" }).collect();
            let stands_for = bug.stands_for.replace('|', "\\|");
            writeln!(page, "| {} | {stands_for} | {} |", bug.bug, marks.join(" | "))?;
        }
        let alone: Vec<String> = self.indispensable().iter().map(|name| format!("`{name}`")).collect();
        writeln!(page, "\nThe only killers of some bug: {}.\n", alone.join(", "))?;
        writeln!(page, "## The smallest error of scale that is seen\n")?;
        writeln!(page, "A gradient times 1 + ε, against the textbook's by dual numbers of 320 bits.\n")?;
        writeln!(page, "| kind | ε |\n|---|---:|")?;
        for (kind, error) in &self.sensitivity {
            writeln!(page, "| `{kind}` | {error:.0e} |")?;
        }
        Ok(())
    }
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

    fn result(bugs: &[(&str, &[&'static str])]) -> SelfTest {
        let bug = |(name, killers): &(&str, &[&'static str])| Bug {
            bug: (*name).to_owned(),
            stands_for: "a | b",
            killed_by: killers.to_vec(),
        };
        SelfTest {
            seed: 1,
            checks: vec!["values", "laws"],
            false_alarms: Vec::new(),
            bugs: bugs.iter().map(bug).collect(),
            sensitivity: Kind::ALL.iter().map(|kind| (kind.name(), 1e-12)).collect(),
        }
    }

    #[test]
    fn a_survivor_or_a_false_alarm_fails() {
        let good = result(&[("A", &["values"]), ("B", &["values", "laws"])]);
        assert!(good.held());
        assert_eq!(good.indispensable().into_iter().collect::<Vec<_>>(), ["values"]);
        assert!(!result(&[("A", &[])]).held());
        assert!(!SelfTest { false_alarms: vec!["laws"], ..good.clone() }.held());
        let mut blind = good.clone();
        blind.sensitivity.insert("dice", 1e-3);
        assert!(!blind.held());
        blind.sensitivity.remove("dice");
        assert!(!blind.held(), "a kind that was not tried");
        assert!(good.markdown().contains("| A | a \\| b | ✗ |  |"), "{}", good.markdown());
    }
}
