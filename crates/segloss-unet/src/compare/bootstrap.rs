//! What other images would have said: differences of scores under resampled seeds and images.
//!
//! A resample draws as many seeds as there are, and as many [blocks](crate::blocks) of images, both with replacement, and
//! scores both losses on it: the same seeds and the same images for both (Efron 1979; for two sources of variation, Owen 2007).
//! The interval has the 2.5th and 97.5th percentile of the differences.

use rayon::prelude::*;

use super::statistics::{ALPHA, mean};
use crate::blocks::Blocks;
use crate::metrics::Results;
use crate::metrics::definitions::value;
use crate::metrics::sums::{Settings, Sums};
use crate::random::{Purpose, Stream};

/// Scores whose bins are kept of all images together: no resample of images has its own.
pub const NOT_RESAMPLED: [&str; 2] = ["calibration_error", "classwise_calibration_error"];

/// What resamples say of one difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampled {
    /// 95 % of the resamples lie between.
    pub interval: [f64; 2],
    /// The share of the resamples in which the difference is above 0; ties count half.
    pub above: f64,
}

/// Resamples the differences second − first of each of `metrics` over pairs of results, a pair for each seed. None where a
/// score has no resamples.
pub fn resample(
    pairs: &[(&Results, &Results)],
    blocks: &Blocks,
    metrics: &[&str],
    resamples: usize,
) -> Vec<Option<Resampled>> {
    let one = |number: usize| {
        // No more than the resamples that anybody waits for.
        let mut stream = Stream::new(0, Purpose::Resampling, number as u32);
        let images: Vec<usize> = blocks
            .blocks
            .iter()
            .flat_map(|_| &blocks.blocks[stream.below(blocks.blocks.len())])
            .copied()
            .collect();
        let drawn: Vec<usize> = pairs.iter().map(|_| stream.below(pairs.len())).collect();
        // A seed that is drawn twice is scored once.
        let scored: Vec<Option<Vec<Option<f64>>>> = (0..pairs.len())
            .map(|seed| drawn.contains(&seed).then(|| differences(pairs[seed], &images, metrics)))
            .collect();
        let of_metric = |metric: usize| -> Option<f64> {
            let of_seeds: Option<Vec<f64>> =
                drawn.iter().map(|&seed| scored[seed].as_ref()?[metric]).collect();
            Some(mean(&of_seeds?))
        };
        (0..metrics.len()).map(of_metric).collect::<Vec<_>>()
    };
    let all: Vec<Vec<Option<f64>>> = (0..resamples).into_par_iter().map(one).collect();
    let summary = |(metric, name): (usize, &&str)| {
        let found: Vec<f64> = all.iter().filter_map(|resample| resample[metric]).collect();
        if NOT_RESAMPLED.contains(name) { None } else { summarise(found) }
    };
    metrics.iter().enumerate().map(summary).collect()
}

fn differences(
    (first, second): (&Results, &Results),
    images: &[usize],
    metrics: &[&str],
) -> Vec<Option<f64>> {
    let [first, second] = [first, second].map(|results| Sums::of_images(results, images.iter().copied()));
    let of = |sums: &Sums, name: &str| value(sums, Settings::default(), name);
    metrics.iter().map(|name| Some(of(&second, name)? - of(&first, name)?)).collect()
}

/// Percentiles by the nearest rank; none of nothing.
fn summarise(mut found: Vec<f64>) -> Option<Resampled> {
    if found.is_empty() {
        return None;
    }
    found.sort_by(f64::total_cmp);
    let n = found.len();
    let rank = |part: f64| found[((part * n as f64).ceil() as usize).clamp(1, n) - 1];
    let count = |of: fn(f64) -> bool| found.iter().filter(|&&d| of(d)).count() as f64;
    Some(Resampled {
        interval: [rank(ALPHA / 2.0), rank(1.0 - ALPHA / 2.0)],
        above: (count(|d| d > 0.0) + 0.5 * count(|d| d == 0.0)) / n as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_ties() {
        let resampled = summarise((0..1000).map(|i| f64::from(i) - 499.0).collect()).unwrap();
        assert_eq!(resampled.interval, [-475.0, 475.0]);
        assert_eq!(resampled.above, 0.5005);
        assert_eq!(summarise(vec![]), None);
        assert_eq!(summarise(vec![0.0; 4]).unwrap().above, 0.5);
    }
}
