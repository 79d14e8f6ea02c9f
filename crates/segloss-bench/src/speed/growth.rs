//! How cost grows with pixels, classes and threads.

use super::plan::{KINDS, OURS};
use super::plan::{growth, of_growth, of_threads, with_threads};
use super::results::Results;
use super::workload::{logits, name};

/// Cost that grows like n to this power or less is called linear; a sort's n·log n is near it, n² is not.
pub const LINEAR: f64 = 1.1;

/// Logits from which on a call's own cost no longer counts.
const MANY: f64 = 65_536.0;

/// Logits and seconds of growing sizes.
pub fn points(results: &Results, along: &str, what: &str, layout: &str) -> Vec<(f64, f64)> {
    let point = |shape| {
        let timing = results.find(&of_growth(along, what), OURS, &name(what, layout, "f32", shape))?;
        Some((logits(shape) as f64, timing.seconds()))
    };
    growth(along).into_iter().filter_map(point).collect()
}

/// The power of n by which seconds grow: the slope of the least-squares line through the logarithms of points of many
/// logits. NaN of fewer than two.
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    let many = points.iter().filter(|(n, _)| *n >= MANY);
    let logs: Vec<(f64, f64)> = many.map(|&(n, seconds)| (n.ln(), seconds.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / logs.len() as f64;
    let (x, y) = (mean(|log| log.0), mean(|log| log.1));
    let covariance: f64 = logs.iter().map(|log| (log.0 - x) * (log.1 - y)).sum();
    let variance: f64 = logs.iter().map(|log| (log.0 - x) * (log.0 - x)).sum();
    covariance / variance
}

/// How many times as fast so many threads are as one.
pub fn speed_up(results: &Results, what: &str, layout: &str, threads: usize) -> Option<f64> {
    let (contest, workload) = (of_threads(what), name(what, layout, "f32", KINDS));
    results.ratio(&contest, (&with_threads(1), &workload), (&with_threads(threads), &workload))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::*;

    fn grown(seconds: impl Fn(f64) -> f64) -> f64 {
        let points: Vec<(f64, f64)> = (10..24).map(|k| f64::from(1 << k)).map(|n| (n, seconds(n))).collect();
        exponent(&points)
    }

    #[test]
    fn exponents_are_those_of_the_growth() {
        assert!((grown(|n| 3e-10 * n) - 1.0).abs() < 1e-12);
        assert!((grown(|n| 1e-12 * n * n) - 2.0).abs() < 1e-12);
        let sorting = grown(|n| n * n.log2());
        assert!(1.0 < sorting && sorting < LINEAR, "{sorting}");
        // What a call costs itself is seen in small ones only.
        assert!((grown(|n| 1e-6 + 1e-9 * n) - 1.0).abs() < 0.02);
        assert!(exponent(&[(1e6, 1.0)]).is_nan());
    }

    #[test]
    fn threads_are_compared_with_one() {
        let workload = name("dice", "channels_last", "f32", KINDS);
        let results = results(&[
            ("threads dice", "segloss, 1 thread", &workload, 6.0),
            ("threads dice", "segloss, 2 threads", &workload, 3.5),
        ]);
        assert_eq!(speed_up(&results, "dice", "channels_last", 2), Some(6.0 / 3.5));
        assert_eq!(speed_up(&results, "dice", "channels_first", 2), None);
    }
}
