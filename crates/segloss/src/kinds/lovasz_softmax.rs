//! Lovász-softmax: the convex extension of each class's Jaccard loss, by sorting its errors.
//!
//! ```text
//! value     L_c = Σ_i e_(i)·(J_i − J_(i−1)),    e = 1 − p_c where y = c, p_c elsewhere, in falling order
//!           J_i = the Jaccard loss 1 − IoU of class c if the first i were mistaken
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! gradient  ∂L_c/∂e_(i) = J_i − J_(i−1); ties share (the mean of positives first and negatives first)
//! ```
//!
//! - Shapes: as for [`cross_entropy`](super::cross_entropy). Targets: indices or one-hot rows; the errors of a
//!   class are those of *its* one-hot map, never of raw class indices.
//! - `classes = "present"` (default, as in the authors' code) averages over the classes that a region contains;
//!   `"all"` lets an absent class pay for its largest error.
//! - `region`: the batch (default), or each image by itself. Then `average` is over all (image, class) pairs
//!   (default), or with `"images"` over the images, of the mean over each one's classes: `per_image=True` of the
//!   authors' code. (That counts a wholly ignored image as 0; here it is no region.)
//! - Denominator: [`WeightSum`](crate::Denominator::WeightSum) = Σ of the weights of the classes and regions that
//!   count.
//! - A pixel of weight m in the map counts like m pixels.
//! - All ignored: 0. Confidently wrong: the errors depend on p alone, so that the gradient vanishes at saturated
//!   logits by the definition; [`lovasz_hinge`](super::lovasz_hinge)'s does not.
//!
//! Reference: Berman, Rannen Triki & Blaschko 2018, "The Lovász-softmax loss: a tractable surrogate for the
//! optimization of the intersection-over-union measure in neural networks", eqs. 8 and 9, algorithm 1.

use crate::families::lovasz::Lovasz;
use crate::kernels::lovasz::ErrorForm;

pub(crate) fn family() -> Lovasz {
    Lovasz { form: ErrorForm::Probability }
}
