//! The losses, a page each: formula, source, and value and gradient side by side.
//!
//! Symbols, here and on every page: z logits, after any shift by `threshold`; p softmax, σ sigmoid; y target,
//! m the weight of a pixel in the map, w the weight of a class; s smoothing, C classes; c and k run over
//! classes. Sums are over the valid pixels.
//!
//! A kind that is a sum over pixels computes one pixel here; the walk over pixels, the sums and their
//! denominator are the same for all. The others state here what they are in their family, which computes
//! them: overlap (Dice and its kin), Lovász, the hardest pixels, recall, sums of losses.

pub mod binary_cross_entropy;
pub mod boundary;
pub mod combined;
pub mod cross_entropy;
pub mod dice;
pub mod document_binary;
pub mod document_categorical;
pub mod document_sigmoid;
pub mod focal;
pub mod focal_tversky;
pub mod generalized_dice;
pub mod jaccard;
pub mod ldam;
pub mod lovasz_hinge;
pub mod lovasz_softmax;
pub mod poly1_cross_entropy;
pub mod recall_cross_entropy;
pub mod seesaw;
pub mod top_k_cross_entropy;
pub mod tversky;
pub mod unified_focal;

use crate::element::Element;
use crate::families::Family;
use crate::kind::Kind;
use crate::loss::{Loss, Role};

/// The family of a loss that is no sum of losses.
pub(crate) fn family<T: Element>(loss: &Loss, classes: usize) -> Box<dyn Family<T>> {
    let spec = loss.spec();
    match (loss.role(), spec.kind) {
        (Role::UnifiedFocal, _) => Box::new(unified_focal::focal(spec)),
        (Role::UnifiedTversky, _) => Box::new(unified_focal::tversky(spec, classes)),
        (_, Kind::BinaryCrossEntropy) => Box::new(binary_cross_entropy::family(spec)),
        (_, Kind::DocumentBinary) => Box::new(document_binary::family(spec, classes)),
        (_, Kind::DocumentSigmoid) => Box::new(document_sigmoid::family()),
        (_, Kind::Focal) if spec.is_sigmoid() => Box::new(focal::channels(spec)),
        (_, Kind::Focal) => Box::new(focal::family(spec)),
        (_, Kind::Poly1CrossEntropy) => Box::new(poly1_cross_entropy::family(spec)),
        (_, Kind::Seesaw) => Box::new(seesaw::family(spec)),
        (_, Kind::Ldam) => Box::new(ldam::family(spec)),
        (_, Kind::Boundary) => Box::new(boundary::family()),
        (_, Kind::RecallCrossEntropy) => Box::new(recall_cross_entropy::family(spec)),
        (_, Kind::TopKCrossEntropy) => Box::new(top_k_cross_entropy::family(spec)),
        (_, Kind::Dice) => Box::new(dice::family(spec, classes)),
        (_, Kind::Jaccard) => Box::new(jaccard::family(spec, classes)),
        (_, Kind::GeneralizedDice) => Box::new(generalized_dice::family(spec, classes)),
        (_, Kind::Tversky) => Box::new(tversky::family(spec, classes)),
        (_, Kind::FocalTversky) => Box::new(focal_tversky::family(spec, classes)),
        (_, Kind::LovaszSoftmax) => Box::new(lovasz_softmax::family()),
        (_, Kind::LovaszHinge) => Box::new(lovasz_hinge::family()),
        // S3 is cross-entropy with the document's weight.
        _ => Box::new(cross_entropy::family(spec)),
    }
}
