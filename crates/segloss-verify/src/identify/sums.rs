//! The sum of two losses, one over pixels and one over regions.

use super::answer::{Answer, answer};
use super::fit::{Parts, by_group_and_one, by_two, possible};
use super::identified::Identified;
use super::judge::{Batches, Hypothesis, choose, two};
use super::near::refine;
use super::observation::Observation;
use super::reading::{Reading, Seen};
use rayon::prelude::*;
use segloss::{Kind, LossSpec};

/// The one that explains all batches. `o`: the first batch, or what of a large one is looked at.
pub fn search(
    batches: &Batches<'_>,
    o: &Observation,
    reading: Reading,
    shapes: &[LossSpec],
) -> Option<Identified> {
    o.gradient.as_ref()?;
    let (seen, below) = (reading.of(o), Reading { floor: false, ..reading });
    // Only a share of the pixels is rounded.
    let top_k = |spec: &LossSpec| spec.kind() == Kind::TopKCrossEntropy;
    let pixels =
        answers(o, reading, &seen, shapes, |spec| is_over_pixels(spec) && reading.floor == top_k(spec));
    let regions = answers(o, below, &seen, shapes, is_over_regions);
    let mut pairs: Vec<(f64, usize, usize)> = (0..pixels.len())
        .into_par_iter()
        .flat_map_iter(|i| {
            let (pixels, regions) = (&pixels, &regions);
            (0..regions.len()).filter_map(move |j| {
                let fit = by_two(o, &pixels[i].1, &regions[j].1)?;
                let useful = fit.factors.iter().all(|k| k.is_finite() && *k > 0.0);
                useful.then_some((fit.misfit, i, j))
            })
        })
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.truncate(o.refinable().min(24));
    let hypotheses = pairs.into_par_iter().filter_map(|(_, i, j)| {
        let (mut a, mut b) = (pixels[i].0.clone(), regions[j].0.clone());
        let misfit = |a: &LossSpec, b: &LossSpec| {
            let fit = two(o, reading, &seen, a, b, false).and_then(|(a, b)| by_two(o, &a, &b));
            fit.map_or(f64::NAN, |fit| fit.misfit)
        };
        let mut best = misfit(&a, &b);
        // What is read by mistake is plain in all else.
        for _ in 0..if reading.is_plain() { 2 } else { 0 } {
            if best <= o.tolerance() {
                break;
            }
            (b, best) = refine(b, o.tolerance(), o.rounds(&regions[j].0), &|b| misfit(&a, b));
            if best > o.tolerance() {
                (a, best) = refine(a, o.tolerance(), o.rounds(&pixels[i].0), &|a| misfit(a, &b));
            }
        }
        let terms = vec![(a, Parts::All), (b, Parts::All)];
        (best <= o.tolerance()).then_some(Hypothesis { reading, terms })
    });
    choose(batches, hypotheses.collect())
        .or_else(|| weighted(batches, o, &seen, &pixels, &regions).filter(|_| reading == Reading::PLAIN))
}

/// The same where the classes of the first have weights.
fn weighted(
    batches: &Batches<'_>,
    o: &Observation,
    seen: &Seen<'_>,
    pixels: &[(LossSpec, Answer)],
    regions: &[(LossSpec, Answer)],
) -> Option<Identified> {
    let misfit = |a: &LossSpec, first: &Answer, second: &Answer| {
        by_group_and_one(o, seen, a, first, second).map(|(fits, _)| fits[0].misfit)
    };
    let able = |spec: &LossSpec| possible(o, seen, spec).contains(&Parts::ImageAndClass);
    let firsts: Vec<(LossSpec, Answer)> = pixels
        .iter()
        .filter(|(spec, _)| able(spec))
        .filter_map(|(spec, _)| Some((spec.clone(), answer(o, Reading::PLAIN, seen, spec, true)?)))
        .collect();
    let mut pairs: Vec<(f64, usize, usize)> = (0..firsts.len() * regions.len())
        .into_par_iter()
        .map(|k| (k / regions.len(), k % regions.len()))
        .filter_map(|(i, j)| Some((misfit(&firsts[i].0, &firsts[i].1, &regions[j].1)?, i, j)))
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.truncate(o.refinable().min(12));
    let hypotheses = pairs.into_par_iter().filter_map(|(mut best, i, j)| {
        let (a, first) = &firsts[i];
        let mut b = regions[j].0.clone();
        if best > o.tolerance() {
            let of = |b: &LossSpec| answer(o, Reading::PLAIN, seen, b, false);
            let misfit =
                |b: &LossSpec| of(b).and_then(|second| misfit(a, first, &second)).unwrap_or(f64::NAN);
            (b, best) = refine(b.clone(), o.tolerance(), o.rounds(&b), &misfit);
        }
        let terms = vec![(a.clone(), Parts::ImageAndClass), (b, Parts::All)];
        (best <= o.tolerance()).then_some(Hypothesis { reading: Reading::PLAIN, terms })
    });
    // So many factors fit much: the values must say it, too.
    choose(batches, hypotheses.collect()).filter(Identified::has_its_value)
}

fn is_over_pixels(spec: &LossSpec) -> bool {
    use Kind::{BinaryCrossEntropy, CrossEntropy, Focal, TopKCrossEntropy};
    [CrossEntropy, Focal, BinaryCrossEntropy, TopKCrossEntropy].contains(&spec.kind())
        && spec.threshold.is_none()
}

fn is_over_regions(spec: &LossSpec) -> bool {
    let kind = spec.kind();
    kind.sums_regions() || kind.weighs_by_size() || kind == Kind::Boundary
}

fn answers(
    o: &Observation,
    reading: Reading,
    seen: &Seen<'_>,
    shapes: &[LossSpec],
    is: impl Fn(&LossSpec) -> bool + Sync,
) -> Vec<(LossSpec, Answer)> {
    let of = |spec: &LossSpec| Some((spec.clone(), answer(o, reading, seen, spec, false)?));
    shapes.par_iter().filter(|spec| is(spec)).filter_map(of).collect()
}
