//! The [source document](crate::source_document)'s S3: softmax cross-entropy times one scalar weight.
//!
//! ```text
//! w = Σy / size(y)                        over the batch, or over each image
//! value     L = w·Σ_c y_c·(−ln p_c)
//! gradient  ∂L/∂z_k = w·(p_k·Σ_{c≠k} y_c − y_k·(1 − p_k))
//! ```
//!
//! **The weight balances nothing.** Each pixel has one label, so that for one-hot targets Σy is the number
//! of pixels and w is exactly 1/C whatever the image holds; every class gets the same factor. One weight
//! per class and per image is what the thread asks for (S5, S9):
//! [`cross_entropy`](super::cross_entropy) with `weights.source = "per_sample"`.
//!
//! The pixel's loss is that of [`cross_entropy`](super::cross_entropy) with w in every column; only the
//! weight and the default reduction, [`MeanAll`](crate::Reduction::MeanAll) (the mean over the
//! pixels), are the document's.
//!
//! Reference: the source document, S3.

use crate::element::Element;
use crate::families::Family;
use crate::families::pointwise::Pointwise;
use crate::kernels::pointwise::Plain;
use crate::kind::{Info, LossKind, OwnWeights, Reach, Shared};
use crate::options::{Reduction, SharedKeys, options};

options! {
    /// The options of [`document_categorical`](self).
    pub struct DocumentCategorical {
    }
}

impl LossKind for DocumentCategorical {
    const INFO: Info = Info {
        summary: "The document's S3: its scalar weight is exactly 1/C for one-hot labels and balances nothing.",
        formula: "w·Σ_c y_c·(ln Σ_j exp z_j − z_c),  w = Σy/size(y)",
        reference: "the source document, S3",
        shared: &[Shared::DocumentWeights, Shared::Reduction],
        reduction: Reduction::MeanAll,
        own_weights: OwnWeights::Document { scoped: true },
        reach: Reach::Always(0.9 / 3.0),
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &["", "[weights]\nsource = 'per_sample'"];

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Pointwise::new(Plain)))
    }
}
