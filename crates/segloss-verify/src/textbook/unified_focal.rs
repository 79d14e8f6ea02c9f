//! Unified focal loss (Yeung et al. 2022, eqs. 15 to 20): λ·(focal term) + (1 − λ)·(focal Tversky term).

use super::pixel::{Pixel, others, softmax};
use super::reduce::{self, Definition, Sums};
use super::{overlap, tversky};
use crate::number::{Number, power, ratio, sum};
use segloss::Activation;
use segloss::kinds::UnifiedFocal;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &UnifiedFocal,
    _: &[Pixel<T>],
) -> Definition<T> {
    let (case, options) = (case.clone(), options.clone());
    Box::new(move |all| sums(&case, &options, all))
}

/// The sums of a batch: both terms are means, and nothing is left to divide by.
fn sums<T: Number>(case: &Case, options: &UnifiedFocal, all: &[Pixel<T>]) -> Sums<T> {
    let mix = T::from_f64(options.mix);
    let value = mix.clone() * focal(options, all) + (T::one() - mix) * focal_tversky(case, options, all);
    Sums { magnitude: value.clone(), numerator: value, denominator: T::one(), map: None }
}

/// Σ m·Σ_c a_c·y_c·(1 − p_c)^γ_c·(−ln p_c) / Σ m: the background has a = 1 − δ, the others δ; the asymmetric
/// form fades the background only.
fn focal<T: Number>(options: &UnifiedFocal, all: &[Pixel<T>]) -> T {
    let delta = T::from_f64(options.delta);
    let gamma = |c: usize| match options.asymmetric && c != options.background {
        true => T::zero(),
        false => T::from_f64(options.gamma),
    };
    let share = |c: usize| if c == options.background { T::one() - delta.clone() } else { delta.clone() };
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
fn focal_tversky<T: Number>(case: &Case, options: &UnifiedFocal, all: &[Pixel<T>]) -> T {
    let exponent = |c: usize| match options.asymmetric && c == options.background {
        true => T::one(),
        false => T::one() - T::from_f64(options.gamma),
    };
    let (delta, s) = (T::from_f64(options.delta), T::from_f64(options.smooth));
    let regions = reduce::regions(case, all);
    let class = |region: &[&Pixel<T>], c: usize| {
        let sums = overlap::of(region, c, Activation::Softmax);
        power(tversky::of(sums, T::one() - delta.clone(), delta.clone(), s.clone()), exponent(c))
    };
    let classes = 0..case.grid.classes;
    let total = sum(regions.iter().flat_map(|region| classes.clone().map(|c| class(region, c))));
    ratio(total, T::from_f64((regions.len() * case.grid.classes) as f64))
}
