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

/// How a pixel's class follows from its logits z. The net's probabilities are p = softmax(z/T + b), and the class is
/// arg max (z_c/T + b_c + s_c), the first of equals: a shift s moves decisions and not what the net believes.
///
/// A shift of −ln τ_c is the threshold τ_c of class c: arg max p_c/τ_c.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// T > 0.
    pub temperature: f64,
    /// b_c for each output of the net; empty for none. −ln w_c takes out class weights w that the net was trained with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correction: Vec<f64>,
    /// s_c for each output of the net; empty for none.
    pub shift: Vec<f64>,
}

impl Default for Rule {
    /// arg max z.
    fn default() -> Self {
        Self { temperature: 1.0, correction: Vec::new(), shift: Vec::new() }
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
        let each = [&self.correction, &self.shift].into_iter().all(|added| {
            (added.is_empty() || added.len() == outputs) && added.iter().all(|added| added.is_finite())
        });
        positive && each
    }

    /// Whether it is arg max z.
    pub fn is_arg_max(&self) -> bool {
        self.correction.is_empty() && self.shift.is_empty()
    }

    /// The class of a pixel.
    pub fn class<E: Real>(&self, logits: &[E], scored: &[bool]) -> usize {
        if self.is_arg_max() {
            return largest(logits, scored);
        }
        let added = |c: usize| self.correction.get(c).unwrap_or(&0.0) + self.shift.get(c).unwrap_or(&0.0);
        let mut best: Option<(usize, f64)> = None;
        for (c, &logit) in logits.iter().enumerate().filter(|&(c, _)| scored[c]) {
            let shifted = logit.wide() / self.temperature + added(c);
            if best.is_none_or(|(_, most)| shifted > most) {
                best = Some((c, shifted));
            }
        }
        best.map_or(0, |(class, _)| class)
    }

    /// Judges a pixel whose truth is known, and fills in the probabilities: 0 where a class is not scored.
    pub fn judge<E: Real>(
        &self,
        logits: &[E],
        scored: &[bool],
        truth: usize,
        probabilities: &mut [f64],
    ) -> Judged {
        let class = self.class(logits, scored);
        // The largest logit is taken out before anything can overflow; a correction is no large number.
        let top = largest(logits, scored);
        let believed = |c: usize| {
            (logits[c] - logits[top]).wide() / self.temperature + self.correction.get(c).unwrap_or(&0.0)
        };
        let most = if self.correction.is_empty() {
            0.0
        } else {
            let scores = (0..logits.len()).filter(|&c| scored[c]).map(believed);
            scores.fold(f64::NEG_INFINITY, f64::max)
        };
        let mut sum = 0.0;
        for (c, p) in probabilities.iter_mut().enumerate() {
            *p = if scored[c] { (believed(c) - most).exp() } else { 0.0 };
            sum += *p;
        }
        probabilities.iter_mut().for_each(|p| *p /= sum);
        Judged { class, surprise: sum.ln() - (believed(truth) - most) }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("arg max z")?;
        if self.temperature != 1.0 {
            write!(f, "/{}", self.temperature)?;
        }
        f.write_str(if self.correction.is_empty() { "" } else { " + correction" })?;
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
        let rule = Rule { shift: vec![-0.8_f64.ln(), -0.2_f64.ln()], ..Rule::default() };
        let class = |p: f64| rule.judge(&[0.0, (p / (1.0 - p)).ln()], &[true; 2], 0, &mut [0.0; 2]).class;
        assert_eq!([0.19, 0.21, 0.9].map(class), [0, 1, 1]);
        assert_eq!(rule.to_string(), "arg max z + shift");
        // What the net believes is not shifted.
        let mut p = [0.0; 2];
        rule.judge(&[0.0_f64, 0.0], &[true; 2], 0, &mut p);
        assert_eq!(p, [0.5, 0.5]);
        assert!(rule.fits(2) && !rule.fits(3) && Rule::default().fits(3));
        assert!(!Rule { temperature: f64::NAN, ..Rule::default() }.fits(2));
    }

    #[test]
    fn a_correction_takes_out_the_weights_of_the_training() {
        // A net that believes w·p, normalised, believes p once −ln w is added.
        let (p, w) = ([0.7_f64, 0.2, 0.1], [1.0_f64, 2.0, 8.0]);
        let logits: Vec<f64> = p.iter().zip(w).map(|(p, w)| (p * w).ln() + 3.0).collect();
        let rule = Rule { correction: w.map(|w| -w.ln()).to_vec(), ..Rule::default() };
        let mut found = [0.0; 3];
        let judged = rule.judge(&logits, &[true; 3], 1, &mut found);
        assert_eq!((judged.class, Rule::default().class(&logits, &[true; 3])), (0, 2));
        for (found, p) in found.iter().zip(p) {
            assert!((found - p).abs() < 1e-15, "{found} {p}");
        }
        assert!((judged.surprise + p[1].ln()).abs() < 1e-15);
        // Far from 0, too.
        let rule = Rule { correction: vec![0.0, 2000.0], ..Rule::default() };
        let judged = rule.judge(&[0.0_f64, 0.0], &[true; 2], 0, &mut found[..2]);
        assert_eq!((judged.class, judged.surprise), (1, 2000.0));
    }
}
