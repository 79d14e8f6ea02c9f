//! Recall loss (Tian et al. 2022, eq. 4): cross-entropy in which each class weighs what it misses, 1 − recall.

use super::cross_entropy;
use super::pixel::Pixel;
use super::reduce::{self, Definition};
use crate::number::{Number, ratio, sum};
use segloss::Region;
use segloss::kinds::RecallCrossEntropy;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &RecallCrossEntropy,
    here: &[Pixel<T>],
) -> Definition<T> {
    let (case, misses, smoothing) = (case.clone(), misses(case, here), options.label_smoothing);
    Box::new(move |all| {
        reduce::without_map(reduce::pixels(&case, all, |i, x| pixel(x, &misses[i], smoothing)))
    })
}

/// 1 − R_c over the region of each pixel, held: the share of the class whose largest logit (the first one)
/// is another's.
pub fn misses<T: Number>(case: &Case, here: &[Pixel<T>]) -> Vec<Vec<T>> {
    let mut by_pixel = vec![vec![T::zero(); case.grid.classes]; here.len()];
    for region in reduce::regions(case, here) {
        let missed = |c: usize| {
            let of_class = |x: &&&Pixel<T>| x.m.clone() * x.y[c].clone();
            let missed = sum(region.iter().filter(|x| winner(&x.z) != c).map(|x| of_class(&x)));
            ratio(missed, sum(region.iter().map(|x| of_class(&x))))
        };
        let missed: Vec<T> = (0..case.grid.classes).map(missed).collect();
        for (x, mine) in here.iter().zip(&mut by_pixel) {
            let is_of_region = case.spec.region() != Region::Image || region[0].n == x.n;
            if is_of_region {
                mine.clone_from(&missed);
            }
        }
    }
    by_pixel
}

/// The first of the largest logits.
fn winner<T: Number>(z: &[T]) -> usize {
    let mut winner = 0;
    for c in 1..z.len() {
        if z[c] > z[winner] {
            winner = c;
        }
    }
    winner
}

/// The loss of one pixel.
pub fn pixel<T: Number>(x: &Pixel<T>, misses: &[T], smoothing: f64) -> T {
    let w: Vec<T> = x.w.iter().zip(misses).map(|(w, missed)| w.clone() * missed.clone()).collect();
    cross_entropy::of(&x.z, &x.y, &w, smoothing)
}
