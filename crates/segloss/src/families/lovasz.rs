//! The Lovász extension of the Jaccard loss: all errors of a class in a region, sorted.
//!
//! With the errors e in falling order, and J(a, b) = (a + b)/(G + b) the Jaccard loss after the first a of the
//! G positives and b negatives are taken for mistakes,
//!
//! ```text
//! value      L = Σ_i e_(i)·(J_i − J_(i−1))
//! gradient   ∂L/∂e_(i) = J_i − J_(i−1)
//! ```
//!
//! J is written as a sum over what it is; the usual 1 − (G − a)/(G + b) cancels where few are mistaken.
//!
//! **Ties.** Equal errors may be taken in any order, and each order is a sub-gradient. The one taken here is
//! the mean of two: all positives of the tie first, and all negatives first, each shared out evenly. It
//! depends on no order of the pixels, and it leaves none of the tied errors without a slope. Errors tie if they have
//! the same bits: a positive's 1 − p and a negative's p may miss each other by their rounding.
//!
//! A pixel of weight m in the map counts like m pixels.

use crate::element::Element;
use crate::error::Error;
use crate::families::blocks::AnyKernel;
use crate::families::overlap::Probabilities;
use crate::kernels::lovasz::{LovaszErrors, PullBack};
use crate::tiles::{self, Tile, TileMut};
use crate::walk::Walk;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The error of one pixel in one class.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mistake {
    error: f64,
    /// m of a positive, −m of a negative: what is sorted should be small.
    signed_mass: f64,
}

impl Mistake {
    fn new(error: f64, positive: bool, mass: f64) -> Self {
        Self { error, signed_mass: mass.copysign(if positive { 1.0 } else { -1.0 }) }
    }

    fn is_positive(&self) -> bool {
        self.signed_mass.is_sign_positive()
    }

    fn mass(&self) -> f64 {
        self.signed_mass.abs()
    }
}

/// The errors of a class in a region, in the order in which they came: tile by tile, so that none is moved before they
/// are sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Errors(Vec<Vec<Mistake>>);

impl Errors {
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

/// How errors become logits' business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// 1 − p where y = 1, p where y = 0, of softmax probabilities.
    Probability,
    /// 1 − z and 1 + z, or 0 where these are below it.
    Hinge,
}

/// A class's loss in a region, and the slope of every error in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extension {
    pub loss: f64,
    /// In falling order of the errors.
    steps: Vec<Step>,
    index: Index,
}

/// Errors of the same size, all of positives or all of negatives: of a tie of both, those of positives stand first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    error: f64,
    /// ∂L/∂e for a mass of 1, with a minus that of positives: what they lose, the probability or logit gains.
    slope: f64,
}

impl Step {
    /// Whether it is that of a [signed error](Walk::signed_errors).
    fn is_of(&self, signed: f64) -> bool {
        self.error == signed.abs() && self.slope.is_sign_negative() == signed.is_sign_negative()
    }
}

impl Extension {
    /// Sorts the errors. Those that are not above `floor` cost nothing.
    pub fn new(errors: &Errors, floor: f64) -> Self {
        let mut sorted = errors.0.concat();
        // Equal errors stay in the order of the pixels, so that sums of their masses have the same bits.
        radsort::sort_by_key(&mut sorted, |mistake| -mistake.error);
        let all: f64 = sorted.iter().filter(|mistake| mistake.is_positive()).map(Mistake::mass).sum();
        let jaccard = |positives: f64, negatives: f64| match positives + negatives {
            // Also the 0/0 of a class that is neither there nor predicted.
            0.0 => 0.0,
            mistaken => mistaken / (all + negatives),
        };
        let (mut loss, mut steps) = (0.0, Vec::with_capacity(sorted.len()));
        let (mut positives, mut negatives) = (0.0, 0.0);
        let mut start = jaccard(positives, negatives);
        for tie in sorted.chunk_by(|a, b| a.error == b.error) {
            let error = tie[0].error;
            if !(error > floor) {
                break;
            }
            let (mut p, mut n) = (0.0, 0.0);
            for mistake in tie {
                *(if mistake.is_positive() { &mut p } else { &mut n }) += mistake.mass();
            }
            let end = jaccard(positives + p, negatives + n);
            let (has_positives, has_negatives) =
                (tie.iter().any(Mistake::is_positive), !tie.iter().all(Mistake::is_positive));
            // Half of each order: positives at the start and at the end, negatives likewise. Most ties are none.
            let (after_positives, after_negatives) = match (has_positives, has_negatives) {
                (true, true) => (jaccard(positives + p, negatives), jaccard(positives, negatives + n)),
                (true, false) => (end, start),
                _ => (start, end),
            };
            // Never below 0, where rounding might leave it: the sign says whose it is.
            let even = |first: f64, last: f64, mass: f64| match mass > 0.0 {
                true => ((first + last) / 2.0 / mass).max(0.0),
                false => 0.0,
            };
            if has_positives {
                steps.push(Step { error, slope: -even(after_positives - start, end - after_negatives, p) });
            }
            if has_negatives {
                steps.push(Step { error, slope: even(after_negatives - start, end - after_positives, n) });
            }
            loss += error * (end - start);
            (positives, negatives) = (positives + p, negatives + n);
            start = end;
        }
        Self { loss, index: Index::new(&steps), steps }
    }

    /// ∂L/∂e for a mass of 1 of [signed errors](Walk::signed_errors) that were sorted, with their sign; 0 of NaN.
    ///
    /// First it is read where each may be, then what stands there: of many at once, so that the memory is waited for once,
    /// and only then is decided.
    fn slopes<T: Element>(&self, errors: &[T]) -> Vec<f64> {
        let mut slopes = Vec::with_capacity(errors.len());
        for errors in errors.chunks(TOGETHER) {
            let (mut near, mut first) = ([(0, 0); TOGETHER], [None; TOGETHER]);
            for (near, error) in near.iter_mut().zip(errors) {
                *near = self.index.near(error.wide().abs());
            }
            for (first, near) in first.iter_mut().zip(near) {
                *first = self.steps.get(near.0).copied();
            }
            for ((error, near), first) in errors.iter().zip(near).zip(first) {
                let signed = error.wide();
                slopes.push(match first {
                    Some(step) if step.is_of(signed) => step.slope,
                    _ => self.search(signed, near),
                });
            }
        }
        slopes
    }

    /// The same of one, which is among these steps or none.
    fn search(&self, signed: f64, (start, end): (usize, usize)) -> f64 {
        let steps = &self.steps[start..end];
        let at = steps.partition_point(|step| step.error > signed.abs());
        let found = steps[at..].iter().take(2).find(|step| step.is_of(signed));
        // Below the floor, or of a pixel that does not count.
        found.map_or(0.0, |step| step.slope)
    }
}

/// Errors that are looked up side by side.
const TOGETHER: usize = 256;

/// Where an error is found among the steps without a search through all of them, whose every step would wait for memory:
/// as many buckets as steps, or twice as many, each of which holds what begins with the same bits.
#[derive(Clone, Debug, Default, PartialEq)]
struct Index {
    /// The rank of the first step.
    first: u64,
    /// How many steps there are.
    steps: usize,
    shift: u32,
    /// The first step of each bucket, and how many steps there are: in few bytes, so that more of it stays in a cache. Empty
    /// where there are more steps than these count.
    starts: Vec<u32>,
}

impl Index {
    fn new(steps: &[Step]) -> Self {
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Self::default() };
        let (first, last) = (rank(first.error), rank(last.error));
        let mut index = Self { first, steps: steps.len(), shift: 0, starts: Vec::new() };
        let Ok(count) = u32::try_from(steps.len()) else { return index };
        while (first - last) >> index.shift >= 2 * steps.len() as u64 {
            index.shift += 1;
        }
        for (at, step) in (0..count).zip(steps) {
            // Buckets without a step begin where the next one with steps does.
            let buckets = index.bucket(rank(step.error)) + 1;
            if buckets > index.starts.len() {
                index.starts.resize(buckets, at);
            }
        }
        index.starts.push(count);
        index
    }

    fn bucket(&self, rank: u64) -> usize {
        ((self.first - rank) >> self.shift) as usize
    }

    /// The first of the steps among which the error is, if it is one, and the first behind them.
    fn near(&self, error: f64) -> (usize, usize) {
        let rank = rank(error);
        // NaN is larger than all.
        if rank > self.first {
            return (0, 0);
        }
        let bucket = self.bucket(rank);
        match self.starts.get(bucket..) {
            Some(&[start, end, ..]) => (start as usize, end as usize),
            _ if self.starts.is_empty() => (0, self.steps),
            _ => (0, 0),
        }
    }
}

/// Whole numbers in the order of errors: none is negative.
fn rank(error: f64) -> u64 {
    error.to_bits()
}

/// Sorts every class of every region.
pub(crate) fn extend(
    errors: &BTreeMap<usize, Vec<Errors>>,
    form: ErrorForm,
) -> BTreeMap<usize, Vec<Extension>> {
    let floor = if form == ErrorForm::Hinge { 0.0 } else { f64::NEG_INFINITY };
    errors
        .iter()
        .map(|(&region, classes)| {
            (region, classes.par_iter().map(|errors| Extension::new(errors, floor)).collect())
        })
        .collect()
}

impl<T: Element> Walk<'_, T> {
    /// The errors of a tile.
    pub fn errors(&self, form: ErrorForm, tile: &Tile) -> Result<Vec<Errors>, Error> {
        let pixels = tile.pixels.len();
        let mut signed = vec![T::zero(); self.geometry.classes * pixels];
        self.signed_errors(form, tile, &mut TileMut::Planes(signed.chunks_exact_mut(pixels).collect()))?;
        let masses = self.masses(tile);
        let mistakes = |signed: &[T]| {
            let counted = signed.iter().enumerate().filter(|(_, error)| !error.is_nan());
            let mistake = |(at, error): (usize, &T)| {
                Mistake::new(error.wide().abs(), error.is_sign_negative(), masses(at).wide())
            };
            Errors(vec![counted.map(mistake).collect()])
        };
        Ok(signed.chunks_exact(pixels).map(mistakes).collect())
    }

    /// Writes the errors of a tile: those of positives with a minus, also 0; NaN of a pixel that does not count.
    fn signed_errors(&self, form: ErrorForm, tile: &Tile, out: &mut TileMut<'_, T>) -> Result<(), Error> {
        let classes = self.geometry.classes;
        // A single channel of a problem with two classes is class 1's.
        let first = usize::from(classes == 1 && self.loss.spec().is_sigmoid());
        let mut kernel = LovaszErrors::new(form, first, classes);
        if self.blocks(tile, 0, out, &mut TileMut::Nothing, AnyKernel::LovaszErrors(&mut kernel)).is_some() {
            return Ok(());
        }
        let mut probabilities = Probabilities::new(classes, false);
        let nothing = vec![T::nan(); classes];
        let mut errors = nothing.clone();
        self.pixels(tile, |visit, at| {
            let Some(visit) = visit else {
                out.put(at, &nothing);
                return Ok(());
            };
            self.demand_finite(tile.image, &visit)?;
            if form == ErrorForm::Probability {
                probabilities.set(visit.z);
            }
            for (c, error) in errors.iter_mut().enumerate() {
                let positive = visit.y.of(c) > T::zero();
                let size = match (form, positive) {
                    (ErrorForm::Probability, true) => probabilities.q[c],
                    (ErrorForm::Probability, false) => probabilities.p[c],
                    // What lies below 0 costs nothing, however far.
                    (ErrorForm::Hinge, true) => (T::one() - visit.z[c]).max(T::zero()),
                    (ErrorForm::Hinge, false) => (T::one() + visit.z[c]).max(T::zero()),
                };
                *error = if positive { -size } else { size };
            }
            out.put(at, &errors);
            Ok(())
        })
    }

    /// The weight of each pixel of a tile in the map.
    fn masses(&self, tile: &Tile) -> impl Fn(usize) -> T {
        let first = tile.image * self.geometry.pixels + tile.pixels.start;
        move |at| self.input.weight(first + at).unwrap_or(T::one())
    }

    /// The gradient. `scale`: the weight of each class of a region over the denominator.
    ///
    /// Its buffer holds the errors first, then their slopes: class by class, as the steps of one class fit a cache that
    /// those of all do not.
    pub fn lovasz_gradient(
        &self,
        form: ErrorForm,
        extensions: &BTreeMap<usize, Vec<Extension>>,
        scale: impl Fn(usize, usize) -> f64 + Sync,
        gradient: &mut [T],
    ) -> Result<(), Error> {
        self.tiles(tiles::split(Some(&mut *gradient), self.geometry), |tile, mut out| {
            self.signed_errors(form, tile, &mut out)
        })?;
        for class in 0..self.geometry.classes {
            self.tiles(tiles::split(Some(&mut *gradient), self.geometry), |tile, mut out| {
                let region = self.plan.region(tile.image);
                let (errors, scale) = (out.class(class), scale(region, class));
                let slopes = match extensions.get(&region) {
                    Some(extensions) => extensions[class].slopes(&errors),
                    None => vec![0.0; errors.len()],
                };
                let masses = self.masses(tile);
                let by_error = |(at, slope): (usize, f64)| masses(at) * T::of(slope * scale);
                let by_error: Vec<T> = slopes.into_iter().enumerate().map(by_error).collect();
                out.put_class(class, 0, &by_error);
                Ok(())
            })?;
        }
        if form == ErrorForm::Probability {
            self.tiles(tiles::split(Some(gradient), self.geometry), |tile, mut out| {
                self.pull_back(tile, &mut out)
            })?;
        }
        Ok(())
    }

    /// From ∂L/∂p of a tile to its gradient.
    fn pull_back(&self, tile: &Tile, out: &mut TileMut<'_, T>) -> Result<(), Error> {
        let classes = self.geometry.classes;
        let room = PullBack::<T>::room(tile.pixels.len());
        let mut by_p = vec![T::zero(); classes * room];
        for (class, by_p) in by_p.chunks_exact_mut(room).enumerate() {
            by_p[..tile.pixels.len()].copy_from_slice(&out.class(class));
        }
        let mut kernel = PullBack::new(&by_p, classes);
        if self.blocks(tile, 0, out, &mut TileMut::Nothing, AnyKernel::PullBack(&mut kernel)).is_some() {
            return Ok(());
        }
        let mut probabilities = Probabilities::new(classes, false);
        let zeros = vec![T::zero(); classes];
        let (mut slopes, mut gradient) = (zeros.clone(), zeros.clone());
        self.pixels(tile, |visit, at| {
            let Some(visit) = visit else {
                out.put(at, &zeros);
                return Ok(());
            };
            slopes.iter_mut().zip(by_p.chunks_exact(room)).for_each(|(slope, by_p)| *slope = by_p[at]);
            probabilities.set(visit.z);
            probabilities.pull_back(&slopes, &mut gradient);
            out.put(at, &gradient);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(of: &[(f64, bool)]) -> Errors {
        Errors(vec![of.iter().map(|&(error, positive)| Mistake::new(error, positive, 1.0)).collect()])
    }

    fn slope(of: &Extension, error: f64, positive: bool) -> f64 {
        let sign = if positive { -1.0 } else { 1.0 };
        sign * of.slopes(&[error.copysign(sign)])[0]
    }

    #[test]
    fn at_zeros_and_ones_it_is_the_jaccard_loss() {
        // Two of three positives missed, one of two negatives taken: 1 − 1/4.
        let found = Extension::new(
            &errors(&[(1.0, true), (1.0, true), (0.0, true), (1.0, false), (0.0, false)]),
            f64::NEG_INFINITY,
        );
        assert_eq!(found.loss, 0.75);
    }

    #[test]
    fn no_tied_error_is_without_a_slope() {
        let found = Extension::new(&errors(&[(1.0, true), (1.0, false), (1.0, false)]), 0.0);
        let (p, n) = (slope(&found, 1.0, true), slope(&found, 1.0, false));
        assert!(p > 0.0 && n > 0.0);
        assert!((p + 2.0 * n - 1.0).abs() <= 1e-15, "the slopes of a tie are all of its step: {p} {n}");
    }

    #[test]
    fn every_error_is_found_among_the_steps() {
        // From 1e-300 to 1, close together and far apart, and some twice.
        let wide = (0..400).map(|i| 10_f64.powf(-0.75 * f64::from(i % 390)));
        let close = (0..400).map(|i| 0.5 + f64::from(i) * f64::EPSILON);
        let all: Vec<f64> = wide.chain(close).chain([0.0]).collect();
        let pairs: Vec<(f64, bool)> = all.iter().enumerate().map(|(i, &error)| (error, i % 3 == 0)).collect();
        let found = Extension::new(&errors(&pairs), f64::NEG_INFINITY);
        for step in &found.steps {
            assert_eq!(found.slopes(&[step.error.copysign(step.slope)]), [step.slope], "{}", step.error);
        }
        for absent in [2.0, 0.3, 1e-301] {
            assert_eq!(slope(&found, absent, true), 0.0);
        }
    }

    #[test]
    fn an_absent_class_pays_for_its_largest_error() {
        let found = Extension::new(&errors(&[(0.2, false), (0.7, false)]), f64::NEG_INFINITY);
        assert_eq!((found.loss, slope(&found, 0.7, false), slope(&found, 0.2, false)), (0.7, 1.0, 0.0));
        assert_eq!(Extension::new(&errors(&[]), f64::NEG_INFINITY).loss, 0.0);
    }

    #[test]
    fn hinge_errors_of_zero_cost_nothing() {
        let found = Extension::new(&errors(&[(0.0, true), (0.5, true), (0.0, false)]), 0.0);
        assert_eq!((found.loss, slope(&found, 0.0, true)), (0.25, 0.0));
    }
}
