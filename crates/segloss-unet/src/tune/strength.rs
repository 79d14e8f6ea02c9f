//! One number: the shift t·d_c with d_c = −ln π_c, for every t of a grid.

use rayon::prelude::*;

use super::gather::{Gathered, Known};
use super::goal::{Goal, add, sum};
use crate::metrics::{Overlap, Rule};

/// From a bias towards common classes, t = −1, to twice that of balanced priors.
const FIRST: f64 = -1.0;
const STEP: f64 = 0.05;
const COUNT: usize = 61;

/// Every t, from the smallest.
pub fn grid() -> Vec<f64> {
    // Rounded, so that 0 and 1 are on it and read as such.
    (0..COUNT).map(|i| ((FIRST + STEP * i as f64) * 100.0).round() / 100.0).collect()
}

/// −ln π_c of each output, less that of the commonest; 0 where a class has no training pixel.
pub fn direction(prior: &[f64]) -> Vec<f64> {
    let largest = prior.iter().copied().fold(0.0, f64::max);
    prior.iter().map(|&p| if p > 0.0 { (largest / p).ln() } else { 0.0 }).collect()
}

/// `rule` with the shift of strength t; without one at t = 0.
pub fn shifted(rule: &Rule, direction: &[f64], t: f64) -> Rule {
    let shift = if t == 0.0 { Vec::new() } else { direction.iter().map(|d| t * d + 0.0).collect() };
    Rule { shift, ..rule.clone() }
}

/// For each image and each t, the overlap of each output.
pub type Counts = Vec<Vec<Vec<Overlap>>>;

/// Counts every image under every t.
pub fn count(gathered: &Gathered, base: &Rule, direction: &[f64]) -> Counts {
    let rules: Vec<Rule> = grid().iter().map(|&t| shifted(base, direction, t)).collect();
    let of_image = |image: &Known| {
        let mut counts = vec![vec![Overlap::default(); gathered.scored.len()]; rules.len()];
        for (logits, truth) in image.pixels() {
            for (counts, rule) in counts.iter_mut().zip(&rules) {
                add(counts, truth, rule.class(logits, &gathered.scored));
            }
        }
        counts
    };
    gathered.images.par_iter().map(of_image).collect()
}

/// The t of the largest score over some images; of equals, the one nearest to 0.
pub fn best(counts: &Counts, images: &[usize], goal: Goal) -> usize {
    let value = |t: usize| {
        let outputs = counts.first().map_or(0, |image| image[t].len());
        goal.of(&sum(images.iter().map(|&image| &counts[image][t]), outputs))
    };
    let mut order: Vec<(usize, f64)> = grid().into_iter().enumerate().collect();
    order.sort_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    let mut best: Option<(usize, f64)> = None;
    for (at, _) in order {
        let value = value(at);
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((at, value));
        }
    }
    best.map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_the_numbers_that_mean_something() {
        let grid = grid();
        assert_eq!((grid[0], grid[20], grid[40], grid[60]), (-1.0, 0.0, 1.0, 2.0));
        assert_eq!(grid[26], 0.3);
    }

    #[test]
    fn the_direction_is_towards_the_rare() {
        let direction = direction(&[0.5, 0.0, 0.5 / std::f64::consts::E, 0.25]);
        assert_eq!((direction[0], direction[1]), (0.0, 0.0));
        assert!((direction[2] - 1.0).abs() < 1e-15 && (direction[3] - 2_f64.ln()).abs() < 1e-15);
    }
}
