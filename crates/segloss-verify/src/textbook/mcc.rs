//! One minus Matthews' correlation (Abhishek & Hamarneh 2021, eqs. 3 to 5):
//! 1 − (TP·TN − FP·FN)/√((TP + FP)·(TP + FN)·(TN + FP)·(TN + FN) + s).

use super::overlap;
use super::pixel::Pixel;
use super::reduce::{self, Definition};
use crate::number::{Number, power};
use segloss::kinds::Mcc;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, options: &Mcc, _: &[Pixel<T>]) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| reduce::classes(&case, all, |_, x, c| class(x, c, &options)))
}

/// The loss of a class in a region. One side without a pixel correlates with nothing; where nothing is wrong either,
/// there is no loss.
fn class<T: Number>(region: &[&Pixel<T>], c: usize, options: &Mcc) -> T {
    let overlap::Overlap { hits, false_alarms, misses, rejections, .. } =
        overlap::of(region, c, options.activation);
    let sides = (hits.clone() + false_alarms.clone())
        * (hits.clone() + misses.clone())
        * (rejections.clone() + false_alarms.clone())
        * (rejections.clone() + misses.clone());
    let square = sides + T::from_f64(options.smooth);
    if !(false_alarms.clone() + misses.clone() > T::zero()) {
        return T::zero();
    }
    if !(square > T::zero()) {
        return T::one();
    }
    T::one() - (hits * rejections - false_alarms * misses) / power(square, T::from_f64(0.5))
}
