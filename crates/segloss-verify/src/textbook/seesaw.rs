//! Seesaw loss (Wang et al. 2021, eqs. 3 to 6): Σ_i w_i·y_i·(−ln σ̂_i), σ̂_i = e^(z_i)/Σ_j S_ij·e^(z_j).

use super::counts;
use super::pixel::{Pixel, softmax};
use super::reduce::{self, Definition};
use crate::number::{Number, larger, power, smaller, sum};
use segloss::kinds::Seesaw;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, options: &Seesaw, here: &[Pixel<T>]) -> Definition<T> {
    let (case, held) = (case.clone(), factors(case, options, here));
    Box::new(move |all| reduce::pixels(&case, all, |i, x| pixel(x, &held[i])))
}

/// S of each pixel, held: S_ij = min(1, (π_j/π_i)^p)·max(1, (p_j/p_i)^q), S_ii = 1.
pub fn factors<T: Number>(case: &Case, options: &Seesaw, here: &[Pixel<T>]) -> Vec<Vec<Vec<T>>> {
    let mitigation = T::from_f64(options.mitigation);
    let compensation = T::from_f64(options.compensation);
    let priors = counts::priors::<T>(case);
    let of_pixel = |x: &Pixel<T>| -> Vec<Vec<T>> {
        let (p, prior) = (softmax(&x.z), &priors[x.n]);
        let factor = |i: usize, j: usize| {
            if i == j {
                return T::one();
            }
            let rarer = power(prior[j].clone() / prior[i].clone(), mitigation.clone());
            let winning = power(p[j].clone() / p[i].clone(), compensation.clone());
            smaller(T::one(), rarer) * larger(T::one(), winning)
        };
        (0..p.len()).map(|i| (0..p.len()).map(|j| factor(i, j)).collect()).collect()
    };
    here.iter().map(of_pixel).collect()
}

/// The loss of one pixel.
pub fn pixel<T: Number>(x: &Pixel<T>, s: &[Vec<T>]) -> T {
    let classes = 0..x.z.len();
    let cost = |i: usize| {
        let weighed = sum(classes.clone().map(|j| s[i][j].clone() * x.z[j].exp()));
        -(x.z[i].exp() / weighed).ln()
    };
    sum(classes.clone().map(|i| x.w[i].clone() * x.y[i].clone() * cost(i)))
}
