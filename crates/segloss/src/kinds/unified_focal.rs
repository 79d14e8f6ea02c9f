//! Unified focal: a focal and a focal Tversky term with one δ and one γ between them.
//!
//! ```text
//! value     L = λ·F + (1 − λ)·T
//!           F = Σ m·Σ_c a_c·y_c·(1 − p_c)^γ_c·(−ln p_c) / Σ m,       a = 1 − δ for the background, δ for the rare
//!           T = mean over regions and classes of (1 − TI_c)^e_c,      TI = (TP + s)/(TP + δ·FN + (1 − δ)·FP + s)
//! symmetric   γ_c = γ, e_c = 1 − γ
//! asymmetric  γ_c = γ for the background, 0 for the rare;  e_c = 1 for the background, 1 − γ for the rare
//! ```
//!
//! - λ (`mix`, 0.5), δ (`delta`, 0.6), γ (`gamma`, 0.5, below 1), `asymmetric` (true), `background` (class 0; all
//!   others are rare), s (`smooth`, 1e-7). It has no other class weights: δ is its weighting.
//! - Shapes, targets: as for [`cross_entropy`](super::cross_entropy), softmax. `region` as for
//!   [`dice`](super::dice); the authors' code takes each image by itself.
//! - The paper writes the exponent of the symmetric focal term as 1 − γ, the authors' code as γ; at the
//!   recommended γ = ½ they are one. Here it is γ, in both forms.
//! - Reduction: none of its own; F and T are means.
//! - Absent classes: as for [`tversky`](super::tversky) with `classes = "all"`.
//! - Confidently wrong: F's gradient tends to ±a; never zero while λ > 0.
//!
//! Reference: Yeung, Sala, Schönlieb & Rundo 2022, "Unified focal loss: generalising Dice and cross entropy-based
//! losses to handle class imbalanced medical image segmentation", eqs. 15 to 20.

use super::focal::Modulated;
use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::families::pointwise::Pointwise;
use crate::kernels::overlap::Form;
use crate::kernels::pointwise::{Cost, Point};
use crate::kernels::power::Power;
use crate::kind::{Component, Info, LossKind, Reach, Shared, Structure};
use crate::options::{Reduction, Region, SharedKeys, number, options, smooth};
use crate::regions::overlap::Ratio;
use crate::simd::{Real, Simd, Vector};

options! {
    /// The options of [`unified_focal`](self).
    pub struct UnifiedFocal {
        /// share λ of the focal term.
        pub mix: f64 = 0.5, samples [0.0, 0.3, 1.0],
        /// weight δ of rare classes and false negatives.
        pub delta: f64 = 0.6, samples [0.0, 0.3, 1.0],
        /// focusing exponent γ, at least 0 and below 1.
        pub gamma: f64 = 0.5, samples [0.0, 0.3, 0.8],
        /// enhance the rare classes only.
        pub asymmetric: bool = true, samples [false, true],
        /// the class that is not rare.
        pub background: usize = 0,
        /// s ≥ 0.
        pub smooth: f64 = 1e-7, samples [0.0, 0.1, 1.0],
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
    }
}

impl LossKind for UnifiedFocal {
    const INFO: Info = Info {
        summary: "Unified focal: a focal and a focal Tversky term with one δ and one γ, enhancing rare classes.",
        formula: "λ·mean Σ_c a_c·y_c·(1 − p_c)^γ_c·(−ln p_c) + (1 − λ)·mean_c (1 − TI_c)^e_c,  a = δ or 1 − δ, TI with δ·FN and (1 − δ)·FP",
        reference: "Yeung et al. 2022, Unified focal loss, eqs. 15-20",
        structure: Structure::Terms,
        shared: &[Shared::Threshold, Shared::Prior],
        // The terms have divided already.
        reduction: Reduction::Sum,
        // λ·δ/P of the focal term.
        reach: Reach::Always(0.9 * 0.5 * 0.6 / 6.0),
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] =
        &["", "asymmetric = false\nregion = 'image'", "mix = 0.2\nbackground = 1\nsmooth = 1.0"];

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        number("gamma", self.gamma, (0.0..1.0).contains(&self.gamma), "at least 0 and below 1")?;
        number("mix", self.mix, (0.0..=1.0).contains(&self.mix), "0 to 1")?;
        number("delta", self.delta, (0.0..=1.0).contains(&self.delta), "0 to 1")?;
        smooth(self.smooth)
    }

    fn components(&self) -> Vec<Component> {
        let of = |factor, structure| Component { factor, structure, by_pixels: true };
        vec![of(self.mix, Structure::Pixels), of(1.0 - self.mix, Structure::Overlap)]
    }

    /// a_c in F.
    fn component_weights(
        &self,
        component: usize,
        classes: usize,
    ) -> Result<Option<Vec<f64>>, (&'static str, String, String)> {
        let Self { background, delta, .. } = *self;
        if background >= classes {
            return Err(("background", format!("one of 0..={}", classes - 1), background.to_string()));
        }
        let weight = |c: usize| match component {
            0 if c == background => 1.0 - delta,
            0 => delta,
            _ => 1.0,
        };
        Ok(Some((0..classes).map(weight).collect()))
    }

    fn family<T: Element>(
        &self,
        _: &SharedKeys<'_>,
        component: usize,
        classes: usize,
    ) -> Option<Box<dyn Family<T>>> {
        let Self { delta, gamma, asymmetric, background, smooth, .. } = *self;
        if component == 0 {
            let of = |gamma| Modulated { power: Power::new(gamma) };
            let of_others = of(if asymmetric { 0.0 } else { gamma });
            return Some(Box::new(Pointwise::new(TwoFocals {
                background,
                of_background: of(gamma),
                of_others,
            })));
        }
        let exponent = |class| if asymmetric && class == background { 1.0 } else { 1.0 - gamma };
        let exponents = (0..classes).map(exponent).collect();
        let score = Ratio { alpha: 1.0 - delta, beta: delta, smooth, exponents, ..Ratio::new(classes) };
        Some(Box::new(Overlap { score, form: Form::Product, sigmoid: false }))
    }
}

/// Focal loss with a γ of its own for one class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TwoFocals {
    background: usize,
    of_background: Modulated,
    of_others: Modulated,
}

impl Cost for TwoFocals {
    #[inline(always)]
    fn cost_and_pull<V: Vector>(self, at: Point<V>) -> (V, V) {
        let is_background = at.class.equal(at.q.simd().splat(V::Real::of_class(self.background)));
        let (cost, pull) = self.of_background.cost_and_pull(at);
        let (cost_of_others, pull_of_others) = self.of_others.cost_and_pull(at);
        (V::select(is_background, cost, cost_of_others), V::select(is_background, pull, pull_of_others))
    }
}
