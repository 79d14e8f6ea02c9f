//! Exponential logarithmic loss: powers of −ln Dice and of −ln p, which small classes cannot hide from.
//!
//! ```text
//! value     L = w_D·mean_c (−ln D_c)^γ_D + w_X·Σ m·w_y·(−ln p_y)^γ_X / Σ m
//!           D_c = (2·TP + s)/(2·TP + FP + FN + s)
//! gradient  ∂(−ln D)^γ/∂D = −γ·(−ln D)^(γ−1)/D,    ∂(−ln p)^γ/∂z = γ·(−ln p)^(γ−1)·∂(−ln p)/∂z
//! ```
//!
//! For γ < 1 both rise steeply from where all is right, and flatten where it is not: the slope is in the middle.
//!
//! - w_D (`dice_weight`, 0.8), w_X (`cross_weight`, 0.2), γ_D (`gamma_dice`, 0.3), γ_X (`gamma_cross`, 0.3), s (`smooth`, 1,
//!   the paper's pseudocount; above 0, as ln 0 is no number).
//! - Shapes, targets: as for [`cross_entropy`](super::cross_entropy), softmax. `region` and `classes` are those of D.
//! - Weights act on the pixels: the paper's w_l = (Σ_k f_k/f_l)^½ is `weights.scheme = "inverse_sqrt"` but for a factor √C.
//! - Reduction: none of its own; both terms are means.
//! - Certain pixels: at p = 1 the slope of (−ln p)^γ by p is infinite for γ < 1, but not by z, where it tends to 0.
//! - Confidently wrong: (−ln p)^γ grows like z^γ; for γ < 1 its gradient falls like z^(γ−1), by the definition.
//! - Absent classes: D_c = s/(FP + s). All ignored: 0.
//!
//! Reference: Wong, Moradi, Tang & Syeda-Mahmood 2018, "3D segmentation with exponential logarithmic loss for highly
//! unbalanced object sizes", eqs. 1 to 3.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::families::pointwise::Pointwise;
use crate::kernels::overlap::Form;
use crate::kernels::pointwise::{Cost, Point};
use crate::kernels::power::Power;
use crate::kind::{Component, Info, LossKind, Reach, Shared, Structure};
use crate::options::{Classes, Reduction, Region, SharedKeys, number, options};
use crate::regions::overlap::{Overlaps, Ratio, Score, Slopes};
use crate::simd::Vector;
use ndarray::ArrayView1;

options! {
    /// The options of [`exponential_logarithmic`](self).
    pub struct ExponentialLogarithmic {
        /// weight w_D ≥ 0 of the Dice term.
        pub dice_weight: f64 = 0.8, samples [0.0, 0.5, 1.0],
        /// weight w_X ≥ 0 of the cross-entropy term.
        pub cross_weight: f64 = 0.2, samples [0.0, 0.5, 1.0],
        /// exponent γ_D > 0 of −ln D.
        pub gamma_dice: f64 = 0.3, samples [0.5, 1.0, 2.0],
        /// exponent γ_X > 0 of −ln p.
        pub gamma_cross: f64 = 0.3, samples [0.5, 1.0, 2.0],
        /// s > 0.
        pub smooth: f64 = 1.0, samples [0.1, 2.0],
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
        /// all, present, or foreground: which classes of a region count.
        pub classes: Classes = Classes::All, samples [Classes::All, Classes::Present, Classes::Foreground],
    }
}

impl LossKind for ExponentialLogarithmic {
    const INFO: Info = Info {
        summary: "Exponential logarithmic loss: powers of −ln Dice and of −ln p, for objects of very different sizes.",
        formula: "w_D·mean_c (−ln D_c)^γ_D + w_X·mean w_y·(−ln p_y)^γ_X,  D_c = (2·Σpy + s)/(Σp + Σy + s)",
        reference: "Wong et al. 2018, 3D segmentation with exponential logarithmic loss, eqs. 1-3",
        structure: Structure::Terms,
        shared: &[Shared::Threshold, Shared::Weights, Shared::Prior],
        // The terms have divided already.
        reduction: Reduction::Sum,
        // w_X·γ·u^(γ−1)/P of the cross-entropy term, u = 80.
        reach: Reach::Always(0.2 * 0.3 * 0.046 / 6.0),
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "gamma_dice = 1.0\ngamma_cross = 1.5\nregion = 'image'",
        "dice_weight = 0.0\ncross_weight = 1.0\n[weights]\nsource = 'per_sample'\nscheme = 'inverse_sqrt'",
        "classes = 'present'\nsmooth = 0.1\nthreshold = { logit_adjustment = 1.0 }",
    ];

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        let Self { dice_weight, cross_weight, gamma_dice, gamma_cross, smooth, .. } = *self;
        number("dice_weight", dice_weight, dice_weight >= 0.0, "a finite number ≥ 0")?;
        number("cross_weight", cross_weight, cross_weight >= 0.0, "a finite number ≥ 0")?;
        number("gamma_dice", gamma_dice, gamma_dice > 0.0, "a finite number > 0")?;
        number("gamma_cross", gamma_cross, gamma_cross > 0.0, "a finite number > 0")?;
        number("smooth", smooth, smooth > 0.0, "a finite number > 0: the logarithm of 0 is none")
    }

    fn components(&self) -> Vec<Component> {
        let of = |factor, structure| Component { factor, structure, by_pixels: true };
        vec![of(self.dice_weight, Structure::Overlap), of(self.cross_weight, Structure::Pixels)]
    }

    /// Classes weigh alike in the Dice term.
    fn component_weights(
        &self,
        component: usize,
        classes: usize,
    ) -> Result<Option<Vec<f64>>, (&'static str, String, String)> {
        Ok((component == 0).then(|| vec![1.0; classes]))
    }

    fn family<T: Element>(
        &self,
        _: &SharedKeys<'_>,
        component: usize,
        classes: usize,
    ) -> Option<Box<dyn Family<T>>> {
        if component == 0 {
            let ratio = Ratio { intersection: 2.0, smooth: self.smooth, ..Ratio::new(classes) };
            let score = LogRatio { ratio, gamma: self.gamma_dice };
            return Some(Box::new(Overlap { score, form: Form::Product, sigmoid: false }));
        }
        Some(Box::new(Pointwise::new(PowerOfNll { power: Power::new(self.gamma_cross) })))
    }
}

/// (−ln p)^γ.
#[derive(Clone, Copy, Debug)]
struct PowerOfNll {
    power: Power,
}

impl Cost for PowerOfNll {
    #[inline(always)]
    fn cost_and_pull<V: Vector>(self, at: Point<V>) -> (V, V) {
        let zero = at.nll.zero();
        let cost = self.power.of(at.nll);
        // γ·u^γ/u; where u rounds to 0, so does 1 − p, which it is multiplied with.
        let pull = self.power.gamma(at.nll.simd()) * cost / at.nll;
        (cost, V::select(zero.less(at.nll), pull, zero))
    }
}

/// (−ln D)^γ of each class.
#[derive(Clone, Debug)]
struct LogRatio {
    ratio: Ratio,
    gamma: f64,
}

impl Score for LogRatio {
    fn score(&self, sums: &Overlaps, w: ArrayView1<'_, f64>) -> Slopes {
        let Self { ratio: Ratio { intersection: k, smooth, .. }, gamma } = *self;
        let mut slopes = Slopes::zeros(w.len());
        for c in (0..w.len()).filter(|&c| w[c] > 0.0) {
            let (hits, errors) = (k * sums.tp[c] + smooth, sums.fp[c] + sums.fn_[c]);
            // Without an error the loss is 0; its power's slope may be infinite there (γ < 1), and 0 is the one that stays.
            if !(errors > 0.0) {
                continue;
            }
            // −ln D = ln(1 + E/(k·TP + s)): small errors keep their digits.
            let u = (errors / hits).ln_1p();
            // u^γ/u, as γ − 1 would be rounded.
            let power = u.powf(gamma);
            let steep = gamma * power / u.max(f64::MIN_POSITIVE);
            slopes.loss[c] = w[c] * power;
            let by_errors = w[c] * steep / (hits + errors);
            slopes.tp[c] = -k * by_errors * (errors / hits);
            (slopes.fp[c], slopes.fn_[c]) = (by_errors, by_errors);
        }
        slopes
    }
}
