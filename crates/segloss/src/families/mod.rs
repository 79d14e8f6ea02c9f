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
use crate::tiles::TileMut;
use lovasz::{Errors, Extension};
use ndarray::ArrayView1;
use overlap::{Overlaps, Slopes};
use recall::Recalls;
use top_k::{Ranking, Threshold};

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
}

/// A family of losses.
pub(crate) trait Family<T: Element>: Send + Sync {
    /// What it needs of a block.
    fn needs(&self) -> Needs;

    /// Whether a pixel whose loss is not finite is counted, and is no error.
    fn may_break(&self) -> bool {
        false
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

/// What a region has come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Region {
    /// The loss of each class, weighted.
    pub losses: Vec<f64>,
    /// The weight of each class, and the pixels, where only some of them count.
    pub kept: Option<(Vec<f64>, f64)>,
    /// For the way back.
    pub resolved: Option<Resolved>,
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

/// What a kind that is no sum over pixels needs of all parts of a region together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Partial {
    /// Nothing: the sums say all.
    Nothing,
    Overlap(Overlaps),
    Lovasz(Vec<Errors>),
    TopK(Ranking),
    Recall(Recalls),
}

impl Partial {
    /// Adds another part of the same region; whether it is of the same kind of loss.
    pub fn merge(&mut self, other: Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => {}
            (Self::Overlap(mine), Self::Overlap(theirs)) => mine.add(theirs),
            (Self::Lovasz(mine), Self::Lovasz(theirs)) if mine.len() == theirs.len() => {
                mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.append(theirs));
            }
            (Self::TopK(mine), Self::TopK(theirs)) => mine.append(theirs),
            (Self::Recall(mine), Self::Recall(theirs)) => mine.add(theirs),
            _ => return false,
        }
        true
    }
}

/// What all parts of a region together say, for the way back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolved {
    Overlap(Slopes),
    Lovasz(Vec<Extension>),
    TopK(Threshold),
    Recall(Recalls),
}
