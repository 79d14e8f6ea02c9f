//! The errors that a Lovász loss sorts.

use super::block::Block;
use super::plane::{Plane, steps};
use crate::simd::{InstructionSets, Kernel, Simd, Vector};

/// What an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorForm {
    /// 1 − p where y = 1, p where y = 0.
    Probability,
    /// 1 − z and 1 + z, or 0 where these are below it.
    Hinge,
}

impl<T: InstructionSets> Block<T> {
    /// Writes the error of every class of pixels of one class each: of positives with a minus, also 0; NaN for a pixel that
    /// does not count. Probabilities must have been computed for errors of such.
    pub fn signed_errors(&mut self, form: ErrorForm, out: &mut [Plane<T>]) {
        let (first, none) = (self.first_label(), super::block::no_class(self.z.len()));
        let y = self.is_soft.then_some(self.y.as_slice());
        let Self { set, label, z, p, q, .. } = self;
        set.run(Errors { form, first, none, label, y, z, p, q, out });
    }
}

/// See [`Block::signed_errors`].
struct Errors<'a, T> {
    form: ErrorForm,
    first: usize,
    none: usize,
    label: &'a Plane<T>,
    y: Option<&'a [Plane<T>]>,
    z: &'a [Plane<T>],
    p: &'a [Plane<T>],
    q: &'a [Plane<T>],
    out: &'a mut [Plane<T>],
}

impl<T: InstructionSets> Kernel<T> for Errors<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { form, first, none, label, y, z, p, q, out } = self;
        let (zero, one) = (simd.constant(0.0), simd.constant(1.0));
        let (minus, nothing, none) =
            (simd.constant(-1.0), simd.splat(T::nan()), simd.splat(T::of_class(none)));
        for c in 0..z.len() {
            let class = simd.splat(T::of_class(first + c));
            for at in steps::<S, 1>() {
                let label = simd.load(&label[at..]);
                // 1 or −1, of a positive or a negative.
                let sign = match y {
                    Some(y) => Vector::select(zero.less(simd.load(&y[c][at..])), one, minus),
                    None => Vector::select(label.equal(class), one, minus),
                };
                let is_positive = zero.less(sign);
                let error = match form {
                    // What lies below 0 costs nothing, however far.
                    ErrorForm::Hinge => (one - sign * simd.load(&z[c][at..])).max(zero),
                    ErrorForm::Probability => {
                        Vector::select(is_positive, simd.load(&q[c][at..]), simd.load(&p[c][at..]))
                    }
                };
                let signed = Vector::select(is_positive, minus * error, error);
                Vector::select(label.differs(none), signed, nothing).store(&mut out[c][at..]);
            }
        }
    }
}
