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
use crate::families::blocks::BlockLoss;

/// The target of one pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PixelTarget<'a, T> {
    /// The channel that is raised; for a single binary channel perhaps none.
    Index(Option<usize>),
    /// y_c for every class.
    Distribution(&'a [T]),
}

impl<T: Element> PixelTarget<'_, T> {
    /// y_c.
    pub fn of(&self, class: usize) -> T {
        match self {
            Self::Index(raised) if *raised == Some(class) => T::one(),
            Self::Index(_) => T::zero(),
            Self::Distribution(y) => y[class],
        }
    }
}

/// The weight columns of one pixel's scope, twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PixelWeights<'a, T> {
    /// For the loss: w.
    pub loss: &'a [T],
    /// For the gradient: w / denominator, divided in f64 and rounded once.
    pub gradient: &'a [T],
}

/// One pixel: what a kind reads of it, and what it writes.
#[derive(Debug)]
pub(crate) struct Pixel<'a, T> {
    /// The logits, shifted by the threshold.
    pub z: &'a [T],
    /// The target.
    pub y: PixelTarget<'a, T>,
    /// The weights of its scope.
    pub w: PixelWeights<'a, T>,
    /// What the kind makes of the class priors; empty if it needs none.
    pub parameters: &'a [T],
    /// Out: each class's share of the loss.
    pub loss: &'a mut [T],
    /// Out: d(Σ loss / denominator)/dz. May serve as scratch before.
    pub gradient: &'a mut [T],
    /// Room for 2·C numbers.
    pub scratch: &'a mut [T],
}

/// A loss of one pixel.
pub(crate) trait PixelLoss<T: Element>: Sync {
    /// The kernel that computes the same of many pixels with a class each.
    fn kernel(&self) -> Option<BlockLoss> {
        None
    }

    /// Overwrites the pixel's loss and gradient.
    fn pixel(&self, pixel: Pixel<'_, T>);
}
