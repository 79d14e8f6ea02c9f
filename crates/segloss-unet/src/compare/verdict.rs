//! A score of one arm less that of another, and whether it decides.

use serde::Serialize;

use super::bootstrap::Resampled;
use super::statistics::{ALPHA, Paired, detectable};
use crate::metrics::definitions::definition;

/// Whether an arm is better than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// For other seeds and for other images.
    Better,
    /// For other seeds and for other images.
    Worse,
    /// What was seen may be chance.
    Undecided,
}

impl Verdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Undecided => "undecided",
        }
    }
}

/// How a score differs from another arm's, seed by seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The score's name.
    pub metric: &'static str,
    /// This arm's less the other's, of each seed that both have.
    pub seeds: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// The 95 % t interval of the mean.
    pub interval: Option<[f64; 2]>,
    /// Student's paired test, for other seeds and other images.
    pub p: Option<f64>,
    /// The primary score: `p` for as many contrasts as there are. Others: for as many scores as the arm's contrasts have (Holm).
    pub p_holm: Option<f64>,
    /// By sign flips.
    pub sign_flip_p: Option<f64>,
    /// A difference that so many seeds and images would find in four of five comparisons, beside as many questions as there are.
    pub smallest_detectable: Option<f64>,
    /// √(s_d²/n + v).
    #[serde(skip)]
    error: Option<f64>,
    /// 95 % of the resamples of seeds and images lie between.
    pub resampled: Option<[f64; 2]>,
    /// The share of the resamples in which the arm is the better one.
    pub probability_better: Option<f64>,
}

impl Difference {
    /// Notes p among so many questions, and what could be found among them.
    pub(super) fn correct(&mut self, p_holm: Option<f64>, asked: usize) {
        self.p_holm = p_holm;
        self.smallest_detectable = self.error.and_then(|error| detectable(error, self.seeds.len(), asked));
    }
}

/// A score's difference from its values seed by seed and over resamples.
pub(super) fn difference(metric: &'static str, seeds: Vec<f64>, resampled: Option<Resampled>) -> Difference {
    let Paired { mean, interval, p, sign_flip_p, error } =
        Paired::of(&seeds, resampled.map_or(0.0, |found| found.image_variance));
    let is_error = definition(metric).is_some_and(|definition| definition.is_error);
    let better = |found: Resampled| if is_error { 1.0 - found.above } else { found.above };
    Difference {
        metric,
        seeds,
        mean,
        interval,
        p,
        p_holm: None,
        sign_flip_p,
        smallest_detectable: None,
        error,
        resampled: resampled.map(|found| found.interval),
        probability_better: resampled.map(better),
    }
}

/// Better or worse for other seeds and for other images, as one of so many questions; and why.
pub(super) fn decide(difference: &Difference, is_error: bool, asked: usize) -> (Verdict, String) {
    let undecided = |reason: String| (Verdict::Undecided, reason);
    let (Some(p), Some(p_holm)) = (difference.p, difference.p_holm) else {
        return undecided("one seed: how much others would differ is not known".to_owned());
    };
    let apart = |[low, high]: [f64; 2]| low > 0.0 || high < 0.0;
    let shown = |p: f64| if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") };
    if !(p < ALPHA) {
        return undecided(format!("other seeds or images could turn it: {}", shown(p)));
    }
    if !(p_holm < ALPHA) {
        return undecided(format!("{} alone, but {p_holm:.3} as one of {asked} comparisons", shown(p)));
    }
    if !difference.resampled.is_some_and(apart) {
        return undecided("resampled seeds and images turn it".to_owned());
    }
    let other_side = difference.resampled.is_some_and(|[low, _]| (low > 0.0) != (difference.mean > 0.0));
    if other_side {
        return undecided("seeds and images do not agree".to_owned());
    }
    let verdict = if (difference.mean > 0.0) == is_error { Verdict::Worse } else { Verdict::Better };
    let family = if asked > 1 { format!(" as one of {asked} comparisons") } else { String::new() };
    (verdict, format!("{}{family}, for other seeds and images", shown(p_holm)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::blocks::{Blocks, Grouping};
    use crate::compare::bootstrap::resample;
    use crate::compare::comparison::tests::results;
    use crate::metrics::Results;
    use crate::metrics::definitions::value;
    use crate::metrics::sums::{Settings, Sums};
    use crate::random::{Purpose, Stream};

    /// One loss against another that finds `gain` more: images differ, seeds differ, and seeds differ from image to image.
    fn verdict(stream: &mut Stream, seeds: usize, gain: f64) -> Verdict {
        let images = 24;
        let shares: Vec<f64> = (0..images).map(|_| 0.02 + 0.1 * stream.unit()).collect();
        let hard: Vec<f64> = (0..images).map(|_| 0.15 * stream.normal()).collect();
        let mut run = |gain: f64| {
            let of_seed = 0.04 * stream.normal();
            let found: Vec<f64> =
                hard.iter().map(|hard| 0.6 + gain + hard + of_seed + 0.05 * stream.normal()).collect();
            results(&found, &shares)
        };
        let runs: Vec<(Results, Results)> = (0..seeds).map(|_| (run(0.0), run(gain))).collect();
        let pairs: Vec<(&Results, &Results)> = runs.iter().map(|(a, b)| (a, b)).collect();
        let names: Vec<String> = (0..images).map(|i| i.to_string()).collect();
        let blocks = Blocks::of(&names.iter().map(String::as_str).collect::<Vec<_>>(), &Grouping::none());
        let resampled = resample(&pairs, &blocks, &["mean_iou"], 200)[0];
        let of = |run: &Results| value(&Sums::of(run), Settings::default(), "mean_iou").unwrap();
        let seeds = pairs.iter().map(|(a, b)| of(b) - of(a)).collect();
        let mut difference = difference("mean_iou", seeds, resampled);
        difference.p_holm = difference.p;
        decide(&difference, false, 1).0
    }

    /// One loss twice, under other seeds: at least 95 in 100 comparisons are undecided.
    #[test]
    fn one_loss_twice_is_undecided() {
        let mut stream = Stream::new(26, Purpose::Resampling, u32::MAX);
        for seeds in [2, 3, 5] {
            let undecided =
                (0..1000).filter(|_| verdict(&mut stream, seeds, 0.0) == Verdict::Undecided).count();
            assert!(undecided >= 950, "{seeds} seeds: {undecided} of 1000");
        }
    }

    #[test]
    fn a_large_difference_is_found_and_its_side_is_right() {
        let mut stream = Stream::new(27, Purpose::Resampling, u32::MAX);
        for (gain, expected) in [(0.3, Verdict::Better), (-0.3, Verdict::Worse)] {
            let found = (0..100).filter(|_| verdict(&mut stream, 4, gain) == expected).count();
            assert!(found >= 90, "{expected:?}: {found} of 100");
        }
        assert!((0..50).all(|_| verdict(&mut stream, 1, 0.3) == Verdict::Undecided));
    }

    /// A difference by its numbers.
    pub(in crate::compare) fn with(mean: f64, p: f64, p_holm: f64, resampled: [f64; 2]) -> Difference {
        Difference {
            metric: "mean_iou",
            seeds: vec![mean; 3],
            mean,
            interval: Some([mean, mean]),
            p: Some(p),
            p_holm: Some(p_holm),
            sign_flip_p: None,
            smallest_detectable: None,
            error: None,
            resampled: Some(resampled),
            probability_better: None,
        }
    }

    #[test]
    fn a_verdict_needs_seeds_images_and_the_number_of_questions() {
        let of = |difference: &Difference, is_error| decide(difference, is_error, 5);
        assert_eq!(of(&with(0.1, 0.001, 0.005, [0.05, 0.2]), false).0, Verdict::Better);
        assert_eq!(of(&with(-0.1, 0.001, 0.005, [-0.2, -0.05]), false).0, Verdict::Worse);
        // Less of an error is better.
        assert_eq!(of(&with(-0.1, 0.001, 0.005, [-0.2, -0.05]), true).0, Verdict::Better);
        for (difference, why) in [
            (with(0.1, 0.06, 0.06, [0.05, 0.2]), "other seeds or images"),
            (with(0.1, f64::NAN, f64::NAN, [0.05, 0.2]), "other seeds or images"),
            (with(0.1, 0.02, 0.1, [0.05, 0.2]), "p = 0.020 alone, but 0.100 as one of 5 comparisons"),
            (with(0.1, 0.001, 0.005, [-0.01, 0.2]), "resampled"),
            (with(0.1, 0.001, 0.005, [-0.2, -0.1]), "do not agree"),
        ] {
            let (verdict, reason) = of(&difference, false);
            assert!(verdict == Verdict::Undecided && reason.contains(why), "{reason}");
        }
    }
}
