//! Unified focal loss (Yeung et al. 2022, eqs. 15 to 20): λ·(focal term) + (1 − λ)·(focal Tversky term).

use super::reduce::{self, Sums};
use super::{Pixel, others, overlap, softmax, tversky};
use crate::case::Case;
use crate::number::{Number, power, ratio, sum};

/// The sums of a batch: both terms are means, and nothing is left to divide by.
pub(super) fn sums<T: Number>(case: &Case, all: &[Pixel<T>]) -> Sums<T> {
    let mix = T::from_f64(case.spec.mix.unwrap_or(0.5));
    let value = mix.clone() * focal(case, all) + (T::one() - mix) * focal_tversky(case, all);
    Sums { magnitude: value.clone(), numerator: value, denominator: T::one(), map: None }
}

fn is_background(case: &Case, c: usize) -> bool {
    c == case.spec.background.unwrap_or(0)
}

fn delta<T: Number>(case: &Case) -> T {
    T::from_f64(case.spec.delta.unwrap_or(0.6))
}

/// Σ m·Σ_c a_c·y_c·(1 − p_c)^γ_c·(−ln p_c) / Σ m: the background has a = 1 − δ, the others δ; the asymmetric
/// form fades the background only.
fn focal<T: Number>(case: &Case, all: &[Pixel<T>]) -> T {
    let asymmetric = case.spec.asymmetric.unwrap_or(true);
    let gamma = |c: usize| match asymmetric && !is_background(case, c) {
        true => T::zero(),
        false => T::from_f64(case.spec.gamma.unwrap_or(0.5)),
    };
    let share = |c: usize| if is_background(case, c) { T::one() - delta(case) } else { delta(case) };
    let loss = |x: &Pixel<T>| {
        let p = softmax(&x.z);
        let focused = |c: usize| power(others(&p, c), gamma(c)) * -p[c].ln();
        sum((0..p.len()).map(|c| share(c) * x.y[c].clone() * focused(c)))
    };
    let total = sum(all.iter().map(|x| x.m.clone() * loss(x)));
    ratio(total, sum(all.iter().map(|x| x.m.clone())))
}

/// The mean over regions and classes of (Tversky loss at α = 1 − δ, β = δ)^e_c: e_c = 1 − γ, but 1 for the
/// background of the asymmetric form.
fn focal_tversky<T: Number>(case: &Case, all: &[Pixel<T>]) -> T {
    let asymmetric = case.spec.asymmetric.unwrap_or(true);
    let exponent = |c: usize| match asymmetric && is_background(case, c) {
        true => T::one(),
        false => T::one() - T::from_f64(case.spec.gamma.unwrap_or(0.5)),
    };
    let s = overlap::smooth::<T>(&case.spec, 1e-7);
    let regions = reduce::regions(case, all);
    let class = |region: &[&Pixel<T>], c: usize| {
        let price = T::one() - delta(case);
        power(tversky::of(region, c, &case.spec, price, delta(case), s.clone()), exponent(c))
    };
    let classes = 0..case.grid.classes;
    let total = sum(regions.iter().flat_map(|region| classes.clone().map(|c| class(region, c))));
    ratio(total, T::from_f64((regions.len() * case.grid.classes) as f64))
}
