//! One number for calibration: T of the least cross-entropy of softmax(z/T + b) (Guo et al. 2017, *On Calibration of Modern Neural
//! Networks*, section 4.2). It changes no arg max, but a shift weighs against z/T.

use rayon::prelude::*;

use super::gather::Gathered;
use crate::metrics::Rule;
use crate::metrics::bins::{Bins, calibration_error};

/// ln T is looked for from 1/20 to 20.
const WIDEST: f64 = 3.0;
/// So many pixels at most are looked at while T is looked for.
const PIXELS: usize = 400_000;

/// How far a net's probabilities are from the truth.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Mean −ln p_truth, in nats.
    pub nll: f64,
    /// Expected calibration error of the predicted class's probability, 15 bins.
    pub calibration_error: f64,
}

/// The calibration of a rule over some images.
pub fn calibration(gathered: &Gathered, images: &[usize], rule: &Rule) -> Calibration {
    let of_image = |&image: &usize| {
        let (mut bins, mut surprise) = (Bins::default(), 0.0);
        let mut probabilities = vec![0.0; gathered.scored.len()];
        for (logits, truth) in gathered.images[image].pixels() {
            let judged = rule.judge(logits, &gathered.scored, truth, &mut probabilities);
            bins.add(probabilities[judged.class], judged.class == truth);
            surprise += judged.surprise;
        }
        (bins, surprise, gathered.images[image].truth.len())
    };
    let each: Vec<(Bins, f64, usize)> = images.par_iter().map(of_image).collect();
    let (mut bins, mut surprise, mut pixels) = (Bins::default(), 0.0, 0);
    for (of_image, here, count) in &each {
        bins.merge(of_image);
        (surprise, pixels) = (surprise + here, pixels + count);
    }
    Calibration {
        nll: surprise / pixels.max(1) as f64,
        calibration_error: calibration_error(&bins.sums()).unwrap_or(0.0),
    }
}

/// The temperature of the least cross-entropy over some images, to three digits; by golden section, as it is convex in 1/T.
pub fn temperature(gathered: &Gathered, images: &[usize], base: &Rule) -> f64 {
    let pixels: usize = images.iter().map(|&image| gathered.images[image].truth.len()).sum();
    let stride = pixels.div_ceil(PIXELS).max(1);
    let nll = |ln_t: f64| -> f64 {
        let rule = Rule { temperature: ln_t.exp(), shift: Vec::new(), ..base.clone() };
        let of_image = |&image: &usize| {
            let mut probabilities = vec![0.0; gathered.scored.len()];
            let pixels = gathered.images[image].pixels().step_by(stride);
            pixels.map(|(z, truth)| rule.judge(z, &gathered.scored, truth, &mut probabilities).surprise).sum()
        };
        // Summed in the order of the images, for any number of threads.
        images.par_iter().map(of_image).collect::<Vec<f64>>().iter().sum()
    };
    let ratio = (5_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-WIDEST, WIDEST);
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (nll(a), nll(b));
    while high - low > 1e-4 {
        if at_a <= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = nll(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = nll(b);
        }
    }
    // A short number: the fourth digit is below any use.
    let t = ((low + high) / 2.0).exp();
    format!("{t:.2e}").parse().unwrap_or(t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Stream};
    use crate::tune::gather::Known;

    /// Truths drawn from softmax(z/2): the temperature is 2.
    #[test]
    fn the_temperature_that_was_drawn_with_is_found() {
        let mut stream = Stream::new(1, Purpose::Resampling, 0);
        let mut known = Known { name: "a".to_owned(), logits: Vec::new(), truth: Vec::new() };
        for _ in 0..40_000 {
            let z: [f32; 3] = std::array::from_fn(|_| (3.0 * stream.normal()) as f32);
            let e = z.map(|z| (f64::from(z) / 2.0).exp());
            let u = stream.unit() * e.iter().sum::<f64>();
            known.truth.push(if u <= e[0] { 0 } else { 1 + u8::from(u > e[0] + e[1]) });
            known.logits.extend(z);
        }
        let gathered = Gathered { scored: vec![true; 3], images: vec![known], stride: 1 };
        let found = temperature(&gathered, &[0], &Rule::default());
        // Its standard error is about 0.02.
        assert!((found - 2.0).abs() < 0.06, "{found}");
        let before = calibration(&gathered, &[0], &Rule::default());
        let after = calibration(&gathered, &[0], &Rule { temperature: found, ..Rule::default() });
        assert!(after.nll < before.nll - 0.05 && after.calibration_error < 0.01, "{before:?} {after:?}");
    }
}
