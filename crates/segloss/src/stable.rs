//! The few functions whose obvious form overflows, cancels or turns into NaN.

use crate::element::Element;

/// ln(1 + eᶻ) and σ(z), each beside its mirror image, from one exponential.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logistic<T> {
    /// softplus(z) = ln(1 + eᶻ) = −ln σ(−z)
    pub softplus: T,
    /// softplus(−z) = −ln σ(z)
    pub softplus_negated: T,
    /// σ(z)
    pub sigmoid: T,
    /// σ(−z) = 1 − σ(z), without the subtraction that loses every digit once σ(z) → 1
    pub sigmoid_negated: T,
}

impl<T: Element> Logistic<T> {
    pub fn new(z: T) -> Self {
        // e = e^−|z| lies in (0, 1]: it can underflow to 0, which is harmless, but never overflow.
        let e = (-z.abs()).exp();
        // ln(1 + eᶻ) = max(z, 0) + ln(1 + e^−|z|): the large part is exact, the small one keeps its
        // digits through log1p where 1 + e rounds to 1.
        let tail = e.ln_1p();
        let near = T::one() / (T::one() + e); // σ(|z|), in [½, 1]
        let far = e / (T::one() + e); // σ(−|z|), in (0, ½]
        let (sigmoid, sigmoid_negated) = if z >= T::zero() { (near, far) } else { (far, near) };
        Self {
            softplus: z.max(T::zero()) + tail,
            softplus_negated: (-z).max(T::zero()) + tail,
            sigmoid,
            sigmoid_negated,
        }
    }
}

/// Softmax and log-sum-exp of one pixel's logits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Softmax<T> {
    /// The largest logit, and the first class that has it.
    max: T,
    top: usize,
    /// Σ_{j ≠ top} exp(z_j − max), in [0, C − 1].
    others: T,
    /// ln Σ_j exp(z_j − max).
    log_sum: T,
}

impl<T: Element> Softmax<T> {
    /// Reads the logits `z`, and leaves exp(z_j − max) in `scratch` for [`Softmax::probability`].
    pub fn new(z: &[T], scratch: &mut [T]) -> Self {
        let (mut top, mut max) = (0, z[0]);
        for (class, &logit) in z.iter().enumerate().skip(1) {
            if logit > max {
                (top, max) = (class, logit);
            }
        }
        // With the maximum taken out no exponential overflows, and the largest is exactly 1. It is
        // left out of the sum: a confident pixel has all its information in the others, which
        // 1 + others would round away.
        let (mut others, mut lost) = (T::zero(), T::zero());
        for (class, (e, &logit)) in scratch.iter_mut().zip(z).enumerate() {
            *e = (logit - max).exp();
            if class != top {
                // What each addition rounds away is kept (Knuth's two-sum) and added at the end: a sum
                // over many classes is as right as its terms.
                let sum = others + *e;
                let taken = sum - others;
                lost = lost + ((others - (sum - taken)) + (*e - taken));
                others = sum;
            }
        }
        others = others + lost;
        Self { max, top, others, log_sum: others.ln_1p() }
    }

    /// The first class with the largest logit.
    pub fn top(&self) -> usize {
        self.top
    }

    /// −ln p_c, for the class with logit `z`.
    pub fn surprise(&self, z: T) -> T {
        (self.max - z) + self.log_sum
    }

    /// p_c, from exp(z_c − max).
    pub fn probability(&self, e: T) -> T {
        e / (T::one() + self.others)
    }

    /// 1 − p_c. For the winning class this is others/(1 + others), never 1 − p: that difference would
    /// be 0 as soon as p rounds to 1, and a gradient with it. Every other class has p ≤ ½.
    pub fn complement(&self, class: usize, e: T) -> T {
        if class == self.top {
            self.others / (T::one() + self.others)
        } else {
            T::one() - self.probability(e)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturated_logits_keep_their_digits() {
        let z = Logistic::new(50.0_f64);
        assert_eq!(z.softplus, 50.0);
        assert!((z.softplus_negated - (-50.0_f64).exp()).abs() <= 1e-16 * (-50.0_f64).exp());
        assert!(z.sigmoid_negated > 0.0);
        let far = Logistic::new(-1e4_f32);
        assert_eq!((far.softplus, far.softplus_negated, far.sigmoid), (0.0, 1e4, 0.0));
    }

    #[test]
    fn a_certain_class_still_has_a_complement() {
        let mut e = [0.0_f32; 3];
        let p = Softmax::new(&[30.0, 0.0, -5.0], &mut e);
        assert_eq!(p.probability(e[0]), 1.0);
        let expected = (-30.0_f32).exp() + (-35.0_f32).exp();
        assert!((p.complement(0, e[0]) - expected).abs() <= 1e-6 * expected);
    }

    #[test]
    fn nan_is_never_hidden() {
        let mut e = [0.0_f64; 2];
        for z in [[f64::NAN, 0.0], [0.0, f64::NAN], [f64::INFINITY, 0.0]] {
            assert!(Softmax::new(&z, &mut e).surprise(z[0]).is_nan());
        }
        assert!(Logistic::new(f64::NAN).softplus.is_nan());
    }
}
