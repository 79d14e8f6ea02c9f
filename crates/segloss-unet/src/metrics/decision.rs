//! From the logits of a pixel to its class, and to the net's probabilities.

use serde::{Deserialize, Serialize};

use crate::real::Real;

/// The class a pixel is given, and the probability the net gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The scored class of the largest logit; the first of equals.
    pub class: usize,
    /// Its softmax probability among the scored classes.
    pub confidence: f64,
}

/// Decides one pixel from its logits; `scored` says which classes may win.
pub fn decide<E: Real>(logits: &[E], scored: &[bool]) -> Decision {
    let class = largest(logits, scored);
    let exponentials = logits.iter().zip(scored).filter(|(_, scored)| **scored);
    // The largest logit is taken out, so its own term is exactly 1 and nothing overflows.
    let sum: f64 = exponentials.map(|(&logit, _)| (logit - logits[class]).wide().exp()).sum();
    Decision { class, confidence: 1.0 / sum }
}

/// The scored class of the largest logit; the first of equals.
fn largest<E: Real>(logits: &[E], scored: &[bool]) -> usize {
    let mut class = 0;
    let mut largest = E::neg_infinity();
    for (c, (&logit, _)) in logits.iter().zip(scored).enumerate().filter(|(_, (_, scored))| **scored) {
        // The first scored class is taken even if its logit is NaN or −∞.
        if logit > largest || !scored[class] {
            (class, largest) = (c, logit);
        }
    }
    class
}

/// How a pixel's class follows from its logits z: arg max (z_c / T + s_c), the first of equals. The net's probabilities are
/// softmax(z / T): a shift moves decisions and not what the net believes.
///
/// A shift of −ln τ_c is the threshold τ_c of class c: arg max p_c/τ_c.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// T > 0.
    pub temperature: f64,
    /// s_c for each output of the net; empty for none.
    pub shift: Vec<f64>,
}

impl Default for Rule {
    /// arg max z.
    fn default() -> Self {
        Self { temperature: 1.0, shift: Vec::new() }
    }
}

/// What a rule makes of one pixel, beside its probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The class that it is given.
    pub class: usize,
    /// −ln of the truth's probability, which is finite where that probability is too small for a number.
    pub surprise: f64,
}

impl Rule {
    /// Whether the rule can be applied to a net of so many outputs.
    pub fn fits(&self, outputs: usize) -> bool {
        let positive = self.temperature > 0.0 && self.temperature.is_finite();
        let shifted = self.shift.is_empty() || self.shift.len() == outputs;
        positive && shifted && self.shift.iter().all(|shift| shift.is_finite())
    }

    /// Judges a pixel whose truth is known, and fills in the probabilities: 0 where a class is not scored.
    pub fn judge<E: Real>(
        &self,
        logits: &[E],
        scored: &[bool],
        truth: usize,
        probabilities: &mut [f64],
    ) -> Judged {
        let top = largest(logits, scored);
        // The largest is taken out before anything can overflow.
        let scaled = |c: usize| (logits[c] - logits[top]).wide() / self.temperature;
        let mut sum = 0.0;
        for (c, p) in probabilities.iter_mut().enumerate() {
            *p = if scored[c] { scaled(c).exp() } else { 0.0 };
            sum += *p;
        }
        probabilities.iter_mut().for_each(|p| *p /= sum);
        let class = if self.shift.is_empty() {
            top
        } else {
            let shifted: Vec<f64> =
                self.shift.iter().enumerate().map(|(c, shift)| scaled(c) + shift).collect();
            largest(&shifted, scored)
        };
        Judged { class, surprise: sum.ln() - scaled(truth) }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("arg max z")?;
        if self.temperature != 1.0 {
            write!(f, "/{}", self.temperature)?;
        }
        f.write_str(if self.shift.is_empty() { "" } else { " + shift" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sure(class: usize) -> Decision {
        Decision { class, confidence: 1.0 }
    }

    #[test]
    fn decisions_at_the_extremes() {
        assert_eq!(decide(&[1e30_f64, -1e30], &[true, true]), sure(0));
        assert_eq!(decide(&[0.0_f32, 0.0, 0.0, 0.0], &[true; 4]).confidence, 0.25);
        assert_eq!(decide(&[f32::NEG_INFINITY, 0.0], &[false, true]).class, 1);
    }

    #[test]
    fn a_rule_without_a_shift_decides_as_training_does() {
        let scored = [true, false, true, true];
        for logits in [[0.1_f32, 9.0, 0.3, 0.3], [2.0, 0.0, -1.0, 1.5], [-1e30, 0.0, -1e30, -1e30]] {
            let mut p = [f64::NAN; 4];
            let judged = Rule::default().judge(&logits, &scored, 3, &mut p);
            let decision = decide(&logits, &scored);
            assert_eq!((judged.class, p[judged.class]), (decision.class, decision.confidence));
            assert_eq!(p[1], 0.0);
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-15);
            // 1e-15: a logarithm of a rounded quotient.
            assert!((judged.surprise + p[3].ln()).abs() < 1e-15, "{judged:?}");
        }
    }

    #[test]
    fn surprise_is_finite_where_the_probability_is_not_a_number_above_0() {
        let mut p = [0.0; 2];
        let judged = Rule::default().judge(&[0.0_f64, 5000.0], &[true; 2], 0, &mut p);
        assert_eq!((p[0], judged.surprise), (0.0, 5000.0));
    }

    #[test]
    fn a_threshold_is_a_shift() {
        // σ(z) > 0.2, for two classes.
        let rule = Rule { temperature: 1.0, shift: vec![-0.8_f64.ln(), -0.2_f64.ln()] };
        let class = |p: f64| rule.judge(&[0.0, (p / (1.0 - p)).ln()], &[true; 2], 0, &mut [0.0; 2]).class;
        assert_eq!([0.19, 0.21, 0.9].map(class), [0, 1, 1]);
        assert_eq!(rule.to_string(), "arg max z + shift");
        // What the net believes is not shifted.
        let mut p = [0.0; 2];
        rule.judge(&[0.0_f64, 0.0], &[true; 2], 0, &mut p);
        assert_eq!(p, [0.5, 0.5]);
        assert!(rule.fits(2) && !rule.fits(3) && Rule::default().fits(3));
        assert!(!Rule { temperature: f64::NAN, shift: vec![] }.fits(2));
    }
}
