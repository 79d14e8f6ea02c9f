//! How sure a median is, told from the sample alone.

use crate::speed::worker::median;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Samples that are drawn from the sample: of each end's half per cent, fifty lie beyond.
const RESAMPLES: usize = 10_000;

/// The share of the medians that lie within the interval.
pub const CONFIDENCE: f64 = 0.99;

/// An interval of confidence about a median.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// The sample's own median.
    pub median: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Nobody knows.
    pub const UNKNOWN: Self = Self { low: f64::NAN, median: f64::NAN, high: f64::NAN };

    /// Whether all of it lies between two numbers. What is not a number lies nowhere.
    pub fn is_within(&self, low: f64, high: f64) -> bool {
        self.low >= low && self.high <= high
    }
}

/// The percentile bootstrap of the median (Efron 1979): the sample stands for the population, and samples as large are
/// drawn from it with replacement; between the outer percentiles of their medians lies the interval.
///
/// Unknown of a sample that is empty or has something in it that is no number.
pub fn of_median(sample: &[f64], rng: &mut ChaCha8Rng) -> Interval {
    if sample.is_empty() || !sample.iter().all(|x| x.is_finite()) {
        return Interval::UNKNOWN;
    }
    let mut drawn = vec![0.0; sample.len()];
    let mut medians = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.fill_with(|| sample[rng.random_range(0..sample.len())]);
        medians.push(median(&drawn));
    }
    medians.sort_by(f64::total_cmp);
    let beyond = ((1.0 - CONFIDENCE) / 2.0 * RESAMPLES as f64).round() as usize;
    Interval { low: medians[beyond], median: median(sample), high: medians[RESAMPLES - 1 - beyond] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn of(sample: &[f64]) -> Interval {
        of_median(sample, &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn a_sample_of_one_is_sure_of_itself() {
        assert_eq!(of(&[3.0]), Interval { low: 3.0, median: 3.0, high: 3.0 });
        assert_eq!(of(&[2.0; 9]), Interval { low: 2.0, median: 2.0, high: 2.0 });
    }

    #[test]
    fn what_is_no_number_makes_all_unknown() {
        for sample in [&[][..], &[1.0, f64::NAN], &[f64::INFINITY, 1.0, 1.0]] {
            let interval = of(sample);
            assert!(interval.low.is_nan() && interval.median.is_nan() && interval.high.is_nan());
            assert!(!interval.is_within(f64::NEG_INFINITY, f64::INFINITY));
        }
    }

    /// Of 1…25 the median of a resample is at most k where 13 of 25 draws are: by the binomial distribution, 0.5 % of
    /// them lie at 6 and below, and at 20 and above.
    #[test]
    fn known_percentiles_are_found() {
        let sample: Vec<f64> = (1..=25).map(f64::from).collect();
        assert_eq!(of(&sample), Interval { low: 7.0, median: 13.0, high: 19.0 });
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_no_order_matters_much() {
        let sample = [5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 7.0];
        assert_eq!(of(&sample), of(&sample));
        let interval = of(&sample);
        assert!(interval.low < interval.median && interval.median < interval.high, "{interval:?}");
        assert_eq!(interval.median, 4.0);
    }

    /// The interval contains the true median nearly as often as it says: of 100 samples of 41 of the uniform
    /// distribution, 99 would be so by its word, and somewhat fewer are: it ends at numbers of the sample.
    #[test]
    fn the_truth_is_within_nearly_as_often_as_promised() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let covered = (0..100).filter(|_| {
            let sample: Vec<f64> = (0..41).map(|_| rng.random_range(0.0..1.0)).collect();
            let interval = of_median(&sample, &mut rng);
            interval.low <= 0.5 && 0.5 <= interval.high
        });
        let covered = covered.count();
        assert!((95..=100).contains(&covered), "{covered} of 100");
    }

    #[test]
    fn within_is_within_both_ends() {
        let interval = Interval { low: -1.0, median: 0.0, high: 2.0 };
        assert!(interval.is_within(-1.0, 2.0));
        assert!(!interval.is_within(-0.5, 2.0) && !interval.is_within(-1.0, 1.5));
    }
}
