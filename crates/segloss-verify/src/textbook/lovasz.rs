//! The Lovász extension of the Jaccard loss (Berman et al. 2018, eq. 8): Σ_i e_(i)·(J_i − J_(i−1)), errors in
//! falling order, J_i the Jaccard loss if the first i were mistaken.

use super::pixel::Pixel;
use super::reduce;
use crate::number::{Number, ratio, sum};
use segloss_cases::Case;

/// ∂L/∂e of every pixel, held, as `slopes[region][class][pixel of the region]`: the extension is linear as long
/// as the order stays.
pub fn slopes<T: Number>(
    case: &Case,
    here: &[Pixel<T>],
    error: impl Fn(&Pixel<T>, usize) -> T,
) -> Vec<Vec<Vec<T>>> {
    let of = |region: &Vec<&Pixel<T>>, c: usize| {
        let errors: Vec<T> = region.iter().map(|x| error(x, c)).collect();
        of_class(region, c, &errors)
    };
    let of_region = |region: &Vec<&Pixel<T>>| (0..case.grid.classes).map(|c| of(region, c)).collect();
    reduce::regions(case, here).iter().map(of_region).collect()
}

/// The step that the Jaccard loss takes at each pixel. Pixels with the same error take theirs together, and share
/// it by what they count for: the mean of the positives going first and the negatives going first.
fn of_class<T: Number>(region: &[&Pixel<T>], c: usize, errors: &[T]) -> Vec<T> {
    let positive = |j: usize| region[j].y[c] > T::zero();
    // (positives, negatives) among some pixels, by what they count for.
    let mass = |of: &[usize]| {
        let side =
            |wanted: bool| sum(of.iter().filter(|&&j| positive(j) == wanted).map(|&j| region[j].m.clone()));
        (side(true), side(false))
    };
    let mut order: Vec<usize> = (0..region.len()).collect();
    // NaN has no place in any order; the values show it anyway.
    order.sort_by(|&i, &j| errors[j].partial_cmp(&errors[i]).unwrap_or(std::cmp::Ordering::Equal));
    let (all, _) = mass(&order);
    let jaccard = |hits: T, alarms: T| ratio(hits + alarms.clone(), all.clone() + alarms);

    let mut slopes = vec![T::zero(); region.len()];
    // The positives and negatives that were mistaken before.
    let (mut hits, mut alarms) = (T::zero(), T::zero());
    for tied in order.chunk_by(|&i, &j| errors[i] == errors[j]) {
        let (more_hits, more_alarms) = mass(tied);
        let (all_hits, all_alarms) = (hits.clone() + more_hits.clone(), alarms.clone() + more_alarms.clone());
        // What a whole side takes, when it goes first and when it goes last.
        let of_positives =
            |alarms: T| jaccard(all_hits.clone(), alarms.clone()) - jaccard(hits.clone(), alarms);
        let of_negatives =
            |hits: T| jaccard(hits.clone(), all_alarms.clone()) - jaccard(hits, alarms.clone());
        let positives = of_positives(alarms.clone()) + of_positives(all_alarms.clone());
        let negatives = of_negatives(hits.clone()) + of_negatives(all_hits.clone());
        for &i in tied {
            let (side, with) =
                if positive(i) { (&positives, &more_hits) } else { (&negatives, &more_alarms) };
            slopes[i] = ratio(region[i].m.clone(), with.clone()) * side.clone() / T::from_f64(2.0);
        }
        (hits, alarms) = (all_hits, all_alarms);
    }
    slopes
}
