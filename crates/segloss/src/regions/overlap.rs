//! Losses that are one minus an overlap of what is predicted and what is there, class by class.
//!
//! With TP = Σ m·p·y and the errors E of a class in a region,
//!
//! ```text
//! value      L = (E/(k·TP + E + s))^e        E = α·FP + β·FN,  or Σ m·(p − y)² where sums are of squares
//! gradient   ∂L/∂E = e·Q^(e−1)·(k·TP + s)/D²,   ∂L/∂TP = −e·Q^(e−1)·k·E/D²,   Q = E/D,  D = k·TP + E + s
//! ```
//!
//! k = 2, α = β = 1 is Dice, k = 1 is Jaccard or, with other α and β, Tversky. E is summed as errors, never
//! taken as 1 − overlap: where everything is nearly right that difference has no digits left.
//!
//! Pooled (generalised Dice), the numerators and denominators of all classes are added before they are
//! divided: L = Σ_c w_c·E_c/(Σ_c w_c·(k·TP_c + E_c) + s).

use ndarray::ArrayView1;

/// From the sums of a region to its loss and the slopes of the loss.
pub(crate) trait Score: Send + Sync {
    /// The loss of each class, weighted, and its derivatives by the sums. `w`: the weight of each class, 0 where it does not
    /// count.
    fn score(&self, sums: &Overlaps, w: ArrayView1<'_, f64>) -> Slopes;
}

/// The sums of a region by class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Overlaps {
    pub tp: Vec<f64>,
    pub fp: Vec<f64>,
    pub fn_: Vec<f64>,
    /// Where the form has it.
    pub tn: Vec<f64>,
}

impl Overlaps {
    pub fn add(&mut self, other: Self) {
        let add =
            |sums: &mut [f64], terms: Vec<f64>| sums.iter_mut().zip(terms).for_each(|(sum, x)| *sum += x);
        add(&mut self.tp, other.tp);
        add(&mut self.fp, other.fp);
        add(&mut self.fn_, other.fn_);
        add(&mut self.tn, other.tn);
    }
}

/// A region's loss by class, weighted, and its derivatives by the sums.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slopes {
    /// w_c·L_c.
    pub loss: Vec<f64>,
    pub tp: Vec<f64>,
    pub fp: Vec<f64>,
    pub fn_: Vec<f64>,
    pub tn: Vec<f64>,
}

impl Slopes {
    /// Of a loss that is 0 everywhere.
    pub fn zeros(classes: usize) -> Self {
        let zeros = || vec![0.0; classes];
        Self { loss: zeros(), tp: zeros(), fp: zeros(), fn_: zeros(), tn: zeros() }
    }
}

/// Dice, Jaccard, Tversky and their powers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ratio {
    /// k.
    pub intersection: f64,
    /// α and β, the weights of false positives and false negatives.
    pub alpha: f64,
    pub beta: f64,
    /// s.
    pub smooth: f64,
    /// e of each class.
    pub exponents: Vec<f64>,
    /// Whether all classes make one ratio.
    pub pooled: bool,
}

impl Ratio {
    /// Jaccard's, without s.
    pub fn new(classes: usize) -> Self {
        Self {
            intersection: 1.0,
            alpha: 1.0,
            beta: 1.0,
            smooth: 0.0,
            exponents: vec![1.0; classes],
            pooled: false,
        }
    }
}

impl Score for Ratio {
    fn score(&self, sums: &Overlaps, w: ArrayView1<'_, f64>) -> Slopes {
        let classes = w.len();
        let (k, s) = (self.intersection, self.smooth);
        let mut slopes = Slopes::zeros(classes);
        let error = |c: usize| self.alpha * sums.fp[c] + self.beta * sums.fn_[c];
        let counted = || (0..classes).filter(|&c| w[c] > 0.0);
        if self.pooled {
            let hits: f64 = counted().map(|c| w[c] * k * sums.tp[c]).sum();
            let errors: f64 = counted().map(|c| w[c] * error(c)).sum();
            let all = hits + errors + s;
            // Nothing predicted and nothing there: no error.
            for c in counted().filter(|_| all > 0.0) {
                slopes.loss[c] = w[c] * error(c) / all;
                slopes.set(c, -w[c] * k * (errors / all / all), w[c] * ((hits + s) / all / all), self);
            }
            return slopes;
        }
        for c in counted() {
            let (hits, errors, e) = (k * sums.tp[c], error(c), self.exponents[c]);
            let all = hits + errors + s;
            // Without an error the loss is 0, also as 0/0; its power's slope may be infinite there (e < 1),
            // and 0 is the one that stays.
            if !(errors > 0.0) && (e != 1.0 || !(all > 0.0)) {
                continue;
            }
            let ratio = errors / all;
            // At e = 1 both factors are exactly 1 and Q. An error so small that Q rounds to 0 would have an infinite
            // slope, and ∞·0 is NaN: the slope stays that of the smallest normal number.
            let (power, steep) = match e {
                1.0 => (ratio, 1.0),
                _ => (ratio.powf(e), e * ratio.max(f64::MIN_POSITIVE).powf(e - 1.0)),
            };
            slopes.loss[c] = w[c] * power;
            let (by_hits, by_errors) = (errors / all / all, (hits + s) / all / all);
            slopes.set(c, -w[c] * steep * k * by_hits, w[c] * steep * by_errors, self);
        }
        slopes
    }
}

impl Slopes {
    /// From ∂L/∂TP and ∂L/∂E of a class.
    fn set(&mut self, c: usize, by_hits: f64, by_errors: f64, ratio: &Ratio) {
        (self.tp[c], self.fp[c], self.fn_[c]) = (by_hits, by_errors * ratio.alpha, by_errors * ratio.beta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn sums(tp: [f64; 2], fp: [f64; 2]) -> Overlaps {
        Overlaps { tp: tp.to_vec(), fp: fp.to_vec(), fn_: vec![0.0; 2], tn: vec![0.0; 2] }
    }

    #[test]
    fn an_absent_class_and_a_perfect_one_have_no_slope_but_a_value() {
        let dice = Ratio {
            intersection: 2.0,
            alpha: 1.0,
            beta: 1.0,
            smooth: 0.0,
            exponents: vec![1.0, 1.0],
            pooled: false,
        };
        let slopes = dice.score(&sums([0.0, 3.0], [0.0, 1.0]), array![1.0, 1.0].view());
        assert_eq!((slopes.loss[0], slopes.fp[0]), (0.0, 0.0));
        assert_eq!(slopes.loss[1], 1.0 / 7.0);
        let focal = Ratio { exponents: vec![0.75; 2], ..dice };
        let slopes = focal.score(&sums([2.0, 2.0], [0.0, 1e-30]), array![1.0, 1.0].view());
        assert_eq!(slopes.fp[0], 0.0);
        assert!(slopes.fp[1].is_finite() && slopes.fp[1] > 0.0);
        // 5e-324/5 is 0.
        let slopes = focal.score(&sums([2.0, 2.0], [0.0, 5e-324]), array![1.0, 1.0].view());
        assert!(slopes.fp[1].is_finite() && slopes.tp[1] == 0.0, "{slopes:?}");
    }
}
