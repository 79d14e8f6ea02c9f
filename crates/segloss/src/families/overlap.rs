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

use super::{Family, Needs, Partial, Region, RegionPlan, Resolved, Scope, TilePass};
use crate::element::Element;
use crate::kernels::block::Block;
use crate::kernels::overlap::{Form, OverlapSlopes, OverlapSums};
use crate::kernels::plane::Plane;
use crate::kernels::pointwise::Wanted;
use ndarray::ArrayView1;

/// From the sums of a region to its loss and the slopes of the loss.
pub(crate) trait Score: Send + Sync {
    /// The loss of each class, weighted, and its derivatives by the sums. `w`: the weight of each class, 0 where it does not
    /// count.
    fn score(&self, sums: &Overlaps, w: ArrayView1<'_, f64>) -> Slopes;
}

/// A loss made of overlaps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overlap<S> {
    pub score: S,
    pub form: Form,
    /// Whether p is of sigmoids; else it is of the softmax.
    pub sigmoid: bool,
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

impl<T: Element, S: Score> Family<T> for Overlap<S> {
    fn needs(&self) -> Needs {
        if self.sigmoid { Needs::Sigmoids } else { Needs::Probabilities }
    }

    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a> {
        let slopes = match scope.resolved {
            Some(Resolved::Overlap(slopes)) => {
                let scale = scope.scale;
                let less =
                    |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| in_range((a - b) * scale)).collect();
                let tp = slopes.tp.iter().map(|tp| in_range(tp * scale)).collect();
                let (own, other) = (less(&slopes.tp, &slopes.fn_), less(&slopes.fp, &slopes.tn));
                Some(OverlapSlopes { own, other, tp })
            }
            _ => None,
        };
        Box::new(Pass { form: self.form, slopes, sums: OverlapSums::zeros(scope.classes) })
    }

    fn resolve(&self, partial: &Partial, plan: &RegionPlan<'_>) -> Region {
        let Partial::Overlap(sums) = partial else { return Region::default() };
        let slopes = self.score.score(sums, plan.weights);
        Region { losses: slopes.loss.clone(), kept: None, resolved: Some(Resolved::Overlap(slopes)) }
    }
}

struct Pass<T> {
    form: Form,
    /// On the way back.
    slopes: Option<OverlapSlopes<T>>,
    sums: OverlapSums,
}

impl<T: Element> TilePass<T> for Pass<T> {
    fn block(&mut self, block: &mut Block<T>, _: &[Plane<T>], wanted: Wanted) -> bool {
        if wanted.losses {
            block.overlap_sums(self.form, &mut self.sums);
        }
        if let (true, Some(slopes)) = (wanted.gradient, &self.slopes) {
            block.overlap_gradient(self.form, slopes);
        }
        true
    }

    fn finish(self: Box<Self>) -> (Vec<f64>, Partial) {
        let [tp, fp, fn_, tn] = self.sums.totals();
        (Vec::new(), Partial::Overlap(Overlaps { tp, fp, fn_, tn }))
    }
}

/// A slope in the pixels' own type. Where a class is predicted by next to nothing (and s = 0), 1/D is beyond all
/// numbers, and ∞·0 would be NaN at the pixels of the others: there it stays at the largest that may still be
/// multiplied by a weight and added up.
fn in_range<T: Element>(slope: f64) -> T {
    let largest = T::max_value().wide() * 2f64.powi(-32);
    T::of(slope.clamp(-largest, largest))
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

    #[test]
    fn what_is_hardly_predicted_has_a_slope_that_is_a_number() {
        // p of class 1 is 4e-44, and 1/D with it beyond f32; class 1 is not there, and costs nothing to leave out.
        let spec = crate::kinds::Tversky { smooth: 0.0, alpha: 1.0, beta: 0.0, ..crate::kinds::Tversky::default() };
        let loss = crate::Loss::of(spec).build().unwrap();
        let (z, mut gradient) = ([100.0_f32, 0.0], [f32::NAN; 2]);
        let input = crate::Input::from_slices(&z, &[1, 2], &[0u8]).unwrap();
        loss.value_and_gradient(&input, &mut gradient).unwrap();
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
        assert_eq!(in_range::<f32>(f64::NEG_INFINITY), -f32::MAX * 2f32.powi(-32));
        assert_eq!(in_range::<f64>(0.25), 0.25);
    }
}
