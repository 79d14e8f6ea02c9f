//! A fault that no loss of the registry is: focal loss of a weighted cross-entropy.
//!
//! ```text
//! L = (1 − e^(−w·H))^γ·w·H,   H = −ln p_y      ∂L/∂H = w·(1 − q)^γ + γ·(1 − q)^(γ−1)·q·w²·H,   q = e^(−w·H)
//! ```
//!
//! The gradient of a pixel is ∂L/∂H times that of its cross-entropy, so that every pixel shows ∂L/∂H at its own H; the
//! weight of each class is the number that explains all its pixels.

use super::answer::answer;
use super::fit::Parts;
use super::identified::{Identified, Term, role, value_fit};
use super::observation::Observation;
use super::reading::Reading;
use super::shapes::plain;
use rayon::prelude::*;
use segloss::{Kind, LossSpec};
use segloss_cases::Labels;

const GAMMAS: [f64; 6] = [2.0, 1.0, 3.0, 0.5, 1.5, 5.0];

/// Pixels of a class that its weight is found by; all are compared afterwards.
const POINTS: usize = 24;

/// (H, ∂value/∂H, class) of each pixel, or of each entry of channels: 2c for negatives, 2c + 1 for positives.
type Points = Vec<(f64, f64, usize)>;

/// The loss, if the first batch, or what of a large one is looked at, is explained by it.
pub fn search(first: &Observation, others: &[&Observation]) -> Option<Identified> {
    let kind = if first.classes == 1 { Kind::BinaryCrossEntropy } else { Kind::CrossEntropy };
    let points = points(first, kind)?;
    let valid = first.counted() as f64;
    let scales = [valid, 1.0, (first.images * first.pixels()) as f64, valid * first.classes as f64];
    let fits = |scale: f64, gamma: f64| {
        let weights = weights(&points, scale, gamma)?;
        let fits = worst(&points, &weights, scale, gamma) <= first.tolerance() * 10.0;
        let value = value(&points, &weights, scale, gamma);
        let same = |found: f64| (found - value).abs() <= 1e-4 * found.abs();
        (fits && first.total().is_none_or(same)).then_some((gamma, weights))
    };
    // The sum of the weights themselves: what they are by one sum gives the next.
    let by_weights = |gamma: f64| {
        let mut scale = valid;
        for _ in 0..40 {
            let weights = weights(&points, scale, gamma)?;
            let next: f64 = points.iter().map(|point| weights[point.2]).sum();
            let settled = (next - scale).abs() <= 1e-12 * scale;
            if settled {
                return fits(next, gamma);
            }
            scale = next;
        }
        fits(scale, gamma)
    };
    let known: Vec<(f64, f64)> = scales.into_iter().flat_map(|s| GAMMAS.map(|gamma| (s, gamma))).collect();
    let (gamma, weights) = known
        .into_par_iter()
        .find_map_first(|(s, gamma)| fits(s, gamma))
        .or_else(|| GAMMAS.into_par_iter().find_map_first(by_weights))?;
    // Equal weights of 1 are the focal loss itself, which is found before this.
    if weights.iter().all(|w| w.is_nan() || (w - 1.0).abs() < 1e-3) {
        return None;
    }
    let misfit = first.tolerance();
    let mut shape: LossSpec = plain(Kind::Focal);
    shape.options.set("gamma", gamma).ok()?;
    let unexplained = others.iter().filter(|o| !role(o).1).map(|o| o.name.clone()).collect();
    Some(Identified {
        terms: vec![Term {
            reading: Reading::PLAIN,
            shape,
            parts: Parts::FocalOfWeighted,
            explanation: None,
        }],
        misfit,
        value: value_fit(std::iter::empty()),
        unexplained,
        rivals: Vec::new(),
    })
}

/// What each pixel shows; none where the gradient does not run along that of the cross-entropy.
fn points(o: &Observation, kind: Kind) -> Option<Points> {
    let (g, Labels::Indices(labels)) = (o.gradient.as_ref()?, &o.target) else { return None };
    let found = answer(o, Reading::PLAIN, &Reading::PLAIN.of(o), &plain(kind), true)?;
    let map = found.map?;
    let most = g.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
    let mut points = Vec::new();
    for n in 0..o.images {
        for p in (0..o.pixels()).filter(|&p| o.is_valid(n, p)) {
            let at: Vec<usize> = (0..o.classes).map(|c| o.at(n, c, p)).collect();
            let dot: f64 = at.iter().map(|&i| g[i] * found.gradient[i]).sum();
            let square: f64 = at.iter().map(|&i| found.gradient[i] * found.gradient[i]).sum();
            let k = dot / square;
            let off = at.iter().map(|&i| (g[i] - k * found.gradient[i]).abs()).fold(0.0, f64::max);
            if !(off <= o.tolerance() * most) {
                return None;
            }
            let label = labels[n * o.pixels() + p] as usize;
            points.push((map[n * o.pixels() + p], k, label));
        }
    }
    Some(points)
}

fn slope(h: f64, w: f64, gamma: f64) -> f64 {
    let q = (-w * h).exp();
    let one = -(-w * h).exp_m1();
    w * one.powf(gamma) + gamma * one.powf(gamma - 1.0) * q * w * w * h
}

/// The value that goes with it.
fn value(points: &Points, weights: &[f64], scale: f64, gamma: f64) -> f64 {
    let cost = |(h, _, class): &(f64, f64, usize)| {
        let weighted = weights[*class] * h;
        (-(-weighted).exp_m1()).powf(gamma) * weighted
    };
    points.iter().map(cost).sum::<f64>() / scale
}

/// The weight of each class that fits its pixels best.
fn weights(points: &Points, scale: f64, gamma: f64) -> Option<Vec<f64>> {
    let classes = points.iter().map(|point| point.2).max()? + 1;
    let of_class = |class: usize| {
        let own: Vec<_> = points.iter().filter(|point| point.2 == class).take(POINTS).collect();
        if own.is_empty() {
            return f64::NAN;
        }
        let off = |w: f64| own.iter().map(|(h, k, _)| (k * scale - slope(*h, w, gamma)).powi(2)).sum::<f64>();
        let grid = (0..120).map(|i| 0.02 * 1.08_f64.powi(i));
        let mut best = grid.min_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap_or(1.0);
        let mut step = 0.05 * best;
        // What falls for ever has no least.
        for _ in 0..400 {
            if step <= 1e-12 * best {
                break;
            }
            match [best - step, best + step].into_iter().find(|w| *w > 0.0 && off(*w) < off(best)) {
                Some(better) => best = better,
                None => step *= 0.5,
            }
        }
        best
    };
    Some((0..classes).map(of_class).collect())
}

fn worst(points: &Points, weights: &[f64], scale: f64, gamma: f64) -> f64 {
    let most = points.iter().map(|point| (point.1 * scale).abs()).fold(0.0, f64::max);
    let off =
        |(h, k, class): &(f64, f64, usize)| (k * scale - slope(*h, weights[*class], gamma)).abs() / most;
    points.iter().map(off).fold(0.0, f64::max)
}
