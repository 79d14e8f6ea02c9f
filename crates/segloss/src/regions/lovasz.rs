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

/// The error of one pixel in one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mistake {
    error: f64,
    /// m of a positive, −m of a negative: what is sorted should be small.
    signed_mass: f64,
}

impl Mistake {
    pub fn new(error: f64, positive: bool, mass: f64) -> Self {
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
    /// Those of a tile.
    pub fn new(of_tile: Vec<Mistake>) -> Self {
        Self(vec![of_tile])
    }

    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

/// A class's loss in a region, and the slope of every error in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LovaszExtension {
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
    /// Whether it is that of a [signed error](crate::kernels::block::Block::signed_errors).
    fn is_of(&self, signed: f64) -> bool {
        self.error == signed.abs() && self.slope.is_sign_negative() == signed.is_sign_negative()
    }
}

impl LovaszExtension {
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

    /// ∂L/∂e for a mass of 1 of [signed errors](crate::kernels::block::Block::signed_errors) that were sorted, with their sign; 0 of NaN.
    ///
    /// First it is read where each may be, then what stands there: of many at once, so that the memory is waited for once,
    /// and only then is decided.
    pub fn slopes<T: Element>(&self, errors: &[T]) -> Vec<f64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(of: &[(f64, bool)]) -> Errors {
        Errors(vec![of.iter().map(|&(error, positive)| Mistake::new(error, positive, 1.0)).collect()])
    }

    fn slope(of: &LovaszExtension, error: f64, positive: bool) -> f64 {
        let sign = if positive { -1.0 } else { 1.0 };
        sign * of.slopes(&[error.copysign(sign)])[0]
    }

    #[test]
    fn at_zeros_and_ones_it_is_the_jaccard_loss() {
        // Two of three positives missed, one of two negatives taken: 1 − 1/4.
        let found = LovaszExtension::new(
            &errors(&[(1.0, true), (1.0, true), (0.0, true), (1.0, false), (0.0, false)]),
            f64::NEG_INFINITY,
        );
        assert_eq!(found.loss, 0.75);
    }

    #[test]
    fn no_tied_error_is_without_a_slope() {
        let found = LovaszExtension::new(&errors(&[(1.0, true), (1.0, false), (1.0, false)]), 0.0);
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
        let found = LovaszExtension::new(&errors(&pairs), f64::NEG_INFINITY);
        for step in &found.steps {
            assert_eq!(found.slopes(&[step.error.copysign(step.slope)]), [step.slope], "{}", step.error);
        }
        for absent in [2.0, 0.3, 1e-301] {
            assert_eq!(slope(&found, absent, true), 0.0);
        }
    }

    #[test]
    fn an_absent_class_pays_for_its_largest_error() {
        let found = LovaszExtension::new(&errors(&[(0.2, false), (0.7, false)]), f64::NEG_INFINITY);
        assert_eq!((found.loss, slope(&found, 0.7, false), slope(&found, 0.2, false)), (0.7, 1.0, 0.0));
        assert_eq!(LovaszExtension::new(&errors(&[]), f64::NEG_INFINITY).loss, 0.0);
    }

    #[test]
    fn hinge_errors_of_zero_cost_nothing() {
        let found = LovaszExtension::new(&errors(&[(0.0, true), (0.5, true), (0.0, false)]), 0.0);
        assert_eq!((found.loss, slope(&found, 0.0, true)), (0.25, 0.0));
    }
}
