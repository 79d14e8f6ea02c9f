//! Chooses a rule, and says how good it is on images that it was not chosen by.

use std::ops::RangeInclusive;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::gather::Gathered;
use super::goal::{self, Goal};
use super::strength::Counts;
use super::temperature::{Calibration, calibration, temperature};
use super::{per_class, strength};
use crate::blocks::Blocks;
use crate::metrics::{Overlap, Rule};
use crate::random::{Purpose, Stream};

/// Folds of the cross-fitted estimate.
const FOLDS: usize = 5;
/// Resamples of an interval.
const RESAMPLES: usize = 1000;

/// Which shift is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// None: arg max.
    None,
    /// −t·ln π_c, one number t.
    Strength,
    /// One number for each class.
    PerClass,
    /// −t·ln π_c with this t: nothing is looked for.
    Fixed(f64),
}

/// What is asked of a fit.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Which shift.
    pub shift: Shift,
    /// The score that it is chosen by.
    pub goal: Goal,
    /// Whether a temperature is looked for, too.
    pub temperature: bool,
    /// b of the rule; empty for none.
    pub correction: Vec<f64>,
    /// Priors of the classes in the training images.
    pub prior: &'a [f64],
}

/// A score with what other images would have said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scored {
    /// The score.
    pub value: f64,
    /// 95 % of the resamples of its images lie between; none where there is one block of them.
    pub interval: Option<[f64; 2]>,
}

/// A rule and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// The rule.
    pub rule: Rule,
    /// Its t, if it has one.
    pub strength: Option<f64>,
    /// The score of arg max z.
    pub arg_max: Scored,
    /// The score of the rule on the images that it was chosen by: too good.
    pub fitted: Scored,
    /// On images that it was not chosen by; none where there is one block of them.
    pub cross_fitted: Option<Scored>,
    /// The score of each t.
    pub curve: Vec<(f64, Scored)>,
    /// Of arg max z, and of the rule.
    pub calibration: [Calibration; 2],
    /// Of the rule on images that its temperature was not chosen by; none as `cross_fitted`.
    pub cross_calibration: Option<Calibration>,
}

/// What a rule is chosen from.
struct Chooser<'a> {
    gathered: &'a Gathered,
    wanted: &'a Wanted<'a>,
    direction: Vec<f64>,
    /// What is believed of all images, and the counts under each t of it.
    base: Rule,
    counts: Counts,
}

impl<'a> Chooser<'a> {
    fn new(gathered: &'a Gathered, wanted: &'a Wanted<'a>) -> Self {
        let direction = strength::direction(wanted.prior);
        let base = base(gathered, wanted, &all(gathered));
        let counts = strength::count(gathered, &base, &direction);
        Self { gathered, wanted, direction, base, counts }
    }

    /// The rule that some images choose, beside what the net believes, and its t.
    fn rule(&self, images: &[usize], base: &Rule) -> (Rule, Option<f64>) {
        let shift = self.wanted.shift;
        if let Some(given) = given(shift, base, &self.direction) {
            return given;
        }
        let t = strength::grid()[strength::best(&self.counts, images, self.wanted.goal)];
        let shifted = strength::shifted(base, &self.direction, t);
        match shift {
            Shift::PerClass => (per_class::climb(self.gathered, images, &shifted, self.wanted.goal), None),
            _ => (shifted, Some(t)),
        }
    }
}

/// What the net believes: the correction, and the temperature that some images choose.
fn base(gathered: &Gathered, wanted: &Wanted<'_>, images: &[usize]) -> Rule {
    let base = Rule { correction: wanted.correction.clone(), ..Rule::default() };
    let temperature = if wanted.temperature { temperature(gathered, images, &base) } else { 1.0 };
    Rule { temperature, ..base }
}

fn all(gathered: &Gathered) -> Vec<usize> {
    (0..gathered.images.len()).collect()
}

/// The rule of a shift that no image has a say in, and its t; none of one that is looked for.
fn given(shift: Shift, base: &Rule, direction: &[f64]) -> Option<(Rule, Option<f64>)> {
    match shift {
        Shift::None => Some((base.clone(), None)),
        Shift::Fixed(t) => Some((strength::shifted(base, direction, t), Some(t))),
        Shift::Strength | Shift::PerClass => None,
    }
}

impl Shift {
    /// The t that can be given: beyond it a class is decided by its prior alone.
    pub const STRENGTHS: RangeInclusive<f64> = -10.0..=10.0;

    /// Whether images have a say in it.
    pub fn is_looked_for(self) -> bool {
        matches!(self, Self::Strength | Self::PerClass)
    }

    /// The rule of a shift that no image has a say in, for a net trained on images of these priors.
    pub fn rule(self, prior: &[f64]) -> Option<Rule> {
        given(self, &Rule::default(), &strength::direction(prior)).map(|(rule, _)| rule)
    }
}

/// The rule that all images choose, and nothing else about it.
pub fn choose(gathered: &Gathered, wanted: &Wanted<'_>) -> Rule {
    let chooser = Chooser::new(gathered, wanted);
    chooser.rule(&all(gathered), &chooser.base).0
}

/// Chooses a rule by all images, and says how good it is.
pub fn fit(gathered: &Gathered, blocks: &Blocks, wanted: &Wanted<'_>) -> Fit {
    let all = all(gathered);
    let folds = blocks.folds(FOLDS);
    let rest = |fold: &Vec<usize>| all.iter().copied().filter(|i| !fold.contains(i)).collect::<Vec<_>>();
    let chooser = Chooser::new(gathered, wanted);
    let (rule, strength) = chooser.rule(&all, &chooser.base);

    let count = |rule: &Rule| -> Vec<Vec<Overlap>> {
        gathered.images.par_iter().map(|image| goal::count(image, rule, &gathered.scored)).collect()
    };
    let score = |counts: &[Vec<Overlap>]| scored(counts, blocks, wanted.goal);
    let crossed = (folds.len() > 1).then(|| {
        let mut counts = vec![Vec::new(); all.len()];
        let (mut nll, mut error, mut pixels) = (0.0, 0.0, 0.0);
        for fold in &folds {
            let rest = rest(fold);
            let base = base(gathered, wanted, &rest);
            let (rule, _) = chooser.rule(&rest, &base);
            for &image in fold {
                counts[image] = goal::count(&gathered.images[image], &rule, &gathered.scored);
            }
            let here = calibration(gathered, fold, &base);
            let n = fold.iter().map(|&image| gathered.images[image].truth.len()).sum::<usize>() as f64;
            (nll, error, pixels) = (nll + n * here.nll, error + n * here.calibration_error, pixels + n);
        }
        let pixels = pixels.max(1.0);
        (score(&counts), Calibration { nll: nll / pixels, calibration_error: error / pixels })
    });
    let of_t = |(at, &t): (usize, &f64)| {
        let counts: Vec<Vec<Overlap>> = chooser.counts.iter().map(|image| image[at].clone()).collect();
        (t, score(&counts))
    };
    Fit {
        strength,
        arg_max: score(&count(&Rule::default())),
        fitted: score(&count(&rule)),
        cross_fitted: crossed.map(|(scored, _)| scored),
        curve: strength::grid().iter().enumerate().map(of_t).collect(),
        calibration: [Rule::default(), rule.clone()].map(|rule| calibration(gathered, &all, &rule)),
        cross_calibration: crossed.map(|(_, calibration)| calibration),
        rule,
    }
}

/// A score of counted images, with the 2.5th and 97.5th percentile of resampled blocks.
fn scored(counts: &[Vec<Overlap>], blocks: &Blocks, goal: Goal) -> Scored {
    let outputs = counts.first().map_or(0, Vec::len);
    let value = goal.of(&goal::sum(counts, outputs));
    let n = blocks.blocks.len();
    if n < 2 {
        return Scored { value, interval: None };
    }
    let of_blocks: Vec<Vec<Overlap>> = blocks
        .blocks
        .iter()
        .map(|block| goal::sum(block.iter().map(|&image| &counts[image]), outputs))
        .collect();
    let one = |number: usize| {
        let mut stream = Stream::new(0, Purpose::Resampling, number as u32);
        goal.of(&goal::sum((0..n).map(|_| &of_blocks[stream.below(n)]), outputs))
    };
    let mut values: Vec<f64> = (0..RESAMPLES).into_par_iter().map(one).collect();
    values.sort_by(f64::total_cmp);
    Scored { value, interval: Some([values[RESAMPLES / 40 - 1], values[RESAMPLES - RESAMPLES / 40 - 1]]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Grouping;
    use crate::tune::gather::Known;

    /// A net that was trained to the truth, on images whose rare class is 1 in 20, and that is scored by the class average.
    fn gathered(images: usize) -> Gathered {
        let mut stream = Stream::new(5, Purpose::Resampling, 1);
        let image = |i: usize| {
            let mut known = Known { name: i.to_string(), logits: Vec::new(), truth: Vec::new() };
            for _ in 0..2000 {
                let truth = usize::from(stream.unit() < 0.05);
                let seen = stream.normal() + 1.5 * truth as f64;
                // ln p(1|x)/p(0|x) of two normal distributions and the prior.
                let z = 1.5 * seen - 1.125 + (0.05_f64 / 0.95).ln();
                known.logits.extend([0.0, z as f32]);
                known.truth.push(truth as u8);
            }
            known
        };
        Gathered { scored: vec![true; 2], images: (0..images).map(image).collect(), stride: 1 }
    }

    fn wanted(shift: Shift) -> Wanted<'static> {
        let prior = &[0.95, 0.05];
        Wanted { shift, goal: Goal::ClassAverage, temperature: true, correction: Vec::new(), prior }
    }

    fn fitted(images: usize, shift: Shift) -> Fit {
        let names: Vec<String> = (0..images).map(|i| i.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        fit(&gathered(images), &Blocks::of(&names, &Grouping::none()), &wanted(shift))
    }

    /// Balanced priors are best for the class average: t = 1, Φ(0.75) of each class.
    #[test]
    fn the_strength_of_balanced_priors_is_found() {
        let fit = fitted(20, Shift::Strength);
        let t = fit.strength.unwrap();
        assert!((t - 1.0).abs() < 0.2, "{t}");
        assert!((fit.fitted.value - 0.7734).abs() < 0.015, "{fit:?}");
        let [low, high] = fit.fitted.interval.unwrap();
        assert!(low < 0.7734 && 0.7734 < high && high - low < 0.05, "{low} {high}");
        assert!(fit.arg_max.value < 0.6, "{:?}", fit.arg_max);
        // What was chosen by these images is no worse there than what was not.
        let crossed = fit.cross_fitted.unwrap();
        assert!(crossed.value <= fit.fitted.value && crossed.value > fit.fitted.value - 0.02, "{crossed:?}");
        assert_eq!(fit.curve[20].1.value, fit.arg_max.value);
        // The net was calibrated already.
        assert!((fit.rule.temperature - 1.0).abs() < 0.1, "{:?}", fit.rule);
        assert!(fit.calibration[1].nll <= fit.calibration[0].nll);
    }

    /// Images that need different temperatures: what the others choose fits one less well than what it has a say in.
    #[test]
    fn a_temperature_is_judged_by_images_that_had_no_say_in_it() {
        let mut gathered = gathered(5);
        for logit in gathered.images.iter_mut().skip(3).flat_map(|image| &mut image.logits) {
            *logit *= 4.0;
        }
        let names: Vec<String> = (0..5).map(|i| i.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let fit = fit(&gathered, &Blocks::of(&names, &Grouping::none()), &wanted(Shift::None));
        let crossed = fit.cross_calibration.unwrap();
        assert!(crossed.nll > fit.calibration[1].nll + 1e-4, "{crossed:?} {:?}", fit.calibration);
    }

    #[test]
    fn one_shift_per_class_is_no_worse() {
        let [one, two] = [Shift::Strength, Shift::PerClass].map(|shift| fitted(6, shift));
        assert!(two.fitted.value >= one.fitted.value && two.strength.is_none(), "{two:?}");
        assert_eq!(two.rule.shift.len(), 2);
        let plain = fitted(6, Shift::None);
        assert!(plain.rule.shift.is_empty() && plain.fitted == plain.arg_max);
    }

    #[test]
    fn one_image_has_neither_interval_nor_estimate() {
        let fit = fitted(1, Shift::Strength);
        assert_eq!((fit.cross_fitted, fit.fitted.interval, fit.cross_calibration), (None, None, None));
    }
}
