//! Cross-entropy in which each class weighs what it misses at the moment.
//!
//! The share of misses 1 − R_c of a region is a step function of the logits: its derivative is 0 wherever it
//! has one, so that the gradient is that of cross-entropy with these weights held.

use crate::element::Element;
use crate::error::Error;
use crate::families::blocks::BlockLoss;
use crate::families::pixels::Rescale;
use crate::kinds::cross_entropy::PixelCrossEntropy as CrossEntropy;
use crate::kinds::{Pixel, PixelLoss, PixelWeights};
use crate::tiles::Tile;
use crate::walk::{Visit, Walk};

/// The sums of a region, by class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recalls {
    /// Σ m·y_c.
    mass: Vec<f64>,
    /// Σ m·y_c where another class has the first largest logit.
    missed: Vec<f64>,
    /// Σ m·w_c·y_c·(−ln p_c).
    loss: Vec<f64>,
}

impl Recalls {
    pub fn zero(classes: usize) -> Self {
        let zeros = vec![0.0; classes];
        Self { mass: zeros.clone(), missed: zeros.clone(), loss: zeros }
    }

    pub fn add(&mut self, other: Self) {
        let add =
            |sums: &mut Vec<f64>, terms: Vec<f64>| sums.iter_mut().zip(terms).for_each(|(sum, x)| *sum += x);
        add(&mut self.mass, other.mass);
        add(&mut self.missed, other.missed);
        add(&mut self.loss, other.loss);
    }

    /// 1 − R_c; of a class without a pixel, 0.
    pub fn missed_share(&self, class: usize) -> f64 {
        crate::counts::share(self.missed[class], self.mass[class])
    }

    /// The loss of each class.
    pub fn losses(&self) -> impl Iterator<Item = f64> {
        self.loss.iter().enumerate().map(|(c, loss)| self.missed_share(c) * loss)
    }
}

impl<T: Element> Walk<'_, T> {
    /// The sums of a tile.
    pub fn recalls(&self, kind: CrossEntropy, tile: &Tile) -> Result<Recalls, Error> {
        let classes = self.geometry.classes;
        let mut sums = Recalls::zero(classes);
        let weights: Vec<T> = self.plan.row(tile.image).iter().map(|&w| T::of(w)).collect();
        let zeros = vec![T::zero(); classes];
        let (mut loss, mut gradient, mut scratch) = (zeros.clone(), zeros, vec![T::zero(); 2 * classes]);
        self.pixels(tile, |visit, _| {
            let Some(visit) = visit else { return Ok(()) };
            self.demand_finite(tile.image, &visit)?;
            let w = PixelWeights { loss: &weights, gradient: &weights };
            let Visit { z, y, m, .. } = visit;
            let (loss, gradient, scratch) = (&mut loss, &mut gradient, &mut scratch);
            kind.pixel(Pixel { z, y, w, parameters: &[], loss, gradient, scratch });
            let winner = (1..classes).fold(0, |best, c| if z[c] > z[best] { c } else { best });
            for (c, &loss) in loss.iter().enumerate() {
                let mass = (m * y.of(c)).wide();
                sums.mass[c] += mass;
                sums.missed[c] += if c == winner { 0.0 } else { mass };
                sums.loss[c] += (m * loss).wide();
            }
            Ok(())
        })?;
        Ok(sums)
    }
}

/// Each class's misses in the region of an image, for the gradient; none of a region without a valid pixel.
pub(crate) struct Missed<'a>(pub Option<&'a Recalls>);

impl<T: Element> Rescale<T> for Missed<'_> {
    fn kernel(&self, of: BlockLoss) -> Option<BlockLoss> {
        // Only weights are other ones.
        Some(of)
    }

    fn class(&self, class: usize) -> f64 {
        self.0.map_or(0.0, |recalls| recalls.missed_share(class))
    }

    fn pixel(&mut self, _: &Visit<'_, T>) -> T {
        T::one()
    }
}
