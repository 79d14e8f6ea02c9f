//! A moving average of the weights, which judges better than the last of them (Polyak & Juditsky 1992).
//!
//! > θ̄ ← d·θ̄ + (1 − d)·θ after each step t, with d = min(decay, (1 + t) / (10 + t))
//!
//! The first steps count little, because d is small at first. The running statistics of batch normalisations are
//! averaged like the weights.

use crate::error::Result;
use crate::unet::UNet;

/// A net whose every number is a moving average of another's.
#[derive(Debug, Clone)]
pub struct Average {
    /// The averaged net.
    pub net: UNet<f32>,
    decay: f64,
}

impl Average {
    /// Begins at a net's first weights; none for a decay of 0.
    pub fn new(decay: f64, net: &UNet<f32>) -> Option<Self> {
        (decay > 0.0).then(|| Self { net: net.clone(), decay })
    }

    /// Takes in the net after its step number `steps`.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn update(&mut self, net: &UNet<f32>, steps: u64) -> Result<()> {
        let t = steps as f64;
        let decay = self.decay.min((1.0 + t) / (10.0 + t)) as f32;
        let blend = |into: &mut [f32], from: &[f32]| {
            for (mean, &value) in into.iter_mut().zip(from) {
                // mean + (1 − d)·(value − mean): exact where both are equal.
                *mean += (1.0 - decay) * (value - *mean);
            }
        };
        for (mean, parameter) in self.net.parameters.iter_mut().zip(&net.parameters) {
            blend(mean.values_mut()?, parameter.values()?);
        }
        for (mean, statistics) in self.net.statistics.iter_mut().zip(&net.statistics) {
            blend(&mut mean.running.mean, &statistics.running.mean);
            blend(&mut mean.running.variance, &statistics.running.variance);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    fn constant(value: f32) -> UNet<f32> {
        let config = ModelConfig { width: 1, depth: 1, ..ModelConfig::default() };
        let mut net = UNet::new(&config, 1, 2, 0).unwrap();
        for parameter in &mut net.parameters {
            parameter.values_mut().unwrap().fill(value);
        }
        net.statistics[0].running.mean.fill(value);
        net
    }

    #[test]
    fn it_follows_the_weights_by_its_formula() {
        let mut average = Average::new(0.9, &constant(0.0)).unwrap();
        let mut expected = 0.0_f64;
        for (t, value) in [(1_u64, 1.0_f32), (2, 1.0), (200, -2.0)] {
            average.update(&constant(value), t).unwrap();
            let d = 0.9_f64.min((1.0 + t as f64) / (10.0 + t as f64));
            expected = d * expected + (1.0 - d) * f64::from(value);
            for parameter in &average.net.parameters {
                assert!(parameter.values().unwrap().iter().all(|&v| (f64::from(v) - expected).abs() < 1e-6));
            }
            assert!((f64::from(average.net.statistics[0].running.mean[0]) - expected).abs() < 1e-6);
        }
        assert!(Average::new(0.0, &constant(0.0)).is_none());
    }

    /// A clone of a net shares its numbers until one of the two changes.
    #[test]
    fn the_averaged_net_is_no_other_than_its_own() {
        let net = constant(1.0);
        let mut average = Average::new(0.5, &net).unwrap();
        average.update(&constant(3.0), 1000).unwrap();
        assert_eq!(net.parameters[0].values().unwrap()[0], 1.0);
        assert_eq!(average.net.parameters[0].values().unwrap()[0], 2.0);
    }
}
