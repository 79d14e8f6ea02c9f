//! Generalised Dice (Sudre et al. 2017, section 2.1): one ratio for all classes of a region,
//! Σ_c w_c·(FP_c + FN_c) / (Σ_c w_c·(2·TP_c + FP_c + FN_c) + s), w_c = 1/(Σ m·y_c)².

use super::overlap;
use super::pixel::Pixel;
use super::reduce::{self, Definition, Sums};
use crate::number::{Number, larger, ratio, smaller, sum};
use segloss::kinds::GeneralizedDice;
use segloss::{Absent, Source};
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &GeneralizedDice,
    _: &[Pixel<T>],
) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| sums(&case, &options, all))
}

/// The sums of a batch: a ratio for each region in which a class has weight.
fn sums<T: Number>(case: &Case, options: &GeneralizedDice, all: &[Pixel<T>]) -> Sums<T> {
    let (mut numerator, mut number) = (T::zero(), T::zero());
    for region in reduce::regions(case, all) {
        let w = match case.spec.weights.source {
            Source::None => of_sizes(case, &region),
            _ => region[0].w.clone(),
        };
        if w.iter().any(|w| *w > T::zero()) {
            numerator = numerator + loss(options, &region, w);
            number = number + T::one();
        }
    }
    reduce::of_regions(case, numerator, number)
}

fn loss<T: Number>(options: &GeneralizedDice, region: &[&Pixel<T>], w: Vec<T>) -> T {
    let (mut error, mut all) = (T::zero(), T::from_f64(options.smooth));
    for (c, w) in w.into_iter().enumerate() {
        let sums = overlap::of(region, c, options.activation);
        let wrong = sums.false_alarms + sums.misses;
        error = error + w.clone() * wrong.clone();
        all = all + w * (sums.hits.clone() + sums.hits + wrong);
    }
    ratio(error, all)
}

/// 1/(Σ m·y_c)². A class without a pixel has no such weight: the policy gives it one.
fn of_sizes<T: Number>(case: &Case, region: &[&Pixel<T>]) -> Vec<T> {
    let size = |c: usize| sum(region.iter().map(|x| x.m.clone() * x.y[c].clone()));
    let weights: Vec<Option<T>> = (0..case.grid.classes)
        .map(size)
        .map(|size| (size > T::zero()).then(|| T::one() / (size.clone() * size)))
        .collect();
    let largest = weights.iter().flatten().cloned().fold(T::zero(), larger);
    let settled = |w: Option<T>| match (case.spec.weights.absent, w) {
        (Absent::Cap(cap), w) => w.map_or(T::from_f64(cap), |w| smaller(w, T::from_f64(cap))),
        (_, Some(w)) => w,
        (Absent::LargestPresent, None) => largest.clone(),
        (_, None) => T::zero(),
    };
    weights.into_iter().map(settled).collect()
}
