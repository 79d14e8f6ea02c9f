//! The [source document](crate::source_document)'s S2: −y·ln σ(z) for every class, without its overflow.
//!
//! ```text
//! value     L = Σ_c y_c·softplus(−z_c)
//! gradient  ∂L/∂z_c = −y_c·σ(−z_c)
//! ```
//!
//! The document warns that `-y_true * log(sigmoid(y_pred))` overflows for z < 0: σ underflows to 0 and its
//! logarithm to −∞. softplus(−z) is the same number at every z.
//!
//! **What it cannot do:** a channel with y = 0 has no loss and no gradient, however confident it is, by the
//! formula's own definition. Everything positive everywhere is its minimum. Use
//! [`cross_entropy`](super::cross_entropy) or [`binary_cross_entropy`](super::binary_cross_entropy).
//!
//! - Shapes, targets: as for [`binary_cross_entropy`](super::binary_cross_entropy); no weights.
//! - Reduction: [`MeanAll`](crate::Reduction::MeanAll), every entry of the logits.
//!
//! Reference: the source document, S2.

use crate::element::Element;
use crate::families::Family;
use crate::families::channels::Channels;
use crate::kernels::channels::{ChannelCost, Logistic};
use crate::kind::{Info, LossKind, OwnWeights, Shared};
use crate::options::{Activation, Reduction, SharedKeys, options};
use crate::simd::Vector;

options! {
    /// The options of [`document_sigmoid`](self).
    #[derive(Copy)]
    pub struct DocumentSigmoid {
    }
}

impl LossKind for DocumentSigmoid {
    const INFO: Info = Info {
        summary: "The document's S2, without its overflow. Channels without a target are never pushed down.",
        formula: "Σ_c y_c·softplus(−z_c)",
        reference: "the source document, S2",
        activation: Some(Activation::Sigmoid),
        shared: &[Shared::Reduction],
        reduction: Reduction::MeanAll,
        own_weights: OwnWeights::Document { scoped: false },
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[""];

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Channels::new(*self)))
    }
}

impl ChannelCost for DocumentSigmoid {
    #[inline(always)]
    fn costs_and_slopes<V: Vector>(self, at: Logistic<V>) -> [(V, V); 2] {
        let nothing = at.softplus.zero();
        [(nothing, nothing), (at.softplus_negated, at.sigmoid_negated.neg())]
    }
}
