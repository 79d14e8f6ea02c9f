//! How losses are computed: what the parts of a batch add up to, and the way back to the gradient.
//!
//! A [`Family`] says what it makes of a block of pixels, of the sums of a region, and of the way back; one driver
//! ([`pass`](crate::pass)) walks over the pixels for all of them, so that the terms of a sum share what they have in
//! common.

pub(crate) mod boundary;
pub(crate) mod channels;
pub(crate) mod lovasz;
pub(crate) mod overlap;
pub(crate) mod pointwise;
pub(crate) mod recall;
pub(crate) mod top_k;

use crate::element::Element;
use crate::kernels::block::Block;
use crate::kernels::plane::Plane;
use crate::kernels::pointwise::Wanted;
use crate::kernels::staging::Place;
use crate::regions::{Partial, Region, Resolved};
use crate::tiles::TileMut;
use ndarray::ArrayView1;

/// What makes probabilities of logits in a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The softmax, which terms with the same logits share.
    Softmax,
    /// Its probabilities as well.
    Probabilities,
    /// The probabilities of sigmoids.
    Sigmoids,
    /// The logits alone: the family adjusts them first, or takes them as they are.
    Logits,
}

/// What a term knows of an image.
pub(crate) struct Scope<'a> {
    /// The weight of each class, or of the negatives and positives of each channel.
    pub weights: ArrayView1<'a, f64>,
    /// What the kind made of the class priors.
    pub parameters: Option<ArrayView1<'a, f64>>,
    /// What the gradient is multiplied with: the term's factor over its denominator.
    pub scale: f64,
    /// What the region of the image has come to, on the way back; none of a region without a valid pixel.
    pub resolved: Option<&'a Resolved>,
    pub classes: usize,
    /// How many pixels the tile has.
    pub pixels: usize,
}

/// A family of losses.
pub(crate) trait Family<T: Element>: Send + Sync {
    /// What it needs of a block.
    fn needs(&self) -> Needs;

    /// Whether a pixel whose loss is not finite is counted, and is no error.
    fn may_break(&self) -> bool {
        false
    }

    /// The largest weight times factor of a loss that keeps its slopes within the range of the number type.
    fn largest_scale(&self) -> Option<f64> {
        None
    }

    /// Computes a tile of an image, block by block.
    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a>;

    /// Of a loss that sorts its errors: those of a block.
    fn errors(&self, _block: &mut Block<T>, _out: &mut [Plane<T>]) {}

    /// From all parts of a region to its loss.
    fn resolve(&self, _partial: &Partial, _plan: &RegionPlan<'_>) -> Region {
        Region::default()
    }
}

/// What is known of a region beforehand.
pub(crate) struct RegionPlan<'a> {
    /// The weight of each class, 0 where it does not count.
    pub weights: ArrayView1<'a, f64>,
    /// Its valid pixels.
    pub pixels: u64,
}

/// A term on its way through a tile.
pub(crate) trait TilePass<T: Element> {
    /// Computes a block; whether losses and gradient are finite. `extra`: planes of an array of the term's own.
    fn block(&mut self, block: &mut Block<T>, extra: &[Plane<T>], wanted: Wanted) -> bool;

    /// Reads, computes and writes a block at once, if it can; else it is as if nothing had been done.
    fn at_once(
        &mut self,
        _block: &mut Block<T>,
        _logits: &[T],
        _place: Place<'_>,
        _out: &mut TileMut<'_, T>,
        _start: usize,
    ) -> bool {
        false
    }

    /// The losses by class, and what a region is made of.
    fn finish(self: Box<Self>) -> (Vec<f64>, Partial);
}
