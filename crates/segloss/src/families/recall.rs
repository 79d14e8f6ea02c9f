//! Cross-entropy in which each class weighs what it misses at the moment.
//!
//! The share of misses 1 − R_c of a region is a step function of the logits: its derivative is 0 wherever it
//! has one, so that the gradient is that of cross-entropy with these weights held.

use super::{Family, Needs, RegionPlan, Scope, TilePass};
use crate::element::Element;
use crate::kernels::block::{Block, no_class};
use crate::kernels::plane::{PIXELS, Plane, SumsByClass};
use crate::kernels::pointwise::{Plain, Smoothing, Wanted, Weights};
use crate::regions::recall::Recalls;
use crate::regions::{Partial, Region, Resolved};
use crate::simd::ACCUMULATORS;

/// Recall loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recall {
    pub smoothing: Smoothing,
}

impl<T: Element> Family<T> for Recall {
    fn needs(&self) -> Needs {
        Needs::Softmax
    }

    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a> {
        let missed = |c: usize| match scope.resolved {
            Some(Resolved::Recall(recalls)) => recalls.missed_share(c),
            _ => 0.0,
        };
        let weights = Weights::new(scope.weights.iter().copied(), |c| scope.scale * missed(c));
        let (classes, zeros) = (scope.classes, SumsByClass::zeros(no_class(scope.classes) + 1));
        Box::new(Pass {
            smoothing: self.smoothing,
            weights,
            classes,
            mass: zeros.clone(),
            missed: zeros.clone(),
            loss: zeros,
        })
    }

    fn resolve(&self, partial: &Partial, _: &RegionPlan<'_>) -> Region {
        let Partial::Recall(recalls) = partial else { return Region::default() };
        let losses = recalls.loss.iter().enumerate().map(|(c, loss)| recalls.missed_share(c) * loss);
        let (losses, resolved) = (losses.collect(), Some(Resolved::Recall(recalls.clone())));
        Region { losses, kept: None, resolved }
    }
}

struct Pass<T> {
    smoothing: Smoothing,
    weights: Weights<T>,
    classes: usize,
    mass: SumsByClass,
    missed: SumsByClass,
    loss: SumsByClass,
}

impl<T: Element> TilePass<T> for Pass<T> {
    fn block(&mut self, block: &mut Block<T>, _: &[Plane<T>], wanted: Wanted) -> bool {
        let is_finite = block.pointwise(Plain, self.smoothing, &self.weights, wanted, &mut self.loss);
        if wanted.losses {
            self.count(block);
        }
        is_finite
    }

    fn finish(self: Box<Self>) -> (Vec<f64>, Partial) {
        let of = |sums: &SumsByClass| sums.totals().take(self.classes).collect();
        let (mass, missed, loss) = (of(&self.mass), of(&self.missed), of(&self.loss));
        (Vec::new(), Partial::Recall(Recalls { mass, missed, loss }))
    }
}

impl<T: Element> Pass<T> {
    /// Counts pixels and misses by class: of equal logits the first wins.
    fn count(&mut self, block: &Block<T>) {
        let none = T::of_class(no_class(self.classes));
        let mut winner = [0; PIXELS];
        for c in (0..self.classes).rev() {
            for (at, winner) in winner.iter_mut().enumerate() {
                *winner = if block.z[c][at] == block.max[at] { c } else { *winner };
            }
        }
        for (at, &winner) in winner.iter().enumerate().take(block.pixels) {
            if block.label[at] == none {
                continue;
            }
            let mut count = |class: usize, mass: T| {
                self.mass.of(class)[at % ACCUMULATORS] += mass.wide();
                if class != winner {
                    self.missed.of(class)[at % ACCUMULATORS] += mass.wide();
                }
            };
            match block.is_soft {
                true => (0..self.classes).for_each(|c| count(c, block.m[at] * block.y[c][at])),
                false => count(block.label[at].class(), block.m[at]),
            }
        }
    }
}
