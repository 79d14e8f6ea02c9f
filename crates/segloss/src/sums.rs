//! The result of a part: sums that add up, so that tiles, micro-batches and threads change nothing.

use crate::error::{Error, Problem};
use crate::options::Reduction;

/// The sums of a loss over some of its pixels; a commutative monoid under [`Sums::combine`], up to the
/// rounding of `f64` addition.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Sums {
    /// Σ of the weighted losses.
    pub numerator: f64,
    /// What these pixels contribute to the denominator.
    pub denominator: f64,
    /// Pixels that are not ignored.
    pub valid_pixels: u64,
    /// The same sums class by class ([S9](crate::source_document)): what each class has, and what it costs.
    pub per_class: Vec<ClassSums>,
    /// Where the [document](crate::source_document)'s S1 left the range in which it is defined.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub non_finite: Option<NonFinite>,
    /// Whether the denominator is a constant that parts share instead of adding up.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) shared_denominator: bool,
}

/// One class's share. `loss / weight` is the class's own mean loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ClassSums {
    /// Σ y_c over the valid pixels.
    pub pixels: f64,
    /// Σ of the weights that multiply them (for a binary channel: and its negatives).
    pub weight: f64,
    /// Σ of the weighted losses.
    pub loss: f64,
}

/// Pixels whose loss or gradient is NaN or infinite although their logits are finite.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NonFinite {
    /// How many loss entries.
    pub count: u64,
    /// Where the first one lies: (image, spatial…).
    pub first: Vec<usize>,
}

impl NonFinite {
    /// Of both parts together.
    pub(crate) fn join(mine: Option<Self>, theirs: Option<Self>) -> Option<Self> {
        match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(Self { count: mine.count + theirs.count, ..mine }),
            (mine, theirs) => mine.or(theirs),
        }
    }
}

impl Sums {
    pub(crate) fn zero(classes: usize, reduction: Reduction) -> Self {
        Self {
            numerator: 0.0,
            denominator: 0.0,
            valid_pixels: 0,
            per_class: vec![ClassSums::default(); classes],
            non_finite: None,
            shared_denominator: matches!(reduction, Reduction::Sum | Reduction::Constant(_)),
        }
    }

    /// Adds losses, class by class.
    pub(crate) fn add_losses(&mut self, losses: impl Iterator<Item = f64>) {
        for (class, loss) in self.per_class.iter_mut().zip(losses) {
            class.loss += loss;
            self.numerator += loss;
        }
    }

    /// Adds the sums of another part. `non_finite.first` is that of `self` where both have one.
    ///
    /// With [`Reduction::MeanImages`], tiles of one image count it each: divide by the plan's denominator
    /// instead ([`Loss::finish`](crate::Loss::finish) does).
    ///
    /// # Errors
    /// [`Problem::Mismatch`] for sums of another number of classes; these are left as they were.
    pub fn combine(&mut self, other: Self) -> Result<(), Error> {
        let (expected, found) = (self.per_class.len(), other.per_class.len());
        let error = |problem| Error { operation: "sums", problem };
        Problem::unless_equal("the sums of the other part", "classes", expected, found).map_err(error)?;
        self.numerator += other.numerator;
        self.valid_pixels += other.valid_pixels;
        if self.shared_denominator {
            self.denominator = self.denominator.max(other.denominator);
        } else {
            self.denominator += other.denominator;
        }
        for (mine, theirs) in self.per_class.iter_mut().zip(&other.per_class) {
            mine.pixels += theirs.pixels;
            mine.weight += theirs.weight;
            mine.loss += theirs.loss;
        }
        self.non_finite = NonFinite::join(self.non_finite.take(), other.non_finite);
        Ok(())
    }

    /// The mean loss of each class: loss / weight, `None` for a class without weight.
    pub fn class_means(&self) -> Vec<Option<f64>> {
        let mean = |c: &ClassSums| (c.weight > 0.0).then(|| c.loss / c.weight);
        self.per_class.iter().map(mean).collect()
    }
}
