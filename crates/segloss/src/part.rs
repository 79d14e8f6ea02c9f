//! The result of a part of a batch: sums that add up, and what else its kind must know of the whole.

use crate::error::{Error, Problem};
use crate::regions::Partial;
use crate::sums::Sums;
use std::collections::BTreeMap;
use std::mem::discriminant;

/// In messages.
const OTHER: &str = "the other part";

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
    /// Adds another part.
    ///
    /// # Errors
    /// [`Problem::Mismatch`] or [`Problem::OtherKind`] for a part of another loss; this one is left as it was.
    pub fn combine(&mut self, other: Self) -> Result<(), Error> {
        self.check(&other).map_err(|problem| Error { operation: "part", problem })?;
        self.add(other)
    }

    /// Whether another part is of the same loss.
    fn check(&self, other: &Self) -> Result<(), Problem> {
        let (mine, theirs) = (&self.sums.per_class, &other.sums.per_class);
        Problem::unless_equal(OTHER, "classes", mine.len(), theirs.len())?;
        Problem::unless_equal(OTHER, "terms", self.terms.len(), other.terms.len())?;
        // Of one part all are alike.
        if let (Some((_, mine)), Some((&region, theirs))) =
            (self.regions.first_key_value(), other.regions.first_key_value())
            && discriminant(mine) != discriminant(theirs)
        {
            return Err(Problem::OtherKind { operand: OTHER, region });
        }
        self.terms.iter().zip(&other.terms).try_for_each(|(mine, theirs)| mine.check(theirs))
    }

    /// Adds a part that has been checked.
    fn add(&mut self, other: Self) -> Result<(), Error> {
        self.sums.combine(other.sums)?;
        for (region, partial) in other.regions {
            let Some(sum) = self.regions.get_mut(&region) else {
                self.regions.insert(region, partial);
                continue;
            };
            let problem = Problem::OtherKind { operand: OTHER, region };
            sum.merge(partial).map_err(|_| Error { operation: "part", problem })?;
        }
        self.terms.iter_mut().zip(other.terms).try_for_each(|(mine, theirs)| mine.add(theirs))
    }

    /// The sums of this part. Of a kind that is no sum over pixels the loss is known only in
    /// [`Loss::finish`](crate::Loss::finish).
    pub fn sums(&self) -> &Sums {
        &self.sums
    }
}
