//! Sums over pixels of sigmoids.

use super::{Family, Needs, Partial, Scope, TilePass};
use crate::element::Element;
use crate::kernels::block::Block;
use crate::kernels::channels::{ChannelCost, PairWeights};
use crate::kernels::plane::{Plane, SumsByClass};
use crate::kernels::pointwise::Wanted;

/// A cost of each pixel and channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels<C> {
    pub cost: C,
    /// The share of each target that goes to both sides alike.
    pub smoothing: f64,
    /// Whether the cost may be NaN or infinite for finite logits, by its definition.
    pub may_break: bool,
}

impl<C> Channels<C> {
    /// Without smoothing, and always finite.
    pub fn new(cost: C) -> Self {
        Self { cost, smoothing: 0.0, may_break: false }
    }
}

impl<T: Element, C: ChannelCost> Family<T> for Channels<C> {
    fn needs(&self) -> Needs {
        Needs::Logits
    }

    fn may_break(&self) -> bool {
        self.may_break
    }

    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a> {
        let weights = PairWeights {
            loss: scope.weights.iter().map(|&w| T::of(w)).collect(),
            gradient: scope.weights.iter().map(|&w| T::of(w * scope.scale)).collect(),
        };
        Box::new(Pass { family: self, weights, sums: SumsByClass::zeros(scope.classes) })
    }
}

struct Pass<'a, T, C> {
    family: &'a Channels<C>,
    weights: PairWeights<T>,
    sums: SumsByClass,
}

impl<T: Element, C: ChannelCost> TilePass<T> for Pass<'_, T, C> {
    fn block(&mut self, block: &mut Block<T>, _: &[Plane<T>], wanted: Wanted) -> bool {
        let Channels { cost, smoothing, .. } = *self.family;
        block.channels(cost, smoothing, &self.weights, wanted, &mut self.sums)
    }

    fn finish(self: Box<Self>) -> (Vec<f64>, Partial) {
        (self.sums.totals().collect(), Partial::Nothing)
    }
}
