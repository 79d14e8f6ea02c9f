//! Is a difference of paired scores real, and how large is it?
//!
//! Seeds are the units: the same seed gives both losses the same first weights, order and augmentation, so that d_s, their
//! difference under seed s, is one observation. With n seeds, mean d̄ and standard deviation s_d:
//!
//! - **t interval** d̄ ± t_{n−1, 0.975}·s_d/√n (Student 1908): other seeds on the same images.
//! - **p**: Student's paired test, with s_d²/n + v in place of s_d²/n, where v is the [variance of d̄ under other
//!   images](super::bootstrap): other seeds and other images. It is never smaller than that of the seeds alone.
//! - **Sign flips** (Fisher 1935): the share of the 2ⁿ choices of signs whose mean is as far from 0. No fewer than 2/2ⁿ: three
//!   seeds cannot get below 0.25, whatever they show.
//! - **Smallest detectable difference** (t_{n−1, 1−0.025/m} + t_{n−1, 0.8})·√(s_d²/n + v) beside m questions: one that so many
//!   seeds and images would find in four of five comparisons (Cohen 1988).
//! - **Holm** 1979: p-values of several questions, so that the chance of any false alarm stays 0.05.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The chance of a false alarm that is accepted.
pub const ALPHA: f64 = 0.05;
/// More seeds than these are not flipped one by one.
const MOST_FLIPS: usize = 20;

/// Paired differences, summarised.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// d̄.
    pub mean: f64,
    /// The t interval; none of one seed.
    pub interval: Option<[f64; 2]>,
    /// Two-sided, for other seeds and other images; none of one seed.
    pub p: Option<f64>,
    /// By sign flips; none of more than 20 seeds.
    pub sign_flip_p: Option<f64>,
    /// √(s_d²/n + v); none of one seed.
    pub error: Option<f64>,
}

impl Paired {
    /// Of at least one difference; `image_variance` is v.
    pub fn of(differences: &[f64], image_variance: f64) -> Self {
        let mean = mean(differences);
        let spread = standard_error(differences);
        let t = student(differences.len()).map(|t| t.inverse_cdf(1.0 - ALPHA / 2.0));
        let half = spread.zip(t).map(|(error, t)| error * t);
        let whole = |error: f64| (error * error + image_variance).sqrt();
        let p = spread.zip(student(differences.len())).map(|(error, t)| match whole(error) {
            // The same difference in every seed: none, or one that no seed gainsays.
            0.0 if mean == 0.0 => 1.0,
            0.0 => 0.0,
            error => 2.0 * t.cdf(-(mean / error).abs()),
        });
        Self {
            mean,
            interval: half.map(|half| [mean - half, mean + half]),
            p,
            sign_flip_p: sign_flips(differences),
            error: spread.map(whole),
        }
    }
}

/// A difference that a test at the error `error` of so many differences would find in four of five comparisons, beside so many
/// questions; none of fewer than two differences, or where the error has no bound.
pub fn detectable(error: f64, differences: usize, questions: usize) -> Option<f64> {
    let t = student(differences).filter(|_| error.is_finite())?;
    let level = ALPHA / 2.0 / questions.max(1) as f64;
    Some(error * (t.inverse_cdf(1.0 - level) + t.inverse_cdf(0.8)))
}

/// The t interval of a mean; none of fewer than two values.
pub fn interval(values: &[f64]) -> Option<[f64; 2]> {
    let (error, t) = standard_error(values).zip(student(values.len()))?;
    let (mean, half) = (mean(values), error * t.inverse_cdf(1.0 - ALPHA / 2.0));
    Some([mean - half, mean + half])
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The distribution of the mean of so many values; none of fewer than two.
fn student(values: usize) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, values.checked_sub(1)? as f64).ok()
}

/// s/√n; none of fewer than two.
fn standard_error(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

fn sign_flips(differences: &[f64]) -> Option<f64> {
    let n = differences.len();
    if n > MOST_FLIPS {
        return None;
    }
    let sum: f64 = differences.iter().sum();
    let flipped = |signs: usize| {
        let signed = |(i, d): (usize, &f64)| if signs >> i & 1 == 1 { -d } else { *d };
        differences.iter().enumerate().map(signed).sum::<f64>()
    };
    // The choice that was met is one of them, whatever rounding does to the others.
    let far = (0..1_usize << n).filter(|&signs| flipped(signs).abs() >= sum.abs() * (1.0 - 1e-12)).count();
    Some(far as f64 / (1_usize << n) as f64)
}

/// The smallest p-value that sign flips of so many seeds can give.
pub fn smallest_sign_flip_p(seeds: usize) -> f64 {
    2.0 / 2_f64.powi(seeds.min(1000) as i32)
}

/// Holm's adjusted p-values, in the order of `p`: the i-th smallest of m times m − i, never falling, at most 1. Questions
/// without a p-value are not asked.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p.iter().enumerate().filter_map(|(i, p)| Some((i, (*p)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (mut adjusted, mut least, asked) = (vec![None; p.len()], 0.0_f64, order.len());
    for (rank, (i, p)) in order.into_iter().enumerate() {
        least = least.max(p * (asked - rank) as f64).min(1.0);
        adjusted[i] = Some(least);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{found} {expected}");
    }

    /// SciPy 1.17: `ttest_1samp([1.2, 0.4, 2.0], 0)`, its `confidence_interval()`, and quantiles of `t`.
    #[test]
    fn three_seeds() {
        let paired = Paired::of(&[1.2, 0.4, 2.0], 0.0);
        near(paired.mean, 1.2);
        let [low, high] = paired.interval.unwrap();
        near(low, -0.787_310_169_4);
        near(high, 3.187_310_169_4);
        near(paired.p.unwrap(), 0.121_689_934_3);
        let smallest = detectable(paired.error.unwrap(), 3, 1).unwrap();
        near(smallest, 1.987_310_169_4 + 0.461_880_215 * 1.060_660_17);
        // scipy.stats.t.ppf(1 - 0.025/5, 2)
        near(detectable(1.0, 3, 5).unwrap(), 9.924_843_2 + 1.060_660_17);
        assert_eq!((detectable(f64::INFINITY, 3, 1), detectable(1.0, 1, 1)), (None, None));
        // All of one sign, and still one of four.
        assert_eq!(paired.sign_flip_p, Some(0.25));
        assert_eq!(smallest_sign_flip_p(3), 0.25);
        assert_eq!(smallest_sign_flip_p(6), 0.03125);
    }

    #[test]
    fn one_seed_says_nothing_of_others() {
        let paired = Paired::of(&[5.0], 0.0);
        assert_eq!((paired.interval, paired.p, paired.error), (None, None, None));
        assert_eq!(paired.sign_flip_p, Some(1.0));
        assert_eq!(interval(&[5.0]), None);
    }

    #[test]
    fn equal_differences() {
        assert_eq!(Paired::of(&[0.0, 0.0], 0.0).p, Some(1.0));
        assert_eq!(Paired::of(&[0.5, 0.5], 0.0).p, Some(0.0));
        assert_eq!(Paired::of(&[0.0; 3], 0.0).interval, Some([0.0, 0.0]));
        assert_eq!(Paired::of(&[0.1; 21], 0.0).sign_flip_p, None);
    }

    /// s_d²/n of the three seeds is 0.16/0.75: with as much again of the images, t is smaller by √2.
    #[test]
    fn other_images_add_their_variance() {
        let d = [1.2, 0.4, 2.0];
        let error = 0.461_880_215_f64;
        let t = 1.2 / error / 2_f64.sqrt();
        let p = 2.0 * student(3).unwrap().cdf(-t);
        near(Paired::of(&d, error * error).p.unwrap(), p);
        assert_eq!(Paired::of(&d, f64::INFINITY).p, Some(1.0));
        assert_eq!(Paired::of(&d, f64::INFINITY).interval, Paired::of(&d, 0.0).interval);
    }

    /// R: `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")`.
    #[test]
    fn holm_as_in_r() {
        let adjusted = holm(&[Some(0.01), Some(0.04), None, Some(0.03), Some(0.005)]);
        let expected = [Some(0.03), Some(0.06), None, Some(0.06), Some(0.02)];
        for (found, expected) in adjusted.iter().zip(expected) {
            match (found, expected) {
                (Some(found), Some(expected)) => near(*found, expected),
                (found, expected) => assert_eq!(*found, expected),
            }
        }
        assert_eq!(holm(&[Some(0.9), Some(0.8)]), [Some(1.0), Some(1.0)]);
    }
}
