//! The result of a part of a batch: sums that add up, and what else its kind must know of the whole.

use crate::families::lovasz::Errors;
use crate::families::overlap::Overlaps;
use crate::families::recall::Recalls;
use crate::families::top_k::Ranking;
use crate::sums::Sums;
use std::collections::BTreeMap;

/// What [`Loss::part`](crate::Loss::part) returns: a commutative monoid under [`Part::combine`], up to the
/// rounding of `f64` addition. [`Loss::finish`](crate::Loss::finish) makes the value of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub(crate) sums: Sums,
    pub(crate) statistics: Statistics,
}

/// What a kind that is no sum over pixels needs of all parts together, by region.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Statistics {
    /// Nothing: the sums say all.
    None,
    Overlap(BTreeMap<usize, Overlaps>),
    Lovasz(BTreeMap<usize, Vec<Errors>>),
    TopK(BTreeMap<usize, Ranking>),
    Recall(BTreeMap<usize, Recalls>),
    Terms(Vec<Part>),
}

impl Part {
    /// Both parts together.
    ///
    /// # Panics
    /// If the parts are of different losses or numbers of classes.
    #[must_use]
    pub fn combine(mut self, other: Self) -> Self {
        self.sums = self.sums.combine(&other.sums);
        self.statistics = match (self.statistics, other.statistics) {
            (Statistics::None, Statistics::None) => Statistics::None,
            (Statistics::Overlap(a), Statistics::Overlap(b)) => {
                Statistics::Overlap(merge(a, b, Overlaps::add))
            }
            (Statistics::Lovasz(a), Statistics::Lovasz(b)) => {
                Statistics::Lovasz(merge(a, b, |mine, theirs| {
                    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.append(theirs));
                }))
            }
            (Statistics::TopK(a), Statistics::TopK(b)) => Statistics::TopK(merge(a, b, Ranking::append)),
            (Statistics::Recall(a), Statistics::Recall(b)) => Statistics::Recall(merge(a, b, Recalls::add)),
            (Statistics::Terms(a), Statistics::Terms(b)) => {
                assert_eq!(a.len(), b.len(), "parts of the same loss");
                Statistics::Terms(a.into_iter().zip(b).map(|(a, b)| a.combine(b)).collect())
            }
            _ => panic!("parts of the same loss"),
        };
        self
    }

    /// The sums of this part. Of a kind that is no sum over pixels the loss is known only in
    /// [`Loss::finish`](crate::Loss::finish).
    pub fn sums(&self) -> &Sums {
        &self.sums
    }
}

fn merge<V>(
    mut mine: BTreeMap<usize, V>,
    theirs: BTreeMap<usize, V>,
    add: impl Fn(&mut V, V),
) -> BTreeMap<usize, V> {
    for (region, value) in theirs {
        match mine.get_mut(&region) {
            Some(sum) => add(sum, value),
            None => _ = mine.insert(region, value),
        }
    }
    mine
}
