//! What a check counts: cases, the worst difference, and what fell short.

use crate::artifact::Artifact;
use crate::compare::largest;
use crate::implementation::{Implementation, Outcome, Precision};
use crate::operation::Operation;
use crate::spread::Spread;
use crate::tolerance::{self, Tolerance};
use segloss::Kind;
use segloss_cases::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What came of a check.
#[derive(Clone, Debug)]
pub struct CheckResult {
    /// Names the check.
    pub name: &'static str,
    /// What holds if it passed.
    pub claim: &'static str,
    /// What it counted.
    pub tally: Tally,
    /// How long it took: for the terminal, never for a report.
    pub seconds: f64,
}

impl CheckResult {
    /// Whether something was compared and all of it held.
    pub fn held(&self) -> bool {
        self.tally.cases > 0 && self.tally.failed == 0
    }
}

/// The running result of a check.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Comparisons made.
    pub cases: u64,
    /// Comparisons that fell short.
    pub failed: u64,
    /// The first few of them, in words, each with the case's name.
    pub failures: Vec<String>,
    /// The differences under each bound, by the bound's name.
    pub spreads: BTreeMap<&'static str, Spread>,
    /// The cases that came nearest to their bounds, or went beyond, the worst first.
    pub hardest: Vec<Hardest>,
    /// The case that came nearest to each bound, by the bound's name.
    pub nearest: BTreeMap<&'static str, Hardest>,
    /// The worst difference under each bound of each kind's cases, of none if no case of a kind came before; NaN as
    /// soon as one is NaN.
    pub worst: BTreeMap<(&'static str, Option<Kind>), f64>,
    /// The kinds that were judged.
    pub kinds: BTreeSet<Kind>,
    /// That of the case that was evaluated last: what is measured next is about it.
    pub of: Option<Kind>,
    /// The operations of the network that were judged.
    pub operations: BTreeSet<Operation>,
    /// What the reports draw.
    pub artifacts: Vec<Artifact>,
}

/// A case that was hard on its bound.
#[derive(Clone, Debug)]
pub struct Hardest {
    /// What was compared.
    pub case: String,
    /// Under which bound.
    pub bound: &'static Tolerance,
    /// How far it was off.
    pub difference: f64,
    /// The hard seed that it was drawn from; none of the run's own.
    pub seed: Option<u64>,
}

impl Hardest {
    /// How much of the bound is used; NaN counts as more than all of it.
    pub fn strain(&self) -> f64 {
        self.bound.strain(self.difference)
    }
}

/// Hard cases that are kept.
const KEPT: usize = 10;

/// Failures that are written out; the others are only counted.
const WRITTEN: usize = 5;

impl FromIterator<Self> for Tally {
    fn from_iter<I: IntoIterator<Item = Self>>(tallies: I) -> Self {
        let mut all = Self::default();
        tallies.into_iter().for_each(|tally| all.join(tally));
        all
    }
}

impl Tally {
    /// Holds a difference against a bound.
    pub fn measure(&mut self, bound: &'static Tolerance, difference: f64, case: &str) {
        self.cases += 1;
        self.spreads.entry(bound.name).or_default().add(difference);
        self.grow(bound.name, self.of, difference);
        let hard = Hardest { case: case.to_owned(), bound, difference, seed: None };
        self.come_near(&hard);
        self.keep(hard);
        if !bound.holds(difference) {
            self.fail(format!("{case}: off by {difference:.3e}, bound {:e} ({})", bound.bound, bound.name));
        }
    }

    /// Holds a statement that is true or false.
    pub fn require(&mut self, held: bool, case: &str, statement: impl FnOnce() -> String) {
        self.cases += 1;
        self.spreads.entry(tolerance::EXACT.name).or_default();
        if !held {
            self.fail(format!("{case}: {}", statement()));
        }
    }

    /// Evaluates a case; a refusal fails the check. Counts the case's kind as judged.
    pub fn evaluate(
        &mut self,
        implementation: &dyn Implementation,
        case: &Case,
        precision: Precision,
    ) -> Option<Outcome> {
        if implementation.only().is_some_and(|only| only != case.name) {
            return None;
        }
        self.kinds.insert(case.spec.kind());
        self.of = Some(case.spec.kind());
        // A panic is the implementation's shortcoming, not the end of the run.
        let answer = catch_unwind(AssertUnwindSafe(|| implementation.evaluate(case, precision)));
        let answer = answer.unwrap_or_else(|_| Err("panicked (see above)".to_owned()));
        self.accept(answer, &case.name)
    }

    /// The answer, unless the implementation refused: then the check fails.
    pub fn accept<T>(&mut self, answer: Result<T, String>, case: &str) -> Option<T> {
        answer
            .inspect_err(|refusal| {
                self.cases += 1;
                self.fail(format!("{case}: refused: {refusal}"));
            })
            .ok()
    }

    /// Adds what another tally counted.
    pub fn join(&mut self, other: Self) {
        self.cases += other.cases;
        self.failed += other.failed;
        let left = WRITTEN.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(left));
        for (name, spread) in &other.spreads {
            self.spreads.entry(name).or_default().join(spread);
        }
        for ((bound, of), worst) in other.worst {
            self.grow(bound, of, worst);
        }
        other.hardest.into_iter().for_each(|hard| self.keep(hard));
        other.nearest.values().for_each(|hard| self.come_near(hard));
        self.kinds.extend(other.kinds);
        self.operations.extend(other.operations);
        self.artifacts.extend(other.artifacts);
    }

    /// The same, noted as drawn from a hard seed.
    pub fn of_seed(mut self, seed: u64) -> Self {
        self.hardest.iter_mut().chain(self.nearest.values_mut()).for_each(|hard| hard.seed = Some(seed));
        self.failures.iter_mut().for_each(|failure| failure.push_str(&format!(" (seed {seed})")));
        self
    }

    /// The bound that is nearest to failing (or fails most), with its worst difference.
    pub fn headline(&self) -> Option<(&'static Tolerance, f64)> {
        tolerance::ALL
            .iter()
            .filter_map(|bound| self.spreads.get(bound.name).map(|spread| (*bound, spread.worst)))
            .max_by(|a, b| a.0.strain(a.1).total_cmp(&b.0.strain(b.1)))
    }

    /// Notes the difference if none of the kind was larger.
    fn grow(&mut self, bound: &'static str, of: Option<Kind>, difference: f64) {
        let worst = self.worst.entry((bound, of)).or_default();
        *worst = largest([*worst, difference]);
    }

    /// Notes the case if none came nearer to its bound before it.
    fn come_near(&mut self, hard: &Hardest) {
        let before = self.nearest.get(hard.bound.name);
        if before.is_none_or(|before| hard.strain() > before.strain()) {
            self.nearest.insert(hard.bound.name, hard.clone());
        }
    }

    /// Keeps the hardest few; of equally hard ones those that came first. What must be exact and is, is not hard.
    fn keep(&mut self, hard: Hardest) {
        if hard.difference == 0.0 {
            return;
        }
        let place = self.hardest.partition_point(|other| other.strain() >= hard.strain());
        self.hardest.insert(place, hard);
        self.hardest.truncate(KEPT);
    }

    fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.failures.len() < WRITTEN {
            self.failures.push(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::implementation::{InParts, Only};
    use crate::library::Library;
    use crate::network::{NetworkTask, Step};
    use crate::operation::{Applied, Task};
    use crate::tolerance::{EXACT, ULPS, ULPS_POWER};
    use segloss::{Layout, LossSpec};
    use segloss_cases::{Grid, TargetForm, draw};
    use std::ops::Range;

    /// Differences under the bound of 4, each a case with a letter of its own from `a` on.
    fn measured(differences: &[f64]) -> Tally {
        let mut tally = Tally::default();
        for (name, difference) in ('a'..).zip(differences) {
            tally.measure(&ULPS, *difference, &name.to_string());
        }
        tally
    }

    fn names(tally: &Tally) -> String {
        tally.hardest.iter().map(|hard| hard.case.as_str()).collect()
    }

    /// Cases, failures, and failures written.
    fn counts(tally: &Tally) -> (u64, u64, usize) {
        (tally.cases, tally.failed, tally.failures.len())
    }

    fn case() -> Case {
        draw(1, "own", LossSpec::default(), Grid::new(1, 2, &[2]), TargetForm::Indices)
    }

    #[test]
    fn nan_fails_and_stays_the_worst() {
        let mut tally = Tally::default();
        tally.measure(&tolerance::VALUE_F64, f64::NAN, "a");
        tally.measure(&tolerance::VALUE_F64, 1e-20, "b");
        assert_eq!((tally.cases, tally.failed), (2, 1));
        assert!(tally.spreads["value_f64"].worst.is_nan());
        assert_eq!((tally.hardest[0].case.as_str(), tally.hardest.len()), ("a", 2));
        assert!(tally.headline().unwrap().1.is_nan());
    }

    #[test]
    fn what_is_measured_is_held_against_its_bound() {
        let tally = measured(&[1.0, 4.0, 5.0]);
        assert_eq!(counts(&tally), (3, 1, 1));
        assert_eq!(tally.failures, ["c: off by 5.000e0, bound 4e0 (ulps)"]);
        assert_eq!((tally.spreads["ulps"].count, tally.spreads["ulps"].worst), (3, 5.0));
        let nearest = &tally.nearest["ulps"];
        assert_eq!((nearest.case.as_str(), nearest.difference, nearest.seed), ("c", 5.0, None));
        assert_eq!(nearest.strain(), 1.25);
    }

    #[test]
    fn the_worst_is_told_of_each_kind() {
        let mut tally = measured(&[f64::NAN, 1.0]);
        let mut case = case();
        for (kind, differences) in [(Kind::Dice, [1.0, 0.5]), (Kind::Jaccard, [0.25, 2.0])] {
            case.spec.options = kind.options();
            assert!(tally.evaluate(&Library, &case, Precision::F64).is_some());
            differences.iter().for_each(|difference| tally.measure(&ULPS, *difference, ""));
        }
        tally.measure(&ULPS_POWER, 3.0, "");
        assert!(tally.worst[&("ulps", None)].is_nan());
        assert_eq!(tally.worst[&("ulps", Some(Kind::Dice))], 1.0);
        assert_eq!(tally.worst[&("ulps", Some(Kind::Jaccard))], 2.0);
        assert_eq!(tally.worst[&("ulps_power", Some(Kind::Jaccard))], 3.0);
        let mut joined = measured(&[7.0]);
        joined.join(tally);
        assert!(joined.worst[&("ulps", None)].is_nan());
        assert_eq!((joined.worst.len(), joined.worst[&("ulps", Some(Kind::Jaccard))]), (4, 2.0));
    }

    #[test]
    fn what_is_required_is_counted_and_written_where_it_falls_short() {
        let mut tally = Tally::default();
        tally.require(true, "a", || "is not".to_owned());
        assert_eq!(counts(&tally), (1, 0, 0));
        tally.require(false, "b", || "is not".to_owned());
        assert_eq!(counts(&tally), (2, 1, 1));
        assert_eq!(tally.failures, ["b: is not"]);
        assert!(tally.spreads.contains_key("exact") && tally.hardest.is_empty() && tally.nearest.is_empty());
    }

    #[test]
    fn the_hardest_few_are_kept_the_worst_first() {
        assert_eq!(names(&measured(&[1.0, 3.0, 2.0])), "bca");
        assert_eq!(names(&measured(&[1.0, f64::NAN, 2.0, f64::INFINITY])), "bdca");
        assert_eq!(names(&measured(&[1.0, 2.0, 1.0, 2.0])), "bdac", "of equals those that came first");
        assert_eq!(names(&measured(&[0.0, 1.0, 0.0])), "b", "what is exact is not hard");
        let rising: Vec<f64> = (1..=12).map(|i| f64::from(i) / 8.0).collect();
        assert_eq!(names(&measured(&rising)), "lkjihgfedc");
        assert_eq!(names(&measured(&[1.0; 12])), "abcdefghij");
    }

    #[test]
    fn hardness_is_the_share_of_the_bound() {
        let mut tally = Tally::default();
        tally.measure(&ULPS_POWER, 6.0, "a");
        tally.measure(&ULPS, 2.0, "b");
        tally.measure(&EXACT, 1e-300, "c");
        assert_eq!(names(&tally), "cba");
        assert_eq!(tally.nearest.keys().copied().collect::<Vec<_>>(), ["exact", "ulps", "ulps_power"]);
    }

    #[test]
    fn the_nearest_is_the_first_of_the_worst() {
        let nearest = |differences: &[f64]| measured(differences).nearest["ulps"].case.clone();
        assert_eq!(nearest(&[1.0, 3.0, 2.0]), "b");
        assert_eq!(nearest(&[2.0, 1.0, 2.0]), "a");
        assert_eq!(nearest(&[0.0, 0.0]), "a", "what is exact is near if nothing is nearer");
        assert_eq!(nearest(&[1.0, f64::NAN, 5.0]), "b");
    }

    #[test]
    fn the_headline_is_the_bound_that_is_used_most() {
        assert!(Tally::default().headline().is_none());
        let mut tally = measured(&[1.0, 0.5]);
        tally.measure(&ULPS_POWER, 2.0, "");
        tally.measure(&EXACT, 0.0, "");
        assert_eq!(tally.headline(), Some((&ULPS, 1.0)));
        tally.measure(&ULPS_POWER, 6.0, "");
        assert_eq!(tally.headline(), Some((&ULPS_POWER, 6.0)));
        tally.measure(&ULPS, -f64::NAN, "");
        assert!(tally.headline().is_some_and(|(bound, worst)| bound == &ULPS && worst.is_nan()));
    }

    #[test]
    fn what_is_joined_is_as_if_it_were_one() {
        let mut tally = measured(&[5.0, 1.0, 6.0, 7.0]);
        let mut other = measured(&[8.0, 2.0, 9.0, 10.0]);
        other.measure(&ULPS_POWER, 1.0, "e");
        tally.kinds.insert(Kind::Dice);
        other.kinds.insert(Kind::Focal);
        other.operations.insert(Operation::Relu);
        other.artifacts.push(Artifact::Ulps(Vec::new()));
        tally.join(other);
        assert_eq!(counts(&tally), (9, 6, WRITTEN));
        assert_eq!(tally.failures[3], "a: off by 8.000e0, bound 4e0 (ulps)");
        assert_eq!((tally.spreads["ulps"].count, tally.spreads["ulps"].worst), (8, 10.0));
        assert_eq!(tally.spreads["ulps_power"].count, 1);
        assert_eq!(names(&tally), "dcadcabbe");
        assert_eq!((tally.nearest["ulps"].difference, tally.nearest["ulps_power"].difference), (10.0, 1.0));
        assert_eq!(tally.kinds, BTreeSet::from([Kind::Dice, Kind::Focal]));
        assert_eq!((tally.operations.len(), tally.artifacts.len()), (1, 1));
        tally.join(Tally::default());
        assert_eq!(counts(&tally), (9, 6, WRITTEN));
        tally.join(measured(&[1.0; 9]));
        assert_eq!((tally.hardest.len(), tally.nearest["ulps"].difference), (KEPT, 10.0));
    }

    #[test]
    fn a_hard_seed_is_noted_wherever_a_case_is_named() {
        let tally = measured(&[1.0, 5.0]).of_seed(7);
        assert_eq!(counts(&tally), (2, 1, 1));
        assert_eq!(tally.failures, ["b: off by 5.000e0, bound 4e0 (ulps) (seed 7)"]);
        assert!(tally.hardest.iter().chain(tally.nearest.values()).all(|hard| hard.seed == Some(7)));
        assert_eq!((tally.hardest.len(), tally.nearest.len()), (2, 1));
    }

    #[test]
    fn whoever_is_asked_about_one_case_is_asked_about_no_other() {
        let mut tally = Tally::default();
        let (implementation, case) = (&Library, case());
        assert_eq!(tally.evaluate(&Only { implementation, case: "other" }, &case, Precision::F64), None);
        assert!(tally.kinds.is_empty() && tally.cases == 0);
        let own = tally.evaluate(&Only { implementation, case: "own" }, &case, Precision::F64);
        assert_eq!(own.map(|found| found.gradient.len()), Some(4));
        assert_eq!(tally.kinds, BTreeSet::from([case.spec.kind()]));
        assert!(tally.evaluate(implementation, &case, Precision::F32).is_some());
        assert_eq!(counts(&tally), (0, 0, 0), "an answer is no comparison yet");
    }

    #[test]
    fn a_panic_falls_short_and_ends_nothing() {
        let mut tally = Tally::default();
        assert_eq!(tally.evaluate(&Panics, &case(), Precision::F64), None);
        assert_eq!(tally.failures, ["own: refused: panicked (see above)"]);
        assert_eq!((counts(&tally), tally.kinds.len()), ((1, 1, 1), 1));
    }

    struct Panics;

    impl Implementation for Panics {
        fn name(&self) -> &str {
            "panics"
        }

        fn evaluate(&self, _: &Case, _: Precision) -> Result<Outcome, String> {
            panic!("as it should")
        }

        fn evaluate_in_parts(&self, _: &Case, _: &[Range<usize>]) -> Result<InParts, String> {
            Err(String::new())
        }

        fn class_prediction(&self, _: &[f64], _: &[usize], _: Layout, _: usize) -> Result<Vec<f64>, String> {
            Err(String::new())
        }

        fn operate(&self, _: &Task, _: Precision) -> Result<Applied, String> {
            Err(String::new())
        }

        fn step(&self, _: &NetworkTask) -> Result<Step, String> {
            Err(String::new())
        }
    }

    #[test]
    fn failures_are_counted_beyond_those_written() {
        let mut tally = Tally::default();
        for _ in 0..20 {
            tally.require(false, "case", || "no".to_owned());
        }
        assert_eq!((tally.failed, tally.failures.len()), (20, WRITTEN));
    }

    #[test]
    fn a_refusal_fails() {
        let mut tally = Tally::default();
        assert_eq!(tally.accept::<()>(Err("bad label".into()), "case"), None);
        assert_eq!((tally.cases, tally.failed), (1, 1));
        assert_eq!(tally.failures, ["case: refused: bad label"]);
        assert_eq!(tally.accept(Ok(3), "case"), Some(3));
        assert_eq!((tally.cases, tally.failed), (1, 1));
    }
}
