//! From pixels, or classes of regions, to the sums of a whole batch.

use super::pixel::Pixel;
use crate::number::{Number, absolute, sum};
use segloss::{Average, Classes, Reduction, Region};
use segloss_cases::{Case, has_pairs};

/// A loss before it is divided.
pub(super) struct Sums<T> {
    pub numerator: T,
    pub denominator: T,
    /// Σ of what the numerator adds up, without the signs.
    pub magnitude: T,
    pub map: Option<Vec<T>>,
}

/// From all pixels to the sums, with what the definition holds.
pub(super) type Definition<T> = Box<dyn Fn(&[Pixel<T>]) -> Sums<T>>;

/// Σ_x m·L(x), `loss` being told how many pixels came before.
pub(super) fn pixels<T: Number>(
    case: &Case,
    all: &[Pixel<T>],
    loss: impl Fn(usize, &Pixel<T>) -> T,
) -> Sums<T> {
    let mut map = vec![T::zero(); case.grid.images * case.grid.pixels()];
    for (i, x) in all.iter().enumerate() {
        map[x.n * case.grid.pixels() + x.p] = x.m.clone() * loss(i, x);
    }
    let weight = |x: &Pixel<T>| sum((0..x.y.len()).map(|c| x.w[c].clone() * x.y[c].clone()));
    let weight_sum = sum(all.iter().map(|x| x.m.clone() * weight(x)));
    mapped(map, denominator(case, weight_sum, T::from_f64(all.len() as f64)))
}

/// Σ_x m·Σ_c L(x, c), for channels that are problems of their own.
pub(super) fn entries<T: Number>(
    case: &Case,
    all: &[Pixel<T>],
    loss: impl Fn(&Pixel<T>, usize) -> T,
) -> Sums<T> {
    let mut map = vec![T::zero(); case.grid.len()];
    let mut weights = Vec::with_capacity(case.grid.len());
    for x in all {
        for c in 0..case.grid.classes {
            map[case.at(x.n, c, x.p)] = x.m.clone() * loss(x, c);
            let (negative, positive, y) = entry(x, c);
            let weight = positive * y.clone() + negative * (T::one() - y);
            weights.push(x.m.clone() * weight);
        }
    }
    mapped(map, denominator(case, sum(weights), T::from_f64(all.len() as f64)))
}

/// (w⁻, w⁺, y) of a channel.
pub(super) fn entry<T: Number>(x: &Pixel<T>, c: usize) -> (T, T, T) {
    (x.w[2 * c].clone(), x.w[2 * c + 1].clone(), x.y[c].clone())
}

/// Σ over regions and classes of w_c·L_c, over the classes of a region that count. `loss` is told the
/// region, its pixels and the class.
pub(super) fn classes<T: Number>(
    case: &Case,
    all: &[Pixel<T>],
    loss: impl Fn(usize, &[&Pixel<T>], usize) -> T,
) -> Sums<T> {
    let (mut numerator, mut weight_sum) = (T::zero(), T::zero());
    for (r, region) in regions(case, all).iter().enumerate() {
        let counted: Vec<usize> = (0..case.grid.classes).filter(|&c| counts(case, region, c)).collect();
        // One row of weights for a region: that of the batch, or of its image.
        let all_of = sum(counted.iter().map(|&c| region[0].w[c].clone()));
        for c in counted {
            let w = match case.spec.average() {
                // Each image is the weighted mean of its classes, and weighs 1.
                Average::Images if all_of > T::zero() => region[0].w[c].clone() / all_of.clone(),
                _ => region[0].w[c].clone(),
            };
            numerator = numerator + w.clone() * loss(r, region, c);
            weight_sum = weight_sum + w;
        }
    }
    of_regions(case, numerator, weight_sum)
}

/// The sums of a kind that is one loss for each region, or each class of one.
pub(super) fn of_regions<T: Number>(case: &Case, numerator: T, weight_sum: T) -> Sums<T> {
    let nothing = T::zero();
    let denominator = denominator(case, weight_sum, nothing);
    Sums { magnitude: numerator.clone(), numerator, denominator, map: None }
}

/// The same, for a kind whose map would not say what a pixel costs.
pub(super) fn without_map<T>(sums: Sums<T>) -> Sums<T> {
    Sums { map: None, ..sums }
}

pub(super) fn mapped<T: Number>(map: Vec<T>, denominator: T) -> Sums<T> {
    let numerator = sum(map.iter().cloned());
    let magnitude = sum(map.iter().cloned().map(absolute));
    Sums { numerator, denominator, magnitude, map: Some(map) }
}

/// What the specification divides by.
pub(super) fn denominator<T: Number>(case: &Case, weight_sum: T, valid_pixels: T) -> T {
    let grid = &case.grid;
    let entries = if has_pairs(&case.spec) { grid.len() } else { grid.images * grid.pixels() };
    match case.spec.reduction() {
        Reduction::Mean => weight_sum,
        Reduction::MeanValid => valid_pixels,
        Reduction::MeanAll => T::from_f64(entries as f64),
        Reduction::MeanImages => T::from_f64(grid.images as f64),
        Reduction::Sum => T::one(),
        Reduction::Constant(x) => T::from_f64(x),
    }
}

/// The pixels by region. What has no pixel, or none that counts for anything, is no region.
pub(super) fn regions<'a, T: Number>(case: &Case, all: &'a [Pixel<T>]) -> Vec<Vec<&'a Pixel<T>>> {
    let regions: Vec<Vec<&Pixel<T>>> = match case.spec.region() {
        Region::Batch => vec![all.iter().collect()],
        Region::Image => (0..case.grid.images).map(|n| all.iter().filter(|x| x.n == n).collect()).collect(),
    };
    let counts = |region: &Vec<&Pixel<T>>| sum(region.iter().map(|x| x.m.clone())) > T::zero();
    regions.into_iter().filter(counts).collect()
}

/// Whether a class of a region has a loss there.
pub(super) fn counts<T: Number>(case: &Case, region: &[&Pixel<T>], c: usize) -> bool {
    match case.spec.classes() {
        Classes::All => true,
        Classes::Foreground => c > 0,
        Classes::Present => sum(region.iter().map(|x| x.m.clone() * x.y[c].clone())) > T::zero(),
    }
}
