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
//! - Denominator: of the kept pixels; [`WeightSum`](crate::Denominator::WeightSum) = Σ s·m·w_y,
//!   [`ValidPixels`](crate::Denominator::ValidPixels) = Σ s. The others as everywhere.
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

use super::cross_entropy;
use crate::families::top_k::TopK;
use crate::spec::{LossSpec, Number};

pub(crate) fn family(spec: &LossSpec) -> TopK {
    TopK {
        keep: spec.number(Number::Keep),
        limit: spec.confidence.map_or(f64::INFINITY, |q| -q.ln()),
        smoothing: cross_entropy::smoothing(spec),
    }
}
