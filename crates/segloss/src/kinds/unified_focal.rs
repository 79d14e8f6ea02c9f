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
//! - Denominator: none of its own; F and T are means.
//! - Absent classes: as for [`tversky`](super::tversky) with `classes = "all"`.
//! - Confidently wrong: F's gradient tends to ±a; never zero while λ > 0.
//!
//! Reference: Yeung, Sala, Schönlieb & Rundo 2022, "Unified focal loss: generalising Dice and cross entropy-based
//! losses to handle class imbalanced medical image segmentation", eqs. 15 to 20.

use super::focal::Focal;
use crate::families::overlap::{Overlap, Ratio};
use crate::families::pointwise::Pointwise;
use crate::kernels::overlap::Form;
use crate::kernels::pointwise::{Cost, Point};
use crate::kernels::power::Power;
use crate::simd::{Real, Simd, Vector};
use crate::spec::{LossSpec, Number};

/// F.
pub(crate) fn focal(spec: &LossSpec) -> Pointwise<TwoFocals> {
    let gamma = spec.number(Number::Gamma);
    let of = |gamma| Focal { power: Power::new(gamma) };
    Pointwise::new(TwoFocals {
        background: spec.background.unwrap_or(0),
        of_background: of(gamma),
        of_others: of(if spec.asymmetric.unwrap_or(true) { 0.0 } else { gamma }),
    })
}

/// Focal loss with a γ of its own for one class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TwoFocals {
    background: usize,
    of_background: Focal,
    of_others: Focal,
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

/// a_c.
pub(crate) fn focal_weight(spec: &LossSpec, class: usize) -> f64 {
    let delta = spec.number(Number::Delta);
    if class == spec.background.unwrap_or(0) { 1.0 - delta } else { delta }
}

/// T.
pub(crate) fn tversky(spec: &LossSpec, classes: usize) -> Overlap<Ratio> {
    let delta = spec.number(Number::Delta);
    let asymmetric = spec.asymmetric.unwrap_or(true);
    let exponent = |class| match asymmetric && class == spec.background.unwrap_or(0) {
        true => 1.0,
        false => 1.0 - spec.number(Number::Gamma),
    };
    Overlap {
        score: Ratio {
            intersection: 1.0,
            alpha: 1.0 - delta,
            beta: delta,
            smooth: spec.number(Number::Smooth),
            exponents: (0..classes).map(exponent).collect(),
            pooled: false,
        },
        form: Form::Product,
        sigmoid: false,
    }
}
