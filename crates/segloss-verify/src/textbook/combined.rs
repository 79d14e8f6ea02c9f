//! A weighted sum of losses: Σ_t factor_t·L_t.

use super::answer::Answer;
use super::pixel::Pixel;
use super::reduce::{Definition, Sums};
use crate::number::Number;
use segloss::Term;
use segloss_cases::Case;

/// A term's own page: the answer at logits that lie as the case's own do.
pub(super) type Page<T> = Box<dyn Fn(&[T]) -> Answer<T>>;

/// The definition, of a batch; `page` looks a term up.
pub(super) fn define<T: Number + 'static>(case: &Case, page: impl Fn(&Case) -> Page<T>) -> Definition<T> {
    // Layout and ignored index are those of the whole.
    let of = |term: &Term| {
        let mut own = case.clone();
        own.spec = term.loss.clone();
        (own.spec.layout, own.spec.ignore_index) = (case.spec.layout, case.spec.ignore_index);
        (T::from_f64(term.factor), page(&own))
    };
    let terms: Vec<(T, Page<T>)> = case.spec.terms().iter().map(of).collect();
    let case = case.clone();
    Box::new(move |all| sums(&case, all, &terms))
}

/// The sums of a batch: the terms have divided already.
fn sums<T: Number + 'static>(case: &Case, all: &[Pixel<T>], terms: &[(T, Page<T>)]) -> Sums<T> {
    // Terms shift and weigh for themselves: they want the logits as they came.
    let mut logits = vec![T::zero(); case.grid.len()];
    for x in all {
        for (c, z) in x.z.iter().enumerate() {
            logits[case.at(x.n, c, x.p)] = z.clone();
        }
    }
    let mut sums = Sums { numerator: T::zero(), denominator: T::one(), magnitude: T::zero(), map: None };
    for (factor, term) in terms {
        let answer = term(&logits);
        sums.numerator = sums.numerator + factor.clone() * answer.value;
        sums.magnitude = sums.magnitude + factor.clone() * answer.magnitude;
    }
    sums
}
