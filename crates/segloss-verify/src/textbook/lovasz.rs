//! The Lovász extension of the Jaccard loss (Berman et al. 2018, eq. 8): Σ_i e_(i)·(J_i − J_(i−1)), errors in
//! falling order, J_i the Jaccard loss if the first i were mistaken.

use super::{Pixel, reduce};
use crate::case::Case;
use crate::number::{Number, ratio, sum};

/// ∂L/∂e of every pixel, held, as `slopes[region][class][pixel of the region]`: the extension is linear as long
/// as the order stays.
pub fn slopes<T: Number>(
    case: &Case,
    here: &[Pixel<T>],
    error: impl Fn(&Pixel<T>, usize) -> T,
) -> Vec<Vec<Vec<T>>> {
    let of = |region: &Vec<&Pixel<T>>, c: usize| {
        let errors: Vec<T> = region.iter().map(|x| error(x, c)).collect();
        (0..region.len()).map(|i| slope(region, c, &errors, i)).collect()
    };
    let of_region = |region: &Vec<&Pixel<T>>| (0..case.grid.classes).map(|c| of(region, c)).collect();
    reduce::regions(case, here).iter().map(of_region).collect()
}

/// The step that the Jaccard loss takes at pixel i. Pixels with the same error take theirs together, and share
/// it by what they count for: the mean of the positives going first and the negatives going first.
fn slope<T: Number>(region: &[&Pixel<T>], c: usize, errors: &[T], i: usize) -> T {
    let positive = |j: usize| region[j].y[c] > T::zero();
    let mass = |of_positives: bool, counts: &dyn Fn(usize) -> bool| {
        let chosen = (0..region.len()).filter(|&j| positive(j) == of_positives && counts(j));
        sum(chosen.map(|j| region[j].m.clone()))
    };
    let (larger, tied) = (|j: usize| errors[j] > errors[i], |j: usize| errors[j] == errors[i]);
    let all = mass(true, &|_| true);
    let jaccard = |hits: T, alarms: T| ratio(hits + alarms.clone(), all.clone() + alarms);

    let mine = positive(i);
    // How many were mistaken before, of my side and of the other; and how many tie with me.
    let (before, other_before) = (mass(mine, &larger), mass(!mine, &larger));
    let (with, other_with) = (mass(mine, &tied), mass(!mine, &tied));
    let at = |mine_mistaken: T, others_mistaken: T| match mine {
        true => jaccard(mine_mistaken, others_mistaken),
        false => jaccard(others_mistaken, mine_mistaken),
    };
    let step = |others_mistaken: T| {
        at(before.clone() + with.clone(), others_mistaken.clone()) - at(before.clone(), others_mistaken)
    };
    let first = step(other_before.clone());
    let last = step(other_before.clone() + other_with.clone());
    ratio(region[i].m.clone(), with.clone()) * (first + last) / T::from_f64(2.0)
}
