//! The losses whose gradient comes nearest to that of a batch: all shapes coarsely, the nearest of each choice with finer numbers.

use super::fit::{Parts, fit, fit_with_gradient, possible};
use super::numbers::{refine, without_factor, without_numbers};
use super::observation::Observation;
use super::reading::{Reading, Seen};
use super::shapes::numeric_keys;
use rayon::prelude::*;
use segloss::LossSpec;

/// A loss, what of it has factors of its own, and how far its gradient is off.
#[derive(Clone)]
pub struct Near {
    pub spec: LossSpec,
    pub parts: Parts,
    pub misfit: f64,
}

/// The shapes that come nearest to the batch, the nearest first, with finer numbers. Where these are more than one batch says, `others`
/// say the rest.
pub fn near(
    o: &Observation,
    others: &[&Observation],
    reading: Reading,
    seen: &Seen<'_>,
    shapes: &[LossSpec],
) -> Vec<Near> {
    let try_all = |spec: &LossSpec| -> Vec<Near> {
        let one = |parts| {
            let misfit = fit(o, reading, seen, spec, parts)?.misfit;
            misfit.is_finite().then(|| Near { spec: spec.clone(), parts, misfit })
        };
        possible(o, seen, spec).into_iter().filter_map(one).collect()
    };
    if let (Some(whole), Reading::PLAIN) = (&o.whole, reading) {
        whole.prepare(shapes);
    }
    let mut all: Vec<Near> = shapes.par_iter().flat_map_iter(try_all).collect();
    all.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    // What fits already with few factors needs no numbers with more.
    let settled = all.iter().filter(|near| near.misfit <= o.floor()).map(|near| near.parts).min();
    let mut finer: Vec<Near> = Vec::new();
    // Numbers may hide which of the choices is right: each is tried with numbers of its own first.
    let mut chosen: Vec<(LossSpec, Parts)> = Vec::new();
    let open = |near: &&Near| near.misfit > o.floor() && settled.is_none_or(|settled| near.parts <= settled);
    for near in all.iter().filter(open) {
        let choice = (without_numbers(&near.spec), near.parts);
        let limit = match (reading.is_plain(), near.parts) {
            (true, Parts::All) => f64::INFINITY,
            (true, _) => 0.5,
            (false, _) => 0.3,
        };
        if near.misfit < limit && !chosen.contains(&choice) {
            chosen.push(choice);
            finer.push(Near { spec: near.spec.clone(), ..*near });
        }
    }
    if !reading.is_plain() {
        finer.truncate(12);
    }
    // What is computed on the whole of a large batch is seldom computed.
    let mut left = o.refinable();
    finer.retain(|near| {
        left = left.saturating_sub(usize::from(!near.spec.kind().is_additive()));
        near.spec.kind().is_additive() || left > 0
    });
    let swept = |candidate: Near, rounds: usize| {
        let rounds = rounds.min(o.rounds(&candidate.spec));
        let predicted = |spec: &LossSpec| {
            fit_with_gradient(o, reading, seen, spec, candidate.parts).map(|(_, gradient)| gradient)
        };
        let (spec, misfit) = refine(o, candidate.spec, rounds, &predicted);
        Some(Near { spec, misfit, ..candidate }).filter(|near| near.misfit.is_finite())
    };
    let mut finer: Vec<Near> = finer.into_par_iter().filter_map(|near| swept(near, 1)).collect();
    finer.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    finer.retain(|near| near.misfit < 0.3);
    finer.truncate(16);
    // What is read by mistake is plain in all else: with numbers of one's choice much is explained.
    let rounds = if reading.is_plain() { 3 } else { 2 };
    let refined: Vec<Near> = finer.into_par_iter().filter_map(|near| swept(near, rounds)).collect();
    if reading.is_plain() && o.whole.is_none() {
        all.extend(bare(o, others, reading, &all));
    }
    all.extend(refined);
    all.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    all
}

/// Losses over regions that are divided by nothing else, the nearest of each choice with numbers that several batches say.
fn bare(o: &Observation, others: &[&Observation], reading: Reading, nearest: &[Near]) -> Vec<Near> {
    let batches: Vec<&Observation> = std::iter::once(o).chain(others.iter().copied()).take(4).collect();
    let mut specs: Vec<LossSpec> = Vec::new();
    for near in nearest.iter().filter(|near| near.parts == Parts::All && !near.spec.kind().is_additive()) {
        let spec = without_numbers(&near.spec);
        if specs.len() < 12 && numeric_keys(&spec).len() > 1 && !specs.contains(&spec) {
            specs.push(spec);
        }
    }
    let found = specs.into_par_iter().filter_map(|spec| without_factor(&batches, reading, &spec));
    found.map(|(spec, misfit)| Near { spec, parts: Parts::All, misfit }).collect()
}
