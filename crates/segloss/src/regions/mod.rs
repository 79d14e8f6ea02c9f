//! What the pixels of a region add up to, for kinds that are no sum over pixels, and what the whole then says of each
//! pixel.
//!
//! Parts of a region, each a [`Partial`], are merged, resolved to the loss of the [`Region`], and what is
//! [`Resolved`] leads back to the gradient. The walks over the pixels are the [families](crate::families)'.

pub(crate) mod lovasz;
pub(crate) mod overlap;
pub(crate) mod recall;
pub(crate) mod top_k;

use lovasz::{Errors, LovaszExtension};
use overlap::{Overlaps, Slopes};
use recall::Recalls;
use top_k::{Ranking, Threshold};

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

/// Two parts of a region are of different kinds of loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OtherKind;

impl Partial {
    /// Adds another part of the same region.
    ///
    /// # Errors
    /// [`OtherKind`] for a part of another kind of loss.
    pub fn merge(&mut self, other: Self) -> Result<(), OtherKind> {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => {}
            (Self::Overlap(mine), Self::Overlap(theirs)) => mine.add(theirs),
            (Self::Lovasz(mine), Self::Lovasz(theirs)) if mine.len() == theirs.len() => {
                mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.append(theirs));
            }
            (Self::TopK(mine), Self::TopK(theirs)) => mine.append(theirs),
            (Self::Recall(mine), Self::Recall(theirs)) => mine.add(theirs),
            _ => return Err(OtherKind),
        }
        Ok(())
    }
}

/// What all parts of a region together say, for the way back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolved {
    Overlap(Slopes),
    Lovasz(Vec<LovaszExtension>),
    TopK(Threshold),
    Recall(Recalls),
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
