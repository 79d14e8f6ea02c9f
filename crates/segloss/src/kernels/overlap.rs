//! Overlaps of what is predicted and what is there: TP, FP and FN of each class, and the way back from their slopes.

use super::block::{Block, no_class, reserve};
use super::plane::{Plane, SumsByClass, steps};
use super::pointwise::target;
use crate::simd::{InstructionSets, Kernel, Simd, Vector};

/// What the sums are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// TP = Σ m·p·y, FP = Σ m·p·(1 − y), FN = Σ m·(1 − p)·y.
    Product,
    /// TP the same; FP = Σ m·(p − y)², FN = 0.
    Squared,
    /// TP = Σ m·min(p, y), FP = Σ m·max(0, p − y), FN = Σ m·max(0, y − p).
    Metric,
    /// As products, with TN = Σ m·(1 − p)·(1 − y).
    Confusion,
}

/// The sums of some pixels by class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OverlapSums {
    tp: SumsByClass,
    fp: SumsByClass,
    fn_: SumsByClass,
    /// Of [`Form::Confusion`] alone.
    tn: SumsByClass,
}

impl OverlapSums {
    /// Of no pixel yet.
    pub fn zeros(classes: usize) -> Self {
        let by_label = SumsByClass::zeros(no_class(classes) + 1);
        let by_class = SumsByClass::zeros(classes);
        Self { tp: by_label.clone(), fp: by_class.clone(), fn_: by_label, tn: by_class }
    }

    /// TP, FP, FN and TN of each class.
    pub fn totals(&self) -> [Vec<f64>; 4] {
        let classes = self.fp.totals().count();
        // Pixels of one class each were added by their label, which for a single channel is 1.
        let of = |sums: &SumsByClass| {
            let totals: Vec<f64> = sums.totals().collect();
            if classes == 1 { vec![totals[0] + totals[1]] } else { totals[..classes].to_vec() }
        };
        [of(&self.tp), self.fp.totals().collect(), of(&self.fn_), self.tn.totals().collect()]
    }
}

/// What the slopes of the sums come to for a pixel, by class.
#[derive(Clone, Debug)]
pub(crate) struct OverlapSlopes<T> {
    /// ∂L/∂TP − ∂L/∂FN: for the share of the pixel that is of the class.
    pub own: Vec<T>,
    /// ∂L/∂FP − ∂L/∂TN: for the rest of it.
    pub other: Vec<T>,
    /// ∂L/∂TP.
    pub tp: Vec<T>,
}

impl<T: InstructionSets> Block<T> {
    /// Adds what the pixels' probabilities contribute to the sums.
    pub fn overlap_sums(&mut self, form: Form, sums: &mut OverlapSums) {
        reserve(&mut self.scratch, 2);
        let (first, y) = (self.first_label(), self.is_soft.then_some(self.y.as_slice()));
        let Self { set, label, m, p, q, scratch, z, .. } = self;
        let classes = z.len();
        let [hit, miss, ..] = scratch.as_mut_slice() else { return };
        set.run(Sums { form, first, label, m, y, p: &p[..classes], q: &q[..classes], hit, miss, sums });
    }

    /// Adds the slopes of the sums to ∂L/∂p.
    pub fn overlap_gradient(&mut self, form: Form, slopes: &OverlapSlopes<T>) {
        reserve(&mut self.gradient.by_p, self.z.len());
        let (first, y) = (self.first_label(), self.is_soft.then_some(self.y.as_slice()));
        let Self { set, label, m, p, q, gradient, .. } = self;
        let adds = gradient.has_by_p;
        gradient.has_by_p = true;
        let by_p = &mut gradient.by_p;
        set.run(Slopes { form, first, label, m, y, p, q, slopes, by_p, adds });
    }
}

/// See [`Block::overlap_sums`].
struct Sums<'a, T> {
    form: Form,
    /// The label of channel 0.
    first: usize,
    label: &'a Plane<T>,
    m: &'a Plane<T>,
    y: Option<&'a [Plane<T>]>,
    p: &'a [Plane<T>],
    q: &'a [Plane<T>],
    /// What a class's pixels contribute, for one class after the other.
    hit: &'a mut Plane<T>,
    miss: &'a mut Plane<T>,
    sums: &'a mut OverlapSums,
}

impl<T: InstructionSets> Kernel<T> for Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { form, first, label, m, y, p, q, hit, miss, sums } = self;
        let zero = simd.constant(0.0);
        if y.is_none() {
            hit.fill(T::zero());
            miss.fill(T::zero());
        }
        let (mut alarm, mut quiet) = (Plane::of(T::zero()), Plane::of(T::zero()));
        for c in 0..p.len() {
            let class = simd.splat(T::of_class(first + c));
            for at in steps::<S, 1>() {
                let (p, q, m) = (simd.load(&p[c][at..]), simd.load(&q[c][at..]), simd.load(&m[at..]));
                let Some(y) = y else {
                    // Of one class each: what is not of this one is a false alarm.
                    let is_own = simd.load(&label[at..]).equal(class);
                    let (mp, mq) = (m * p, m * q);
                    let (wrong, missed) = match form {
                        Form::Squared => (Vector::select(is_own, mq * q, mp * p), zero),
                        _ => (Vector::select(is_own, zero, mp), mq),
                    };
                    wrong.store(&mut alarm[at..]);
                    if form == Form::Confusion {
                        Vector::select(is_own, zero, mq).store(&mut quiet[at..]);
                    }
                    simd.load(&hit[at..]).add_where(is_own, mp).store(&mut hit[at..]);
                    simd.load(&miss[at..]).add_where(is_own, missed).store(&mut miss[at..]);
                    continue;
                };
                let y = simd.load(&y[c][at..]);
                let [tp, fp, fn_] = shared(form, p, q, y);
                if form == Form::Confusion {
                    (m * q * (simd.constant(1.0) - y)).store(&mut quiet[at..]);
                }
                (m * tp).store(&mut hit[at..]);
                (m * fn_).store(&mut miss[at..]);
                (m * fp).store(&mut alarm[at..]);
            }
            sums.fp.add_plane(simd, c, &alarm);
            if form == Form::Confusion {
                sums.tn.add_plane(simd, c, &quiet);
            }
            if y.is_some() {
                sums.tp.add_plane(simd, c, hit);
                sums.fn_.add_plane(simd, c, miss);
            }
        }
        if y.is_none() {
            sums.tp.add_by_label(simd, label, hit);
            sums.fn_.add_by_label(simd, label, miss);
        }
    }
}

/// (TP, FP, FN) of a pixel with a share y of a class.
#[inline(always)]
fn shared<V: Vector>(form: Form, p: V, q: V, y: V) -> [V; 3] {
    let (zero, one) = (p.zero(), p.one());
    // At y = 1 it is q, which 1 − p would round away.
    let missing = V::select(y.equal(one), q, y - p);
    match form {
        Form::Product | Form::Confusion => [p * y, p * (one - y), q * y],
        Form::Squared => [p * y, missing * missing, zero],
        Form::Metric => [V::select(p.less(y), p, y), (p - y).max(zero), missing.max(zero)],
    }
}

/// See [`Block::overlap_gradient`].
struct Slopes<'a, T> {
    form: Form,
    first: usize,
    label: &'a Plane<T>,
    m: &'a Plane<T>,
    y: Option<&'a [Plane<T>]>,
    p: &'a [Plane<T>],
    q: &'a [Plane<T>],
    slopes: &'a OverlapSlopes<T>,
    by_p: &'a mut [Plane<T>],
    adds: bool,
}

impl<T: InstructionSets> Kernel<T> for Slopes<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { form, first, label, m, y, p, q, slopes, by_p, adds } = self;
        let (zero, one, two) = (simd.constant(0.0), simd.constant(1.0), simd.constant(2.0));
        for c in 0..slopes.tp.len() {
            let (own, other) = (simd.splat(slopes.own[c]), simd.splat(slopes.other[c]));
            let tp = simd.splat(slopes.tp[c]);
            for at in steps::<S, 1>() {
                let (p, q, m) = (simd.load(&p[c][at..]), simd.load(&q[c][at..]), simd.load(&m[at..]));
                let y = target(simd, y, label, first + c, c, at);
                let slope = match form {
                    Form::Product | Form::Confusion => y * own + (one - y) * other,
                    Form::Squared => {
                        let difference = Vector::select(y.equal(one), zero - q, p - y);
                        y * tp + other * (two * difference)
                    }
                    // Where p = y no side is taken, unless the class is all there is.
                    Form::Metric => {
                        let below = Vector::select(p.less(y), own, zero);
                        let inside = Vector::select(y.less(p), other, below);
                        Vector::select(y.equal(one), own, inside)
                    }
                };
                let mut g = m * slope;
                if adds {
                    g = simd.load(&by_p[c][at..]) + g;
                }
                g.store(&mut by_p[c][at..]);
            }
        }
    }
}
