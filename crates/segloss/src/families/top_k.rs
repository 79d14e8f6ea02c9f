//! Cross-entropy of the hardest pixels of a region ([`top_k`](crate::regions::top_k)).

use super::{Family, Needs, RegionPlan, Scope, TilePass};
use crate::element::Element;
use crate::kernels::block::{Block, no_class};
use crate::kernels::plane::{Plane, SumsByClass};
use crate::kernels::pointwise::{Plain, Smoothing, Wanted, Weights};
use crate::regions::top_k::{Ranking, Scored, Threshold};
use crate::regions::{Partial, Region, Resolved};

/// Top-k cross-entropy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopK {
    /// The share of the valid pixels that is kept.
    pub keep: f64,
    /// u above which every pixel is kept.
    pub limit: f64,
    pub smoothing: Smoothing,
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
            ranking: Vec::with_capacity(if scope.resolved.is_some() { 0 } else { scope.pixels }),
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
        for pixel in ranking.pixels() {
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
        (Vec::new(), Partial::TopK(Ranking::new(self.ranking)))
    }
}
