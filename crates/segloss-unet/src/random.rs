//! Every random choice of a run, from one seed.
//!
//! A generator is opened for a (seed, purpose, epoch) and used up within it. Nothing is carried from one
//! epoch to the next, so resuming at epoch k needs no saved generator and draws what an uninterrupted run
//! would have drawn. ChaCha8 with a 64-bit stream number keeps the streams apart.
//!
//! Integers, shuffles and normal deviates are derived here from the raw 64-bit output, because a
//! distribution of a library may change between its versions and with it every number of a run.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The initial weights.
    Weights = 1,
    /// The order of the images in an epoch.
    Order = 2,
    /// Flips and crops in an epoch.
    Augmentation = 3,
    /// The division of a data set into train, val and test.
    Split = 4,
    /// Which crops are centred on a rare class, and where, in an epoch.
    Sampling = 5,
    /// Magnification, rotation and colour in an epoch.
    Variation = 6,
    /// Which seeds and images a resample of a comparison consists of.
    Resampling = 7,
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// Opens the stream of `(seed, purpose, epoch)` at its beginning.
    pub fn new(seed: u64, purpose: Purpose, epoch: u32) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream((purpose as u64) << 32 | u64::from(epoch));
        Self(generator)
    }

    /// Uniform in `0..n`; 0 when `n` is 0. Exact: values that would favour the low numbers are rejected.
    pub fn below(&mut self, n: usize) -> usize {
        if n < 2 {
            return 0;
        }
        let n = n as u64;
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let value = self.0.next_u64();
            if value < limit {
                return (value % n) as usize;
            }
        }
    }

    /// True with probability ½.
    pub fn coin(&mut self) -> bool {
        self.0.next_u64() >> 63 == 1
    }

    /// Uniform in (0, 1], on a grid of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Standard normal, by Box and Muller: √(−2 ln u₁) · cos(2π u₂).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Fisher and Yates' shuffle: every order is equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seed: u64, purpose: Purpose, epoch: u32) -> Vec<usize> {
        let mut stream = Stream::new(seed, purpose, epoch);
        (0..8).map(|_| stream.below(1000)).collect()
    }

    #[test]
    fn streams_differ_in_seed_purpose_and_epoch_and_repeat() {
        let one = numbers(1, Purpose::Order, 0);
        assert_eq!(one, numbers(1, Purpose::Order, 0));
        assert_ne!(one, numbers(2, Purpose::Order, 0));
        assert_ne!(one, numbers(1, Purpose::Augmentation, 0));
        assert_ne!(one, numbers(1, Purpose::Order, 1));
    }

    #[test]
    fn the_stream_is_pinned() {
        // A change here changes every run ever made with a given seed.
        assert_eq!(numbers(7, Purpose::Order, 3), [793, 953, 662, 865, 957, 804, 145, 792]);
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..100).collect();
        Stream::new(0, Purpose::Order, 0).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn normal_has_mean_0_and_deviation_1() {
        let mut stream = Stream::new(0, Purpose::Weights, 0);
        let n = 100_000;
        let values: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(n);
        // Five standard errors: 5/√n, and 5·√(2/n).
        assert!(mean.abs() < 0.016, "{mean}");
        assert!((variance - 1.0).abs() < 0.023, "{variance}");
    }
}
