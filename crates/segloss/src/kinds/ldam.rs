//! LDAM: cross-entropy of scaled logits in which the true class must win by a margin, a wider one the rarer
//! it is.
//!
//! ```text
//! value     L = Σ_c w_c·y_c·(−ln softmax_c(t)),    t_c = s·(z_c − y_c·Δ_c),    Δ_c = Δ·(n_min/n_c)^(1/4)
//! gradient  ∂L/∂z = s·∂L/∂t
//! ```
//!
//! - Shapes, targets, weights: as for [`cross_entropy`](super::cross_entropy). n: the counts of the
//!   [prior](crate::LossSpec::prior), n_min the smallest that is not 0; the paper's are the training set's,
//!   `prior.source = "dataset"`. A class that the prior has not seen has the whole margin Δ.
//! - Δ > 0 (0.5) is the margin of the rarest class, s > 0 (30) the scale. The paper applies them to cosines of
//!   normalised features, which lie in ±1; for the logits of a plain net s = 1 is cross-entropy with margins.
//! - Denominator: [`WeightSum`](crate::Denominator::WeightSum).
//! - Confidently wrong: the gradient tends to ±s·w; never zero.
//! - An absent class meets no pixel. All ignored: 0.
//!
//! Reference: Cao, Wei, Gaidon, Arechiga & Ma 2019, "Learning imbalanced datasets with label-distribution-aware
//! margin loss", eqs. 12 and 13.

use crate::families::pointwise::{Adjusted, Pointwise};
use crate::kernels::pointwise::Plain;
use crate::spec::{LossSpec, Number};

/// Cross-entropy of adjusted logits.
pub(crate) fn family(spec: &LossSpec) -> Pointwise<Plain> {
    Pointwise { adjusted: Adjusted::Margin { scale: spec.number(Number::Scale) }, ..Pointwise::new(Plain) }
}
