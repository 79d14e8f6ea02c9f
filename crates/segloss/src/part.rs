//! The result of a part of a batch: sums that add up, and what else its kind must know of the whole.

use crate::counts::ImageCounts;
use crate::description::{Description, is_same};
use crate::error::{Error, Problem};
use crate::label_counts::LabelCounts;
use crate::regions::Partial;
use crate::sums::Sums;
use std::collections::BTreeMap;
use std::sync::Arc;

/// In messages.
const OTHER: &str = "the other part";

/// What [`Loss::part`](crate::Loss::part) returns: a commutative monoid under [`Part::combine`], up to the
/// rounding of `f64` addition. [`Loss::finish`](crate::Loss::finish) makes the value of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The loss that it is of.
    pub(crate) of: Arc<Description>,
    /// What was counted of each image, by its number among all; of a term nothing.
    pub(crate) images: BTreeMap<usize, ImageCounts>,
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
    /// [`Problem::OtherLoss`] for a part of another loss, [`Problem::Mismatch`] for one of other classes; this one is left as
    /// it was.
    pub fn combine(&mut self, other: Self) -> Result<(), Error> {
        self.check(&other).map_err(|problem| Error { operation: "part", problem })?;
        self.add(other)
    }

    fn check(&self, other: &Self) -> Result<(), Problem> {
        if !is_same(&self.of, &other.of) {
            return Err(Problem::OtherLoss { operand: OTHER });
        }
        let (mine, theirs) = (&self.sums.per_class, &other.sums.per_class);
        Problem::unless_equal(OTHER, "classes", mine.len(), theirs.len())
    }

    /// Whether the parts together hold each pixel that a plan has counted, once.
    pub(crate) fn check_complete(&self, labels: &LabelCounts) -> Result<(), Problem> {
        const PARTS: &str = "the combined part";
        Problem::unless_equal(PARTS, "classes", labels.classes(), self.sums.per_class.len())?;
        let images = self.images.last_key_value().map_or(0, |(last, _)| last + 1);
        Problem::unless_equal(PARTS, "images", labels.len(), images.max(labels.len()))?;
        let empty = ImageCounts::empty(labels.classes());
        // Sums in another order may differ by their rounding.
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        for (image, counted) in labels.images().iter().enumerate() {
            let held = self.images.get(&image).unwrap_or(&empty);
            let (expected, found) = (counted.valid, held.valid);
            if expected != found || counted.pixels != held.pixels {
                return Err(Problem::Incomplete { image, expected, found });
            }
            let all =
                |of: fn(&ImageCounts) -> &[f64]| of(counted).iter().zip(of(held)).all(|(&a, &b)| near(a, b));
            if !(all(|image| &image.mass) && all(|image| &image.mapped_mass)) {
                return Err(Problem::OtherLabels { image });
            }
        }
        Ok(())
    }

    /// Adds a part that has been checked.
    fn add(&mut self, other: Self) -> Result<(), Error> {
        self.sums.combine(other.sums)?;
        for (region, partial) in other.regions {
            let Some(sum) = self.regions.get_mut(&region) else {
                self.regions.insert(region, partial);
                continue;
            };
            let problem = Problem::OtherLoss { operand: OTHER };
            sum.merge(partial).map_err(|_| Error { operation: "part", problem })?;
        }
        for (image, counts) in other.images {
            self.images.entry(image).or_insert_with(|| ImageCounts::empty(counts.mass.len())).add(&counts);
        }
        self.terms.iter_mut().zip(other.terms).try_for_each(|(mine, theirs)| mine.add(theirs))
    }

    /// The sums of this part. Of a kind that is no sum over pixels the loss is known only in
    /// [`Loss::finish`](crate::Loss::finish).
    pub fn sums(&self) -> &Sums {
        &self.sums
    }
}
