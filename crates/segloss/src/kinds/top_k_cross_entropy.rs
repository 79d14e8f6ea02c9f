//! Top-k cross-entropy (online hard example mining): only the hardest pixels of a region count.
//!
//! With u = −ln p_y what a pixel costs before weights, the valid pixels P of a region, k = ⌈keep·P⌉ and u_k the
//! k-th largest u:
//!
//! ```text
//! value     Σ s·m·w_y·u / denominator,    s = 1 where u > u_k, (k − #{u > u_k})/#{u = u_k} where u = u_k, else 0
//! gradient  s·m·∂(w_y·u)/∂z / denominator
//! ```
//!
//! - Shapes: as for [`cross_entropy`](super::cross_entropy). Targets: indices or one-hot rows. With label
//!   smoothing u is the smoothed loss.
//! - Ties at the last place share the places that are left: a sub-gradient that depends on no order.
//! - `confidence = q` keeps, besides the k hardest, every pixel with p_y < q (the threshold of OHEM).
//! - `region`: the batch (default), or each image by itself.
//! - Reduction: of the kept pixels; [`Mean`](crate::Reduction::Mean) is divided by Σ s·m·w_y,
//!   [`MeanValid`](crate::Reduction::MeanValid) by Σ s. The others as everywhere.
//! - Confidently wrong pixels are the hardest: their gradient tends to ±w, unless more than k are as wrong.
//!   Pixels that are not kept have none, by the definition.
//! - An absent class meets no pixel. All ignored: 0.
//!
//! ```text
//! keep = 1    cross-entropy
//! ```
//!
//! Reference: Wu, Shen & van den Hengel 2016, "Bridging category-level and instance-level semantic image
//! segmentation", section 2.3; Shrivastava, Gupta & Girshick 2016, "Training region-based object detectors with
//! online hard example mining".

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::top_k::TopK;
use crate::kernels::pointwise::Smoothing;
use crate::kind::{Info, LossKind, Structure};
use crate::options::{Region, SharedKeys, acts, number, option, options, smoothing};

options! {
    /// The options of [`top_k_cross_entropy`](self).
    pub struct TopKCrossEntropy {
        /// share of the valid pixels that is kept.
        pub keep: f64 = 0.1, samples [0.25, 0.5, 0.8, 1.0],
        /// keep every pixel with p_y below this as well.
        pub confidence: Option<f64> = None, samples [0.3, 0.6],
        /// share of each label that goes to all classes alike.
        pub label_smoothing: f64 = 0.0, samples [0.0, 0.1, 0.4],
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
    }
}

impl LossKind for TopKCrossEntropy {
    const INFO: Info = Info {
        summary: "Top-k cross-entropy, or online hard example mining: only the hardest pixels count.",
        formula: "Σ over the ⌈keep·P⌉ valid pixels with the largest −ln p_y of w_y·(−ln p_y)",
        reference: "Wu et al. 2016, Bridging category-level and instance-level semantic image segmentation, section 2.3; Shrivastava et al. 2016 (OHEM)",
        structure: Structure::TopK,
        hard_labels: true,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "keep = 0.5\nregion = 'image'\n[weights]\nsource = 'per_batch'",
        "keep = 0.3\nconfidence = 0.3",
        "keep = 0.4\nlabel_smoothing = 0.1",
    ];

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        number("keep", self.keep, self.keep > 0.0 && self.keep <= 1.0, "above 0 and at most 1")?;
        smoothing(self.label_smoothing)?;
        let Some(q) = self.confidence else { return Ok(()) };
        number("confidence", q, q > 0.0 && q < 1.0, "between 0 and 1")?;
        if self.label_smoothing > 0.0 {
            return Err(option("confidence", "absent beside `label_smoothing`", "set"));
        }
        acts("confidence", self.keep < 1.0, "beside `keep` = 1, which keeps every pixel")
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(TopK {
            keep: self.keep,
            limit: self.confidence.map_or(f64::INFINITY, |q| -q.ln()),
            smoothing: Smoothing::by_label(self.label_smoothing),
        }))
    }
}
