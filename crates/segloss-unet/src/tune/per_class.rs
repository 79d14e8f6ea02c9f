//! One shift for each class: each in turn is moved to where the score is largest, the others held, until none moves.
//!
//! Where class c is moved, a pixel becomes its class as soon as s_c > max_{k≠c} (a_k + s_k) − a_c, with a = z/T + b; so one look at
//! every pixel tells the score at every s_c of a grid. The score is not concave in the shifts: what is found is a maximum along
//! each axis, and that of the start at least.

use rayon::prelude::*;

use super::gather::Gathered;
use super::goal::{self, Goal};
use crate::metrics::{Overlap, Rule};

/// A class is moved by at most 4 either way at a time, in steps of 0.1.
const STEP: f64 = 0.1;
const REACH: usize = 40;
/// How often all classes are gone through at most.
const ROUNDS: usize = 4;

/// Moves the classes' shifts from `start` on, by the pixels of some images.
pub fn climb(gathered: &Gathered, images: &[usize], start: &Rule, goal: Goal) -> Rule {
    let outputs = gathered.scored.len();
    let mut rule = start.clone();
    rule.shift.resize(outputs, 0.0);
    let counted = |rule: &Rule| {
        let each: Vec<Vec<Overlap>> = images
            .par_iter()
            .map(|&image| goal::count(&gathered.images[image], rule, &gathered.scored))
            .collect();
        goal.of(&goal::sum(&each, outputs))
    };
    let mut most = counted(&rule);
    for _ in 0..ROUNDS {
        let before = most;
        for class in (0..outputs).filter(|&class| gathered.scored[class]) {
            let scores = along(gathered, images, &rule, class, goal);
            // Of equals, the one that moves least.
            let mut places: Vec<usize> = (0..scores.len()).collect();
            places.sort_by_key(|&at| at.abs_diff(REACH));
            let at =
                places.into_iter().fold(REACH, |best, at| if scores[at] > scores[best] { at } else { best });
            let mut moved = rule.clone();
            moved.shift[class] += place(at);
            // Counted again by the rule itself: at a tie the two may differ.
            let found = counted(&moved);
            if found > most {
                (rule, most) = (moved, found);
            }
        }
        if !(most > before) {
            break;
        }
    }
    rule
}

/// How far a place of the grid is from the middle.
fn place(at: usize) -> f64 {
    (at as f64 - REACH as f64) * STEP
}

/// The score with one class moved to each place of the grid.
fn along(gathered: &Gathered, images: &[usize], rule: &Rule, class: usize, goal: Goal) -> Vec<f64> {
    let outputs = gathered.scored.len();
    let places = 2 * REACH + 1;
    // Pixels that become the class at a place, by truth and by what they were.
    let of_image = |&image: &usize| {
        let mut becoming = vec![0_u64; (places + 1) * outputs * outputs];
        for (logits, truth) in gathered.images[image].pixels() {
            let score = |c: usize| {
                let correction = rule.correction.get(c).unwrap_or(&0.0);
                f64::from(logits[c]) / rule.temperature + correction + rule.shift[c]
            };
            let mut other: Option<(usize, f64)> = None;
            for c in (0..outputs).filter(|&c| gathered.scored[c] && c != class) {
                let score = score(c);
                if other.is_none_or(|(_, most)| score > most) {
                    other = Some((c, score));
                }
            }
            // A single class is every pixel's already.
            let Some((other, most)) = other else { continue };
            let needed = (most - score(class)) / STEP + REACH as f64;
            let first = if needed < 0.0 { 0 } else { (needed as usize).saturating_add(1).min(places) };
            becoming[(first * outputs + truth) * outputs + other] += 1;
        }
        becoming
    };
    let add = |mut a: Vec<u64>, b: Vec<u64>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let nothing = || vec![0; (places + 1) * outputs * outputs];
    let becoming = images.par_iter().map(of_image).reduce(nothing, add);
    // Nobody is of the class at first; then, place by place, those that have become so.
    let mut overlaps = vec![Overlap::default(); outputs];
    let groups = |first: usize| {
        let at = first * outputs * outputs;
        (0..outputs * outputs).map(move |i| (i / outputs, i % outputs, at + i))
    };
    for (truth, other, at) in (0..=places).flat_map(groups) {
        count(&mut overlaps, truth, other, becoming[at], true);
    }
    (0..places)
        .map(|place| {
            for (truth, other, at) in groups(place) {
                count(&mut overlaps, truth, other, becoming[at], false);
                count(&mut overlaps, truth, class, becoming[at], true);
            }
            goal.of(&overlaps)
        })
        .collect()
}

/// Adds so many pixels of a truth that are given a class, or takes them away again.
fn count(overlaps: &mut [Overlap], truth: usize, class: usize, pixels: u64, is_more: bool) {
    let change = |count: &mut u64| *count = if is_more { *count + pixels } else { *count - pixels };
    if truth == class {
        change(&mut overlaps[truth].found);
    } else {
        change(&mut overlaps[truth].missed);
        change(&mut overlaps[class].claimed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Stream};
    use crate::tune::gather::Known;

    fn random(images: usize, pixels: usize, outputs: usize) -> Gathered {
        let mut stream = Stream::new(3, Purpose::Resampling, 0);
        let image = |i: usize| {
            let mut known = Known { name: i.to_string(), logits: Vec::new(), truth: Vec::new() };
            for _ in 0..pixels {
                // Class 0 is common, and the net prefers it more than it should.
                let truth = if stream.unit() < 0.8 { 0 } else { stream.below(outputs) };
                let logit = |c: usize| 2.0 * f64::from(c == truth) + 3.0 * f64::from(c == 0);
                known.logits.extend((0..outputs).map(|c| (logit(c) + stream.normal()) as f32));
                known.truth.push(truth as u8);
            }
            known
        };
        Gathered { scored: vec![true; outputs], images: (0..images).map(image).collect(), stride: 1 }
    }

    /// One look at every pixel says what counting under each shift says.
    #[test]
    fn a_look_along_a_class_is_counting() {
        let gathered = random(3, 200, 4);
        let rule = Rule {
            temperature: 0.7,
            correction: vec![0.1, 0.0, 0.3, -0.2],
            shift: vec![0.0, 0.5, 0.0, -0.25],
        };
        for class in 0..4 {
            let found = along(&gathered, &[0, 2], &rule, class, Goal::MeanIou);
            for (at, found) in found.into_iter().enumerate() {
                let mut moved = rule.clone();
                moved.shift[class] += place(at);
                let counts =
                    [0, 2].map(|image: usize| goal::count(&gathered.images[image], &moved, &gathered.scored));
                assert_eq!(found, Goal::MeanIou.of(&goal::sum(&counts, 4)), "class {class} at {at}");
            }
        }
    }

    #[test]
    fn the_score_rises() {
        let gathered = random(2, 500, 3);
        let value = |rule: &Rule| {
            let counts: Vec<_> =
                gathered.images.iter().map(|image| goal::count(image, rule, &gathered.scored)).collect();
            Goal::MeanIou.of(&goal::sum(&counts, 3))
        };
        let plain = Rule::default();
        let found = climb(&gathered, &[0, 1], &plain, Goal::MeanIou);
        assert!(value(&found) > value(&plain) + 0.02, "{} {}", value(&plain), value(&found));
        assert!(found.shift[0] < found.shift[1], "{found:?}");
    }
}
