//! Boundary loss (Kervadec et al. 2019, eq. 5): Σ_c w_c·φ_c·p_c, φ_c the signed distance from the region of
//! class c.

use super::pixel::{Pixel, softmax};
use super::reduce::{self, Definition, Sums};
use crate::number::{Number, power, sum};
use segloss::Reduction;
use segloss::kinds::Boundary;
use segloss_cases::Case;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(case: &Case, _: &Boundary, _: &[Pixel<T>]) -> Definition<T> {
    let (case, distances) = (case.clone(), distances(case));
    Box::new(move |all| sums(&case, all, &distances))
}

/// φ, as `distances[n][p][c]`: outside of a class the distance to its nearest pixel, inside −(the distance to
/// the nearest valid pixel of another class − 1); 0 where the class has no boundary in the image.
pub fn distances<T: Number>(case: &Case) -> Vec<Vec<Vec<T>>> {
    let (pixels, classes) = (case.grid.pixels(), case.grid.classes);
    let of_class = |n: usize, c: usize| -> Vec<T> {
        let is_valid = |p: usize| !case.is_ignored(n, p);
        let is_inside = |p: usize| case.target(n, p, c) > 0.0;
        let to_inside = squares(&case.grid.spatial, |p| is_valid(p) && is_inside(p));
        let to_outside = squares(&case.grid.spatial, |p| is_valid(p) && !is_inside(p));
        let root = |square: usize| power(T::from_f64(square as f64), T::from_f64(0.5));
        let phi = |p: usize| match (to_inside[p], to_outside[p]) {
            (Some(_), Some(out)) if is_inside(p) => -(root(out) - T::one()),
            (Some(into), Some(_)) => root(into),
            _ => T::zero(),
        };
        (0..pixels).map(phi).collect()
    };
    let of_image = |n: usize| {
        let by_class: Vec<Vec<T>> = (0..classes).map(|c| of_class(n, c)).collect();
        (0..pixels).map(|p| by_class.iter().map(|phi| phi[p].clone()).collect()).collect()
    };
    (0..case.grid.images).map(of_image).collect()
}

/// The square of each pixel's distance to the nearest of some, if there are any. Axis by axis, by trying every
/// pixel of a line: the nearest in a plane is the nearest along the rows of what is nearest along the columns.
fn squares(spatial: &[usize], is_one: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
    let pixels: usize = spatial.iter().product();
    let mut squares: Vec<Option<usize>> = (0..pixels).map(|p| is_one(p).then_some(0)).collect();
    let mut stride = 1;
    // Row-major: the last axis runs fastest.
    for &size in spatial.iter().rev() {
        let before = squares.clone();
        for (p, square) in squares.iter_mut().enumerate() {
            let here = p / stride % size;
            let along = |there: usize| {
                Some(before[p - here * stride + there * stride]? + here.abs_diff(there).pow(2))
            };
            *square = (0..size).filter_map(along).min();
        }
        stride *= size;
    }
    squares
}

/// The sums of a batch. Every class has its part in every pixel: hence the sum of weights.
fn sums<T: Number>(case: &Case, all: &[Pixel<T>], distances: &[Vec<Vec<T>>]) -> Sums<T> {
    let mut sums = reduce::pixels(case, all, |_, x| {
        let (p, phi) = (softmax(&x.z), &distances[x.n][x.p]);
        sum((0..p.len()).map(|c| x.w[c].clone() * phi[c].clone() * p[c].clone()))
    });
    if let None | Some(Reduction::Mean) = case.spec.reduction {
        sums.denominator = sum(all.iter().map(|x| x.m.clone() * sum(x.w.iter().cloned())));
    }
    sums
}
