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
//! - Reduction: [`Mean`](crate::Reduction::Mean), divided by Σ m·Σ w_c·y_c, without the recall: for equal
//!   weights the mean over the valid pixels, as in the paper.
//! - The authors' code counts a class's misses from 1 upwards, so that a class without a miss keeps the weight
//!   1/n; by the paper's formula, and here, it weighs nothing until it misses again.
//! - Confidently wrong pixels are misses: their class weighs more than 0, and the gradient tends to ±w·(1 − R).
//! - An absent class meets no pixel. All ignored: 0.
//!
//! Reference: Tian, Mithun, Seymour, Chiu & Kira 2022, "Striking the right balance: recall loss for semantic
//! segmentation", eq. 4.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::recall::Recall;
use crate::kernels::pointwise::Smoothing;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{Region, SharedKeys, options, smoothing};

options! {
    /// The options of [`recall_cross_entropy`](self).
    pub struct RecallCrossEntropy {
        /// share of each label that goes to all classes alike.
        pub label_smoothing: f64 = 0.0, samples [0.0, 0.1, 0.4],
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
    }
}

impl LossKind for RecallCrossEntropy {
    const INFO: Info = Info {
        summary: "Recall loss: each class weighs what it misses at the moment, 1 − recall.",
        formula: "Σ_c w_c·(1 − R_c)·y_c·(−ln p_c),  R_c the recall of class c in the region, constant for the gradient",
        reference: "Tian et al. 2022, Striking the right balance: recall loss for semantic segmentation, eq. 4",
        structure: Structure::Recall,
        // One of the two pixels of the class is missed.
        reach: Reach::Always(0.9 / 2.0),
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] =
        &["", "region = 'image'\nlabel_smoothing = 0.1\n[weights]\nsource = 'per_sample'"];

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        smoothing(self.label_smoothing)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Recall { smoothing: Smoothing::by_label(self.label_smoothing) }))
    }
}
