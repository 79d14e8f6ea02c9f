//! The losses whose gradient comes nearest to that of a batch: all shapes coarsely, the nearest of each choice with finer numbers.

use super::fit::{Parts, fit, possible};
use super::observation::Observation;
use super::reading::{Reading, Seen};
use super::shapes::{number, numeric_keys, plain, usual, with};
use rayon::prelude::*;
use segloss::LossSpec;

/// A loss, what of it has factors of its own, and how far its gradient is off.
#[derive(Clone)]
pub struct Near {
    pub spec: LossSpec,
    pub parts: Parts,
    pub misfit: f64,
}

/// The shapes that come nearest to the batch, the nearest first, with finer numbers.
pub fn near(o: &Observation, reading: Reading, seen: &Seen<'_>, shapes: &[LossSpec]) -> Vec<Near> {
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
    let misfit =
        |spec: &LossSpec, parts| fit(o, reading, seen, spec, parts).map_or(f64::NAN, |fit| fit.misfit);
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
        let (spec, misfit) = refine(candidate.spec, o.floor(), rounds, &|spec| misfit(spec, candidate.parts));
        Some(Near { spec, misfit, ..candidate }).filter(|near| near.misfit.is_finite())
    };
    let mut finer: Vec<Near> = finer.into_par_iter().filter_map(|near| swept(near, 1)).collect();
    finer.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    finer.retain(|near| near.misfit < 0.3);
    finer.truncate(16);
    let refined: Vec<Near> = finer.into_par_iter().filter_map(|near| swept(near, 3)).collect();
    all.extend(refined);
    all.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    all
}

/// The same with all numbers as they are by default: what was chosen in words and switches.
pub fn without_numbers(spec: &LossSpec) -> LossSpec {
    let default = spec.kind().options();
    let mut spec = spec.clone();
    for key in numeric_keys(&spec) {
        if let Some(value) = default.get(key) {
            // The kind's own default is a value that it takes.
            _ = spec.options.set(key, value);
        }
    }
    spec
}

/// Number by number the usual value that fits best; in the last of three rounds, where none fits, the best in between.
pub fn refine(
    mut spec: LossSpec,
    tolerance: f64,
    rounds: usize,
    misfit: &dyn Fn(&LossSpec) -> f64,
) -> (LossSpec, f64) {
    let mut best = misfit(&spec);
    let keys = numeric_keys(&spec);
    for _ in 0..rounds {
        let before = best;
        for &key in &keys {
            for x in usual(&spec, key) {
                let Some(other) = with(&spec, key, x) else { continue };
                let found = misfit(&other);
                if found < best {
                    (spec, best) = (other, found);
                }
            }
        }
        // The prices of Tversky are found in pairs.
        if keys.contains(&"alpha") && keys.contains(&"beta") {
            for x in usual(&spec, "alpha") {
                let pair = with(&spec, "beta", (1e9 * (1.0 - x)).round() / 1e9)
                    .and_then(|spec| with(&spec, "alpha", x));
                let Some(other) = pair else { continue };
                let found = misfit(&other);
                if found < best {
                    (spec, best) = (other, found);
                }
            }
        }
        if best <= tolerance || best >= before {
            break;
        }
    }
    if rounds > 1 && best > tolerance && best < 0.2 {
        for _ in 0..2 {
            for &key in &keys {
                (spec, best) = between(spec, key, best, misfit);
            }
        }
    }
    (spec, best)
}

/// A step down, and ever smaller ones, in one number.
fn between(
    mut spec: LossSpec,
    key: &'static str,
    mut best: f64,
    misfit: &dyn Fn(&LossSpec) -> f64,
) -> (LossSpec, f64) {
    let Some(at) = number(&spec, key) else { return (spec, best) };
    let (mut x, mut step) = (at, if at == 0.0 { 0.1 } else { 0.3 * at.abs() });
    for _ in 0..60 {
        let tries = [x + step, x - step].map(|x| with(&spec, key, x).map(|spec| (misfit(&spec), x, spec)));
        match tries
            .into_iter()
            .flatten()
            .filter(|(found, ..)| *found < best)
            .min_by(|a, b| a.0.total_cmp(&b.0))
        {
            Some((found, to, other)) => (best, x, spec) = (found, to, other),
            None => step *= 0.4,
        }
        if step < 1e-9 * x.abs().max(1e-6) {
            break;
        }
    }
    // To the digits that a person would write.
    for digits in 2..6 {
        let scale = 10f64.powi(digits);
        if let Some(other) = with(&spec, key, (x * scale).round() / scale) {
            let found = misfit(&other);
            if found <= 2.0 * best + 1e-12 {
                return (other, found);
            }
        }
    }
    (spec, best)
}

/// Whether all numbers are some that people choose.
pub fn has_usual_numbers(spec: &LossSpec) -> bool {
    let usual =
        |key: &&'static str| number(spec, key).is_none_or(|x| usual(&plain(spec.kind()), key).contains(&x));
    numeric_keys(spec).iter().all(usual)
}
