//! Boundary loss (Kervadec et al. 2019, eq. 5): Σ_c w_c·φ_c·p_c, φ_c the signed distance from the region of
//! class c.

use super::reduce::{self, Sums};
use super::{Pixel, softmax};
use crate::case::Case;
use crate::number::{Number, power, smaller, sum};
use segloss::Denominator;

/// φ, as `distances[n][p][c]`: outside of a class the distance to its nearest pixel, inside −(the distance to
/// the nearest valid pixel of another class − 1); 0 where the class has no boundary in the image. By trying
/// every pixel.
pub fn distances<T: Number>(case: &Case) -> Vec<Vec<Vec<T>>> {
    let (pixels, classes) = (case.grid.pixels(), case.grid.classes);
    let of = |n: usize, p: usize, c: usize| {
        let valid = (0..pixels).filter(|&q| !case.is_ignored(n, q));
        let (inside, outside): (Vec<usize>, Vec<usize>) = valid.partition(|&q| case.target(n, q, c) > 0.0);
        match (nearest::<T>(case, p, &inside), nearest::<T>(case, p, &outside)) {
            (Some(_), Some(out)) if case.target(n, p, c) > 0.0 => -(out - T::one()),
            (Some(into), Some(_)) => into,
            _ => T::zero(),
        }
    };
    let of_image = |n| (0..pixels).map(|p| (0..classes).map(|c| of(n, p, c)).collect()).collect();
    (0..case.grid.images).map(of_image).collect()
}

/// The distance from a pixel to the nearest of others.
fn nearest<T: Number>(case: &Case, p: usize, others: &[usize]) -> Option<T> {
    others.iter().map(|&q| distance(&case.grid.spatial, p, q)).reduce(smaller)
}

/// √Σ(difference along each axis)².
fn distance<T: Number>(spatial: &[usize], p: usize, q: usize) -> T {
    let (mut p, mut q, mut square) = (p, q, 0);
    // Row-major: the last axis runs fastest.
    for &size in spatial.iter().rev() {
        square += (p % size).abs_diff(q % size).pow(2);
        (p, q) = (p / size, q / size);
    }
    power(T::from_f64(square as f64), T::from_f64(0.5))
}

/// The sums of a batch. Every class has its part in every pixel: hence the sum of weights.
pub(super) fn sums<T: Number>(case: &Case, all: &[Pixel<T>], distances: &[Vec<Vec<T>>]) -> Sums<T> {
    let mut sums = reduce::pixels(case, all, |_, x| {
        let (p, phi) = (softmax(&x.z), &distances[x.n][x.p]);
        sum((0..p.len()).map(|c| x.w[c].clone() * phi[c].clone() * p[c].clone()))
    });
    if let None | Some(Denominator::WeightSum) = case.spec.denominator {
        sums.denominator = sum(all.iter().map(|x| x.m.clone() * sum(x.w.iter().cloned())));
    }
    sums
}
