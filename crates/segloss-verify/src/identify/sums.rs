//! The sum of two losses, one over pixels and one over regions.

use super::answer::{Answer, answer};
use super::explain::is_round;
use super::fit::{Parts, by_terms, misfit_of};
use super::identified::Identified;
use super::judge::{Assumed, Batches, Hypothesis, choose};
use super::numbers::refine;
use super::observation::Observation;
use super::reading::Reading;
use super::shapes::{cost, number};
use super::weighted_sums;
use rayon::prelude::*;
use segloss::{Kind, LossSpec, Source, WeightSpec};

/// Pairs whose largest deviation is computed.
pub const CLOSE: usize = 400;

/// What a reading makes of a batch, loss by loss.
pub struct Terms {
    reading: Reading,
    pub pixels: Vec<Candidate>,
    pub regions: Vec<Candidate>,
}

/// A loss that may be a term.
pub struct Candidate {
    pub spec: LossSpec,
    pub answer: Answer,
    /// Σ g·G over the entries where g is a number, and Σ G².
    pub with_g: f64,
    pub square: f64,
}

impl Terms {
    /// `o`: the first batch, or what of a large one is looked at.
    pub fn of(o: &Observation, reading: Reading, shapes: &[LossSpec]) -> Option<Self> {
        let g = o.gradient.as_ref()?;
        let (seen, below) = (reading.of(o), reading.of_all_pixels());
        let candidate = |spec: &LossSpec, reading| {
            let mut answer = answer(o, reading, &seen, spec, false)?;
            // What is not known of g is left out everywhere.
            answer.gradient.iter_mut().zip(g).filter(|(_, g)| !g.is_finite()).for_each(|(x, _)| *x = 0.0);
            let known = |g: f64| if g.is_finite() { g } else { 0.0 };
            let with_g = answer.gradient.iter().zip(g).map(|(x, &g)| x * known(g)).sum();
            let square = answer.gradient.iter().map(|x| x * x).sum();
            Some(Candidate { spec: spec.clone(), answer, with_g, square })
        };
        // Only a share of the pixels is rounded.
        let over_pixels = |spec: &LossSpec| {
            is_over_pixels(spec) && (reading == below || spec.kind() == Kind::TopKCrossEntropy)
        };
        // A boundary loss is often one of the foreground.
        let values = (0..o.classes).map(|c| if c == 0 { 0.0 } else { 1.0 }).collect();
        let foreground = WeightSpec { source: Source::Fixed, values, ..WeightSpec::default() };
        let boundary = shapes.iter().filter(|spec| spec.kind() == Kind::Boundary && o.classes > 1);
        let of_foreground = boundary.map(|spec| LossSpec { weights: foreground.clone(), ..spec.clone() });
        let shapes: Vec<LossSpec> = shapes.iter().cloned().chain(of_foreground).collect();
        let of = |is: &(dyn Fn(&LossSpec) -> bool + Sync), reading| -> Vec<Candidate> {
            let shapes = shapes.par_iter().filter(|spec| is(spec));
            shapes.filter_map(|spec| candidate(spec, reading)).collect()
        };
        Some(Self { reading, pixels: of(&over_pixels, reading), regions: of(&is_over_regions, below) })
    }
}

/// The sum of a loss of the first and one of the second that explains all batches.
pub fn search(
    batches: &Batches<'_>,
    o: &Observation,
    over_pixels: &Terms,
    over_regions: &Terms,
) -> Option<Identified> {
    let found = unweighted(batches, o, over_pixels, over_regions, 1.0);
    if found.is_some() || [over_pixels.reading, over_regions.reading] != [Reading::PLAIN; 2] {
        return found;
    }
    let (pixels, regions) = (&over_pixels.pixels, &over_regions.regions);
    weighted_sums::first(batches, o, pixels, regions)
        .or_else(|| weighted_sums::both(batches, o, pixels, regions))
}

/// A loss over regions that is taken away from one over pixels: its score was added.
pub fn difference(batches: &Batches<'_>, o: &Observation, terms: &Terms) -> Option<Identified> {
    let is_plain = |found: &Identified| {
        let mut all = found.terms.iter().filter_map(|term| term.explanation.as_ref());
        found.has_its_value() && all.all(|found| is_round(found.constant, 1e-6))
    };
    unweighted(batches, o, terms, terms, -1.0).filter(is_plain)
}

/// The sum of a loss of the first and one of the second, times a number of this sign.
fn unweighted(
    batches: &Batches<'_>,
    o: &Observation,
    over_pixels: &Terms,
    over_regions: &Terms,
    sign: f64,
) -> Option<Identified> {
    let g = o.gradient.as_ref()?;
    let (pixels, regions) = (&over_pixels.pixels, &over_regions.regions);
    let total: f64 = g.iter().filter(|g| g.is_finite()).map(|g| g * g).sum();
    // By least squares first: of each pair only Σ G·H is not known yet.
    let mut pairs: Vec<(f64, usize, usize)> = (0..pixels.len())
        .into_par_iter()
        .flat_map_iter(|i| (0..regions.len()).map(move |j| (i, j)))
        .filter_map(|(i, j)| {
            let (a, b) = (&pixels[i], &regions[j]);
            let both: f64 = a.answer.gradient.iter().zip(&b.answer.gradient).map(|(a, b)| a * b).sum();
            let determinant = a.square * b.square - both * both;
            let k = (a.with_g * b.square - b.with_g * both) / determinant;
            let l = (b.with_g * a.square - a.with_g * both) / determinant;
            let useful = k.is_finite() && l.is_finite() && k > 0.0 && sign * l > 0.0;
            useful.then_some((total - k * a.with_g - l * b.with_g, i, j))
        })
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.truncate(CLOSE);
    let worst = |(_, i, j): (f64, usize, usize)| {
        let (fits, _) = by_terms(o, &[&pixels[i].answer, &regions[j].answer])?;
        Some((fits[0].misfit, i, j))
    };
    let mut pairs: Vec<(f64, usize, usize)> = pairs.into_par_iter().filter_map(worst).collect();
    // Of those that fit as they are the plainest, then the nearest.
    let open = |misfit: f64| if misfit <= o.tolerance() { 0.0 } else { misfit };
    let price = |i: usize, j: usize| cost(&pixels[i].spec) + cost(&regions[j].spec);
    pairs.sort_by(|a, b| open(a.0).total_cmp(&open(b.0)).then(price(a.1, a.2).cmp(&price(b.1, b.2))));
    pairs.truncate(o.refinable().min(24));
    let [first, second] = [over_pixels.reading, over_regions.reading.of_all_pixels()];
    let plain = first.is_plain() && second.is_plain();
    let (seen_a, seen_b) = (first.of(o), second.of(o));
    let hypotheses = pairs.into_par_iter().filter_map(|(_, i, j)| {
        let (mut a, mut b) = (pixels[i].spec.clone(), regions[j].spec.clone());
        let rest = |a: &LossSpec, b: &LossSpec| {
            let a = answer(o, first, &seen_a, a, false)?;
            let b = answer(o, second, &seen_b, b, false)?;
            let found = by_terms(o, &[&a, &b]);
            found.filter(|(fits, _)| sign * fits[1].factors[0] > 0.0).map(|(_, gradient)| gradient)
        };
        let mut best = misfit_of(o, rest(&a, &b));
        // What is read by mistake is plain in all else.
        for _ in 0..if plain { 2 } else { 0 } {
            if best <= o.tolerance() {
                break;
            }
            (b, best) = refine(o, b, o.rounds(&regions[j].spec), &|b| rest(&a, b));
            if best > o.tolerance() {
                (a, best) = refine(o, a, o.rounds(&pixels[i].spec), &|a| rest(a, &b));
            }
        }
        let of = |reading, spec| Assumed { reading, spec, parts: Parts::All };
        let sum = Hypothesis { terms: vec![of(first, a), of(second, b)] };
        (best <= o.tolerance() && sum.needs_all(o)).then_some(sum)
    });
    choose(batches, hypotheses.collect())
}

fn is_over_pixels(spec: &LossSpec) -> bool {
    use Kind::{BinaryCrossEntropy, CrossEntropy, Focal, TopKCrossEntropy};
    [CrossEntropy, Focal, BinaryCrossEntropy, TopKCrossEntropy].contains(&spec.kind())
        && spec.threshold.is_none()
}

fn is_over_regions(spec: &LossSpec) -> bool {
    let kind = spec.kind();
    let of_logarithm = kind == Kind::ExponentialLogarithmic && number(spec, "cross_weight") == Some(0.0);
    kind.sums_regions() || kind.weighs_by_size() || kind == Kind::Boundary || of_logarithm
}
