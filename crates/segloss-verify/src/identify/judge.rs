//! A hypothesis on all batches, and the plainest of those that explain them.

use super::answer::{Answer, answer};
use super::explain::{Explanation, Extra, Fitted, explain};
use super::fit::{Fit, Parts, basis, by_classes, by_group_and_one, by_terms, fit_with_gradient};
use super::identified::{Identified, Term, ValueFit, role, value_fit};
use super::numbers::{has_usual_numbers, without_numbers};
use super::observation::Observation;
use super::reading::Reading;
use super::shapes::cost;
use rayon::prelude::*;
use segloss::LossSpec;
use std::cmp::Reverse;

/// A loss under a reading of the arguments.
#[derive(Clone)]
pub struct Assumed {
    pub reading: Reading,
    pub spec: LossSpec,
    pub parts: Parts,
}

/// A loss, or some that are added.
#[derive(Clone)]
pub struct Hypothesis {
    pub terms: Vec<Assumed>,
}

/// The batches that are fitted: the one that is searched, and those that must agree.
#[derive(Clone)]
pub struct Batches<'a> {
    pub first: &'a Observation,
    pub others: Vec<&'a Observation>,
}

impl<'a> Batches<'a> {
    /// None where no batch can be fitted.
    pub fn of(observations: &'a [Observation]) -> Option<Self> {
        let fitted: Vec<&Observation> = observations.iter().filter(|o| role(o).0).collect();
        let first = *fitted.iter().find(|o| o.gradient.is_some()).or(fitted.first())?;
        Some(Self { first, others: fitted.into_iter().filter(|o| !std::ptr::eq(*o, first)).collect() })
    }

    fn all(&self) -> impl Iterator<Item = &'a Observation> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

impl From<&Identified> for Hypothesis {
    fn from(found: &Identified) -> Self {
        let of = |term: &Term| Assumed { reading: term.reading, spec: term.shape.clone(), parts: term.parts };
        Self { terms: found.terms.iter().map(of).collect() }
    }
}

impl Hypothesis {
    /// One loss.
    pub fn of_one(reading: Reading, spec: LossSpec, parts: Parts) -> Self {
        Self { terms: vec![Assumed { reading, spec, parts }] }
    }

    /// The fit of each term, with value and misfit of the sum, and its gradient.
    fn fit(&self, o: &Observation) -> Option<(Vec<Fit>, Vec<f64>)> {
        match self.terms.as_slice() {
            [term] => {
                let seen = term.reading.of(o);
                let (fit, gradient) = fit_with_gradient(o, term.reading, &seen, &term.spec, term.parts)?;
                Some((vec![fit], gradient))
            }
            [a, b] if a.parts == Parts::ImageAndClass => {
                let (first, second) = (a.answer(o, true)?, b.answer(o, false)?);
                let (fits, gradient) = by_group_and_one(o, &a.reading.of(o), &a.spec, &first, &second)?;
                Some((fits.to_vec(), gradient))
            }
            [a, b] if a.parts == Parts::Class => {
                let of = |term: &Assumed| basis(o, term.reading, &term.reading.of(o), &term.spec);
                by_classes(o, &[&of(a)?, &of(b)?])
            }
            terms => {
                let answers: Vec<Answer> =
                    terms.iter().map(|term| term.answer(o, false)).collect::<Option<_>>()?;
                by_terms(o, &answers.iter().collect::<Vec<_>>())
            }
        }
    }

    /// Whether each of several terms adds more to the gradient than what is taken for rounding.
    pub fn needs_all(&self, o: &Observation) -> bool {
        let Some((fits, gradient)) = self.fit(o) else { return false };
        let largest =
            |g: &[f64]| g.iter().filter(|g| g.is_finite()).fold(0.0_f64, |most, g| most.max(g.abs()));
        let enough = 100.0 * o.tolerance() * largest(&gradient);
        self.terms.iter().zip(fits).all(|(term, fit)| {
            let answer = term.answer(o, false);
            answer.is_some_and(|answer| fit.factors[0].abs() * largest(&answer.gradient) > enough)
        })
    }

    /// Value and gradient of a batch with the factors that fit it best.
    pub fn predict(&self, o: &Observation) -> Option<(f64, Vec<f64>)> {
        let (fits, gradient) = self.fit(o)?;
        Some((fits[0].value, gradient))
    }

    /// Whether one value is explained without a factor.
    fn is_exact(&self, o: &Observation) -> bool {
        let Assumed { reading, spec, .. } = &self.terms[0];
        let fitted =
            self.fit(o).and_then(|(fits, _)| Fitted::new(o, &reading.of(o), spec, fits.into_iter().next()?));
        fitted.and_then(|fitted| explain(spec, &[fitted])).is_some_and(|found| found.constant == 1.0)
    }
}

impl Assumed {
    fn answer(&self, o: &Observation, with_map: bool) -> Option<Answer> {
        answer(o, self.reading, &self.reading.of(o), &self.spec, with_map)
    }
}

/// Of the hypotheses that explain the first batch, the one that explains most of the others, the plainest first.
pub fn choose(batches: &Batches<'_>, hypotheses: Vec<Hypothesis>) -> Option<Identified> {
    let first = batches.first;
    let judge = |hypothesis: Hypothesis| Judged::of(batches, &hypothesis);
    // One after the other where each has arrays of the size of the batch.
    let mut judged: Vec<Judged> = match first.is_large() {
        true => hypotheses.into_iter().filter_map(judge).collect(),
        false => hypotheses.into_par_iter().filter_map(judge).collect(),
    };
    judged.retain(|judged| judged.holds(first));
    // Of those that fit, only those that fit about as well as the best: a small constant shows in the last digits.
    let closest = judged.iter().map(|judged| judged.identified.misfit).fold(f64::INFINITY, f64::min);
    judged.retain(|judged| judged.identified.misfit <= (30.0 * closest).max(first.floor()));
    judged.sort_by_key(Judged::rank);
    let mut judged = judged.into_iter();
    let winner = judged.next()?;
    let mut rivals: Vec<String> = Vec::new();
    for rival in judged.filter(|rival| rival.edges == winner.edges && rival.is_rival_of(&winner)) {
        let name = rival.identified.name();
        if name != winner.identified.name() && !rivals.contains(&name) && rivals.len() < 4 {
            rivals.push(name);
        }
    }
    Some(Identified { rivals, ..winner.identified })
}

/// A hypothesis on all batches.
struct Judged {
    identified: Identified,
    /// Batches at the edge that it explains.
    edges: usize,
    /// Whether there are next to as many factors as numbers to fit: what then fits says nothing.
    is_thin: bool,
}

impl Judged {
    /// None where it does not explain a batch that it must.
    fn of(batches: &Batches<'_>, hypothesis: &Hypothesis) -> Option<Self> {
        if batches.first.gradient.is_none() && !hypothesis.is_exact(batches.first) {
            return None;
        }
        let (mut unexplained, mut edges) = (Vec::new(), 0);
        let mut fitted: Vec<Vec<Fitted<'_>>> = hypothesis.terms.iter().map(|_| Vec::new()).collect();
        // Of a batch without a pixel that counts every mean is 0/0.
        // A value alone says nothing of factors that a gradient is fitted with.
        let speaks = |o: &Observation| o.gradient.is_some() || batches.first.gradient.is_none();
        for o in batches.all().filter(|o| o.valid() > 0 && speaks(o)) {
            let found = hypothesis.fit(o).map(|(fits, _)| fits);
            match (found.filter(|fits| fits[0].misfit <= o.tolerance()), role(o).1) {
                (Some(fits), core) => {
                    edges += usize::from(!core);
                    for ((of_term, fit), term) in fitted.iter_mut().zip(fits).zip(&hypothesis.terms) {
                        of_term.push(Fitted::new(o, &term.reading.of(o), &term.spec, fit)?);
                    }
                }
                (None, true) => return None,
                (None, false) => unexplained.push(o.name.clone()),
            }
        }
        let explain_all = |fitted: &[Vec<Fitted<'_>>]| -> Vec<Option<Explanation>> {
            hypothesis.terms.iter().zip(fitted).map(|(term, fitted)| explain(&term.spec, fitted)).collect()
        };
        let mut explanations = explain_all(&fitted);
        if explanations.iter().any(Option::is_none) {
            // Perhaps all but some at the edge: with as many as go with those that must be explained.
            let whole = fitted.clone();
            fitted.iter_mut().for_each(|of_term| of_term.retain(|f| role(f.o).1));
            explanations = explain_all(&fitted);
            if explanations.iter().all(Option::is_some) {
                edges = 0;
                for i in (0..whole[0].len()).filter(|&i| !role(whole[0][i].o).1) {
                    let more = fitted.iter().zip(&whole).map(|(kept, all)| [&kept[..], &all[i..=i]].concat());
                    let more: Vec<Vec<Fitted<'_>>> = more.collect();
                    let found = explain_all(&more);
                    match found.iter().all(Option::is_some) {
                        true => (fitted, explanations, edges) = (more, found, edges + 1),
                        false => unexplained.push(whole[0][i].o.name.clone()),
                    }
                }
            }
        }
        // A batch at the edge whose value is another one is not explained, whatever its gradient.
        let fitted = &fitted[0];
        let core = value_fit(fitted.iter().filter(|f| role(f.o).1).map(|f| (f.o, f.fit.value)));
        let whole = value_fit(fitted.iter().map(|f| (f.o, f.fit.value)));
        let value = match (core, whole) {
            (ValueFit::Same(_) | ValueFit::Offset(_), ValueFit::Other { .. }) => {
                let odd =
                    fitted.iter().filter(|f| !follows(core, f.o, f.fit.value)).map(|f| f.o.name.clone());
                unexplained.extend(odd);
                core
            }
            _ => whole,
        };
        let misfit = fitted.iter().map(|f| f.fit.misfit).fold(0.0, f64::max);
        let terms = hypothesis.terms.iter().zip(explanations);
        let term = |(Assumed { reading, spec, parts }, explanation): (&Assumed, _)| Term {
            reading: *reading,
            shape: spec.clone(),
            parts: *parts,
            explanation,
        };
        let terms = terms.map(term).collect();
        let identified = Identified { terms, misfit, value, unexplained, rivals: Vec::new() };
        let entries = |f: &Fitted<'_>| {
            f.o.gradient
                .as_ref()
                .map_or(usize::MAX / 64, |g| g.iter().filter(|g| g.is_finite() && **g != 0.0).count())
        };
        let factors = |f: &Fitted<'_>| f.fit.factors.iter().filter(|k| k.is_finite()).count();
        let is_thin =
            fitted.iter().map(entries).sum::<usize>() < 2 * fitted.iter().map(factors).sum::<usize>();
        Some(Self { identified, edges, is_thin })
    }

    /// Whether the fit says anything. Factors that nothing explains may fit anything: then the value has to say it, too.
    fn holds(&self, first: &Observation) -> bool {
        let says_itself = self.identified.is_exact() && !self.identified.has_given_weights();
        if self.is_thin && !says_itself {
            return false;
        }
        let (reading, value) = (self.identified.reading(), self.identified.value);
        let (same, other) = (matches!(value, ValueFit::Same(_)), matches!(value, ValueFit::Other { .. }));
        let exact = |found: &Explanation| found.constant == 1.0 && found.extra == Extra::None;
        let [term] = self.identified.terms.as_slice() else {
            let mut explanations = self.identified.terms.iter().filter_map(|term| term.explanation.as_ref());
            return self.identified.is_explained()
                && (!other || reading.is_plain() && explanations.all(exact));
        };
        if first.gradient.is_none() {
            // One number fits one number: only what explains it exactly counts.
            return term.explanation.as_ref().is_some_and(|found| found.constant == 1.0)
                && (reading.is_plain() || !other);
        }
        match (&term.explanation, term.parts) {
            // Gradients that are the same up to a factor may be those of two losses: the values tell.
            (Some(found), _) => !other || reading.is_plain() && exact(found),
            (None, Parts::Class) => false,
            (None, Parts::Along(_)) => same || value == ValueFit::Absent,
            (None, _) => same && reading.is_plain(),
        }
    }

    /// The plainest first.
    fn rank(&self) -> impl Ord + use<> {
        let terms = &self.identified.terms;
        let explained = |term: &Term| match &term.explanation {
            Some(found) if found.constant == 1.0 => 0,
            Some(found) if found.constant > 0.0 => 1,
            Some(_) => 2,
            None => 3,
        };
        let explained = terms.iter().map(explained).max().unwrap_or_default();
        let value =
            !matches!(self.identified.value, ValueFit::Same(_) | ValueFit::Absent | ValueFit::Offset(_));
        let extra: usize =
            terms.iter().filter_map(|term| Some(term.explanation.as_ref()?.extra as usize)).sum();
        let bent = self.identified.is_bent();
        let parts = terms.iter().map(|term| term.parts).max();
        let cost: usize = terms.iter().map(|term| cost(&term.shape)).sum();
        (explained == 3, value, Reverse(self.edges), bent, explained, parts, extra, cost)
    }

    /// Whether these batches leave a doubt between the two that a reader should know of.
    fn is_rival_of(&self, winner: &Self) -> bool {
        let terms = || self.identified.terms.iter().zip(&winner.identified.terms);
        // Another kind with odd numbers is this one in another's clothes: focal with γ = 0 is cross-entropy.
        terms().all(|(term, own)| match term.shape.kind() == own.shape.kind() {
            true => has_usual_numbers(&term.shape),
            false => without_numbers(&term.shape).options == term.shape.options,
        }) && self.identified.is_explained()
    }
}

/// Whether a value is what the others' rule makes of it.
fn follows(rule: ValueFit, o: &Observation, expected: f64) -> bool {
    let Some(found) = o.total() else { return true };
    let offset = if let ValueFit::Offset(offset) = rule { offset } else { 0.0 };
    (found - expected - offset).abs() <= 1e-4 * found.abs().max(expected.abs())
}
