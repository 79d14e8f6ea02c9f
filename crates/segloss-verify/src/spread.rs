//! How differences are spread: their number, the worst, and how many lie below a size.

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
    /// The others by the tenth of a decade that they lie in, which is all that percentiles need.
    decades: BTreeMap<i32, u64>,
}

/// Steps per decade.
const STEPS: f64 = 10.0;

impl Spread {
    /// Adds a difference.
    pub fn add(&mut self, difference: f64) {
        self.count += 1;
        if difference.is_nan() || difference > self.worst {
            self.worst = difference;
        }
        match difference {
            0.0 => self.zeros += 1,
            // NaN and ∞ are worse than any number.
            d if !d.is_finite() => *self.decades.entry(i32::MAX).or_default() += 1,
            d => *self.decades.entry((d.log10() * STEPS).floor() as i32).or_default() += 1,
        }
    }

    /// Adds another spread.
    pub fn join(&mut self, other: &Self) {
        self.count += other.count;
        if other.worst.is_nan() || other.worst > self.worst {
            self.worst = other.worst;
        }
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
                let edge = if decade == i32::MAX {
                    f64::INFINITY
                } else {
                    10f64.powf(f64::from(decade + 1) / STEPS)
                };
                return if edge < self.worst { edge } else { self.worst };
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

    #[test]
    fn nan_is_the_worst_and_zeros_the_least() {
        let spread = spread(&[0.0, 0.0, f64::NAN, 1e-16]);
        assert!(spread.worst.is_nan() && spread.percentile(1.0).is_nan());
        assert_eq!(spread.percentile(0.5), 0.0);
        let mut joined = Spread::default();
        joined.join(&spread);
        assert!(joined.worst.is_nan() && joined.count == 4);
    }
}
