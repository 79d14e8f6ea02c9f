//! Recall loss: cross-entropy in which each class weighs what it misses at the moment.
//!
//! ```text
//! value     L = Σ_c w_c·(1 − R_c)·y_c·(−ln p_c)
//!           1 − R_c = Σ m·y_c·[the first largest logit is not c's] / Σ m·y_c      over the region
//! gradient  that of cross-entropy with weights w_c·(1 − R_c)
//! ```
//!
//! R is a step function of the logits, so that its derivative is 0 wherever it has one: holding it constant is
//! the derivative, not a choice.
//!
//! - Shapes, targets, weights, label smoothing: as for [`cross_entropy`](super::cross_entropy).
//! - `region`: the batch (default), or each image by itself.
//! - Denominator: [`WeightSum`](crate::Denominator::WeightSum) = Σ m·Σ w_c·y_c, without the recall: for equal
//!   weights the mean over the valid pixels, as in the paper.
//! - The authors' code counts a class's misses from 1 upwards, so that a class without a miss keeps the weight
//!   1/n; by the paper's formula, and here, it weighs nothing until it misses again.
//! - Confidently wrong pixels are misses: their class weighs more than 0, and the gradient tends to ±w·(1 − R).
//! - An absent class meets no pixel. All ignored: 0.
//!
//! Reference: Tian, Mithun, Seymour, Chiu & Kira 2022, "Striking the right balance: recall loss for semantic
//! segmentation", eq. 4.

use super::cross_entropy;
use crate::families::recall::Recall;
use crate::spec::LossSpec;

pub(crate) fn family(spec: &LossSpec) -> Recall {
    Recall { smoothing: cross_entropy::smoothing(spec) }
}
