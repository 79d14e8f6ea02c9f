//! How differences are spread: their number, the worst, and how many lie below a size.

use crate::compare::largest;
use std::collections::BTreeMap;

/// The differences held against one bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// The worst; NaN as soon as one is NaN.
    pub worst: f64,
    /// Those that are 0.
    zeros: u64,
    /// The finite others by the tenth of a decade that they lie in, which is all that percentiles need: beyond every
    /// decade is the worst.
    decades: BTreeMap<i32, u64>,
}

/// Steps per decade.
const STEPS: f64 = 10.0;

impl Spread {
    /// Adds a difference.
    pub fn add(&mut self, difference: f64) {
        self.count += 1;
        self.worst = largest([self.worst, difference]);
        if difference == 0.0 {
            self.zeros += 1;
        } else if difference.is_finite() {
            *self.decades.entry((difference.log10() * STEPS).floor() as i32).or_default() += 1;
        }
    }

    /// Adds another spread.
    pub fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.worst = largest([self.worst, other.worst]);
        self.zeros += other.zeros;
        for (&decade, &count) in &other.decades {
            *self.decades.entry(decade).or_default() += count;
        }
    }

    /// A number that at least this share of the differences does not exceed: the upper edge of the tenth of a
    /// decade in which the percentile lies, or the worst where that is less.
    pub fn percentile(&self, share: f64) -> f64 {
        let wanted = (share * self.count as f64).ceil() as u64;
        let mut below = self.zeros;
        if below >= wanted {
            return 0.0;
        }
        for (&decade, &count) in &self.decades {
            below += count;
            if below >= wanted {
                let edge = 10f64.powf(f64::from(decade + 1) / STEPS);
                return if self.worst.is_nan() { self.worst } else { edge.min(self.worst) };
            }
        }
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(of: &[f64]) -> Spread {
        let mut spread = Spread::default();
        of.iter().for_each(|&difference| spread.add(difference));
        spread
    }

    #[test]
    fn percentiles_are_upper_edges() {
        let many: Vec<f64> = (1..=1000).map(|i| f64::from(i) * 1e-16).collect();
        let spread = spread(&many);
        assert_eq!((spread.count, spread.worst), (1000, 1e-13));
        let p99 = spread.percentile(0.99);
        assert!((9.9e-14..=1e-13).contains(&p99), "{p99:e}");
        let median = spread.percentile(0.5);
        assert!((5e-14..=6.4e-14).contains(&median), "{median:e}");
    }

    /// Two zeros; two of 10^−2.96 and one of 10^−1.96, between tenths of decades; and ∞.
    const BY_HAND: [f64; 6] = [1.1e-3, 0.0, 1.1e-2, 0.0, f64::INFINITY, 1.1e-3];

    #[test]
    fn percentiles_by_hand() {
        let spread = spread(&BY_HAND);
        assert_eq!((spread.count, spread.worst, spread.zeros), (6, f64::INFINITY, 2));
        let edges = [0.0, 0.0, 10f64.powf(-2.9), 10f64.powf(-2.9), 10f64.powf(-1.9), f64::INFINITY];
        for (i, edge) in (1..).zip(edges) {
            assert_eq!(spread.percentile(f64::from(i) / 6.0), edge, "{i} of 6");
        }
        assert_eq!(spread.percentile(0.34), edges[2], "of 2.04 differences the third is one");
        assert_eq!(Spread::default().percentile(0.99), 0.0);
    }

    #[test]
    fn an_edge_beyond_the_worst_is_the_worst() {
        assert_eq!(spread(&[1.1e-3]).percentile(1.0), 1.1e-3);
        let broken = spread(&[f64::NAN, 1.1e-3, 1.1e-2]);
        assert!(broken.percentile(0.3).is_nan(), "beside NaN no number is the worst");
    }

    #[test]
    fn what_is_joined_is_as_if_it_were_one() {
        for cut in 0..=BY_HAND.len() {
            let (some, others) = BY_HAND.split_at(cut);
            let mut joined = spread(some);
            joined.join(&spread(others));
            assert_eq!(joined, spread(&BY_HAND), "cut at {cut}");
        }
    }

    #[test]
    fn nan_is_the_worst_and_zeros_the_least() {
        let spread = spread(&[0.0, 0.0, f64::NAN, 1e-16]);
        assert!(spread.worst.is_nan() && spread.percentile(1.0).is_nan());
        assert_eq!(spread.percentile(0.5), 0.0);
        let mut joined = Spread::default();
        joined.join(&spread);
        assert!(joined.worst.is_nan() && joined.count == 4);
        joined.join(&Spread { worst: 1.0, ..Spread::default() });
        joined.add(f64::INFINITY);
        assert!(joined.worst.is_nan(), "and stays it");
    }
}
