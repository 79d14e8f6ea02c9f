//! A loss that explains the batches, and how it does.

use super::answer::answer;
use super::explain::{Explanation, Extra, is_round};
use super::fit::{Parts, fit};
use super::numbers::without_numbers;
use super::observation::Observation;
use super::probe::question::{self, Role};
use super::reading::{Reading, Step};
use super::shapes::is_rare;
use segloss::{Kind, LossSpec, Scheme, Source};

/// A loss that explains the batches.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The loss, or the two that it is the sum of.
    pub terms: Vec<Term>,
    /// The largest deviation of a gradient from it, relative to the gradient's largest entry.
    pub misfit: f64,
    /// How the values go with it.
    pub value: ValueFit,
    /// Batches that it does not explain.
    pub unexplained: Vec<String>,
    /// Other losses that explain the same batches.
    pub rivals: Vec<String>,
}

/// A term of it.
#[derive(Clone, Debug)]
pub struct Term {
    /// How the arguments are read.
    pub reading: Reading,
    /// As it is without weights and denominator.
    pub shape: LossSpec,
    /// What has factors of its own.
    pub parts: Parts,
    /// Where the factors come from; none where nothing explains them.
    pub explanation: Option<Explanation>,
}

/// How the values go with a loss whose gradient fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueFit {
    /// There are none, or none that is a number.
    Absent,
    /// They are its values, within this relative difference.
    Same(f64),
    /// They are its values and this number, always the same.
    Offset(f64),
    /// They are not.
    Other {
        /// The value of the first batch that differs.
        found: f64,
        /// What it would be.
        expected: f64,
    },
}

/// Whether a batch is fitted, and whether a loss must explain it.
pub fn role(o: &Observation) -> (bool, bool) {
    let some = |g: &Vec<f64>| g.iter().filter(|g| g.is_finite()).count() * 2 > g.len();
    let speaks = o.total().is_none_or(f64::is_finite) || o.gradient.as_ref().is_some_and(some);
    let role = question::role(&o.name);
    (speaks && role != Role::Shows, speaks && role == Role::Must)
}

/// Whether values are those that a gradient's fit implies.
pub fn value_fit<'a>(fits: impl Iterator<Item = (&'a Observation, f64)>) -> ValueFit {
    let (mut worst, mut offsets, mut seen) = (0.0_f64, Vec::new(), false);
    let mut other = None;
    for (o, expected) in fits {
        let Some(found) = o.total().filter(|total| total.is_finite() && expected.is_finite()) else {
            continue;
        };
        seen = true;
        let difference = (found - expected).abs() / found.abs().max(expected.abs()).max(f64::MIN_POSITIVE);
        worst = worst.max(difference);
        offsets.push(found - expected);
        if !(difference <= 10.0 * o.tolerance()) && other.is_none() {
            other = Some((found, expected));
        }
    }
    match other {
        _ if !seen => ValueFit::Absent,
        None => ValueFit::Same(worst),
        Some((found, expected)) => {
            let first = offsets[0];
            let steady = offsets.iter().all(|offset| (offset - first).abs() <= 1e-4 * first.abs());
            // Of a large number everything is near some digits.
            let round = first.abs() <= 20.0 && is_round(first, 1e-4);
            match steady && (round || offsets.len() > 3) {
                true => ValueFit::Offset(first),
                false => ValueFit::Other { found, expected },
            }
        }
    }
}

impl Term {
    /// Kind and options in a line.
    pub fn name(&self) -> String {
        match self.shape.kind() {
            // −ln σ of the logit of a probability is its cross-entropy.
            Kind::DocumentSigmoid if self.reading.step != Step::AsGiven => {
                Kind::CrossEntropy.name().to_owned()
            }
            _ => name(&self.shape),
        }
    }
}

/// Kind and options that are not the default in a line.
pub fn name(spec: &LossSpec) -> String {
    let default = spec.kind().options();
    let own = spec.options.infos().into_iter().filter_map(|info| {
        let value = spec.options.get(info.key)?;
        (default.get(info.key).as_ref() != Some(&value)).then(|| format!("{} {value}", info.key))
    });
    let shared = spec.threshold.as_ref().map(|threshold| match threshold {
        segloss::Threshold::Document(th) => format!("th {th:.4}"),
        segloss::Threshold::LogitAdjustment(t) => format!("logit_adjustment {t}"),
        segloss::Threshold::LogitShift(_) => "logit_shift".to_owned(),
    });
    let parts: Vec<String> = own.chain(shared).collect();
    match parts.is_empty() {
        true => spec.kind().name().to_owned(),
        false => format!("{} ({})", spec.kind().name(), parts.join(", ")),
    }
}

impl Identified {
    /// The batches with what is left of their values; none where a batch is not explained.
    pub fn residual(&self, observations: &[Observation]) -> Option<Vec<Observation>> {
        let term = self.terms.first().filter(|_| self.terms.len() == 1)?;
        let rest = observations.iter().filter(|o| role(o).0).filter_map(|o| {
            let fit = fit(o, term.reading, &term.reading.of(o), &term.shape, term.parts)?;
            Some(Observation { value: Some(vec![o.total()? - fit.value]), ..o.clone() })
        });
        Some(rest.collect())
    }

    /// Value and gradient of a batch, where a specification says all of it.
    pub fn predict(&self, o: &Observation) -> Option<(f64, Vec<f64>)> {
        let (mut value, mut gradient) = (0.0, vec![0.0; o.logits.len()]);
        for term in &self.terms {
            let found = term.explanation.as_ref().filter(|found| found.extra == Extra::None)?;
            let answer = answer(o, term.reading, &term.reading.of(o), &found.spec, false)?;
            value += found.constant * answer.value;
            gradient.iter_mut().zip(&answer.gradient).for_each(|(sum, g)| *sum += found.constant * g);
        }
        Some((value, gradient))
    }

    /// How the arguments are read: of two terms by the one that misreads them.
    pub fn reading(&self) -> Reading {
        let misread = self.terms.iter().find(|term| !term.reading.is_plain());
        misread.or(self.terms.first()).map_or(Reading::PLAIN, |term| term.reading)
    }

    /// Whether a rare kind has numbers of one's choice: so it is any of many common ones.
    pub fn is_bent(&self) -> bool {
        let is_bent = |spec: &LossSpec| is_rare(spec.kind()) && without_numbers(spec).options != spec.options;
        // A generalised Dice that weighs all classes alike is 1 − p̄: part of many a loss, and nobody's term.
        let is_even =
            |spec: &LossSpec| spec.kind().weighs_by_size() && spec.weights.scheme == Scheme::Power(0.0);
        self.terms.iter().any(|term| is_bent(&term.shape) || self.terms.len() > 1 && is_even(&term.shape))
    }

    /// Whether it is known where all factors come from.
    pub fn is_explained(&self) -> bool {
        self.terms.iter().all(|term| term.explanation.is_some())
    }

    /// Whether the factors need no constant.
    pub fn is_exact(&self) -> bool {
        let exact = |found: &Explanation| found.constant == 1.0 && found.extra == Extra::None;
        self.terms.iter().all(|term| term.explanation.as_ref().is_some_and(exact))
    }

    /// Whether some class weights are numbers, and no rule.
    pub fn has_given_weights(&self) -> bool {
        let explanations = self.terms.iter().filter_map(|term| term.explanation.as_ref());
        explanations.into_iter().any(|found| found.spec.weights.source == Source::Fixed)
    }

    /// Whether no value speaks against it.
    pub fn has_its_value(&self) -> bool {
        !matches!(self.value, ValueFit::Other { .. })
    }

    /// The same, with the term that misreads the arguments where one does.
    pub fn name_of_misread(&self) -> String {
        let misread: Vec<&Term> = self.terms.iter().filter(|term| !term.reading.is_plain()).collect();
        match misread.as_slice() {
            [term] if self.terms.len() > 1 => format!("{}, the {} in it", self.name(), term.name()),
            _ => self.name(),
        }
    }

    /// Kinds and options in a line.
    pub fn name(&self) -> String {
        self.terms.iter().map(Term::name).collect::<Vec<_>>().join(" + ")
    }
}
