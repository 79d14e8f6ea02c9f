//! Logits that depend on the label, before they meet the softmax.

use super::block::Block;
use super::plane::{Plane, steps};
use crate::simd::{InstructionSets, Kernel, Real, Simd, Vector};

/// What becomes of the logits of a pixel with label i.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Adjustment<T> {
    /// LDAM: s·(z_c − y_c·Δ_c).
    Margin { scale: T, margins: Vec<T> },
    /// Seesaw: z_c − z_i + p·min(0, ln π_c − ln π_i) + q·max(0, z_c − z_i).
    Seesaw { mitigation: T, compensation: T, ln_prior: Vec<T> },
}

impl<T: InstructionSets> Block<T> {
    /// Adjusts the logits in place.
    pub fn adjust(&mut self, adjustment: &Adjustment<T>) {
        let y = self.is_soft.then_some(self.y.as_slice());
        let Self { set, label, z, max, .. } = self;
        set.run(Adjust { adjustment, label, y, z, max });
    }
}

/// See [`Block::adjust`].
struct Adjust<'a, T> {
    adjustment: &'a Adjustment<T>,
    label: &'a Plane<T>,
    y: Option<&'a [Plane<T>]>,
    z: &'a mut [Plane<T>],
    max: &'a mut Plane<T>,
}

impl<T: InstructionSets> Kernel<T> for Adjust<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { adjustment, label, y, z, max } = self;
        let (zero, least) = (simd.constant(0.0), simd.splat(T::min_value()));
        for at in steps::<S, 1>() {
            let labels = simd.load(&label[at..]);
            let mut largest = least;
            match adjustment {
                Adjustment::Margin { scale, margins } => {
                    let scale = simd.splat(*scale);
                    // A softmax sees only differences: with the largest logit subtracted first, a margin is not rounded
                    // away beside large logits.
                    let before = simd.load(&max[at..]);
                    for (c, z) in z.iter_mut().enumerate() {
                        let margin = simd.splat(margins[c]);
                        let margin = match y {
                            Some(y) => simd.load(&y[c][at..]) * margin,
                            None => Vector::select(is_class(labels, c), margin, zero),
                        };
                        let x = scale * ((simd.load(&z[at..]) - before) - margin);
                        x.store(&mut z[at..]);
                        largest = largest.max(x);
                    }
                }
                Adjustment::Seesaw { mitigation, compensation, ln_prior } => {
                    let (mitigation, compensation) = (simd.splat(*mitigation), simd.splat(*compensation));
                    let (mut own, mut own_prior) = (zero, zero);
                    for (c, z) in z.iter().enumerate() {
                        let is_own = is_class(labels, c);
                        own = Vector::select(is_own, simd.load(&z[at..]), own);
                        own_prior = Vector::select(is_own, simd.splat(ln_prior[c]), own_prior);
                    }
                    for (c, z) in z.iter_mut().enumerate() {
                        // Differences first: a constant added to all logits is gone before anything is rounded.
                        let d = simd.load(&z[at..]) - own;
                        let rarer = (own_prior - simd.splat(ln_prior[c])).max(zero);
                        let extra = compensation * d.max(zero) - mitigation * rarer;
                        let x = d + Vector::select(is_class(labels, c), zero, extra);
                        x.store(&mut z[at..]);
                        largest = largest.max(x);
                    }
                }
            }
            largest.store(&mut max[at..]);
        }
    }
}

/// Whether a label is that of a class.
#[inline(always)]
fn is_class<V: Vector>(label: V, c: usize) -> V::Mask {
    label.equal(label.simd().splat(V::Real::of_class(c)))
}
