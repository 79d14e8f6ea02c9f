//! Drawing a case: logits, labels and a map of weights, from the run's seed and the case's name.

use crate::case::{Case, Labels, TargetForm};
use crate::grid::Grid;
use crate::random::generator;
use crate::spec::spread;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use segloss::{LossSpec, Source};

/// The share of each class, rare ones last: 1, 1/2, 1/4, …
fn draw_class(rng: &mut ChaCha8Rng, classes: usize) -> i64 {
    let total = 2.0 - 0.5f64.powi(classes as i32 - 1);
    let mut left = rng.random::<f64>() * total;
    for class in 0..classes {
        left -= 0.5f64.powi(class as i32);
        if left < 0.0 {
            return class as i64;
        }
    }
    classes as i64 - 1
}

/// Draws a case with logits of the usual size for its loss.
pub fn draw(seed: u64, name: &str, spec: LossSpec, grid: Grid, form: TargetForm) -> Case {
    let spread = spread(&spec);
    draw_within(seed, name, spec, grid, form, spread)
}

/// Draws a case: logits uniform in ±`spread` and f32-exact, unbalanced labels, about a seventh of them
/// ignored where the specification ignores an index. Every class occurs in the first image if it fits.
pub fn draw_within(seed: u64, name: &str, spec: LossSpec, grid: Grid, form: TargetForm, spread: f64) -> Case {
    let mut rng = generator(seed, name);
    let logits =
        (0..grid.len()).map(|_| f64::from((rng.random::<f64>() * 2.0 * spread - spread) as f32)).collect();
    let mut case = Case::new(name, spec, grid, logits, Labels::Indices(Vec::new()));
    let classes = case.grid.classes;
    let labels: Vec<i64> = (0..case.grid.images * case.grid.pixels())
        .map(|pixel| {
            if pixel < classes.max(2) {
                return pixel as i64;
            }
            let class = draw_class(&mut rng, classes.max(2));
            match case.spec.ignore_index {
                Some(ignored) if form == TargetForm::Indices && rng.random::<f64>() < 1.0 / 7.0 => ignored,
                _ => class,
            }
        })
        .collect();
    case.target = Labels::Indices(labels);
    mistake_first(&mut case);
    match form {
        TargetForm::Indices => {}
        TargetForm::OneHot => case.target = Labels::Distribution(distribution(&case)),
        TargetForm::Soft => case.target = Labels::Distribution(softened(&case, &mut rng)),
    }
    if needs_map(&case.spec) { case.with_drawn_map(seed) } else { case }
}

impl Case {
    /// The same case, each pixel with a weight of its own: quarters from 0 to 2, one in nine of them 0, but not
    /// the first.
    #[must_use]
    pub fn with_drawn_map(mut self, seed: u64) -> Self {
        let mut rng = generator(seed, &format!("map of {}", self.name));
        let pixels = self.grid.images * self.grid.pixels();
        let mut map: Vec<f64> = (0..pixels).map(|_| 0.25 * f64::from(rng.random_range(0..=8u8))).collect();
        map[0] = f64::max(map[0], 0.25);
        self.weight_map = Some(map);
        self
    }
}

/// Makes the first pixel wrong. A batch in which all is right has a loss of next to nothing, and next to it
/// every rounding is large.
fn mistake_first(case: &mut Case) {
    let places: Vec<usize> = (0..case.grid.classes).map(|c| case.at(0, c, 0)).collect();
    let own = places[0];
    if case.grid.classes == 1 {
        // Its label is 0.
        case.logits[own] = case.logits[own].abs();
        return;
    }
    let lowest = places.into_iter().min_by(|&a, &b| case.logits[a].total_cmp(&case.logits[b]));
    case.logits.swap(own, lowest.unwrap_or(own));
}

/// Whether the specification, or a term of it, cannot do without a weight for each pixel.
pub fn needs_map(spec: &LossSpec) -> bool {
    spec.weights.source == Source::Map || spec.terms().iter().any(|term| needs_map(&term.loss))
}

/// The target of a case as a distribution, laid out like its logits; all zero where it is ignored.
pub fn distribution(case: &Case) -> Vec<f64> {
    let mut y = vec![0.0; case.grid.len()];
    for (n, p, c) in case.grid.entries() {
        y[case.at(n, c, p)] = if case.is_ignored(n, p) { 0.0 } else { case.target(n, p, c) };
    }
    y
}

/// Moves a drawn part of each pixel's mass, in sixty-fourths, to another class.
fn softened(case: &Case, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut y = distribution(case);
    let classes = case.grid.classes;
    for (n, p) in case.grid.places() {
        let part = f64::from(rng.random_range(0..=32u8)) / 64.0;
        if classes == 1 {
            let only = case.at(n, 0, p);
            y[only] += if y[only] > 0.0 { -part } else { part };
            continue;
        }
        let (from, to) = (rng.random_range(0..classes), rng.random_range(0..classes));
        let (from, to) = (case.at(n, from, p), case.at(n, to, p));
        let moved = part.min(y[from]);
        y[from] -= moved;
        y[to] += moved;
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use segloss::Layout;

    #[test]
    fn a_case_replays_from_its_seed_and_name() {
        let make =
            |seed, name| draw(seed, name, LossSpec::default(), Grid::new(2, 3, &[4, 2]), TargetForm::Soft);
        assert_eq!(make(1, "a").logits, make(1, "a").logits);
        assert_eq!(make(1, "a").target, make(1, "a").target);
        assert_ne!(make(1, "a").logits, make(2, "a").logits);
        assert_ne!(make(1, "a").logits, make(1, "b").logits);
    }

    #[test]
    fn relaying_twice_is_nothing() {
        let case = draw(1, "a", LossSpec::default(), Grid::new(2, 3, &[4, 2]), TargetForm::Soft);
        let there = case.relaid(Layout::ChannelsLast);
        assert_ne!(there.logits, case.logits);
        let back = there.relaid(Layout::ChannelsFirst);
        assert_eq!((back.logits, back.target), (case.logits, case.target));
    }

    #[test]
    fn gathering_backwards_twice_is_nothing() {
        for form in [TargetForm::Indices, TargetForm::Soft] {
            let case = draw(1, "a", LossSpec::default(), Grid::new(2, 3, &[4, 2]), form).with_drawn_map(1);
            let backwards = vec![(0..8).rev().collect(); 2];
            let there = case.gathered(&[8], &backwards);
            assert_eq!(there.logits[there.at(1, 2, 0)], case.logits[case.at(1, 2, 7)]);
            let back = there.gathered(&[4, 2], &backwards);
            assert_eq!((back.grid, back.logits), (case.grid, case.logits));
            assert_eq!((back.target, back.weight_map), (case.target, case.weight_map));
        }
    }

    #[test]
    fn soft_targets_are_distributions() {
        let case = draw(1, "a", LossSpec::default(), Grid::new(2, 3, &[4, 2]), TargetForm::Soft);
        for (n, p) in case.grid.places() {
            assert_eq!((0..3).map(|c| case.target(n, p, c)).sum::<f64>(), 1.0);
        }
    }
}
