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
//! - Reduction: [`Mean`](crate::Reduction::Mean), divided by Σ of the weights of the classes and regions that
//!   count.
//! - A pixel of weight m in the map counts like m pixels.
//! - All ignored: 0. Confidently wrong: the errors depend on p alone, so that the gradient vanishes at saturated
//!   logits by the definition; [`lovasz_hinge`](super::lovasz_hinge)'s does not.
//!
//! Reference: Berman, Rannen Triki & Blaschko 2018, "The Lovász-softmax loss: a tractable surrogate for the
//! optimization of the intersection-over-union measure in neural networks", eqs. 8 and 9, algorithm 1.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::lovasz::Lovasz;
use crate::kernels::lovasz::ErrorForm;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{Average, Classes, Region, SharedKeys, average_acts, options};

options! {
    /// The options of [`lovasz_softmax`](self).
    pub struct LovaszSoftmax {
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
        /// beside region = image: over all (image, class) pairs, or over images, of the means over their classes.
        pub average: Option<Average> = None, samples [Average::Pairs, Average::Images],
        /// present, all, or foreground: which classes of a region count.
        pub classes: Classes = Classes::Present, samples [Classes::All, Classes::Present],
    }
}

impl LossKind for LovaszSoftmax {
    const INFO: Info = Info {
        summary: "Lovász-softmax: the convex surrogate of IoU, by sorting the errors of each class.",
        formula: "mean_c w_c·Σ_i e_(i)·(J_i − J_(i−1)),  e = |y − p| in falling order, J the Jaccard loss of the first i as mistakes",
        reference: "Berman et al. 2018, The Lovász-Softmax loss, eqs. 8 and 9, algorithm 1",
        structure: Structure::Lovasz,
        hard_labels: true,
        reach: Reach::WithSlope,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "classes = 'all'",
        "region = 'image'\n[weights]\nsource = 'per_sample'",
        "region = 'image'\naverage = 'images'",
    ];

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        average_acts(self.average, self.region, self.classes, shared.weights)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Lovasz { form: ErrorForm::Probability }))
    }
}
