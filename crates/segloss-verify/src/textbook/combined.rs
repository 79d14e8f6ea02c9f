//! A weighted sum of losses: Σ_t factor_t·L_t.

use super::reduce::Sums;
use super::{Definition, Pixel, Textbook};
use crate::case::Case;
use crate::number::Number;
use segloss::kinds::Combined;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, _: &Combined, _: &[Pixel<T>]) -> Definition<T> {
    // The terms shift and weigh for themselves: they go back to the logits as they came.
    let (case, terms) = (case.clone(), terms(case));
    Box::new(move |all| sums(&case, all, &terms))
}

/// (factor, the term's own page) for each term. Layout and ignored index are those of the whole.
fn terms<T: Number + 'static>(case: &Case) -> Vec<(T, Textbook<T>)> {
    let of = |term: &segloss::Term| {
        let mut own = case.clone();
        own.spec = term.loss.clone();
        (own.spec.layout, own.spec.ignore_index) = (case.spec.layout, case.spec.ignore_index);
        (T::from_f64(term.factor), Textbook::of(&own))
    };
    case.spec.terms().iter().map(of).collect()
}

/// The sums of a batch: the terms have divided already.
fn sums<T: Number + 'static>(case: &Case, all: &[Pixel<T>], terms: &[(T, Textbook<T>)]) -> Sums<T> {
    // Terms shift and weigh for themselves: they want the logits as they came.
    let mut logits = vec![T::zero(); case.grid.len()];
    for x in all {
        for (c, z) in x.z.iter().enumerate() {
            logits[case.at(x.n, c, x.p)] = z.clone();
        }
    }
    let mut sums = Sums { numerator: T::zero(), denominator: T::one(), magnitude: T::zero(), map: None };
    for (factor, term) in terms {
        let answer = term.at(&logits);
        sums.numerator = sums.numerator + factor.clone() * answer.value;
        sums.magnitude = sums.magnitude + factor.clone() * answer.magnitude;
    }
    sums
}
