//! Exponential logarithmic loss (Wong et al. 2018, eqs. 1 to 3): w_D·mean (−ln D)^γ_D + w_X·mean w·(−ln p)^γ_X.

use super::overlap;
use super::pixel::{Pixel, softmax};
use super::reduce::{self, Definition, Sums};
use crate::number::{Number, power, ratio, sum};
use segloss::Activation;
use segloss::kinds::ExponentialLogarithmic;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &ExponentialLogarithmic,
    _: &[Pixel<T>],
) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| sums(&case, &options, all))
}

/// The sums of a batch: both terms are means, and nothing is left to divide by.
fn sums<T: Number>(case: &Case, options: &ExponentialLogarithmic, all: &[Pixel<T>]) -> Sums<T> {
    let (of_dice, of_cross) = (T::from_f64(options.dice_weight), T::from_f64(options.cross_weight));
    let value = of_dice * dice(case, options, all) + of_cross * cross(options, all);
    Sums { magnitude: value.clone(), numerator: value, denominator: T::one(), map: None }
}

/// The mean over regions and the classes that count there of (−ln D)^γ, D = (2·TP + s)/(2·TP + FP + FN + s).
fn dice<T: Number>(case: &Case, options: &ExponentialLogarithmic, all: &[Pixel<T>]) -> T {
    let (gamma, s) = (T::from_f64(options.gamma_dice), T::from_f64(options.smooth));
    let mut each = Vec::new();
    for region in reduce::regions(case, all) {
        for c in (0..case.grid.classes).filter(|&c| reduce::counts(case, &region, c)) {
            let sums = overlap::of(&region, c, Activation::Softmax);
            let error = sums.false_alarms + sums.misses;
            // At D = 1 the power vanishes, and its slope is held to do so, too.
            if !(error > T::zero()) {
                each.push(T::zero());
                continue;
            }
            let hits = sums.hits.clone() + sums.hits + s.clone();
            each.push(power(-(hits.clone() / (hits + error)).ln(), gamma.clone()));
        }
    }
    let number = T::from_f64(each.len() as f64);
    ratio(sum(each), number)
}

/// Σ m·Σ_c w_c·y_c·(−ln p_c)^γ / Σ m.
fn cross<T: Number>(options: &ExponentialLogarithmic, all: &[Pixel<T>]) -> T {
    let gamma = T::from_f64(options.gamma_cross);
    let loss = |x: &Pixel<T>| {
        let p = softmax(&x.z);
        let class = |c: usize| x.w[c].clone() * x.y[c].clone() * power(-p[c].ln(), gamma.clone());
        sum((0..p.len()).map(class))
    };
    let total = sum(all.iter().map(|x| x.m.clone() * loss(x)));
    ratio(total, sum(all.iter().map(|x| x.m.clone())))
}
