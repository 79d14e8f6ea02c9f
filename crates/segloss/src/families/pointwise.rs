//! Sums over pixels of a softmax.

use super::{Family, Needs, Partial, Scope, TilePass};
use crate::element::Element;
use crate::kernels::adjust::Adjustment;
use crate::kernels::block::{Block, no_class};
use crate::kernels::plane::{Plane, SumsByClass};
use crate::kernels::pointwise::{Cost, Smoothing, Wanted, Weights};
use crate::kernels::prefetch::Prefetch;
use crate::kernels::staging::Place;
use crate::tiles::TileMut;

/// A cost of each pixel, perhaps of logits that depend on its label.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pointwise<C> {
    pub cost: C,
    pub smoothing: Smoothing,
    pub adjusted: Adjusted,
}

/// Which adjustment, its prior being known later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Adjusted {
    /// None.
    No,
    /// LDAM's.
    Margin { scale: f64 },
    /// Seesaw's.
    Seesaw { mitigation: f64, compensation: f64 },
}

impl<C> Pointwise<C> {
    /// Without smoothing or adjustment.
    pub fn new(cost: C) -> Self {
        Self { cost, smoothing: Smoothing::None, adjusted: Adjusted::No }
    }

    fn adjustment<T: Element>(&self, scope: &Scope<'_>) -> Option<Adjustment<T>> {
        let row = || scope.parameters.iter().flatten().map(|&x| T::of(x)).collect();
        match self.adjusted {
            Adjusted::No => None,
            Adjusted::Margin { scale } => Some(Adjustment::Margin { scale: T::of(scale), margins: row() }),
            Adjusted::Seesaw { mitigation, compensation } => {
                let (mitigation, compensation) = (T::of(mitigation), T::of(compensation));
                Some(Adjustment::Seesaw { mitigation, compensation, ln_prior: row() })
            }
        }
    }
}

impl<T: Element, C: Cost> Family<T> for Pointwise<C> {
    fn needs(&self) -> Needs {
        if self.adjusted == Adjusted::No { Needs::Softmax } else { Needs::Logits }
    }

    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a> {
        // Of scaled logits the slope is as many times as large.
        let slope = match self.adjusted {
            Adjusted::Margin { scale } => scale,
            _ => 1.0,
        };
        let weights = Weights::new(scope.weights.iter().copied(), |_| scope.scale * slope);
        let sums = SumsByClass::zeros(no_class(scope.classes) + 1);
        let (classes, adjustment) = (scope.classes, self.adjustment(&scope));
        Box::new(Pass { cost: self.cost, smoothing: self.smoothing, weights, adjustment, sums, classes })
    }
}

struct Pass<T, C> {
    cost: C,
    smoothing: Smoothing,
    weights: Weights<T>,
    adjustment: Option<Adjustment<T>>,
    sums: SumsByClass,
    classes: usize,
}

impl<T: Element, C: Cost> TilePass<T> for Pass<T, C> {
    fn block(&mut self, block: &mut Block<T>, _: &[Plane<T>], wanted: Wanted) -> bool {
        let Self { cost, smoothing, weights, adjustment, sums, .. } = self;
        match adjustment {
            None => block.pointwise(*cost, *smoothing, weights, wanted, sums),
            Some(adjustment @ Adjustment::Seesaw { .. }) if block.is_soft => each_class(block, |block| {
                block.adjust(adjustment);
                block.softmax(Prefetch::nothing());
                let is_finite = block.pointwise(*cost, *smoothing, weights, wanted, sums);
                if wanted.gradient {
                    block.back_to_logits(false);
                }
                is_finite
            }),
            Some(adjustment) => {
                block.adjust(adjustment);
                block.softmax(Prefetch::nothing());
                block.pointwise(*cost, *smoothing, weights, wanted, sums)
            }
        }
    }

    fn at_once(
        &mut self,
        block: &mut Block<T>,
        logits: &[T],
        place: Place<'_>,
        out: &mut TileMut<'_, T>,
        start: usize,
    ) -> bool {
        let is_plain = C::IS_PLAIN && self.smoothing == Smoothing::None && self.adjustment.is_none();
        let Self { weights, sums, .. } = self;
        is_plain && !block.is_soft && block.cross_entropy_of_few(logits, place, weights, sums, out, start)
    }

    fn finish(self: Box<Self>) -> (Vec<f64>, Partial) {
        (self.sums.totals().take(self.classes).collect(), Partial::Nothing)
    }
}

/// Computes a block of several classes a pixel as one block after another of one class, each pixel of which weighs its
/// share of the class: for losses whose logits depend on the label.
fn each_class<T: Element>(block: &mut Block<T>, mut compute: impl FnMut(&mut Block<T>) -> bool) -> bool {
    let (label, m, z, max) = (block.label, block.m, block.z.clone(), block.max);
    let none = T::of_class(no_class(block.classes()));
    block.is_soft = false;
    let mut is_all_finite = true;
    let mut loss = Plane::of(T::zero());
    for c in 0..block.classes() {
        for (at, counts) in label.iter().enumerate() {
            let y = block.y[c][at];
            block.label[at] = if *counts == none || !(y > T::zero()) { none } else { T::of_class(c) };
            block.m[at] = m[at] * y;
        }
        block.z.copy_from_slice(&z);
        block.max = max;
        is_all_finite &= compute(block);
        for (sum, &x) in loss.iter_mut().zip(block.loss.first().into_iter().flat_map(|plane| plane.iter())) {
            *sum = *sum + x;
        }
    }
    (block.label, block.m, block.is_soft, block.max) = (label, m, true, max);
    block.z.copy_from_slice(&z);
    if let Some(first) = block.loss.first_mut() {
        *first = loss;
    }
    is_all_finite
}
