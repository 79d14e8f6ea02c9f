//! Sums over pixels of a softmax: what a kind makes of −ln p, value and gradient side by side.
//!
//! With the cost f of a class and its pull a = −∂f/∂z_c/(1 − p_c),
//!
//! ```text
//! loss       Σ_c w_c·y_c·f(−ln p_c, p_c)
//! gradient   p_k·Σ_{c≠k} w_c·y_c·a_c − w_k·y_k·a_k·(1 − p_k)
//! ```
//!
//! The textbook's p_k·Σ_c − … is the same with the class k in the sum: where p_k → 1 its two terms cancel, these do not.

use super::block::{Block, Gradient, is_finite, reserve};
use super::plane::{Plane, SumsByClass, steps};
use crate::simd::{InstructionSets, Kernel, Real, Simd, Vector, ln_1p_nonnegative};

/// A class of a pixel.
#[derive(Clone, Copy)]
pub(crate) struct Point<V> {
    /// −ln p.
    pub nll: V,
    pub p: V,
    /// 1 − p.
    pub q: V,
    /// The number of the class.
    pub class: V,
}

/// What a class costs, before weights.
pub(crate) trait Cost: Copy + Send + Sync {
    /// Whether the pull is made of −ln p, which takes a logarithm.
    const PULL_NEEDS_NLL: bool = true;

    /// Whether it is −ln p itself.
    const IS_PLAIN: bool = false;

    /// The cost, and −∂cost/∂z divided by 1 − p.
    fn cost_and_pull<V: Vector>(self, at: Point<V>) -> (V, V);
}

/// Cross-entropy: −ln p.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

impl Cost for Plain {
    const PULL_NEEDS_NLL: bool = false;
    const IS_PLAIN: bool = true;

    #[inline(always)]
    fn cost_and_pull<V: Vector>(self, at: Point<V>) -> (V, V) {
        (at.nll, at.p.one())
    }
}

/// The weights of the classes of an image.
#[derive(Clone, Debug)]
pub(crate) struct Weights<T> {
    /// In the loss, 0 for pixels that do not count; padded to a table that registers can hold.
    pub loss: Vec<T>,
    /// The same times the factor of the term, over the denominator.
    pub gradient: Vec<T>,
}

/// Numbers of a table that registers can hold.
const TABLE: usize = 32;

impl<T: Real> Weights<T> {
    /// From the weight of each class in `f64`, and what it is multiplied with in the gradient.
    pub fn new(row: impl ExactSizeIterator<Item = f64> + Clone, scale: impl Fn(usize) -> f64) -> Self {
        let room = (super::block::no_class(row.len()) + 1).next_multiple_of(TABLE);
        let (mut loss, mut gradient) = (Vec::with_capacity(room), Vec::with_capacity(room));
        loss.extend(row.clone().map(T::of));
        gradient.extend(row.enumerate().map(|(c, w)| T::of(w * scale(c))));
        loss.resize(room, T::zero());
        gradient.resize(room, T::zero());
        Self { loss, gradient }
    }
}

/// How a label gives some of its mass to all classes alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Smoothing {
    /// Not at all.
    None,
    /// By this share; the pixel keeps the weight of its own label.
    Label(f64),
    /// By this share; each class's share has that class's weight.
    Class(f64),
}

impl Smoothing {
    /// By a share that may be 0.
    pub fn by_label(share: f64) -> Self {
        if share > 0.0 { Self::Label(share) } else { Self::None }
    }
}

/// What a pass over a block is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Losses, and their sums by class.
    pub losses: bool,
    /// The gradient, added to what there is.
    pub gradient: bool,
}

impl<T: InstructionSets> Block<T> {
    /// Adds a sum over pixels to the losses and the gradient; whether all of it is finite.
    pub fn pointwise(
        &mut self,
        cost: impl Cost,
        smoothing: Smoothing,
        weights: &Weights<T>,
        wanted: Wanted,
        sums: &mut SumsByClass,
    ) -> bool {
        reserve(&mut self.loss, 1);
        if self.is_soft || smoothing != Smoothing::None {
            return self.pointwise_soft(cost, smoothing, weights, wanted, sums);
        }
        let Self { set, label, m, others, d_own, e_own, loss, gradient, .. } = self;
        let loss = &mut loss[0];
        set.run(Hard { cost, wanted, label, m, others, d_own, e_own, weights, loss, gradient, sums })
    }

    fn pointwise_soft(
        &mut self,
        cost: impl Cost,
        smoothing: Smoothing,
        weights: &Weights<T>,
        wanted: Wanted,
        sums: &mut SumsByClass,
    ) -> bool {
        let classes = self.z.len();
        reserve(&mut self.scratch, classes);
        reserve(&mut self.gradient.by_z, classes);
        let y = self.is_soft.then_some(self.y.as_slice());
        let Self { set, label, m, z, max, e, others, d_own, e_own, loss, gradient, scratch, .. } = self;
        let adds = gradient.has_by_z;
        gradient.has_by_z |= wanted.gradient;
        let (loss, by_z) = (&mut loss[0], &mut gradient.by_z);
        let block = SoftBlock { label, m, y, z, max, e, others, d_own, e_own };
        set.run(Soft { cost, smoothing, wanted, block, weights, loss, pulls: scratch, by_z, adds, sums })
    }
}

/// Pixels of one class each.
struct Hard<'a, T, C> {
    cost: C,
    wanted: Wanted,
    label: &'a Plane<T>,
    m: &'a Plane<T>,
    others: &'a Plane<T>,
    d_own: &'a Plane<T>,
    e_own: &'a Plane<T>,
    weights: &'a Weights<T>,
    loss: &'a mut Plane<T>,
    gradient: &'a mut Gradient<T>,
    sums: &'a mut SumsByClass,
}

impl<T: InstructionSets, C: Cost> Kernel<T> for Hard<'_, T, C> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) -> bool {
        const N: usize = 4;
        let Self { cost, wanted, label, m, others, d_own, e_own, weights, loss, gradient, sums } = self;
        let zero = simd.constant(0.0);
        let mut non_finite = zero;
        for start in steps::<S, N>() {
            let mut log_sum = [zero; N];
            if wanted.losses || C::PULL_NEEDS_NLL {
                // A long chain of operations, of four registers side by side.
                for (i, x) in log_sum.iter_mut().enumerate() {
                    let at = start + i * S::LANES;
                    let (d, e) = (simd.load(&d_own[at..]), simd.load(&e_own[at..]));
                    *x = beyond_one(simd.load(&others[at..]), d, e);
                }
                log_sum = ln_1p_nonnegative(log_sum);
            }
            for (i, log_sum) in log_sum.into_iter().enumerate() {
                let at = start + i * S::LANES;
                let (others, d, e) =
                    (simd.load(&others[at..]), simd.load(&d_own[at..]), simd.load(&e_own[at..]));
                let (class, m) = (simd.load(&label[at..]), simd.load(&m[at..]));
                let sum = others + e;
                let point = Point { nll: log_sum - d, p: e / sum, q: others / sum, class };
                let (cost, pull) = cost.cost_and_pull(point);
                if wanted.losses {
                    let weighted = class.lookup(&weights.loss) * m * cost;
                    weighted.store(&mut loss[at..]);
                    non_finite = weighted.mul_add(zero, non_finite);
                }
                if wanted.gradient {
                    let mut scale = class.lookup(&weights.gradient) * m * pull / sum;
                    let mut own = zero - scale * others;
                    if gradient.has_scale {
                        scale = simd.load(&gradient.scale[at..]) + scale;
                        own = simd.load(&gradient.own[at..]) + own;
                    }
                    scale.store(&mut gradient.scale[at..]);
                    own.store(&mut gradient.own[at..]);
                    non_finite = scale.mul_add(zero, own.mul_add(zero, non_finite));
                }
            }
        }
        gradient.has_scale |= wanted.gradient;
        if wanted.losses {
            sums.add_by_label(simd, label, loss);
        }
        is_finite(simd, non_finite)
    }
}

/// What is read of pixels of several classes.
struct SoftBlock<'a, T> {
    label: &'a Plane<T>,
    m: &'a Plane<T>,
    /// The target of each class; none where the label is it.
    y: Option<&'a [Plane<T>]>,
    z: &'a [Plane<T>],
    max: &'a Plane<T>,
    e: &'a [Plane<T>],
    others: &'a Plane<T>,
    d_own: &'a Plane<T>,
    e_own: &'a Plane<T>,
}

/// Pixels of several classes.
struct Soft<'a, T, C> {
    cost: C,
    smoothing: Smoothing,
    wanted: Wanted,
    block: SoftBlock<'a, T>,
    weights: &'a Weights<T>,
    loss: &'a mut Plane<T>,
    /// w_c·y_c·a_c/(1 + others), of each class.
    pulls: &'a mut [Plane<T>],
    by_z: &'a mut [Plane<T>],
    /// Whether there is a gradient to be added to.
    adds: bool,
    sums: &'a mut SumsByClass,
}

impl<T: InstructionSets, C: Cost> Kernel<T> for Soft<'_, T, C> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) -> bool {
        let Self { cost, smoothing, wanted, block, weights, loss, pulls, by_z, adds, sums } = self;
        let SoftBlock { label, m, y, z, max, e, others, d_own, e_own } = block;
        let (zero, one) = (simd.constant(0.0), simd.constant(1.0));
        let classes = z.len();
        let (share, by_class) = match smoothing {
            Smoothing::None => (0.0, false),
            Smoothing::Label(share) => (share, false),
            Smoothing::Class(share) => (share, true),
        };
        let (kept, each) = (simd.constant(1.0 - share), simd.constant(share / classes as f64));
        let mut non_finite = zero;
        for at in steps::<S, 1>() {
            let (m, max) = (simd.load(&m[at..]), simd.load(&max[at..]));
            let (d_own, e_own) = (simd.load(&d_own[at..]), simd.load(&e_own[at..]));
            let x = beyond_one(simd.load(&others[at..]), d_own, e_own);
            let sum = one + x;
            let m_by_sum = m / sum;
            let [log_sum] = ln_1p_nonnegative([x]);
            // What all classes share: Σ −ln p_c, and the weight of the pixel's own labels.
            let (mut all_nll, mut own_weight) = (zero, zero);
            if share > 0.0 && !by_class {
                for (c, z) in z.iter().enumerate() {
                    all_nll = all_nll + (log_sum - (simd.load(&z[at..]) - max));
                    let y = target(simd, y, label, c, c, at);
                    own_weight = simd.splat(weights.gradient[c]).mul_add(y, own_weight);
                }
            }
            let (mut all, mut total) = (zero, zero);
            for c in 0..classes {
                let d = simd.load(&z[c][at..]) - max;
                let e = simd.load(&e[c][at..]);
                let rest = Vector::select(d.equal(zero), x, (x - e) + one);
                let class = simd.splat(T::of_class(c));
                let point = Point { nll: log_sum - d, p: e / sum, q: rest / sum, class };
                let (cost, pull) = cost.cost_and_pull(point);
                let y = target(simd, y, label, c, c, at);
                let y = if by_class { kept.mul_add(y, each) } else { y };
                let (w, v) = (simd.splat(weights.loss[c]) * y, simd.splat(weights.gradient[c]) * y);
                let (cost, v) = match share > 0.0 && !by_class {
                    true => (kept * cost + each * all_nll, kept * v + each * own_weight),
                    false => (cost, v),
                };
                if wanted.losses {
                    // A class without a share costs nothing, also where its logit is so far away that −ln p overflows.
                    let weighted = Vector::select(zero.less(y), w * m * cost, zero);
                    weighted.add_to(sums.of(c), at);
                    all = all + weighted;
                }
                let pull = v * pull * m_by_sum;
                pull.store(&mut pulls[c][at..]);
                total = total + pull;
            }
            if wanted.losses {
                all.store(&mut loss[at..]);
                non_finite = all.mul_add(zero, non_finite);
            }
            if !wanted.gradient {
                continue;
            }
            for c in 0..classes {
                let (d, e) = (simd.load(&z[c][at..]) - max, simd.load(&e[c][at..]));
                let rest = Vector::select(d.equal(zero), x, (x - e) + one);
                let pull = simd.load(&pulls[c][at..]);
                let mut g = e * (total - pull) - pull * rest;
                if adds {
                    g = simd.load(&by_z[c][at..]) + g;
                }
                g.store(&mut by_z[c][at..]);
            }
            non_finite = total.mul_add(zero, non_finite);
        }
        is_finite(simd, non_finite)
    }
}

/// The share of channel c, whose label is `class`, in each pixel.
#[inline(always)]
pub(super) fn target<S: Simd>(
    simd: S,
    y: Option<&[Plane<S::Real>]>,
    label: &Plane<S::Real>,
    class: usize,
    c: usize,
    at: usize,
) -> S::Vector {
    if let Some(y) = y {
        return simd.load(&y[c][at..]);
    }
    let is_own = simd.load(&label[at..]).equal(simd.splat(S::Real::of_class(class)));
    Vector::select(is_own, simd.constant(1.0), simd.constant(0.0))
}

/// Σ exp(z_j − max) less the largest, which is 1: of the others, and of the label's class.
#[inline(always)]
pub(super) fn beyond_one<V: Vector>(others: V, d_own: V, e_own: V) -> V {
    V::select(d_own.equal(others.zero()), others, (others - others.one()) + e_own)
}
