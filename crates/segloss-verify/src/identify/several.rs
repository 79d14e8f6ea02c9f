//! The sum of two losses of one sort, or of three, with factors that a person would write.
//!
//! Least squares on a table of Σ G·H tells the few sets of losses that may explain a gradient from the million others; only those are then
//! compared entry by entry, and given finer numbers.

use super::answer::answer;
use super::explain::is_round;
use super::fit::{Parts, by_terms, misfit_of};
use super::identified::Identified;
use super::judge::{Assumed, Batches, Hypothesis, choose};
use super::numbers::{refine, without_numbers};
use super::observation::Observation;
use super::reading::Reading;
use super::shapes::cost;
use super::sums::{CLOSE, Candidate, Terms};
use rayon::prelude::*;
use segloss::{Kind, LossSpec};

/// Two or three of the candidates, by number; of two the last is none.
#[derive(Clone, Copy)]
struct Set([u16; 3]);

impl Set {
    const NONE: u16 = u16::MAX;

    fn of(members: &[usize]) -> Self {
        let mut set = [Self::NONE; 3];
        // There are a few hundred candidates.
        set.iter_mut().zip(members).for_each(|(slot, &member)| *slot = member as u16);
        Self(set)
    }

    fn is_pair(&self) -> bool {
        self.0[2] == Self::NONE
    }

    fn members(&self) -> impl Iterator<Item = usize> + use<> {
        self.0.into_iter().filter(|&i| i != Self::NONE).map(usize::from)
    }
}

/// The sum that explains all batches, value and gradient.
pub fn search(batches: &Batches<'_>, o: &Observation, terms: &Terms) -> Option<Identified> {
    let g = o.gradient.as_ref()?;
    let all: Vec<&Candidate> = terms.pixels.iter().chain(&terms.regions).collect();
    let total: f64 = g.iter().filter(|g| g.is_finite()).map(|g| g * g).sum();
    let table = Table::of(&all);
    let over_pixels = terms.pixels.len();
    let sets: Vec<(f64, Set)> = (0..all.len())
        .into_par_iter()
        .flat_map_iter(|i| {
            let mut own = Vec::new();
            let mut add = |set: Set| own.extend(table.left(&set, total).map(|left| (left, set)));
            let different = |a: usize, b: usize| kind(all[a]) != kind(all[b]);
            for j in (i + 1..all.len()).filter(|&j| different(i, j)) {
                // One over pixels and one over regions are looked for before.
                if j < over_pixels || i >= over_pixels {
                    add(Set::of(&[i, j]));
                }
                let third = (j + 1..all.len()).filter(|&k| different(i, k) && different(j, k));
                third.for_each(|k| add(Set::of(&[i, j, k])));
            }
            own
        })
        .collect();
    let (pairs, threes): (Vec<_>, Vec<_>) = sets.into_iter().partition(|(_, set)| set.is_pair());
    // Of three losses many come near, and would leave no room.
    let sets = [pairs, threes].map(|sets| nearest(o, &all, sets)).concat();
    let hypotheses = sets.into_par_iter().filter_map(|(misfit, set)| {
        let specs = set.members().map(|i| all[i].spec.clone()).collect();
        finer(o, specs, misfit)
    });
    choose(batches, hypotheses.collect()).filter(|found| found.has_its_value() && is_written(found, o))
}

/// Those that are worth finer numbers, with the largest deviation of their gradient.
fn nearest(o: &Observation, all: &[&Candidate], mut sets: Vec<(f64, Set)>) -> Vec<(f64, Set)> {
    let close = sets.len().min(CLOSE);
    if close < sets.len() {
        sets.select_nth_unstable_by(close, |a, b| a.0.total_cmp(&b.0));
    }
    sets.truncate(close);
    let worst = |(_, set): (f64, Set)| {
        let answers: Vec<_> = set.members().map(|i| &all[i].answer).collect();
        let (fits, _) = by_terms(o, &answers)?;
        Some((fits[0].misfit, set))
    };
    let mut sets: Vec<(f64, Set)> = sets.into_par_iter().filter_map(worst).collect();
    // Of those that fit as they are the plainest, then the nearest.
    let open = |misfit: f64| if misfit <= o.tolerance() { 0.0 } else { misfit };
    let price = |set: &Set| set.members().map(|i| cost(&all[i].spec)).sum::<usize>();
    sets.sort_by(|a, b| open(a.0).total_cmp(&open(b.0)).then(price(&a.1).cmp(&price(&b.1))));
    // Numbers are found afterwards: of losses that differ in them the nearest is enough.
    let mut chosen: Vec<Vec<LossSpec>> = Vec::new();
    sets.retain(|(misfit, set)| {
        let choice = set.members().map(|i| without_numbers(&all[i].spec)).collect();
        let is_new = *misfit <= o.tolerance() || !chosen.contains(&choice);
        chosen.push(choice);
        is_new
    });
    sets.truncate(o.refinable().min(12));
    sets
}

/// The same losses with numbers that fit; none where these do not explain the batch, or one of the losses is not needed.
fn finer(o: &Observation, mut specs: Vec<LossSpec>, mut misfit: f64) -> Option<Hypothesis> {
    let seen = Reading::PLAIN.of(o);
    let gradient = |specs: &[LossSpec]| {
        let of = |spec: &LossSpec| answer(o, Reading::PLAIN, &seen, spec, false);
        let answers = specs.iter().map(of).collect::<Option<Vec<_>>>()?;
        by_terms(o, &answers.iter().collect::<Vec<_>>()).map(|(_, gradient)| gradient)
    };
    for _ in 0..2 {
        for i in (0..specs.len()).rev() {
            // A small constant that is missing is seen in the factors, too: what merely fits is not enough.
            if misfit <= o.floor() {
                break;
            }
            let with = |spec: &LossSpec| {
                let mut specs = specs.clone();
                specs[i] = spec.clone();
                gradient(&specs)
            };
            let (spec, reached) = refine(o, specs[i].clone(), o.rounds(&specs[i]), &with);
            (specs[i], misfit) = (spec, reached);
        }
    }
    let misfit = misfit_of(o, gradient(&specs));
    let of = |spec| Assumed { reading: Reading::PLAIN, spec, parts: Parts::All };
    let sum = Hypothesis { terms: specs.into_iter().map(of).collect() };
    (misfit <= o.tolerance() && sum.needs_all(o)).then_some(sum)
}

/// Whether every factor is one that a person would write: of three losses with factors at will much is the sum.
fn is_written(found: &Identified, o: &Observation) -> bool {
    let mut explanations = found.terms.iter().map(|term| term.explanation.as_ref());
    explanations.all(|found| {
        found.is_some_and(|found| found.constant > 0.0 && is_round(found.constant, 40.0 * o.tolerance()))
    })
}

fn kind(candidate: &Candidate) -> Kind {
    candidate.spec.kind()
}

/// Σ G·H of every two, and Σ g·G.
struct Table {
    products: Vec<Vec<f64>>,
    with_g: Vec<f64>,
}

impl Table {
    fn of(all: &[&Candidate]) -> Self {
        let dot = |a: &Candidate, b: &Candidate| {
            a.answer.gradient.iter().zip(&b.answer.gradient).map(|(a, b)| a * b).sum::<f64>()
        };
        let row = |a: &&Candidate| all.iter().map(|b| dot(a, b)).collect();
        Self { products: all.par_iter().map(row).collect(), with_g: all.iter().map(|a| a.with_g).collect() }
    }

    /// Σ (g − ĝ)² of the best factors; none where one is not positive, or the losses are nearly one.
    fn left(&self, set: &Set, total: f64) -> Option<f64> {
        let count = if set.is_pair() { 2 } else { 3 };
        let set = set.0.map(usize::from);
        let (p, b) = (|i: usize, j: usize| self.products[set[i]][set[j]], |i: usize| self.with_g[set[i]]);
        let (determinant, factors): (f64, [f64; 3]) = match count {
            2 => {
                let determinant = p(0, 0) * p(1, 1) - p(0, 1) * p(0, 1);
                (determinant, [b(0) * p(1, 1) - b(1) * p(0, 1), b(1) * p(0, 0) - b(0) * p(0, 1), 0.0])
            }
            _ => {
                // Cramer's rule with the cofactors of a symmetric matrix.
                let c = [
                    [
                        p(1, 1) * p(2, 2) - p(1, 2) * p(1, 2),
                        p(0, 2) * p(1, 2) - p(0, 1) * p(2, 2),
                        p(0, 1) * p(1, 2) - p(0, 2) * p(1, 1),
                    ],
                    [0.0, p(0, 0) * p(2, 2) - p(0, 2) * p(0, 2), p(0, 1) * p(0, 2) - p(0, 0) * p(1, 2)],
                    [0.0, 0.0, p(0, 0) * p(1, 1) - p(0, 1) * p(0, 1)],
                ];
                let determinant = p(0, 0) * c[0][0] + p(0, 1) * c[0][1] + p(0, 2) * c[0][2];
                let of = |i: usize| (0..3).map(|j| c[i.min(j)][i.max(j)] * b(j)).sum();
                (determinant, [of(0), of(1), of(2)])
            }
        };
        let size: f64 = (0..count).map(|i| p(i, i)).product();
        if !(determinant > 1e-10 * size) {
            return None;
        }
        let factors = factors.map(|k| k / determinant);
        let positive = factors[..count].iter().all(|&k| k > 0.0);
        let explained: f64 = (0..count).map(|i| factors[i] * b(i)).sum();
        positive.then_some(total - explained)
    }
}

#[cfg(test)]
mod tests {
    use super::super::search::{Found, search};
    use super::super::shapes::{plain, with};
    use super::*;
    use segloss::Reduction;

    /// Two over pixels, two over regions, and three; not with factors that nobody would write.
    #[test]
    fn sums_have_their_terms() {
        let mut o = Observation::sample(&[2, 3, 4, 5]);
        let mean = |kind| LossSpec { reduction: Some(Reduction::Mean), ..plain(kind) };
        let focal = with(&mean(Kind::Focal), "gamma", 3.0).unwrap();
        let dice = with(&plain(Kind::Dice), "smooth", 1.0).unwrap();
        let usual = mean(Kind::Focal);
        let (entropy, lovasz) = (mean(Kind::CrossEntropy), plain(Kind::LovaszSoftmax));
        for (terms, name) in [
            (vec![(1.0, &entropy), (2.0, &focal)], "cross_entropy + focal (gamma 3)"),
            (vec![(0.5, &dice), (0.5, &lovasz)], "dice (smooth 1) + lovasz_softmax"),
            (vec![(0.4, &entropy), (0.2, &usual), (0.4, &dice)], "cross_entropy + focal + dice (smooth 1)"),
            (vec![(0.4, &entropy), (0.217, &usual), (0.4, &dice)], ""),
        ] {
            let (mut value, mut gradient) = (0.0, vec![0.0; o.logits.len()]);
            (o.value, o.gradient) = (None, Some(gradient.clone()));
            for (factor, spec) in terms {
                let found = answer(&o, Reading::PLAIN, &Reading::PLAIN.of(&o), spec, false).unwrap();
                value += factor * found.value;
                gradient.iter_mut().zip(found.gradient).for_each(|(sum, g)| *sum += factor * g);
            }
            (o.value, o.gradient) = (Some(vec![value]), Some(gradient));
            let found = match search(std::slice::from_ref(&o)) {
                Found::Loss(found) => found.name(),
                Found::Nothing(_) => String::new(),
            };
            assert_eq!(found, name);
        }
    }
}
