//! Focal loss: cross-entropy that fades where the prediction is right already.
//!
//! With the focusing exponent γ ≥ 0 (2), and q = 1 − p summed from the other classes, never subtracted:
//!
//! ```text
//! softmax   L = Σ_c w_c·y_c·q_c^γ·(−ln p_c)
//!           ∂L/∂z_k = p_k·Σ_{c≠k} a_c − a_k·q_k,        a_c = w_c·y_c·q_c^γ·(1 + γ·p_c·(−ln p_c)/q_c)
//! sigmoid   L = Σ_c w⁺·y·σ(−z)^γ·softplus(−z) + w⁻·(1 − y)·σ(z)^γ·softplus(z)
//!           ∂L/∂z = w⁻·(1 − y)·b(z) − w⁺·y·b(−z),      b(x) = σ(x)^γ·(σ(x) + γ·σ(−x)·softplus(x))
//! ```
//!
//! The factor is of the probability itself. Implementations that raise 1 − exp(−weighted cross-entropy) to γ
//! compute something else: a class weight then changes p.
//!
//! - `activation = "softmax"` (default) or `"sigmoid"`; shapes and targets as for
//!   [`cross_entropy`](super::cross_entropy) and [`binary_cross_entropy`](super::binary_cross_entropy). The
//!   paper's α is a pair of weights: `weights = { source = "fixed", values = [1 − α, α] }`.
//! - Reduction: [`Mean`](crate::Reduction::Mean), without the focusing factor. The paper divides
//!   by the number of positive anchors: a [`Constant`](crate::Reduction::Constant) can.
//! - γ = 0 is cross-entropy. For 0 < γ < 1 the slope by p is infinite at p = 1, but not the one by z, which is
//!   0 there: −ln p/q tends to 1, and is taken as 1 where q is 0.
//! - Confidently wrong: q → 1, so that value and gradient are those of cross-entropy; never zero. Confidently
//!   right: both vanish like q^(γ+1).
//! - An absent class meets no pixel. All ignored: 0.
//!
//! Reference: Lin, Goyal, Girshick, He & Dollár 2017, "Focal loss for dense object detection", eq. 5.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::channels::Channels;
use crate::families::pointwise::Pointwise;
use crate::kernels::channels::{ChannelCost, Logistic};
use crate::kernels::pointwise::{Cost, Point};
use crate::kernels::power::Power;
use crate::kind::{Info, LossKind};
use crate::options::{Activation, SharedKeys, number, options};
use crate::simd::{Simd, Vector};

options! {
    /// The options of [`focal`](self).
    pub struct Focal {
        /// softmax, or sigmoid for classes that may overlap.
        pub activation: Activation = Activation::Softmax,
        /// focusing exponent γ ≥ 0; 0 is cross-entropy.
        pub gamma: f64 = 2.0, samples [0.0, 0.5, 1.0, 3.5],
    }
}

impl LossKind for Focal {
    const INFO: Info = Info {
        summary: "Focal loss, softmax or sigmoid: cross-entropy that fades where the prediction is right already.",
        formula: "Σ_c w_c·y_c·(1 − p_c)^γ·(−ln p_c);  sigmoid: w⁺·y·σ(−z)^γ·softplus(−z) + w⁻·(1 − y)·σ(z)^γ·softplus(z)",
        reference: "Lin et al. 2017, Focal loss for dense object detection, eq. 5",
        activation: None,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "gamma = 0.5",
        "gamma = 0.0\n[weights]\nsource = 'per_sample'",
        "activation = 'sigmoid'",
        "activation = 'sigmoid'\ngamma = 0.5\n[weights]\nsource = 'per_batch'",
    ];

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        number("gamma", self.gamma, self.gamma >= 0.0, "a finite number ≥ 0")
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        let cost = Modulated { power: Power::new(self.gamma) };
        Some(match self.activation.is_sigmoid() {
            true => Box::new(Channels::new(cost)),
            false => Box::new(Pointwise::new(cost)),
        })
    }
}

/// Cross-entropy times the modulating factor q^γ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modulated {
    pub power: Power,
}

impl Cost for Modulated {
    #[inline(always)]
    fn cost_and_pull<V: Vector>(self, at: Point<V>) -> (V, V) {
        let simd = at.q.simd();
        let (zero, one) = (simd.constant(0.0), simd.constant(1.0));
        // At q = 0 the limits: q^γ is 0, or 1 for γ = 0, and −ln p/q is 1.
        let ratio = V::select(zero.less(at.q), at.nll / at.q, one);
        let factor = self.power.of(at.q);
        (factor * at.nll, factor * (self.power.gamma(simd) * at.p).mul_add(ratio, one))
    }
}

impl ChannelCost for Modulated {
    #[inline(always)]
    fn costs_and_slopes<V: Vector>(self, at: Logistic<V>) -> [(V, V); 2] {
        let (cost, slope) = self.negative(at);
        // A positive at z is a negative at −z.
        let (cost_of_positive, slope_of_positive) = self.negative(at.mirrored());
        [(cost, slope), (cost_of_positive, slope_of_positive.neg())]
    }
}

impl Modulated {
    /// The cost of a negative, and its slope b.
    #[inline(always)]
    fn negative<V: Vector>(self, at: Logistic<V>) -> (V, V) {
        let gamma = self.power.gamma(at.sigmoid.simd());
        let factor = self.power.of(at.sigmoid);
        let slope = factor * (gamma * at.sigmoid_negated).mul_add(at.softplus, at.sigmoid);
        (factor * at.softplus, slope)
    }
}

#[cfg(feature = "serde")]
#[cfg(test)]
mod tests {
    use crate::{Input, Loss, LossSpec};

    fn gradient(gamma: f64, z: [f64; 2], label: u8) -> [f64; 2] {
        let spec = LossSpec::from_toml(&format!("kind = 'focal'\ngamma = {gamma:?}")).unwrap();
        let mut gradient = [f64::NAN; 2];
        let labels = [label];
        let input = Input::from_slices(&z, &[1, 2], &labels).unwrap();
        Loss::new(spec).unwrap().value_and_gradient(&input, &mut gradient).unwrap();
        gradient
    }

    /// Below γ = 1 the power of q has an infinite slope by p at q = 0; by z it has none.
    #[test]
    fn a_certain_pixel_has_no_slope_for_any_gamma() {
        for gamma in [0.25, 0.5, 0.99, 1.0, 2.0] {
            // e^−800 is no number: q is 0.
            assert_eq!(gradient(gamma, [400.0, -400.0], 0), [0.0, 0.0], "{gamma}");
            // Nearly certain, q = e^−z: the slope is −(1 + γ)·q^(1 + γ), and falls with q.
            let [near, _] = gradient(gamma, [20.0, 0.0], 0);
            let want = -(1.0 + gamma) * (-20.0 * (1.0 + gamma)).exp();
            assert!((near / want - 1.0).abs() <= 1e-7, "{gamma}: {near:e} {want:e}");
        }
    }

    #[test]
    fn a_confident_mistake_keeps_the_slope_of_cross_entropy() {
        for gamma in [0.0, 0.5, 2.0, 5.0] {
            assert_eq!(gradient(gamma, [400.0, -400.0], 1), [1.0, -1.0], "{gamma}");
        }
    }
}
