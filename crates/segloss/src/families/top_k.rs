//! The hardest pixels of a region: all losses sorted, and the largest kept.
//!
//! The pixels are ranked by what they cost before weights, u = −ln p_y: how hard a pixel is is the
//! prediction's matter, what it costs the weights'. The k-th largest u is the threshold; pixels above it are
//! kept, and those that tie with it share the places that are left evenly, which is a sub-gradient that
//! depends on no order of the pixels.

use crate::element::Element;
use crate::error::Error;
use crate::families::blocks::{AnyKernel, BlockLoss};
use crate::families::pixels::Rescale;
use crate::input::{Input, PixelLabel};
use crate::kernels::cross_entropy::{CrossEntropy as CrossEntropyKernel, Shape};
use crate::kernels::real::Real;
use crate::kernels::vector::Vector;
use crate::kinds::cross_entropy::PixelCrossEntropy as CrossEntropy;
use crate::kinds::{Pixel, PixelLoss, PixelWeights};
use crate::tiles::{Tile, TileMut};
use crate::walk::{Visit, Walk};

/// One pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// u, before weights.
    pub hardness: f64,
    /// Its class; none for a pixel without a label.
    pub class: Option<usize>,
    /// m·w_y.
    pub weight: f64,
}

/// The pixels of a region, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking(pub Vec<Ranked>);

impl Ranking {
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

/// Which pixels of a region are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// The k-th largest u.
    threshold: f64,
    /// What each pixel at the threshold counts.
    share: f64,
    /// Pixels harder than this are kept anyway (OHEM's confidence).
    limit: f64,
}

impl Cut {
    /// Keeps the k hardest pixels, and all that are harder than `limit`.
    pub fn new(ranking: &Ranking, k: usize, limit: f64) -> Self {
        let mut hardness: Vec<f64> = ranking.0.iter().map(|pixel| pixel.hardness).collect();
        let last = k.saturating_sub(1);
        if last >= hardness.len() {
            return Self { threshold: f64::NEG_INFINITY, share: 1.0, limit };
        }
        // The k-th largest; a full sort would order what nobody asks for.
        let (_, &mut threshold, _) = hardness.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
        let count = |is: fn(f64, f64) -> bool| hardness.iter().filter(|&&u| is(u, threshold)).count();
        let (above, tied) = (count(|u, t| u > t), count(|u, t| u == t));
        Self { threshold, share: (k - above) as f64 / tied as f64, limit }
    }

    /// How much of a pixel counts: 0, 1, or its share of the last places.
    pub fn share(&self, hardness: f64) -> f64 {
        if hardness > self.threshold || hardness > self.limit {
            1.0
        } else if hardness == self.threshold {
            self.share
        } else {
            0.0
        }
    }

    /// The same of many pixels. Hardnesses are numbers of the type that they are computed in, and so is the threshold.
    #[inline(always)]
    pub fn shares<V: Vector>(&self, hardness: V) -> V {
        let of = |x: f64| V::splat(V::Real::of(x));
        let (threshold, limit) = (of(self.threshold), V::splat(V::Real::at_most(self.limit)));
        let share = V::select(hardness.equal(threshold), of(self.share), of(0.0));
        let share = V::select(threshold.less(hardness), of(1.0), share);
        V::select(limit.less(hardness), of(1.0), share)
    }
}

/// The loss of a pixel before weights.
pub(crate) struct Hardness<T> {
    kind: CrossEntropy,
    ones: Vec<T>,
    loss: Vec<T>,
    gradient: Vec<T>,
    scratch: Vec<T>,
}

impl<T: Element> Hardness<T> {
    fn new(kind: CrossEntropy, classes: usize) -> Self {
        let zeros = vec![T::zero(); classes];
        let scratch = vec![T::zero(); 2 * classes];
        Self { kind, ones: vec![T::one(); classes], loss: zeros.clone(), gradient: zeros, scratch }
    }

    fn of(&mut self, visit: &Visit<'_, T>) -> T {
        self.kind.pixel(Pixel {
            z: visit.z,
            y: visit.y,
            w: PixelWeights { loss: &self.ones, gradient: &self.ones },
            parameters: &[],
            loss: &mut self.loss,
            gradient: &mut self.gradient,
            scratch: &mut self.scratch,
        });
        self.loss.iter().fold(T::zero(), |sum, &l| sum + l)
    }
}

impl<T: Element> Walk<'_, T> {
    /// The pixels of a tile, to be ranked.
    pub fn ranking(&self, kind: CrossEntropy, tile: &Tile) -> Result<Ranking, Error> {
        if let Some(ranking) = self.ranking_of_blocks(kind, tile) {
            return Ok(ranking);
        }
        let mut ranking = Ranking(Vec::with_capacity(tile.pixels.len()));
        let mut hardness = Hardness::new(kind, self.geometry.classes);
        let row = self.plan.row(tile.image);
        self.pixels(tile, |visit, _| {
            let Some(visit) = visit else { return Ok(()) };
            self.demand_finite(tile.image, &visit)?;
            let class = visit.y.hard();
            let weight = class.map_or(0.0, |class| row[class]) * visit.m.wide();
            ranking.0.push(Ranked { hardness: hardness.of(&visit).wide(), class, weight });
            Ok(())
        })?;
        Ok(ranking)
    }

    /// The same with a kernel; `None` where there is none.
    fn ranking_of_blocks(&self, kind: CrossEntropy, tile: &Tile) -> Option<Ranking> {
        let BlockLoss::Softmax(shape) = PixelLoss::<T>::kernel(&kind)? else { return None };
        let classes = self.geometry.classes;
        let ones = || vec![T::one(); classes];
        let mut kernel = CrossEntropyKernel::new(classes, ones(), ones(), shape);
        let mut hardness = vec![T::zero(); tile.pixels.len()];
        // Before weights, those of the map included.
        let input = Input { weight_map: None, ..self.input.clone() };
        let mut map = TileMut::Rows { values: &mut hardness, classes: 1 };
        Walk { input: &input, ..*self }.blocks(
            tile,
            1,
            &mut TileMut::Nothing,
            &mut map,
            AnyKernel::CrossEntropy(&mut kernel),
        )?;
        let row = self.plan.row(tile.image);
        let mut ranking = Ranking(Vec::with_capacity(hardness.len()));
        for (pixel, hardness) in tile.pixels.clone().zip(hardness) {
            let flat = tile.image * self.geometry.pixels + pixel;
            let class = match self.input.label(flat, self.loss.spec().ignore_index) {
                PixelLabel::Ignored => continue,
                PixelLabel::Index(label) => usize::try_from(label).ok()?,
                PixelLabel::Distribution(rows) => self.geometry.one_hot(rows, tile.image, pixel)?,
            };
            let weight = row[class] * self.input.weight(flat).map_or(1.0, T::wide);
            ranking.0.push(Ranked { hardness: hardness.wide(), class: Some(class), weight });
        }
        Some(ranking)
    }
}

/// What is kept of each pixel of an image, for the gradient.
pub(crate) struct Kept<T> {
    cut: Option<Cut>,
    hardness: Hardness<T>,
}

impl<T: Element> Kept<T> {
    /// `cut`: that of the image's region; none of a region without a valid pixel.
    pub fn new(kind: CrossEntropy, cut: Option<Cut>, classes: usize) -> Self {
        Self { cut, hardness: Hardness::new(kind, classes) }
    }
}

impl<T: Element> Rescale<T> for Kept<T> {
    fn kernel(&self, of: BlockLoss) -> Option<BlockLoss> {
        match (of, self.cut) {
            (BlockLoss::Softmax(Shape::Plain), Some(cut)) => Some(BlockLoss::Softmax(Shape::Hardest(cut))),
            _ => None,
        }
    }

    fn pixel(&mut self, visit: &Visit<'_, T>) -> T {
        let hardness = self.hardness.of(visit).wide();
        T::of(self.cut.map_or(0.0, |cut| cut.share(hardness)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(of: &[f64]) -> Ranking {
        Ranking(of.iter().map(|&hardness| Ranked { hardness, class: Some(0), weight: 1.0 }).collect())
    }

    #[test]
    fn the_hardest_are_kept_and_ties_share() {
        let cut = Cut::new(&ranking(&[0.1, 3.0, 2.0, 2.0, 2.0]), 2, f64::INFINITY);
        assert_eq!([3.0, 2.0, 0.1].map(|u| cut.share(u)), [1.0, 1.0 / 3.0, 0.0]);
        let confident = Cut::new(&ranking(&[0.1, 3.0, 2.0, 1.0]), 1, 1.5);
        assert_eq!([3.0, 2.0, 1.0].map(|u| confident.share(u)), [1.0, 1.0, 0.0]);
    }
}
