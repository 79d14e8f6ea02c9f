//! The sum of two losses whose classes have weights: of the first, or of both.
//!
//! ```text
//! g(x) = k[n, y]·G(x) + l·H(x)          g = Σ_c k[c]·G_c + Σ_c l[c]·H_c
//! ```

use super::answer::{Answer, answer};
use super::fit::{Parts, basis, by_classes, by_group_and_one, misfit_of, possible};
use super::identified::Identified;
use super::judge::{Assumed, Batches, Hypothesis, choose};
use super::numbers::refine;
use super::observation::Observation;
use super::reading::Reading;
use super::sums::Candidate;
use rayon::prelude::*;
use segloss::LossSpec;

/// The classes of the first have weights.
pub fn first(
    batches: &Batches<'_>,
    o: &Observation,
    pixels: &[Candidate],
    regions: &[Candidate],
) -> Option<Identified> {
    let seen = Reading::PLAIN.of(o);
    let sum = |spec: &LossSpec, first: &Answer, second: &Answer| {
        let found = by_group_and_one(o, &seen, spec, first, second);
        // What is taken away is no term.
        found.filter(|(fits, _)| fits[1].factors[0] > 0.0).map(|(_, gradient)| gradient)
    };
    let able = |a: &&Candidate| possible(o, &seen, &a.spec).contains(&Parts::ImageAndClass);
    let with_map = |a: &Candidate| Some((a.spec.clone(), answer(o, Reading::PLAIN, &seen, &a.spec, true)?));
    let firsts: Vec<(LossSpec, Answer)> = pixels.iter().filter(able).filter_map(with_map).collect();
    let seconds: Vec<(&LossSpec, &Answer)> = regions.iter().map(|b| (&b.spec, &b.answer)).collect();
    let of = |spec: &LossSpec| answer(o, Reading::PLAIN, &seen, spec, false);
    let pairs = Pairs {
        o,
        parts: [Parts::ImageAndClass, Parts::All],
        most: o.refinable().min(12),
        rounds: usize::MAX,
    };
    // So many factors fit much: the values must say it, too.
    choose(batches, pairs.nearest(&firsts, &seconds, of, sum)).filter(Identified::has_its_value)
}

/// The classes of both have weights.
pub fn both(
    batches: &Batches<'_>,
    o: &Observation,
    pixels: &[Candidate],
    regions: &[Candidate],
) -> Option<Identified> {
    if o.whole.is_some() {
        return None;
    }
    let seen = Reading::PLAIN.of(o);
    let of = |spec: &LossSpec| basis(o, Reading::PLAIN, &seen, spec);
    let with_basis = |all: &[Candidate]| -> Vec<(LossSpec, Vec<Answer>)> {
        let able = |c: &&Candidate| possible(o, &seen, &c.spec).contains(&Parts::Class);
        let specs: Vec<&LossSpec> = all.iter().filter(able).map(|c| &c.spec).collect();
        specs.into_par_iter().filter_map(|spec| Some((spec.clone(), of(spec)?))).collect()
    };
    let (firsts, seconds) = (with_basis(pixels), with_basis(regions));
    let seconds: Vec<(&LossSpec, &Vec<Answer>)> = seconds.iter().map(|(spec, of)| (spec, of)).collect();
    let sum =
        |_: &LossSpec, a: &Vec<Answer>, b: &Vec<Answer>| by_classes(o, &[a, b]).map(|(_, gradient)| gradient);
    let pairs = Pairs { o, parts: [Parts::Class; 2], most: 12, rounds: 1 };
    let is_sum = |found: &Identified| {
        let mut explanations = found.terms.iter().map(|term| term.explanation.as_ref());
        found.has_its_value() && explanations.all(|found| found.is_some_and(|found| found.constant > 0.0))
    };
    choose(batches, pairs.nearest(&firsts, &seconds, of, sum)).filter(is_sum)
}

/// How pairs of losses are tried.
struct Pairs<'a> {
    o: &'a Observation,
    /// What has factors of its own in either.
    parts: [Parts; 2],
    /// How many are given finer numbers.
    most: usize,
    rounds: usize,
}

impl Pairs<'_> {
    /// Of all pairs the nearest that fit, if need be with finer numbers in the second. `of`: what is computed of a second loss; `sum`: the
    /// gradient of a pair with the factors that fit it best.
    fn nearest<A: Sync, B: Sync>(
        &self,
        firsts: &[(LossSpec, A)],
        seconds: &[(&LossSpec, &B)],
        of: impl Fn(&LossSpec) -> Option<B> + Sync,
        sum: impl Fn(&LossSpec, &A, &B) -> Option<Vec<f64>> + Sync,
    ) -> Vec<Hypothesis> {
        let o = self.o;
        let mut pairs: Vec<(f64, usize, usize)> = (0..firsts.len() * seconds.len())
            .into_par_iter()
            .map(|k| (k / seconds.len(), k % seconds.len()))
            .map(|(i, j)| (misfit_of(o, sum(&firsts[i].0, &firsts[i].1, seconds[j].1)), i, j))
            .filter(|(misfit, ..)| misfit.is_finite())
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs.truncate(self.most);
        let refined = pairs.into_par_iter().filter_map(|(mut best, i, j)| {
            let ((a, of_a), mut b) = (&firsts[i], seconds[j].0.clone());
            if best > o.tolerance() {
                let rounds = o.rounds(&b).min(self.rounds);
                (b, best) = refine(o, b, rounds, &|b| sum(a, of_a, &of(b)?));
            }
            let of = |spec, parts| Assumed { reading: Reading::PLAIN, spec, parts };
            let terms = vec![of(a.clone(), self.parts[0]), of(b, self.parts[1])];
            (best <= o.tolerance()).then_some(Hypothesis { terms })
        });
        refined.collect()
    }
}
