//! Lovász hinge (Berman et al. 2018, eqs. 6 and 7; Yu & Blaschko 2015): errors max(0, 1 − z) of positives,
//! max(0, 1 + z) of negatives.

use super::lovasz;
use super::pixel::Pixel;
use super::reduce::{self, Definition};
use crate::number::{Number, sum};
use segloss::kinds::LovaszHinge;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, _: &LovaszHinge, here: &[Pixel<T>]) -> Definition<T> {
    let (slopes, active) = (lovasz::slopes(case, here, error), active(case, here));
    let case = case.clone();
    Box::new(move |all| reduce::classes(&case, all, |r, x, c| class(x, c, &slopes[r][c], &active[r][c])))
}

/// How far a pixel is from being right by a margin of 1; below 0 it is.
pub fn error<T: Number>(x: &Pixel<T>, c: usize) -> T {
    let z = x.z[c].clone();
    if x.y[c] > T::zero() { T::one() - z } else { T::one() + z }
}

/// Whether a pixel costs anything, held: `active[region][class][pixel of the region]`.
pub fn active<T: Number>(case: &Case, here: &[Pixel<T>]) -> Vec<Vec<Vec<bool>>> {
    let of = |region: &Vec<&Pixel<T>>, c: usize| region.iter().map(|x| error(x, c) > T::zero()).collect();
    let of_region = |region: &Vec<&Pixel<T>>| (0..case.grid.classes).map(|c| of(region, c)).collect();
    reduce::regions(case, here).iter().map(of_region).collect()
}

/// The loss of a channel in a region.
pub fn class<T: Number>(region: &[&Pixel<T>], c: usize, slopes: &[T], active: &[bool]) -> T {
    let costs = region.iter().zip(slopes).zip(active).filter(|(_, active)| **active);
    sum(costs.map(|((x, slope), _)| slope.clone() * error(x, c)))
}
