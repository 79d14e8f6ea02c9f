//! Softmax cross-entropy of pixels with a class each: the formulas of
//! [`kinds::cross_entropy`](crate::kinds::cross_entropy) and, with γ > 0, of
//! [`kinds::focal`](crate::kinds::focal); of [`kinds::poly1_cross_entropy`](crate::kinds::poly1_cross_entropy).

use super::block::{BlockKernel, LANES, Planes};
use super::power::Power;
use super::real::Real;
use super::vector::{Vector, exp_nonpositive, is_zero, ln_1p_nonnegative};
use crate::element::Element;

/// What is made of −ln p of the pixel's class.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Cross-entropy: nothing.
    Plain,
    /// Focal: (1 − p)^γ times it.
    Focal(Power),
    /// Poly-1: ε·(1 − p) more.
    Poly1 { epsilon: f64 },
}

/// Writes gradient and losses, and adds up the losses of each class.
pub(crate) struct CrossEntropy<'a, T> {
    /// The weight of each class in the loss, and 0 of none.
    pub w_loss: &'a [T],
    /// The same divided by the denominator.
    pub w_gradient: &'a [T],
    pub shape: Shape,
    /// Σ of the losses of each class, and of none, lane by lane.
    pub sums: Vec<[f64; LANES]>,
}

/// Exponentials that are added up before what the sum rounds away is caught.
const TERMS: usize = 2;

impl<T: Element> BlockKernel<T> for CrossEntropy<'_, T> {
    #[inline(always)]
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>) -> bool {
        let Self { w_loss, w_gradient, shape, ref mut sums } = *self;
        let Planes { class, m, loss, z, mut gradient } = planes;
        let (zero, one) = (V::splat(T::zero()), V::splat(T::one()));
        // 0·x is 0 for a finite x, and NaN for any other: a sum of them tells.
        let mut doubt = zero;

        for at in (0..class.len()).step_by(V::LANES) {
            let label = V::load(&class[at..]);
            let mut max = V::splat(T::min_value());
            for z in z.planes() {
                let z = V::load(&z[at..]);
                doubt = z.mul_add(zero, doubt);
                max = max.max(z);
            }

            // Σ exp(z_j − max) over all classes but the pixel's own: 1 − p of a confident pixel has all its information
            // in these.
            let (mut others, mut lost, mut group) = (zero, zero, zero);
            // z_y − max, and its exponential.
            let (mut d_y, mut e_y, mut c) = (zero, zero, zero);
            let classes = z.classes();
            for (k, (z, gradient)) in z.planes().zip(gradient.planes_mut()).enumerate() {
                let d = V::load(&z[at..]) - max;
                let e = exp_nonpositive(d);
                e.store(&mut gradient[at..]);
                let is_other = label.differs(c);
                d_y = V::select(is_other, d_y, d);
                e_y = V::select(is_other, e_y, e);
                group = group + V::select(is_other, e, zero);
                c = c + one;
                if k % TERMS == TERMS - 1 || k + 1 == classes {
                    // What the addition rounds away is kept (Knuth's two-sum).
                    let sum = others + group;
                    let taken = sum - others;
                    lost = lost + ((others - (sum - taken)) + (group - taken));
                    (others, group) = (sum, zero);
                }
            }

            let others = others + lost;
            let sum = others + e_y;
            // −ln p = ln Σ exp(z_j − max) − d_y. Of a largest logit d_y = 0, and its own exponential is the 1 of ln(1 + x);
            // of any other, the others' sum has a 1 already.
            let rest = V::select(d_y.equal(zero), others, (others - one) + e_y);
            let surprise = ln_1p_nonnegative(rest) - d_y;
            // The loss, and −∂loss/∂z_y divided by 1 − p.
            let w = label.lookup(w_loss);
            let v = label.lookup(w_gradient);
            let (cost, pull) = match shape {
                Shape::Plain => (surprise, v),
                Shape::Focal(power) => {
                    let (p, q) = (e_y / sum, others / sum);
                    // At q = 0 the limits: q^γ is 0, or 1 for γ = 0, and −ln p/q is 1.
                    let ratio = V::select(zero.less(q), surprise / q, one);
                    let faded = power.of(q);
                    (faded * surprise, v * (faded * (power.gamma::<V>() * p).mul_add(ratio, one)))
                }
                Shape::Poly1 { epsilon } => {
                    let epsilon = V::splat(T::of(epsilon));
                    let (p, q) = (e_y / sum, others / sum);
                    (epsilon.mul_add(q, surprise), v * epsilon.mul_add(p, one))
                }
            };
            let m = V::load(&m[at..]);
            let scale = pull * m / sum;
            let own = zero - scale * others;
            let l = w * m * cost;
            l.store(&mut loss[at..]);
            doubt = l.mul_add(zero, scale.mul_add(zero, doubt));

            let mut c = zero;
            for gradient in gradient.planes_mut() {
                let g = V::load(&gradient[at..]) * scale;
                V::select(label.differs(c), g, own).store(&mut gradient[at..]);
                c = c + one;
            }
        }
        add_by_class::<V>(class, loss, sums);
        is_zero(doubt)
    }
}

/// Fewer classes than this are added up one after the other, of all pixels at once.
const FEW: usize = 8;

/// Adds each loss to the sum of its class and lane. All three ways give the same bits.
#[inline(always)]
fn add_by_class<V: Vector>(class: &[V::Real], loss: &[V::Real], sums: &mut [[f64; LANES]]) {
    for (class, loss) in class.chunks_exact(LANES).zip(loss.chunks_exact(LANES)) {
        // Neighbours are mostly of one class.
        if class.iter().fold(true, |all, &other| all & (other == class[0])) {
            let sums = &mut sums[class[0].class() as usize];
            for at in (0..LANES).step_by(V::LANES) {
                V::load(&loss[at..]).add_to(&mut sums[at..]);
            }
        } else if sums.len() <= FEW {
            let zero = V::splat(V::Real::of(0.0));
            for (c, sums) in sums.iter_mut().enumerate() {
                let c = V::splat(V::Real::of(c as f64));
                for at in (0..LANES).step_by(V::LANES) {
                    let is_class = V::load(&class[at..]).equal(c);
                    V::select(is_class, V::load(&loss[at..]), zero).add_to(&mut sums[at..]);
                }
            }
        } else {
            for (lane, (class, loss)) in class.iter().zip(loss).enumerate() {
                sums[class.class() as usize][lane] += loss.wide();
            }
        }
    }
}
