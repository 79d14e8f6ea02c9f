//! What other images would have said: differences of scores under resampled seeds and images.
//!
//! A resample draws as many seeds as there are, and as many [blocks](crate::blocks) of images, both with replacement, and
//! scores both losses on it: the same seeds and the same images for both (Efron 1979; for two sources of variation, Owen 2007).
//! The interval has the 2.5th and 97.5th percentile of the differences.
//!
//! Few seeds resampled are few seeds still: such an interval of three is too narrow. What decides is therefore a t test whose
//! error holds both, s_d²/n of the seeds and the variance of the mean under resampled images alone: see
//! [`Paired`](super::statistics::Paired).

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
    /// The variance of the mean over all seeds under resampled images; infinite where there is one block of them.
    pub image_variance: f64,
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
        let scored: Vec<Vec<Option<f64>>> =
            pairs.iter().map(|&pair| differences(pair, &images, metrics)).collect();
        let of_metric = |metric: usize| -> Option<[f64; 2]> {
            let all: Option<Vec<f64>> = scored.iter().map(|seed| seed[metric]).collect();
            let all = all?;
            let of_drawn: Vec<f64> = drawn.iter().map(|&seed| all[seed]).collect();
            Some([mean(&of_drawn), mean(&all)])
        };
        (0..metrics.len()).map(of_metric).collect::<Vec<_>>()
    };
    let all: Vec<Vec<Option<[f64; 2]>>> = (0..resamples).into_par_iter().map(one).collect();
    let summary = |(metric, name): (usize, &&str)| {
        let found: Vec<[f64; 2]> = all.iter().filter_map(|resample| resample[metric]).collect();
        if NOT_RESAMPLED.contains(name) { None } else { summarise(&found, blocks.blocks.len()) }
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

/// Of differences under resampled seeds and images, and under resampled images alone. Percentiles by the nearest rank; none of
/// nothing.
fn summarise(found: &[[f64; 2]], blocks: usize) -> Option<Resampled> {
    let mut both: Vec<f64> = found.iter().map(|resample| resample[0]).collect();
    let images: Vec<f64> = found.iter().map(|resample| resample[1]).collect();
    both.sort_by(f64::total_cmp);
    let n = both.len();
    if n == 0 {
        return None;
    }
    let rank = |part: f64| both[((part * n as f64).ceil() as usize).clamp(1, n) - 1];
    let count = |of: fn(f64) -> bool| both.iter().filter(|&&d| of(d)).count() as f64;
    let centre = mean(&images);
    let squares: f64 = images.iter().map(|d| (d - centre) * (d - centre)).sum();
    // Drawn with replacement, n blocks vary by (n − 1)/n of what n fresh ones would.
    let few = if blocks > 1 { blocks as f64 / (blocks as f64 - 1.0) } else { f64::INFINITY };
    Some(Resampled {
        interval: [rank(ALPHA / 2.0), rank(1.0 - ALPHA / 2.0)],
        above: (count(|d| d > 0.0) + 0.5 * count(|d| d == 0.0)) / n as f64,
        image_variance: if few.is_finite() { squares / n as f64 * few } else { few },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_ties() {
        let both: Vec<[f64; 2]> = (0..1000).map(|i| [f64::from(i) - 499.0, f64::from(i % 2)]).collect();
        let resampled = summarise(&both, 5).unwrap();
        assert_eq!(resampled.interval, [-475.0, 475.0]);
        assert_eq!(resampled.above, 0.5005);
        assert_eq!(resampled.image_variance, 0.25 * 1.25);
        assert_eq!(summarise(&[], 5), None);
        let one_block = summarise(&[[0.0; 2]; 4], 1).unwrap();
        assert_eq!((one_block.above, one_block.image_variance), (0.5, f64::INFINITY));
    }
}
