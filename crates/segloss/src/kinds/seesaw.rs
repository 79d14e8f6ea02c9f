//! Seesaw loss: a pixel of a frequent class pushes rare classes down less, unless they win wrongly.
//!
//! ```text
//! value     L = Σ_i w_i·y_i·(ln Σ_j S_ij·exp z_j − z_i),    S_ii = 1,  S_ij = M_ij·K_ij
//!           M_ij = min(1, (π_j/π_i)^p)      mitigation, p = 0.8: j is rarer than i
//!           K_ij = max(1, (p_j/p_i)^q)      compensation, q = 2: j wins although i is right
//! gradient  ∂L/∂z_k = Σ_i w_i·y_i·(r_ik − δ_ik),    r_i = softmax_j(z_j + ln S_ij)
//! ```
//!
//! S is a constant for the gradient, as in the authors' code: what is returned is not the derivative of the
//! value where K > 1. ln K = max(0, q·(z_j − z_i)) and ln M come straight from logits and priors, so that no
//! power overflows.
//!
//! - Shapes, targets, weights: as for [`cross_entropy`](super::cross_entropy). π: the
//!   [prior](crate::LossSpec::prior), of the batch unless set; the paper accumulates it over the training, as
//!   `prior.source = "ema"` or `"dataset"` do. An unseen class counts as one pixel.
//! - Reduction: [`Mean`](crate::Reduction::Mean).
//! - p = q = 0 is cross-entropy. The authors' code holds p_i above 0.01 in K; the paper and segloss do not.
//! - Confidently wrong: r → the winning class; the gradient tends to ±w; never zero.
//! - An absent class is still pushed down, by M < 1. All ignored: 0.
//!
//! Reference: Wang, Zhang, Zang, Cao, Pang, Gong, Chen, Liu, Loy & Lin 2021, "Seesaw loss for long-tailed instance
//! segmentation", eqs. 3 to 6.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::pointwise::{Adjusted, Pointwise};
use crate::kernels::pointwise::Plain;
use crate::kind::{Info, LossKind};
use crate::options::{SharedKeys, number, options};

options! {
    /// The options of [`seesaw`](self).
    #[derive(Copy)]
    pub struct Seesaw {
        /// exponent p ≥ 0 of the mitigation factor.
        pub mitigation: f64 = 0.8, samples [0.0, 1.3],
        /// exponent q ≥ 0 of the compensation factor.
        pub compensation: f64 = 2.0, samples [0.0, 0.5],
    }
}

impl LossKind for Seesaw {
    const INFO: Info = Info {
        summary: "Seesaw loss: rare classes are pushed down less by pixels of frequent ones, unless they win wrongly.",
        formula: "Σ_i w_i·y_i·(ln Σ_j S_ij·exp z_j − z_i),  S_ij = min(1, (π_j/π_i)^p)·max(1, (p_j/p_i)^q), constant for the gradient",
        reference: "Wang et al. 2021, Seesaw loss for long-tailed instance segmentation, eqs. 3-6",
        reads_prior: true,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] =
        &["", "mitigation = 1.5\ncompensation = 0.5\n[prior]\nsource = 'per_sample'"];

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        number("mitigation", self.mitigation, self.mitigation >= 0.0, "a finite number ≥ 0")?;
        number("compensation", self.compensation, self.compensation >= 0.0, "a finite number ≥ 0")
    }

    fn parameters(&self, prior: &[f64], _: &[bool]) -> Vec<f64> {
        prior.iter().map(|pi| pi.ln()).collect()
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        let Self { mitigation, compensation, .. } = *self;
        let adjusted = Adjusted::Seesaw { mitigation, compensation };
        Some(Box::new(Pointwise { adjusted, ..Pointwise::new(Plain) }))
    }
}
