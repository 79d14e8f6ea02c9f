//! LDAM (Cao et al. 2019, eqs. 12 and 13): cross-entropy of s·(z_c − y_c·Δ_c), the rarer class with the wider
//! margin, Δ_c = Δ·(n_min/n_c)^(1/4).

use super::pixel::Pixel;
use super::reduce::{self, Definition};
use super::{counts, cross_entropy};
use crate::number::{Number, power, smaller};
use segloss::kinds::Ldam;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, options: &Ldam, _: &[Pixel<T>]) -> Definition<T> {
    let (case, margins, scale) = (case.clone(), margins(case, options.margin), options.scale);
    Box::new(move |all| reduce::pixels(&case, all, |_, x| pixel(x, &margins[x.n], scale)))
}

/// Δ_c, a row for each image. A class without a pixel has the whole margin.
pub fn margins<T: Number>(case: &Case, widest: f64) -> Vec<Vec<T>> {
    let margin = T::from_f64(widest);
    let seen = counts::seen(case);
    let of_row = |(prior, seen): (Vec<T>, Vec<bool>)| -> Vec<T> {
        let present = prior.iter().zip(&seen).filter(|(_, seen)| **seen).map(|(n, _)| n.clone());
        let Some(fewest) = present.reduce(smaller) else { return vec![margin.clone(); prior.len()] };
        let share = |n: T| power(fewest.clone() / n, T::from_f64(0.25));
        let of = |n: T, seen: bool| if seen { margin.clone() * share(n) } else { margin.clone() };
        prior.into_iter().zip(seen).map(|(n, seen)| of(n, seen)).collect()
    };
    counts::priors(case).into_iter().zip(seen).map(of_row).collect()
}

/// The loss of one pixel. The margin is taken off what the pixel is; of a pixel that is of several classes,
/// off each class's share.
pub fn pixel<T: Number>(x: &Pixel<T>, margins: &[T], scale: f64) -> T {
    let scale = T::from_f64(scale);
    let behind = |c: usize| scale.clone() * (x.z[c].clone() - x.y[c].clone() * margins[c].clone());
    cross_entropy::of(&(0..x.z.len()).map(behind).collect::<Vec<_>>(), &x.y, &x.w, 0.0)
}
