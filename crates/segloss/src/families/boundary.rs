//! Sums over pixels of p times a number of the pixel and class: distances from a boundary.

use super::{Family, Needs, Partial, Scope, TilePass};
use crate::element::Element;
use crate::kernels::block::{Block, reserve};
use crate::kernels::plane::{PIXELS, Plane, SumsByClass};
use crate::kernels::pointwise::Wanted;
use crate::simd::ACCUMULATORS;

/// Σ w·φ·p, with φ from an array of the logits' shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear;

impl<T: Element> Family<T> for Linear {
    fn needs(&self) -> Needs {
        Needs::Probabilities
    }

    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a> {
        let weights = scope.weights.iter().map(|&w| (T::of(w), T::of(w * scope.scale))).collect();
        Box::new(Pass { weights, sums: SumsByClass::zeros(scope.classes) })
    }
}

struct Pass<T> {
    /// In the loss and in the gradient.
    weights: Vec<(T, T)>,
    sums: SumsByClass,
}

impl<T: Element> TilePass<T> for Pass<T> {
    fn block(&mut self, block: &mut Block<T>, extra: &[Plane<T>], wanted: Wanted) -> bool {
        reserve(&mut block.loss, 1);
        reserve(&mut block.gradient.by_p, block.z.len());
        let Block { m, p, loss, gradient, .. } = block;
        let mut non_finite = T::zero();
        if wanted.losses {
            loss[0].fill(T::zero());
        }
        for (c, (phi, &(w, v))) in extra.iter().zip(&self.weights).enumerate() {
            let (p, by_p) = (&p[c], &mut gradient.by_p[c]);
            for at in 0..PIXELS {
                if wanted.losses {
                    let x = w * phi[at] * p[at] * m[at];
                    loss[0][at] = loss[0][at] + x;
                    self.sums.of(c)[at % ACCUMULATORS] += x.wide();
                    non_finite = non_finite + x * T::zero();
                }
                if wanted.gradient {
                    let x = v * phi[at] * m[at];
                    by_p[at] = if gradient.has_by_p { by_p[at] + x } else { x };
                    non_finite = non_finite + x * T::zero();
                }
            }
        }
        gradient.has_by_p |= wanted.gradient;
        non_finite == T::zero()
    }

    fn finish(self: Box<Self>) -> (Vec<f64>, Partial) {
        (self.sums.totals().collect(), Partial::Nothing)
    }
}
