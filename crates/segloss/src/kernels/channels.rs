//! Sums over pixels of sigmoids: every channel is a binary problem of its own.

use super::block::{Block, is_finite, reserve};
use super::plane::{Plane, SumsByClass, steps};
use super::pointwise::{Wanted, target};
use crate::simd::{InstructionSets, Kernel, Simd, Vector, ln_1p_nonnegative, map};

/// A channel of a pixel.
#[derive(Clone, Copy)]
pub(crate) struct Logistic<V> {
    /// ln(1 + eᶻ) and ln(1 + e⁻ᶻ): −ln σ(−z) and −ln σ(z).
    pub softplus: V,
    pub softplus_negated: V,
    /// σ(z) and σ(−z), neither as a difference from 1.
    pub sigmoid: V,
    pub sigmoid_negated: V,
}

impl<V: Vector> Logistic<V> {
    /// The same of −z.
    #[inline(always)]
    pub fn mirrored(self) -> Self {
        Self {
            softplus: self.softplus_negated,
            softplus_negated: self.softplus,
            sigmoid: self.sigmoid_negated,
            sigmoid_negated: self.sigmoid,
        }
    }
}

/// What a channel costs, before weights.
pub(crate) trait ChannelCost: Copy + Send + Sync {
    /// (cost, ∂cost/∂z) of a negative, then of a positive.
    fn costs_and_slopes<V: Vector>(self, at: Logistic<V>) -> [(V, V); 2];
}

/// The weights of the channels of an image, a (negative, positive) pair for each.
#[derive(Clone, Debug)]
pub(crate) struct PairWeights<T> {
    /// In the loss.
    pub loss: Vec<T>,
    /// The same times the factor of the term, over the denominator.
    pub gradient: Vec<T>,
}

impl<T: InstructionSets> Block<T> {
    /// Adds a sum over pixels and channels to the losses and the gradient; whether all of it is finite.
    ///
    /// `smoothing`: the share of each target that goes to both sides alike.
    pub fn channels(
        &mut self,
        cost: impl ChannelCost,
        smoothing: f64,
        weights: &PairWeights<T>,
        wanted: Wanted,
        sums: &mut SumsByClass,
    ) -> bool {
        let (classes, first) = (self.z.len(), self.first_label());
        reserve(&mut self.loss, classes);
        reserve(&mut self.gradient.by_z, classes);
        let y = self.is_soft.then_some(self.y.as_slice());
        let Self { set, label, m, z, loss, gradient, .. } = self;
        let adds = gradient.has_by_z;
        gradient.has_by_z |= wanted.gradient;
        let by_z = &mut gradient.by_z;
        set.run(Channels { cost, smoothing, wanted, first, label, m, y, z, weights, loss, by_z, adds, sums })
    }
}

/// See [`Block::channels`].
struct Channels<'a, T, C> {
    cost: C,
    smoothing: f64,
    wanted: Wanted,
    /// The label that is positive in channel 0.
    first: usize,
    label: &'a Plane<T>,
    m: &'a Plane<T>,
    y: Option<&'a [Plane<T>]>,
    z: &'a [Plane<T>],
    weights: &'a PairWeights<T>,
    loss: &'a mut [Plane<T>],
    by_z: &'a mut [Plane<T>],
    adds: bool,
    sums: &'a mut SumsByClass,
}

impl<T: InstructionSets, C: ChannelCost> Kernel<T> for Channels<'_, T, C> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) -> bool {
        const N: usize = 4;
        let Self { cost, smoothing, wanted, first, label, m, y, z, weights, loss, by_z, adds, sums } = self;
        let (zero, one) = (simd.constant(0.0), simd.constant(1.0));
        let mut non_finite = zero;
        for c in 0..z.len() {
            let (w_n, w_p) = (simd.splat(weights.loss[2 * c]), simd.splat(weights.loss[2 * c + 1]));
            let (v_n, v_p) = (simd.splat(weights.gradient[2 * c]), simd.splat(weights.gradient[2 * c + 1]));
            for start in steps::<S, N>() {
                let mut logits = [zero; N];
                for (i, z_here) in logits.iter_mut().enumerate() {
                    *z_here = simd.load(&z[c][start + i * S::LANES..]);
                }
                for (i, at_z) in logistic(logits).into_iter().enumerate() {
                    let at = start + i * S::LANES;
                    let m = simd.load(&m[at..]);
                    let positive = target(simd, y, label, first + c, c, at);
                    let negative = one - positive;
                    let [(cost_n, slope_n), (cost_p, slope_p)] = cost.costs_and_slopes(at_z);
                    if wanted.losses {
                        let [n, p] = sides(smoothing, w_n * negative, w_p * positive);
                        let x = m * (p * cost_p + n * cost_n);
                        x.store(&mut loss[c][at..]);
                        x.add_to(sums.of(c), at);
                        non_finite = x.mul_add(zero, non_finite);
                    }
                    if wanted.gradient {
                        let [n, p] = sides(smoothing, v_n * negative, v_p * positive);
                        let mut g = m * (n * slope_n + p * slope_p);
                        if adds {
                            g = simd.load(&by_z[c][at..]) + g;
                        }
                        g.store(&mut by_z[c][at..]);
                        non_finite = g.mul_add(zero, non_finite);
                    }
                }
            }
        }
        is_finite(simd, non_finite)
    }
}

/// What a negative and a positive weigh where targets are smoothed: both sides keep the weight of the target.
#[inline(always)]
fn sides<V: Vector>(smoothing: f64, n: V, p: V) -> [V; 2] {
    if smoothing == 0.0 {
        return [n, p];
    }
    let (kept, half) = (n.simd().constant(1.0 - smoothing), n.simd().constant(smoothing / 2.0));
    let both = half * (n + p);
    [kept * n + both, kept * p + both]
}

/// From one exponential e = e^−|z| in (0, 1], which may underflow but never overflows. ln(1 + eᶻ) = max(z, 0) + ln(1 + e):
/// the large part is exact, the small one keeps its digits.
#[inline(always)]
fn logistic<V: Vector, const N: usize>(z: [V; N]) -> [Logistic<V>; N] {
    let simd = z[0].simd();
    let (zero, one, far) = (simd.constant(0.0), simd.constant(1.0), simd.constant(-1e4));
    let e = V::exp_nonpositive(map(z, |_, z| V::select(z.less(zero), z, zero - z).max(far)));
    let tail = ln_1p_nonnegative(e);
    let mut all =
        [Logistic { softplus: zero, softplus_negated: zero, sigmoid: zero, sigmoid_negated: zero }; N];
    for i in 0..N {
        let is_negative = z[i].less(zero);
        let near = one / (one + e[i]);
        let far = e[i] * near;
        all[i] = Logistic {
            softplus: V::select(is_negative, zero, z[i]) + tail[i],
            softplus_negated: V::select(is_negative, zero - z[i], zero) + tail[i],
            sigmoid: V::select(is_negative, far, near),
            sigmoid_negated: V::select(is_negative, near, far),
        };
    }
    all
}
