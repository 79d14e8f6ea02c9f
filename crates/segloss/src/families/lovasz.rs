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
use crate::families::overlap::Probabilities;
use crate::tiles::{Tile, TileMut};
use crate::walk::{Visit, Walk};
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

/// The errors of a class in a region, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Errors(Vec<Mistake>);

impl Errors {
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

/// How errors become logits' business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorForm {
    /// 1 − p where y = 1, p where y = 0, of softmax probabilities.
    Probability,
    /// 1 − z and 1 + z; below 0 they cost nothing.
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

/// Errors of the same size.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    error: f64,
    /// ∂L/∂e of a positive, of a negative, of mass 1.
    positive: f64,
    negative: f64,
}

impl Extension {
    /// Sorts the errors. Those that are not above `floor` cost nothing.
    pub fn new(errors: &Errors, floor: f64) -> Self {
        let mut sorted = errors.0.clone();
        // Equal errors stay in the order of the pixels, so that sums of their masses have the same bits.
        radsort::sort_by_key(&mut sorted, |mistake| -mistake.error);
        let all: f64 = sorted.iter().filter(|mistake| mistake.is_positive()).map(Mistake::mass).sum();
        let jaccard = |positives: f64, negatives: f64| match positives + negatives {
            // Also the 0/0 of a class that is neither there nor predicted.
            0.0 => 0.0,
            mistaken => mistaken / (all + negatives),
        };
        let (mut loss, mut steps) = (0.0, Vec::new());
        let (mut positives, mut negatives) = (0.0, 0.0);
        for tie in sorted.chunk_by(|a, b| a.error == b.error) {
            let error = tie[0].error;
            if !(error > floor) {
                break;
            }
            let mass = |positive: bool| {
                tie.iter().filter(|mistake| mistake.is_positive() == positive).map(Mistake::mass).sum::<f64>()
            };
            let (p, n) = (mass(true), mass(false));
            let start = jaccard(positives, negatives);
            let end = jaccard(positives + p, negatives + n);
            // Half of each order: positives at the start and at the end, negatives likewise.
            let after_positives = jaccard(positives + p, negatives);
            let after_negatives = jaccard(positives, negatives + n);
            let even =
                |first: f64, last: f64, mass: f64| if mass > 0.0 { (first + last) / 2.0 / mass } else { 0.0 };
            steps.push(Step {
                error,
                positive: even(after_positives - start, end - after_negatives, p),
                negative: even(after_negatives - start, end - after_positives, n),
            });
            loss += error * (end - start);
            (positives, negatives) = (positives + p, negatives + n);
        }
        Self { loss, index: Index::new(&steps), steps }
    }

    /// ∂L/∂e of errors that were sorted. First it is read where each may be, then what stands there: of many at once, so
    /// that the memory is waited for once, and only then is decided.
    fn slopes(&self, errors: &Errors) -> Vec<f64> {
        let near: Vec<_> = errors.0.iter().map(|mistake| self.index.near(mistake.error)).collect();
        let found: Vec<Option<Step>> =
            near.iter().map(|range| self.steps.get(range.start).copied()).collect();
        let slope = |((mistake, range), first): ((&Mistake, std::ops::Range<usize>), Option<Step>)| {
            let step = match first {
                Some(step) if step.error == mistake.error => Some(step),
                _ => {
                    let steps = &self.steps[range];
                    let at = steps.binary_search_by(|step| mistake.error.total_cmp(&step.error));
                    at.ok().map(|at| steps[at])
                }
            };
            match step {
                Some(step) if mistake.is_positive() => step.positive,
                Some(step) => step.negative,
                // Below the floor.
                None => 0.0,
            }
        };
        errors.0.iter().zip(near).zip(found).map(slope).collect()
    }
}

/// Where an error is found among the steps without a search through all of them, whose every step would wait for memory:
/// as many buckets as steps, or twice as many, each of which holds what begins with the same bits.
#[derive(Clone, Debug, Default, PartialEq)]
struct Index {
    /// The rank of the first step.
    first: u64,
    shift: u32,
    /// The first step of each bucket, and how many steps there are.
    starts: Vec<usize>,
}

impl Index {
    fn new(steps: &[Step]) -> Self {
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Self::default() };
        let (first, last) = (rank(first.error), rank(last.error));
        let mut index = Self { first, shift: 0, starts: Vec::new() };
        while (first - last) >> index.shift >= 2 * steps.len() as u64 {
            index.shift += 1;
        }
        for (at, step) in steps.iter().enumerate() {
            // Buckets without a step begin where the next one with steps does.
            index.starts.resize(index.bucket(rank(step.error)) + 1, at);
        }
        index.starts.push(steps.len());
        index
    }

    fn bucket(&self, rank: u64) -> usize {
        ((self.first - rank) >> self.shift) as usize
    }

    /// The steps among which the error is, if it is one.
    fn near(&self, error: f64) -> std::ops::Range<usize> {
        let rank = rank(error);
        if rank > self.first {
            return 0..0;
        }
        let bucket = self.bucket(rank);
        match self.starts.get(bucket..) {
            Some(&[start, end, ..]) => start..end,
            _ => 0..0,
        }
    }
}

/// Whole numbers in the order of the numbers.
fn rank(error: f64) -> u64 {
    let bits = error.to_bits();
    if error.is_sign_negative() { !bits } else { bits | 1 << 63 }
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
        let classes = self.geometry.classes;
        let mut errors = vec![Errors(Vec::with_capacity(tile.pixels.len())); classes];
        let mut of_pixel = PixelErrors::new(form, classes);
        self.pixels(tile, |visit, _| {
            let Some(visit) = visit else { return Ok(()) };
            self.demand_finite(tile.image, &visit)?;
            of_pixel.set(&visit);
            for (c, errors) in errors.iter_mut().enumerate() {
                let positive = visit.y.of(c) > T::zero();
                errors.0.push(Mistake::new(of_pixel.errors[c].wide(), positive, visit.m.wide()));
            }
            Ok(())
        })?;
        Ok(errors)
    }

    /// The gradient of a tile. `scale`: the weight of each class of a region over the denominator.
    pub fn lovasz_gradient(
        &self,
        form: ErrorForm,
        extensions: &BTreeMap<usize, Vec<Extension>>,
        scale: impl Fn(usize, usize) -> f64,
        tile: &Tile,
        mut gradient: TileMut<'_, T>,
    ) -> Result<(), Error> {
        let classes = self.geometry.classes;
        let region = self.plan.region(tile.image);
        let zeros = vec![T::zero(); classes];
        let Some(extensions) = extensions.get(&region) else {
            (0..tile.pixels.len()).for_each(|at| gradient.put(at, &zeros));
            return Ok(());
        };
        let errors = self.errors(form, tile)?;
        let of_errors: Vec<Vec<f64>> =
            extensions.iter().zip(&errors).map(|(extension, errors)| extension.slopes(errors)).collect();
        let scale: Vec<f64> = (0..classes).map(|c| scale(region, c)).collect();
        let mut of_pixel = PixelErrors::new(form, classes);
        let (mut slopes, mut out) = (zeros.clone(), zeros.clone());
        let mut counted = 0;
        self.pixels(tile, |visit, at| {
            let Some(visit) = visit else {
                gradient.put(at, &zeros);
                return Ok(());
            };
            for (c, slope) in slopes.iter_mut().enumerate() {
                // An error falls with the p or z of a positive, and rises with that of a negative.
                let sign = if visit.y.of(c) > T::zero() { -1.0 } else { 1.0 };
                *slope = visit.m * T::of(sign * (of_errors[c][counted] * scale[c]));
            }
            counted += 1;
            match form {
                ErrorForm::Probability => {
                    of_pixel.set(&visit);
                    of_pixel.probabilities.pull_back(&slopes, &mut out);
                }
                ErrorForm::Hinge => out.copy_from_slice(&slopes),
            }
            gradient.put(at, &out);
            Ok(())
        })
    }
}

/// The errors of one pixel; the same bits in both passes.
struct PixelErrors<T> {
    form: ErrorForm,
    probabilities: Probabilities<T>,
    errors: Vec<T>,
}

impl<T: Element> PixelErrors<T> {
    fn new(form: ErrorForm, classes: usize) -> Self {
        Self { form, probabilities: Probabilities::new(classes, false), errors: vec![T::zero(); classes] }
    }

    fn set(&mut self, visit: &Visit<'_, T>) {
        let positive = |c: usize| visit.y.of(c) > T::zero();
        match self.form {
            ErrorForm::Probability => {
                self.probabilities.set(visit.z);
                for (c, error) in self.errors.iter_mut().enumerate() {
                    *error = if positive(c) { self.probabilities.q[c] } else { self.probabilities.p[c] };
                }
            }
            ErrorForm::Hinge => {
                for (c, error) in self.errors.iter_mut().enumerate() {
                    *error = T::one() + if positive(c) { -visit.z[c] } else { visit.z[c] };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(of: &[(f64, bool)]) -> Errors {
        Errors(of.iter().map(|&(error, positive)| Mistake::new(error, positive, 1.0)).collect())
    }

    fn slope(of: &Extension, error: f64, positive: bool) -> f64 {
        of.slopes(&errors(&[(error, positive)]))[0]
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
        // From 1e-300 to 1 and below 0, close together and far apart, and some twice.
        let wide = (0..400).map(|i| 10_f64.powf(-0.75 * f64::from(i % 390)));
        let close = (0..400).map(|i| 0.5 + f64::from(i) * f64::EPSILON);
        let all: Vec<f64> = wide.chain(close).chain([-2.0, -1e-9, 0.0]).collect();
        let pairs: Vec<(f64, bool)> = all.iter().enumerate().map(|(i, &error)| (error, i % 3 == 0)).collect();
        let found = Extension::new(&errors(&pairs), f64::NEG_INFINITY);
        for step in &found.steps {
            let slopes = [true, false].map(|positive| slope(&found, step.error, positive));
            assert_eq!(slopes, [step.positive, step.negative], "{}", step.error);
        }
        for absent in [2.0, 0.3, 1e-301, -1.0, -3.0] {
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
    fn hinge_errors_below_zero_cost_nothing() {
        let found = Extension::new(&errors(&[(-0.5, true), (0.5, true), (-2.0, false)]), 0.0);
        assert_eq!((found.loss, slope(&found, -0.5, true)), (0.25, 0.0));
    }
}
