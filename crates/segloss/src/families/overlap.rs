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

use crate::element::Element;
use crate::error::Error;
use crate::families::blocks::AnyKernel;
use crate::kernels::overlap::{Form, OverlapGradient, OverlapSums};
use crate::kinds::PixelTarget;
use crate::stable::{Logistic, Softmax};
use crate::tiles::{Tile, TileMut};
use crate::walk::{Visit, Walk};
use ndarray::ArrayView1;
use std::collections::BTreeMap;

/// One overlap loss: its place in the family.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Overlap {
    /// k.
    pub intersection: f64,
    /// α and β; none where E is a sum of squares.
    pub prices: Option<(f64, f64)>,
    /// s.
    pub smooth: f64,
    /// e of each class.
    pub exponents: Vec<f64>,
    /// Whether all classes make one ratio.
    pub pooled: bool,
}

/// The sums of a region, by class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Overlaps {
    /// Σ m·p·y.
    pub hits: Vec<f64>,
    /// E.
    pub errors: Vec<f64>,
}

impl Overlaps {
    pub fn zero(classes: usize) -> Self {
        Self { hits: vec![0.0; classes], errors: vec![0.0; classes] }
    }

    pub fn add(&mut self, other: Self) {
        self.hits.iter_mut().zip(other.hits).for_each(|(sum, x)| *sum += x);
        self.errors.iter_mut().zip(other.errors).for_each(|(sum, x)| *sum += x);
    }
}

/// A region's loss by class, weighted, and its derivatives by the sums.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slopes {
    /// w_c·L_c.
    pub loss: Vec<f64>,
    /// ∂/∂TP_c.
    pub by_hits: Vec<f64>,
    /// ∂/∂E_c.
    pub by_errors: Vec<f64>,
}

impl Overlap {
    /// The loss of a region and its slopes. `w`: the weight of each class, 0 where it does not count.
    pub fn slopes(&self, sums: &Overlaps, w: ArrayView1<'_, f64>) -> Slopes {
        let classes = w.len();
        let (k, s) = (self.intersection, self.smooth);
        let mut slopes =
            Slopes { loss: vec![0.0; classes], by_hits: vec![0.0; classes], by_errors: vec![0.0; classes] };
        let counted = || (0..classes).filter(|&c| w[c] > 0.0);
        if self.pooled {
            let hits: f64 = counted().map(|c| w[c] * k * sums.hits[c]).sum();
            let errors: f64 = counted().map(|c| w[c] * sums.errors[c]).sum();
            let all = hits + errors + s;
            // Nothing predicted and nothing there: no error.
            for c in counted().filter(|_| all > 0.0) {
                slopes.loss[c] = w[c] * sums.errors[c] / all;
                slopes.by_errors[c] = w[c] * ((hits + s) / all / all);
                slopes.by_hits[c] = -w[c] * k * (errors / all / all);
            }
            return slopes;
        }
        for c in counted() {
            let (hits, errors, e) = (k * sums.hits[c], sums.errors[c], self.exponents[c]);
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
            slopes.by_errors[c] = w[c] * steep * ((hits + s) / all / all);
            slopes.by_hits[c] = -w[c] * steep * k * (errors / all / all);
        }
        slopes
    }
}

impl<T: Element> Walk<'_, T> {
    /// The sums of a tile.
    pub fn overlaps(&self, overlap: &Overlap, tile: &Tile) -> Result<Overlaps, Error> {
        let mut sums = Overlaps::zero(self.geometry.classes);
        let mut probabilities = Probabilities::new(self.geometry.classes, self.loss.spec().is_sigmoid());
        let prices = overlap.prices.map(|(alpha, beta)| (T::of(alpha), T::of(beta)));
        if let Some(sums) = self.overlap_blocks(prices, tile) {
            return Ok(sums);
        }
        self.pixels(tile, |visit, _| {
            let Some(visit) = visit else { return Ok(()) };
            self.demand_finite(tile.image, &visit)?;
            probabilities.set(visit.z);
            for c in 0..visit.z.len() {
                let (p, q, y) = (probabilities.p[c], probabilities.q[c], visit.y.of(c));
                let error = match prices {
                    Some((alpha, beta)) => alpha * p * (T::one() - y) + beta * q * y,
                    // 1 − p would round away what is left of a confident pixel; q does not.
                    None if y == T::one() => q * q,
                    None => (p - y) * (p - y),
                };
                sums.hits[c] += (visit.m * p * y).wide();
                sums.errors[c] += (visit.m * error).wide();
            }
            Ok(())
        })?;
        Ok(sums)
    }

    /// The same where a kernel can: see [`Walk::blocks`].
    fn overlap_blocks(&self, prices: Option<(T, T)>, tile: &Tile) -> Option<Overlaps> {
        let classes = self.geometry.classes;
        let form = Form { sigmoid: self.loss.spec().is_sigmoid(), prices };
        let mut kernel = OverlapSums::new(form, classes);
        let nothing = &mut TileMut::Nothing;
        self.blocks(tile, 0, nothing, &mut TileMut::Nothing, AnyKernel::OverlapSums(&mut kernel))?;
        Some(Overlaps { hits: kernel.hits(), errors: kernel.errors() })
    }

    /// The gradient of a tile: Σ_c (∂L/∂TP_c·m·y + ∂L/∂E_c·m·∂E/∂p)·∂p_c/∂z.
    pub fn overlap_gradient(
        &self,
        overlap: &Overlap,
        slopes: &BTreeMap<usize, Slopes>,
        scale: f64,
        tile: &Tile,
        mut gradient: TileMut<'_, T>,
    ) -> Result<(), Error> {
        let classes = self.geometry.classes;
        let zeros = vec![T::zero(); classes];
        let row = |from: fn(&Slopes) -> &Vec<f64>| match slopes.get(&self.plan.region(tile.image)) {
            Some(slopes) => from(slopes).iter().map(|&x| in_range(x * scale)).collect(),
            None => zeros.clone(),
        };
        let (by_hits, by_errors): (Vec<T>, Vec<T>) = (row(|s| &s.by_hits), row(|s| &s.by_errors));
        let mut probabilities = Probabilities::new(classes, self.loss.spec().is_sigmoid());
        let prices = overlap.prices.map(|(alpha, beta)| (T::of(alpha), T::of(beta)));
        let (mut by_p, mut out) = (zeros.clone(), zeros.clone());
        let two = T::one() + T::one();
        let form = Form { sigmoid: self.loss.spec().is_sigmoid(), prices };
        let mut kernel = OverlapGradient::new(form, &by_hits, &by_errors);
        let kernel = AnyKernel::OverlapGradient(&mut kernel);
        if self.blocks(tile, 0, &mut gradient, &mut TileMut::Nothing, kernel).is_some() {
            return Ok(());
        }
        self.pixels(tile, |visit, at| {
            let Some(Visit { z, y, m, .. }) = visit else {
                gradient.put(at, &zeros);
                return Ok(());
            };
            probabilities.set(z);
            for (c, by_p) in by_p.iter_mut().enumerate() {
                let (p, q, y) = (probabilities.p[c], probabilities.q[c], y.of(c));
                let slope = match prices {
                    Some((alpha, beta)) => alpha * (T::one() - y) - beta * y,
                    None if y == T::one() => -two * q,
                    None => two * (p - y),
                };
                *by_p = m * (by_hits[c] * y + by_errors[c] * slope);
            }
            probabilities.pull_back(&by_p, &mut out);
            gradient.put(at, &out);
            Ok(())
        })
    }
}

/// A slope in the pixels' own type. Where a class is predicted by next to nothing (and s = 0), 1/D is beyond all
/// numbers, and ∞·0 would be NaN at the pixels of the others: there it stays at the largest that may still be
/// multiplied by a weight and added up.
fn in_range<T: Element>(slope: f64) -> T {
    let largest = T::max_value().wide() * 2f64.powi(-32);
    T::of(slope.clamp(-largest, largest))
}

/// The probabilities of a pixel and their complements, with neither rounded away.
pub(crate) struct Probabilities<T> {
    pub p: Vec<T>,
    /// 1 − p.
    pub q: Vec<T>,
    sigmoid: bool,
    top: usize,
}

impl<T: Element> Probabilities<T> {
    pub fn new(classes: usize, sigmoid: bool) -> Self {
        Self { p: vec![T::zero(); classes], q: vec![T::zero(); classes], sigmoid, top: 0 }
    }

    pub fn set(&mut self, z: &[T]) {
        if self.sigmoid {
            for ((p, q), &z) in self.p.iter_mut().zip(&mut self.q).zip(z) {
                let at = Logistic::new(z);
                (*p, *q) = (at.sigmoid, at.sigmoid_negated);
            }
            return;
        }
        let softmax = Softmax::new(z, &mut self.p);
        self.top = softmax.top();
        for (c, (p, q)) in self.p.iter_mut().zip(&mut self.q).enumerate() {
            *q = softmax.complement(c, *p);
            *p = softmax.probability(*p);
        }
    }

    /// From ∂L/∂p to ∂L/∂z.
    ///
    /// Softmax: p_k·(g_k − Σ_c p_c·g_c). Where one class has nearly all of p, its own g is nearly the whole sum
    /// and would cancel: for that class the difference is taken term by term, Σ_c p_c·(g_k − g_c).
    pub fn pull_back(&self, by_p: &[T], out: &mut [T]) {
        if self.sigmoid {
            for (c, out) in out.iter_mut().enumerate() {
                *out = by_p[c] * self.p[c] * self.q[c];
            }
            return;
        }
        let most = by_p[self.top];
        let drop = (0..by_p.len()).fold(T::zero(), |sum, c| sum + self.p[c] * (most - by_p[c]));
        for (k, out) in out.iter_mut().enumerate() {
            *out = self.p[k] * if k == self.top { drop } else { (by_p[k] - most) + drop };
        }
    }
}

impl<T: Element> PixelTarget<'_, T> {
    /// The class of a pixel that has one whole class.
    pub(crate) fn hard(&self) -> Option<usize> {
        match self {
            Self::Index(class) => *class,
            Self::Distribution(y) => y.iter().position(|&y| y > T::zero()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn an_absent_class_and_a_perfect_one_have_no_slope_but_a_value() {
        let dice = Overlap {
            intersection: 2.0,
            prices: Some((1.0, 1.0)),
            smooth: 0.0,
            exponents: vec![1.0, 1.0],
            pooled: false,
        };
        let sums = Overlaps { hits: vec![0.0, 3.0], errors: vec![0.0, 1.0] };
        let slopes = dice.slopes(&sums, array![1.0, 1.0].view());
        assert_eq!((slopes.loss[0], slopes.by_errors[0]), (0.0, 0.0));
        assert_eq!(slopes.loss[1], 1.0 / 7.0);
        let focal = Overlap { exponents: vec![0.75; 2], ..dice };
        let perfect = Overlaps { hits: vec![2.0, 2.0], errors: vec![0.0, 1e-30] };
        let slopes = focal.slopes(&perfect, array![1.0, 1.0].view());
        assert_eq!(slopes.by_errors[0], 0.0);
        assert!(slopes.by_errors[1].is_finite() && slopes.by_errors[1] > 0.0);
        // 5e-324/5 is 0.
        let nearly = Overlaps { hits: vec![2.0, 2.0], errors: vec![0.0, 5e-324] };
        let slopes = focal.slopes(&nearly, array![1.0, 1.0].view());
        assert!(slopes.by_errors[1].is_finite() && slopes.by_hits[1] == 0.0, "{slopes:?}");
    }

    #[test]
    fn what_is_hardly_predicted_has_a_slope_that_is_a_number() {
        // p of class 1 is 4e-44, and 1/D with it beyond f32; class 1 is not there, and costs nothing to leave out.
        let spec = "kind = 'tversky'\nsmooth = 0.0\nalpha = 1.0\nbeta = 0.0";
        let loss = crate::Loss::new(crate::LossSpec::from_toml(spec).unwrap()).unwrap();
        let (z, mut gradient) = ([100.0_f32, 0.0], [f32::NAN; 2]);
        let input = crate::Input::from_slices(&z, &[1, 2], &[0u8]).unwrap();
        loss.value_and_gradient(&input, &mut gradient).unwrap();
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
        assert_eq!(in_range::<f32>(f64::NEG_INFINITY), -f32::MAX * 2f32.powi(-32));
        assert_eq!(in_range::<f64>(0.25), 0.25);
    }

    #[test]
    fn a_certain_softmax_still_pulls() {
        let mut p = Probabilities::new(2, false);
        p.set(&[30.0_f32, 0.0]);
        let mut out = [0.0; 2];
        p.pull_back(&[-1.0, 1.0], &mut out);
        let expected = -2.0 * (-30.0_f32).exp();
        assert!((out[0] - expected).abs() <= 1e-6 * expected.abs(), "{out:?}");
        assert_eq!(out[0], -out[1]);
    }
}
