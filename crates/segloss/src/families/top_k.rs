//! The hardest pixels of a region: all losses ranked, and the largest kept.
//!
//! The pixels are ranked by what they cost before weights, u = −ln p_y: how hard a pixel is is the
//! prediction's matter, what it costs the weights'. The k-th largest u is the threshold; pixels above it are
//! kept, and those that tie with it share the places that are left evenly, which is a sub-gradient that
//! depends on no order of the pixels.

use super::{Family, Needs, Partial, Region, RegionPlan, Resolved, Scope, TilePass};
use crate::element::Element;
use crate::kernels::block::{Block, no_class};
use crate::kernels::plane::{Plane, SumsByClass};
use crate::kernels::pointwise::{Plain, Smoothing, Wanted, Weights};

/// Top-k cross-entropy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopK {
    /// The share of the valid pixels that is kept.
    pub keep: f64,
    /// u above which every pixel is kept.
    pub limit: f64,
    pub smoothing: Smoothing,
}

/// A pixel with its place in the ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scored {
    /// u, before weights.
    pub hardness: f64,
    pub class: usize,
    /// m·w_y.
    pub weight: f64,
}

/// The pixels of a region, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ranking(pub Vec<Scored>);

impl Ranking {
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

/// Which pixels of a region are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Threshold {
    /// The k-th largest u.
    hardness: f64,
    /// What each pixel at the threshold counts.
    share: f64,
    /// Pixels harder than this are kept anyway (OHEM's confidence).
    limit: f64,
}

impl Threshold {
    /// Keeps the k hardest pixels, and all that are harder than `limit`.
    pub fn new(ranking: &Ranking, k: usize, limit: f64) -> Self {
        let mut hardness: Vec<f64> = ranking.0.iter().map(|pixel| pixel.hardness).collect();
        let last = k.saturating_sub(1);
        if last >= hardness.len() {
            return Self { hardness: f64::NEG_INFINITY, share: 1.0, limit };
        }
        // The k-th largest; a full sort would order what nobody asks for.
        let (_, &mut threshold, _) = hardness.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
        let count = |is: fn(f64, f64) -> bool| hardness.iter().filter(|&&u| is(u, threshold)).count();
        let (above, tied) = (count(|u, t| u > t), count(|u, t| u == t));
        Self { hardness: threshold, share: (k - above) as f64 / tied as f64, limit }
    }

    /// How much of a pixel counts: 0, 1, or its share of the last places.
    pub fn share(&self, hardness: f64) -> f64 {
        if hardness > self.hardness || hardness > self.limit {
            1.0
        } else if hardness == self.hardness {
            self.share
        } else {
            0.0
        }
    }
}

impl<T: Element> Family<T> for TopK {
    fn needs(&self) -> Needs {
        Needs::Softmax
    }

    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a> {
        let threshold = match scope.resolved {
            Some(Resolved::TopK(threshold)) => Some(*threshold),
            _ => None,
        };
        Box::new(Pass {
            smoothing: self.smoothing,
            ones: Weights::new(std::iter::repeat_n(1.0, scope.classes), |_| 0.0),
            weights: Weights::new(scope.weights.iter().copied(), |_| scope.scale),
            row: scope.weights.to_vec(),
            threshold,
            ranking: Vec::new(),
            sums: SumsByClass::zeros(no_class(scope.classes) + 1),
        })
    }

    fn resolve(&self, partial: &Partial, plan: &RegionPlan<'_>) -> Region {
        let Partial::TopK(ranking) = partial else { return Region::default() };
        // ⌈keep·P⌉, where keep·P may miss a whole number by its rounding: 0.07·100 is 7.000000000000001.
        let wanted = self.keep * plan.pixels as f64;
        let k = (wanted * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0) as usize;
        let threshold = Threshold::new(ranking, k, self.limit);
        let zeros = vec![0.0; plan.weights.len()];
        let (mut losses, mut weights, mut pixels) = (zeros.clone(), zeros, 0.0);
        for pixel in &ranking.0 {
            let share = threshold.share(pixel.hardness);
            if share > 0.0 {
                pixels += share;
                weights[pixel.class] += share * pixel.weight;
                losses[pixel.class] += share * pixel.weight * pixel.hardness;
            }
        }
        Region { losses, kept: Some((weights, pixels)), resolved: Some(Resolved::TopK(threshold)) }
    }
}

struct Pass<T> {
    smoothing: Smoothing,
    ones: Weights<T>,
    weights: Weights<T>,
    row: Vec<f64>,
    /// On the way back.
    threshold: Option<Threshold>,
    ranking: Vec<Scored>,
    /// Not read: what is kept is known after the ranking.
    sums: SumsByClass,
}

const LOSSES: Wanted = Wanted { losses: true, gradient: false };
const GRADIENT: Wanted = Wanted { losses: false, gradient: true };

impl<T: Element> TilePass<T> for Pass<T> {
    fn block(&mut self, block: &mut Block<T>, _: &[Plane<T>], wanted: Wanted) -> bool {
        let Self { smoothing, ones, weights, row, threshold, ranking, sums } = self;
        // What each pixel costs before weights, those of the map included.
        let m = std::mem::replace(&mut block.m, Plane::of(T::one()));
        let mut is_finite = block.pointwise(Plain, *smoothing, ones, LOSSES, sums);
        block.m = m;
        let Some(hardness) = block.loss.first() else { return is_finite };
        if wanted.losses {
            let none = T::of_class(no_class(block.z.len()));
            for at in (0..block.pixels).filter(|&at| block.label[at] != none) {
                let class = block.label[at].class();
                let weight = row[class] * block.m[at].wide();
                ranking.push(Scored { hardness: hardness[at].wide(), class, weight });
            }
        }
        if wanted.gradient {
            let mut kept = m;
            for (m, hardness) in kept.iter_mut().zip(hardness.iter()) {
                let share = threshold.map_or(0.0, |threshold| threshold.share(hardness.wide()));
                *m = *m * T::of(share);
            }
            block.m = kept;
            is_finite &= block.pointwise(Plain, *smoothing, weights, GRADIENT, sums);
            block.m = m;
        }
        is_finite
    }

    fn finish(self: Box<Self>) -> (Vec<f64>, Partial) {
        (Vec::new(), Partial::TopK(Ranking(self.ranking)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(of: &[f64]) -> Ranking {
        Ranking(of.iter().map(|&hardness| Scored { hardness, class: 0, weight: 1.0 }).collect())
    }

    #[test]
    fn the_hardest_are_kept_and_ties_share() {
        let threshold = Threshold::new(&ranking(&[0.1, 3.0, 2.0, 2.0, 2.0]), 2, f64::INFINITY);
        assert_eq!([3.0, 2.0, 0.1].map(|u| threshold.share(u)), [1.0, 1.0 / 3.0, 0.0]);
        let confident = Threshold::new(&ranking(&[0.1, 3.0, 2.0, 1.0]), 1, 1.5);
        assert_eq!([3.0, 2.0, 1.0].map(|u| confident.share(u)), [1.0, 1.0, 0.0]);
    }
}
