//! Top-k cross-entropy (Wu et al. 2016, section 2.3; Shrivastava et al. 2016): only the hardest pixels count.

use super::cross_entropy;
use super::pixel::{Pixel, softmax};
use super::reduce::{self, Definition, Sums};
use crate::number::{Number, sum};
use segloss::kinds::TopKCrossEntropy;
use segloss_cases::Case;
use std::cmp::Ordering;
use std::collections::HashMap;

/// The definition, of a batch.
pub(super) fn define<T: Number + 'static>(
    case: &Case,
    options: &TopKCrossEntropy,
    here: &[Pixel<T>],
) -> Definition<T> {
    let (case, shares, smoothing) = (case.clone(), shares(case, options, here), options.label_smoothing);
    Box::new(move |all| sums(&case, smoothing, all, &shares))
}

/// How much of each pixel is kept, held: all of the ⌈keep·P⌉ hardest of a region by their unweighted loss, none of
/// the others; pixels that tie for the last places share them. With a confidence q also all with p_y < q.
pub fn shares<T: Number>(case: &Case, options: &TopKCrossEntropy, here: &[Pixel<T>]) -> Vec<T> {
    let mut shares = vec![T::zero(); here.len()];
    let places: HashMap<_, _> = here.iter().enumerate().map(|(i, x)| ((x.n, x.p), i)).collect();
    for region in reduce::regions(case, here) {
        let hardness: Vec<T> = region.iter().map(|x| hardness(x, options.label_smoothing)).collect();
        let mut hardest_first: Vec<&T> = hardness.iter().collect();
        hardest_first.sort_by(|a, b| b.partial_cmp(a).unwrap_or(Ordering::Equal));
        let keep = (options.keep * region.len() as f64).ceil();
        for (x, u) in region.iter().zip(&hardness) {
            let harder = hardest_first.partition_point(|other| *other > u) as f64;
            let tied = hardest_first.partition_point(|other| *other >= u) as f64 - harder;
            shares[places[&(x.n, x.p)]] = match keep {
                _ if is_unsure(x, options.confidence) => T::one(),
                keep if keep <= harder => T::zero(),
                keep if keep >= harder + tied => T::one(),
                keep => T::from_f64(keep - harder) / T::from_f64(tied),
            };
        }
    }
    shares
}

/// What a pixel costs before any weight.
fn hardness<T: Number>(x: &Pixel<T>, smoothing: f64) -> T {
    cross_entropy::of(&x.z, &x.y, &vec![T::one(); x.z.len()], smoothing)
}

/// p_y < q.
fn is_unsure<T: Number>(x: &Pixel<T>, confidence: Option<f64>) -> bool {
    let p = softmax(&x.z);
    let right = sum((0..p.len()).map(|c| p[c].clone() * x.y[c].clone()));
    confidence.is_some_and(|confidence| right < T::from_f64(confidence))
}

/// The sums of a batch: of the kept pixels, and divided by what is kept.
fn sums<T: Number>(case: &Case, smoothing: f64, all: &[Pixel<T>], shares: &[T]) -> Sums<T> {
    let kept: Vec<Pixel<T>> = all
        .iter()
        .zip(shares)
        .map(|(x, share)| Pixel { m: x.m.clone() * share.clone(), ..x.clone() })
        .collect();
    let sums = reduce::pixels(case, &kept, |_, x| cross_entropy::pixel(x, smoothing));
    let weight = |x: &Pixel<T>| sum((0..x.y.len()).map(|c| x.w[c].clone() * x.y[c].clone()));
    let weight_sum = sum(kept.iter().map(|x| x.m.clone() * weight(x)));
    let denominator = reduce::denominator(case, weight_sum, sum(shares.iter().cloned()));
    reduce::without_map(Sums { denominator, ..sums })
}
