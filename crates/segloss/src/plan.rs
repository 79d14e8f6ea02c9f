//! What the labels decide before a logit is read: weights and denominator of a whole scope.

use crate::census::{Census, ImageCensus};
use crate::error::{Error, Problem};
use crate::spec::{Denominator, LossSpec};
use crate::weights;
use ndarray::{Array2, ArrayView1};
use std::ops::Range;

/// The weights and the denominator of a scope, shared by all its parts.
///
/// Made by [`Loss::plan`](crate::Loss::plan) from the census of *all* images and tiles that together
/// make one value; the parts are then computed in any order, on any machine, and combined.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One row for the batch, or one per image.
    weights: Array2<f64>,
    classes: usize,
    /// The images that this plan's rows stand for.
    images: Range<usize>,
    denominator: f64,
}

impl Plan {
    pub(crate) fn new(spec: &LossSpec, census: &Census) -> Result<Self, Error> {
        let weights = weights::estimate(spec, census)?;
        let mut plan = Self { weights, classes: census.classes(), images: 0..census.len(), denominator: 0.0 };
        plan.denominator = plan.share(spec, census);
        Ok(plan)
    }

    /// The plan for some of the images: the same weights and the same denominator of the whole.
    ///
    /// # Panics
    /// If the range reaches past the plan's images.
    #[must_use]
    pub fn images(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.images.len(), "images of the plan");
        let images = self.images.start + range.start..self.images.start + range.end;
        Self { images, ..self.clone() }
    }

    /// What the sum over the whole scope is divided by.
    pub fn denominator(&self) -> f64 {
        self.denominator
    }

    /// The weights in force: one row for the batch or one per image; a column per class, or per channel a
    /// pair (negative, positive) for the binary kinds.
    pub fn effective_weights(&self) -> Array2<f64> {
        if self.weights.nrows() == 1 {
            return self.weights.clone();
        }
        self.weights.slice(ndarray::s![self.images.clone(), ..]).to_owned()
    }

    pub(crate) fn row(&self, image: usize) -> ArrayView1<'_, f64> {
        self.weights.row(if self.weights.nrows() == 1 { 0 } else { self.images.start + image })
    }

    /// How much of the denominator some of the scope's pixels carry.
    pub(crate) fn share(&self, spec: &LossSpec, census: &Census) -> f64 {
        let pixels = |count: fn(&ImageCensus) -> u64| census.images().iter().map(count).sum::<u64>() as f64;
        match spec.denominator() {
            Denominator::WeightSum => self.class_weights(spec, census).iter().sum(),
            Denominator::ValidPixels => pixels(|image| image.valid),
            Denominator::Elements => {
                pixels(|image| image.pixels) * if spec.kind.is_binary() { self.classes as f64 } else { 1.0 }
            }
            Denominator::Images => census.len() as f64,
            // Not shared out: every part carries the whole constant, and `Sums::combine` keeps it.
            Denominator::PerPixel => 1.0,
            Denominator::Constant(x) => x,
        }
    }

    /// Σ of the weights that meet the target, per class; for the binary kinds per channel, negatives
    /// included.
    pub(crate) fn class_weights(&self, spec: &LossSpec, census: &Census) -> Vec<f64> {
        let mut sums = vec![0.0; self.classes];
        for (number, image) in census.images().iter().enumerate() {
            let row = self.row(number);
            for (class, sum) in sums.iter_mut().enumerate() {
                let mass = image.mass[class];
                *sum += match spec.kind.is_binary() {
                    true => row[2 * class] * (image.valid as f64 - mass) + row[2 * class + 1] * mass,
                    false => row[class] * mass,
                };
            }
        }
        sums
    }

    pub(crate) fn fit(&self, operation: &'static str, images: usize, classes: usize) -> Result<(), Error> {
        if (self.images.len(), self.classes) == (images, classes) {
            return Ok(());
        }
        let problem = Problem::Plan {
            plan: self.images.len(),
            plan_classes: self.classes,
            part: images,
            part_classes: classes,
        };
        Err(Error { operation, problem })
    }
}
