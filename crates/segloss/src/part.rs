//! The result of a part of a batch: sums that add up, and what else its kind must know of the whole.

use crate::families::Partial;
use crate::sums::Sums;
use std::collections::BTreeMap;

/// What [`Loss::part`](crate::Loss::part) returns: a commutative monoid under [`Part::combine`], up to the
/// rounding of `f64` addition. [`Loss::finish`](crate::Loss::finish) makes the value of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub(crate) sums: Sums,
    /// By region, of a kind that is no sum over pixels.
    pub(crate) regions: BTreeMap<usize, Partial>,
    /// Of a sum of losses.
    pub(crate) terms: Vec<Part>,
}

impl Part {
    /// Both parts together.
    ///
    /// # Panics
    /// If the parts are of different losses or numbers of classes.
    #[must_use]
    pub fn combine(mut self, other: Self) -> Self {
        self.sums = self.sums.combine(&other.sums);
        for (region, partial) in other.regions {
            match self.regions.get_mut(&region) {
                Some(sum) => assert!(sum.merge(partial), "parts of the same loss"),
                None => _ = self.regions.insert(region, partial),
            }
        }
        assert_eq!(self.terms.len(), other.terms.len(), "parts of the same loss");
        self.terms =
            self.terms.into_iter().zip(other.terms).map(|(mine, theirs)| mine.combine(theirs)).collect();
        self
    }

    /// The sums of this part. Of a kind that is no sum over pixels the loss is known only in
    /// [`Loss::finish`](crate::Loss::finish).
    pub fn sums(&self) -> &Sums {
        &self.sums
    }
}
