//! What speed is promised, as ratios of times of one run, and whether it is kept.

use super::plan::{
    AMONG, BURN, CANDLE, COMPILED, KINDS, OURS, TORCH, of_kind, of_kinds, of_shape, with_threads,
};
use super::results::Results;
use super::worker::median;
use super::workload::{
    COPY, LARGE, LAYOUTS, SMALL, SOFTENED, Shape, WEIGHTED, WEIGHTED_FULL, bytes, name, sizes,
};

/// On which side of its bound a ratio must lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// They take at least so many times as long as we.
    AtLeast,
    /// We take at most so many times as long as what it is measured by.
    AtMost,
}

impl Sense {
    /// Whether a ratio is on the right side; NaN is on neither.
    pub fn holds(self, ratio: f64, bound: f64) -> bool {
        match self {
            Self::AtLeast => ratio >= bound,
            Self::AtMost => ratio <= bound,
        }
    }

    /// As tables have it.
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        }
    }
}

/// A ratio under a bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// `NxCxHxW`.
    pub shape: String,
    /// Of the logits.
    pub layout: &'static str,
    /// Nothing where somebody was absent.
    pub ratio: Option<f64>,
    /// What is promised.
    pub bound: f64,
}

/// A promise.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// As tables call it; does not change.
    pub name: &'static str,
    /// For people.
    pub claim: &'static str,
    /// On which side of the bounds the ratios must lie.
    pub sense: Sense,
    /// For each shape and layout.
    pub marks: Vec<Mark>,
}

/// What came of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every ratio is there and on the right side.
    Met,
    /// One is not.
    Missed,
    /// None is on the wrong side, but some are not there.
    NotMeasured,
}

impl Verdict {
    /// As pages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::NotMeasured => "not measured",
        }
    }
}

impl Bar {
    /// Whether the promise is kept.
    pub fn verdict(&self) -> Verdict {
        let holds = |mark: &Mark| mark.ratio.map(|ratio| self.sense.holds(ratio, mark.bound));
        let marks: Vec<Option<bool>> = self.marks.iter().map(holds).collect();
        match marks.as_slice() {
            marks if marks.contains(&Some(false)) => Verdict::Missed,
            [] => Verdict::NotMeasured,
            marks if marks.contains(&None) => Verdict::NotMeasured,
            _ => Verdict::Met,
        }
    }
}

/// Kinds that PyTorch computes, too: the bar's name, what it claims, the kind, how many times as long PyTorch takes.
const AGAINST_TORCH: [(&str, &str, &str, f64); 4] = [
    ("torch_combined", "PyTorch / ours, cross-entropy + Dice", "combined", 4.0),
    ("torch_focal", "PyTorch / ours, focal", "focal", 4.0),
    ("torch_tversky", "PyTorch / ours, Tversky", "tversky", 4.0),
    ("torch_lovasz", "PyTorch / ours, Lovász-softmax", "lovasz_softmax", 3.0),
];

/// Kinds by a simpler one: the bar's name, what it claims, the kind, the simpler one, how many times as long it takes.
const AMONG_OURS: [(&str, &str, &str, &str, f64); 11] = [
    ("combined", "cross-entropy + Dice / Dice", "combined", "dice", 1.25),
    ("focal", "focal / cross-entropy", "focal", "cross_entropy", 2.0),
    ("poly1", "poly-1 / cross-entropy", "poly1_cross_entropy", "cross_entropy", 2.0),
    ("ldam", "LDAM / cross-entropy", "ldam", "cross_entropy", 2.0),
    ("seesaw", "seesaw / cross-entropy", "seesaw", "cross_entropy", 2.0),
    ("smoothing", "smoothed labels / labels", SOFTENED[0], "cross_entropy", 2.0),
    ("soft", "soft targets / labels", SOFTENED[1], "cross_entropy", 2.0),
    ("recall", "recall / cross-entropy", "recall_cross_entropy", "cross_entropy", 4.0),
    ("top_k", "top-k / cross-entropy", "top_k_cross_entropy", "cross_entropy", 4.0),
    ("tversky", "Tversky / cross-entropy", "tversky", "cross_entropy", 3.0),
    ("unified_focal", "unified focal / cross-entropy", "unified_focal", "cross_entropy", 6.0),
];

/// All promises.
pub fn all(results: &Results) -> Vec<Bar> {
    let large = |name, claim, sense, bound: [f64; 2], ratio: &dyn Fn(Shape, &'static str) -> Option<f64>| {
        let mark = |shape: Shape| {
            [0, 1].map(|i| Mark {
                shape: sizes(shape),
                layout: LAYOUTS[i],
                ratio: ratio(shape, LAYOUTS[i]),
                bound: bound[i],
            })
        };
        Bar { name, claim, sense, marks: LARGE.into_iter().flat_map(mark).collect() }
    };
    let (at_least, at_most) = (Sense::AtLeast, Sense::AtMost);
    let small = LAYOUTS.map(|layout| Mark {
        shape: sizes(SMALL),
        layout,
        ratio: small_against_prediction(results, layout),
        bound: CLIFF,
    });
    let both = |name, claim, sense, shape: Shape, bound, ratio: &dyn Fn(&'static str) -> Option<f64>| {
        let mark = |layout| Mark { shape: sizes(shape), layout, ratio: ratio(layout), bound };
        Bar { name, claim, sense, marks: LAYOUTS.map(mark).to_vec() }
    };
    let mut bars = vec![
        large("eager", "PyTorch, same layout / ours", at_least, [6.0; 2], &|shape, layout| {
            against(results, TORCH, WEIGHTED, shape, layout)
        }),
        large(
            "compiled",
            "PyTorch compiled, its faster layout / ours",
            at_least,
            [3.0; 2],
            &|shape, layout| against_faster(results, shape, layout),
        ),
        large("burn", "burn / ours", at_least, [30.0; 2], &|shape, layout| {
            against(results, BURN, WEIGHTED_FULL, shape, layout)
        }),
        large("candle", "candle / ours", at_least, [50.0; 2], &|shape, layout| {
            against(results, CANDLE, WEIGHTED, shape, layout)
        }),
        large("copy", "ours / a copy of the logits", at_most, [2.0, 2.5], &|shape, layout| {
            copies(results, OURS, "f32", shape, layout)
        }),
        large("per_sample", "weights per sample / no weights", at_most, [1.1; 2], &|shape, layout| {
            let of = |what| name(what, layout, "f32", shape);
            let (weighted, plain) = (of("cross_entropy+per_sample"), of("cross_entropy"));
            results.ratio(&of_shape(shape), (OURS, &weighted), (OURS, &plain))
        }),
        large("f64", "ours / copy, f64, by that of f32", at_most, [CLIFF; 2], &|shape, layout| {
            Some(copies(results, OURS, "f64", shape, layout)? / typical(results, layout)?)
        }),
        large(
            "one_thread",
            "ours / copy, 1 thread, by that of all",
            at_most,
            [CLIFF; 2],
            &|shape, layout| {
                Some(copies(results, &with_threads(1), "f32", shape, layout)? / typical(results, layout)?)
            },
        ),
        Bar {
            name: "small",
            claim: "one small image, by what the copies predict",
            sense: at_most,
            marks: small.to_vec(),
        },
    ];
    bars.extend(AGAINST_TORCH.map(|(bar, claim, what, bound)| {
        both(bar, claim, at_least, KINDS, bound, &|layout| {
            let of = name(what, layout, "f32", KINDS);
            results.ratio(&of_kind(what), (TORCH, &of), (OURS, &of))
        })
    }));
    bars.extend(AMONG_OURS.map(|(bar, claim, what, by, bound)| {
        both(bar, claim, at_most, AMONG, bound, &|layout| {
            let of = |what| name(what, layout, "f32", AMONG);
            results.ratio(&of_kinds(layout), (OURS, &of(what)), (OURS, &of(by)))
        })
    }));
    bars
}

/// How far from what the copy ratio predicts is still no cliff.
const CLIFF: f64 = 1.5;

/// A peer's time by ours, both in a layout.
fn against(results: &Results, who: &str, what: &str, shape: Shape, layout: &str) -> Option<f64> {
    let (theirs, ours) = (name(what, layout, "f32", shape), name(WEIGHTED, layout, "f32", shape));
    results.ratio(&of_shape(shape), (who, &theirs), (OURS, &ours))
}

/// The layout in which the compiled peer is faster.
fn faster(results: &Results, shape: Shape) -> Option<&'static str> {
    let seconds = |layout| {
        let name = name(WEIGHTED, layout, "f32", shape);
        results.find(&of_shape(shape), COMPILED, &name).map(|timing| timing.seconds())
    };
    let [first, last] = LAYOUTS;
    Some(if seconds(first)? <= seconds(last)? { first } else { last })
}

/// The compiled peer's time in its faster layout by ours in a layout.
fn against_faster(results: &Results, shape: Shape, layout: &str) -> Option<f64> {
    let theirs = name(WEIGHTED, faster(results, shape)?, "f32", shape);
    let ours = name(WEIGHTED, layout, "f32", shape);
    results.ratio(&of_shape(shape), (COMPILED, &theirs), (OURS, &ours))
}

/// How many copies weighted cross-entropy takes.
pub fn copies(results: &Results, who: &str, real: &str, shape: Shape, layout: &str) -> Option<f64> {
    let of = |what| name(what, layout, real, shape);
    results.ratio(&of_shape(shape), (who, &of(WEIGHTED)), (who, &of(COPY)))
}

/// How many copies it takes in f32 with all threads: the median over the large shapes.
pub fn typical(results: &Results, layout: &str) -> Option<f64> {
    let ratios: Option<Vec<f64>> =
        LARGE.into_iter().map(|shape| copies(results, OURS, "f32", shape, layout)).collect();
    ratios.map(|ratios| median(&ratios))
}

/// Seconds that a small image should take: as many copies of its bytes as a large one takes, at the rate at which *one*
/// thread copies the large shapes. To wake a second thread takes longer than to copy so little.
pub fn predicted_small(results: &Results, layout: &str) -> Option<f64> {
    let one = with_threads(1);
    let per_byte = |shape| {
        let copy = results.find(&of_shape(shape), &one, &name(COPY, layout, "f32", shape))?;
        Some(copy.seconds() / bytes("f32", shape) as f64)
    };
    let rates: Option<Vec<f64>> = LARGE.into_iter().map(per_byte).collect();
    Some(typical(results, layout)? * median(&rates?) * bytes("f32", SMALL) as f64)
}

fn small_against_prediction(results: &Results, layout: &str) -> Option<f64> {
    let timing = results.find(&of_shape(SMALL), OURS, &name(WEIGHTED, layout, "f32", SMALL))?;
    Some(timing.seconds() / predicted_small(results, layout)?)
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Effort, contests};
    use super::super::results::tests::results;
    use super::*;

    fn bar(sense: Sense, ratios: &[Option<f64>]) -> Verdict {
        let mark =
            |&ratio: &Option<f64>| Mark { shape: String::new(), layout: LAYOUTS[0], ratio, bound: 2.0 };
        Bar { name: "", claim: "", sense, marks: ratios.iter().map(mark).collect() }.verdict()
    }

    #[test]
    fn verdicts_follow_the_numbers() {
        assert_eq!(bar(Sense::AtMost, &[Some(2.0), Some(1.0)]), Verdict::Met);
        assert_eq!(bar(Sense::AtMost, &[Some(2.1), Some(1.0)]), Verdict::Missed);
        assert_eq!(bar(Sense::AtLeast, &[Some(2.0), Some(3.0)]), Verdict::Met);
        assert_eq!(bar(Sense::AtLeast, &[Some(1.9), Some(3.0)]), Verdict::Missed);
        assert_eq!(bar(Sense::AtMost, &[None, Some(1.0)]), Verdict::NotMeasured);
        assert_eq!(bar(Sense::AtMost, &[None, Some(2.1)]), Verdict::Missed);
        assert_eq!(bar(Sense::AtMost, &[]), Verdict::NotMeasured);
    }

    #[test]
    fn nan_meets_nothing() {
        assert_eq!(bar(Sense::AtMost, &[Some(f64::NAN)]), Verdict::Missed);
        assert_eq!(bar(Sense::AtLeast, &[Some(f64::NAN)]), Verdict::Missed);
    }

    /// A run in which a copy takes a second, or two on one thread, and ours `copies` of them.
    fn run(copies: f64) -> Results {
        let mut timings = Vec::new();
        for shape in LARGE {
            for layout in LAYOUTS {
                let of = |what, real| name(what, layout, real, shape);
                timings.extend([
                    (of_shape(shape), OURS.to_owned(), of(COPY, "f32"), 1.0),
                    (of_shape(shape), OURS.to_owned(), of(WEIGHTED, "f32"), copies),
                    (of_shape(shape), OURS.to_owned(), of(COPY, "f64"), 2.0),
                    (of_shape(shape), OURS.to_owned(), of(WEIGHTED, "f64"), 8.0),
                    (of_shape(shape), with_threads(1), of(COPY, "f32"), 2.0),
                    (of_shape(shape), with_threads(1), of(WEIGHTED, "f32"), 5.0),
                ]);
                let compiled = if layout == LAYOUTS[0] { 12.0 } else { 9.0 };
                timings.push((of_shape(shape), COMPILED.to_owned(), of(WEIGHTED, "f32"), compiled));
            }
        }
        let borrowed: Vec<(&str, &str, &str, f64)> = timings
            .iter()
            .map(|(contest, who, what, seconds)| (contest.as_str(), who.as_str(), what.as_str(), *seconds))
            .collect();
        results(&borrowed)
    }

    fn marks(results: &Results, name: &str) -> Vec<Option<f64>> {
        let bar = all(results).into_iter().find(|bar| bar.name == name).unwrap();
        bar.marks.iter().map(|mark| mark.ratio).collect()
    }

    #[test]
    fn ratios_are_those_of_the_table() {
        let results = run(2.0);
        assert_eq!(marks(&results, "copy"), [Some(2.0); 6]);
        // Channels last is the faster one, whatever layout ours is in.
        assert_eq!(marks(&results, "compiled"), [Some(4.5); 6]);
        assert_eq!(marks(&results, "f64"), [Some(2.0); 6]);
        assert_eq!(marks(&results, "one_thread"), [Some(1.25); 6]);
        assert_eq!(marks(&results, "eager"), [None; 6]);
        assert_eq!(marks(&results, "small"), [None; 2]);
    }

    #[test]
    fn kinds_are_compared_in_their_own_contests() {
        let mut timings = Vec::new();
        for layout in LAYOUTS {
            let of = |what, shape| name(what, layout, "f32", shape);
            timings.extend([
                (of_kind("focal"), OURS, of("focal", KINDS), 2.0),
                (of_kind("focal"), TORCH, of("focal", KINDS), 9.0),
                (of_kinds(layout), OURS, of("dice", AMONG), 4.0),
                (of_kinds(layout), OURS, of("combined", AMONG), 5.0),
                (of_kinds(layout), OURS, of("cross_entropy", AMONG), 1.0),
                (of_kinds(layout), OURS, of(SOFTENED[1], AMONG), 3.0),
            ]);
        }
        let borrowed: Vec<(&str, &str, &str, f64)> = timings
            .iter()
            .map(|(contest, who, what, seconds)| (contest.as_str(), *who, what.as_str(), *seconds))
            .collect();
        let results = results(&borrowed);
        assert_eq!(marks(&results, "torch_focal"), [Some(4.5); 2]);
        assert_eq!(marks(&results, "torch_lovasz"), [None; 2]);
        assert_eq!(marks(&results, "combined"), [Some(1.25); 2]);
        assert_eq!(marks(&results, "soft"), [Some(3.0); 2]);
        assert_eq!(marks(&results, "focal"), [None; 2]);
        let verdict = |name: &str| all(&results).iter().find(|bar| bar.name == name).unwrap().verdict();
        assert_eq!(verdict("torch_focal"), Verdict::Met);
        assert_eq!(verdict("combined"), Verdict::Met);
        assert_eq!(verdict("soft"), Verdict::Missed);
        assert_eq!(verdict("tversky"), Verdict::NotMeasured);
    }

    /// A bar that names a workload which no contest times could never be judged.
    #[test]
    fn every_bar_of_a_kind_is_measured() {
        let contests = contests(2, Effort::QUICK);
        let entries: Vec<(&str, &str, &str)> = contests
            .iter()
            .flat_map(|contest| {
                contest
                    .entries
                    .iter()
                    .map(|entry| (contest.name.as_str(), entry.contestant.as_str(), entry.workload.as_str()))
            })
            .collect();
        let timings: Vec<_> = entries.iter().map(|&(contest, who, what)| (contest, who, what, 1.0)).collect();
        let results = results(&timings);
        for bar in all(&results) {
            assert!(bar.marks.iter().all(|mark| mark.ratio.is_some()), "{}", bar.name);
        }
    }

    #[test]
    fn names_of_bars_are_their_own() {
        let bars = all(&run(2.0));
        let names: std::collections::BTreeSet<&str> = bars.iter().map(|bar| bar.name).collect();
        assert_eq!(names.len(), bars.len());
    }

    #[test]
    fn a_small_image_is_predicted_from_one_thread_and_the_copy_ratio() {
        // 2 s of one thread for so many bytes, twice that for a loss of two copies.
        let bytes_large = bytes("f32", LARGE[1]) as f64;
        let expected = 2.0 * 2.0 * bytes("f32", SMALL) as f64 / bytes_large;
        let predicted = predicted_small(&run(2.0), LAYOUTS[0]).unwrap();
        assert!((predicted / expected - 1.0).abs() < 1e-12, "{predicted}, {expected}");
    }
}
