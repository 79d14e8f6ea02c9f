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
//! - Denominator: [`WeightSum`](crate::Denominator::WeightSum).
//! - p = q = 0 is cross-entropy. The authors' code holds p_i above 0.01 in K; the paper and segloss do not.
//! - Confidently wrong: r → the winning class; the gradient tends to ±w; never zero.
//! - An absent class is still pushed down, by M < 1. All ignored: 0.
//!
//! Reference: Wang, Zhang, Zang, Cao, Pang, Gong, Chen, Liu, Loy & Lin 2021, "Seesaw loss for long-tailed instance
//! segmentation", eqs. 3 to 6.

use crate::families::pointwise::{Adjusted, Pointwise};
use crate::kernels::pointwise::Plain;
use crate::spec::{LossSpec, Number};

/// Cross-entropy of adjusted logits, whose adjustment is held.
pub(crate) fn family(spec: &LossSpec) -> Pointwise<Plain> {
    let (mitigation, compensation) = (spec.number(Number::Mitigation), spec.number(Number::Compensation));
    Pointwise { adjusted: Adjusted::Seesaw { mitigation, compensation }, ..Pointwise::new(Plain) }
}
