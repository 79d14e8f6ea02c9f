//! The scores of `segloss evaluate` beside those of torchmetrics, MONAI, SciPy and scikit-image, and what must hold of any.

use std::path::{Path, PathBuf};

use ndarray::{Array3, Array4};
use proptest::prelude::*;
use segloss_unet::Classes;
use segloss_unet::metrics::definitions::{CLASS_METRICS, ClassMetric};
use segloss_unet::metrics::image::{Counting, ImageResult, Measures, Pooled};
use segloss_unet::metrics::results::Origin;
use segloss_unet::metrics::sums::{ClassSums, Settings};
use segloss_unet::metrics::{Report, Results, Rule, Tally, decide};
use serde_json::Value;

/// Frameworks that compute in float32: two roundings of a score of at most 1.
const F32: f64 = 2e-7;
/// torchmetrics adds the confidences of 17 000 pixels in float32, whose sums are off by a few of their last digits.
const F32_SUMS: f64 = 1e-6;
/// `torch.quantile` works out a position among 100 distances in float32: off by 100·2⁻²⁴ of the way to the next.
const F32_QUANTILE: f64 = 6e-6;
/// Sums in another order, of numbers kept to nine digits.
const NINE_DIGITS: f64 = 1e-8;
/// Confidences are kept to 2⁻³², 2.3e-10.
const BINS: f64 = 1e-9;

pub fn origin(measures: Measures) -> Origin {
    Origin {
        config: "0".repeat(16),
        checkpoint: "best".to_owned(),
        epoch: 3,
        data: "drawn".to_owned(),
        split: "test".to_owned(),
        rule: Rule::default(),
        measures,
    }
}

/// Counts images (N, H, W, C) with their labels (N, H, W).
pub fn results(logits: &Array4<f64>, truth: &Array3<u8>, classes: &Classes, measures: Measures) -> Results {
    let rule = Rule::default();
    let counting = Counting { classes, rule: &rule, measures };
    let (_, height, width, outputs) = logits.dim();
    let mut pooled = Pooled::new(outputs);
    let mut images = Vec::new();
    for (i, (logits, truth)) in logits.outer_iter().zip(truth.outer_iter()).enumerate() {
        let (logits, truth): (Vec<f64>, Vec<u8>) =
            (logits.iter().copied().collect(), truth.iter().copied().collect());
        let (image, of_image) = counting.count(&format!("{i}"), &logits, &truth, width, (height, width));
        pooled.merge(&of_image);
        images.push(image);
    }
    Results::new(origin(measures), classes, 0.5, &pooled, images)
}

struct Golden {
    name: &'static str,
    results: Results,
    logits: Array4<f64>,
    truth: Array3<u8>,
    expected: Value,
}

impl Golden {
    fn read(name: &'static str) -> Self {
        let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/metrics").join(name);
        let logits: Array4<f32> = ndarray_npy::read_npy(folder.join("logits.npy")).unwrap();
        let truth: Array3<u8> = ndarray_npy::read_npy(folder.join("truth.npy")).unwrap();
        let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let number = |key: &str| expected[key].as_f64().unwrap();
        let measures = Measures { tolerance: number("tolerance"), band_ratio: number("band_ratio") };
        let logits = logits.mapv(f64::from);
        let classes = Classes::numbered(logits.dim().3, Some(255));
        let results = results(&logits, &truth, &classes, measures);
        Self { name, results, logits, truth, expected }
    }

    fn all() -> [Self; 3] {
        ["absent", "ignored", "two"].map(Self::read)
    }

    fn report(&self, beta: f64) -> Report {
        Report::new(&self.results, Settings { beta })
    }

    fn value(&self, library: &str, key: &str) -> &Value {
        let value = &self.expected[library][key];
        assert!(!value.is_null(), "{} {library} {key}", self.name);
        value
    }
}

#[track_caller]
fn close(found: Option<f64>, expected: &Value, bound: f64, what: &str) {
    match (found, expected.as_f64()) {
        (None, None) => {}
        (Some(found), Some(expected)) if (found - expected).abs() <= bound * expected.abs().max(1.0) => {}
        (found, expected) => panic!("{what}: {found:?}, expected {expected:?} to {bound:e}"),
    }
}

fn metric(name: &str) -> &'static ClassMetric {
    CLASS_METRICS.iter().find(|metric| metric.definition.name == name).unwrap()
}

#[test]
fn pooled_scores_are_torchmetrics() {
    let mut compared = 0;
    for golden in Golden::all() {
        for (ours, theirs, beta, bound) in [
            ("iou", "iou", 2.0, F32),
            ("dice", "dice", 2.0, F32),
            ("precision", "precision", 2.0, F32),
            ("recall", "recall", 2.0, F32),
            ("f_beta", "f_2", 2.0, F32),
            ("f_beta", "f_half", 0.5, F32),
            ("calibration_error", "class_calibration_error", 2.0, BINS),
        ] {
            let report = golden.report(beta);
            for (c, class) in report.sums.classes.iter().enumerate() {
                let expected = &golden.value("torchmetrics", theirs)[c];
                let found = report.of_class(metric(ours), class);
                if class.overlap.truth() == 0 {
                    // Theirs is 0, but for calibration, which is defined.
                    assert!(found.is_none() && expected.is_f64(), "{} {ours} {c}", golden.name);
                    continue;
                }
                close(found, expected, bound, &format!("{} {theirs} of class {c}", golden.name));
                compared += 1;
            }
        }
        let report = golden.report(2.0);
        let value = |name: &str| golden.value("torchmetrics", name);
        close(report.value("accuracy"), value("accuracy"), F32, golden.name);
        close(report.value("calibration_error"), value("calibration_error"), F32_SUMS, golden.name);
        // Their average counts a class that is claimed and never there as 0.
        let counts = |class: &&ClassSums| class.overlap.truth() + class.overlap.claimed > 0;
        let theirs = report.sums.classes.iter().filter(counts).count() as f64;
        let ours = report.sums.classes.iter().filter(|class| class.overlap.truth() > 0).count() as f64;
        let mean = report.value("mean_iou").map(|mean| mean * ours / theirs);
        close(mean, value("macro_iou"), F32, golden.name);
        assert_eq!(ours < theirs, golden.name != "two");
        compared += 3;
    }
    assert_eq!(compared, 7 * (4 + 3 + 2) + 9);
}

#[test]
fn scores_of_each_image_are_monais() {
    let mut compared = [0; 3];
    for golden in [Golden::read("absent"), Golden::read("two")] {
        for (i, image) in golden.results.images.iter().enumerate() {
            for class in 0..golden.results.outputs {
                let row = image.classes.iter().find(|row| usize::from(row.label) == class);
                let expected = |key: &str| &golden.value("monai", key)[i][class];
                let what = |key: &str| format!("{} image {i} class {class}: {key}", golden.name);
                let iou = row.and_then(|row| row.overlap.iou());
                close(iou, expected("iou"), F32, &what("iou"));
                // In neither none, in one 0: also where the truth lacks the class, which no mean counts.
                let dice = row.and_then(|row| row.surface.dice());
                close(dice, expected("surface_dice"), F32, &what("surface dice"));
                let hd95 = row.and_then(|row| row.surface.hd95);
                close(hd95, expected("hd95"), F32_QUANTILE, &what("hd95"));
                for (n, found) in compared.iter_mut().zip([iou, dice, hd95]) {
                    *n += usize::from(found.is_some());
                }
            }
        }
    }
    // None is compared with none, too, but what is compared is not nothing.
    assert!(compared.iter().all(|&n| n > 80), "{compared:?}");
}

#[test]
fn outlines_and_bands_are_those_of_scipy_and_scikit_image_and_of_the_definition() {
    let mut compared = 0;
    for golden in Golden::all() {
        let libraries: &[&str] = match golden.name {
            "ignored" => &["defined"],
            _ => &["defined", "scipy", "skimage"],
        };
        for library in libraries {
            for (key, expected) in golden.expected[library].as_object().unwrap() {
                for (i, image) in golden.results.images.iter().enumerate() {
                    for class in 0..golden.results.outputs {
                        let row = image.classes.iter().find(|row| usize::from(row.label) == class);
                        let counted = row.map(|row| match key.as_str() {
                            "outline_truth" => row.surface.truth,
                            "outline_truth_near" => row.surface.truth_near,
                            "outline_predicted" => row.surface.predicted,
                            "outline_predicted_near" => row.surface.predicted_near,
                            "band_both" => row.band.both,
                            "band_either" => row.band.either,
                            "hd95" => u64::MAX,
                            other => panic!("{other}"),
                        });
                        let what = format!("{} {library} image {i} class {class}: {key}", golden.name);
                        let expected = &expected[i][class];
                        if key == "hd95" {
                            close(row.and_then(|row| row.surface.hd95), expected, NINE_DIGITS, &what);
                        } else {
                            assert_eq!(Some(counted.unwrap_or(0)), expected.as_u64(), "{what}");
                        }
                        compared += 1;
                    }
                }
            }
        }
    }
    assert_eq!(compared, (23 * 6 + 11 * 2) * (7 + 5 + 2) + 12 * 4 * 7);
}

#[test]
fn fine_grained_scores_are_wangs_and_probabilities_are_scored_as_by_pytorch() {
    for golden in Golden::all() {
        let report = golden.report(2.0);
        for (name, expected) in golden.expected["wang"].as_object().unwrap() {
            close(report.value(name), expected, 1e-15, &format!("{} {name}", golden.name));
        }
        let expected = golden.value("proper", "calibration_error");
        close(report.value("calibration_error"), expected, BINS, golden.name);
        for name in ["brier", "nll"] {
            close(report.value(name), golden.value("proper", name), NINE_DIGITS, golden.name);
            for (c, class) in report.sums.classes.iter().enumerate() {
                let expected = &golden.value("proper", &format!("class_{name}"))[c];
                let what = format!("{} {name} of class {c}", golden.name);
                close(report.of_class(metric(name), class), expected, NINE_DIGITS, &what);
            }
        }
    }
}

#[test]
fn claims_on_absent_classes_are_told_apart() {
    let report = Golden::read("absent").report(2.0);
    let [.., claimed, neither] = &report.sums.classes[..] else { panic!("six classes") };
    assert_eq!((claimed.overlap.truth(), claimed.absent_images, claimed.claimed_images), (0, 23, 10));
    assert_eq!(claimed.claimed_pixels, claimed.overlap.claimed);
    assert_eq!((neither.absent_images, neither.claimed_images, neither.claimed_pixels), (23, 0, 0));
    for class in [claimed, neither] {
        for metric in CLASS_METRICS.iter().filter(|metric| metric.mean != "mean_claimed_where_absent") {
            assert_eq!(report.of_class(metric, class), None, "{}", metric.definition.name);
        }
    }
    let missed = &report.sums.classes[3];
    assert_eq!((missed.missed_images, missed.ious.len(), missed.hd95.len()), (5, 17, 12));
    assert_eq!(missed.surface_dice.iter().filter(|&&dice| dice == 0.0).count(), 5);
}

#[test]
fn training_sees_the_same_scores() {
    for golden in Golden::all() {
        let classes = Classes::numbered(golden.results.outputs, Some(255));
        let scored = vec![true; golden.results.outputs];
        let mut tally = Tally::new(golden.results.outputs);
        for (logits, &truth) in golden.logits.rows().into_iter().zip(&golden.truth) {
            if truth != 255 {
                tally.add(truth.into(), decide(logits.as_slice().unwrap(), &scored));
            }
        }
        let (scores, report) = (tally.scores(&classes), golden.report(2.0));
        assert_eq!(scores.valid_pixels, report.sums.valid_pixels);
        for (name, score) in [
            ("accuracy", scores.accuracy),
            ("class_average", scores.class_average),
            ("mean_iou", scores.mean_iou),
            ("mean_dice", scores.mean_dice),
            ("calibration_error", scores.calibration_error),
        ] {
            assert_eq!(report.value(name), score, "{} {name}", golden.name);
        }
    }
}

#[test]
fn nothing_to_score_is_none() {
    let classes = Classes::numbered(2, Some(255));
    let empty =
        results(&Array4::zeros((0, 4, 4, 2)), &Array3::zeros((0, 4, 4)), &classes, Measures::default());
    let ignored = results(
        &Array4::zeros((1, 4, 4, 2)),
        &Array3::from_elem((1, 4, 4), 255),
        &classes,
        Measures::default(),
    );
    for results in [empty, ignored] {
        results.check().unwrap();
        let report = Report::new(&results, Settings::default());
        let json = serde_json::to_value(&report).unwrap();
        for metric in &CLASS_METRICS {
            assert!(report.mean(metric).is_none(), "{}", metric.mean);
            assert!(json[metric.mean].is_null());
        }
        assert!(json["accuracy"].is_null() && json["brier"].is_null() && json["iou_of_images"].is_null());
    }
}

#[test]
fn a_single_class_is_perfect_or_nothing() {
    let classes = Classes::numbered(2, None);
    let mut logits = Array4::zeros((2, 5, 6, 2));
    logits.slice_mut(ndarray::s![.., .., .., 1]).fill(1.0);
    let truth = Array3::from_elem((2, 5, 6), 1);
    let report = Report::new(&results(&logits, &truth, &classes, Measures::default()), Settings::default());
    for name in ["mean_iou", "mean_dice", "mean_surface_dice", "mean_boundary_iou", "iou_of_images"] {
        assert_eq!(report.value(name), Some(1.0), "{name}");
    }
    assert_eq!(report.value("mean_hd95"), Some(0.0));
    assert_eq!(report.value("mean_claimed_where_absent"), Some(0.0));
}

/// Some images of one size, of `C` classes and ignored pixels.
fn drawn() -> impl Strategy<Value = (Array4<f64>, Array3<u8>)> {
    (1..4_usize, 1..9_usize, 1..9_usize).prop_flat_map(|(n, height, width)| {
        let pixels = n * height * width;
        let logits = prop::collection::vec(-6.0..6.0_f64, pixels * C);
        // Classes that are rare enough to be absent.
        let label = prop_oneof![6 => Just(0_u8), 2 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(255)];
        (logits, prop::collection::vec(label, pixels)).prop_map(move |(logits, labels)| {
            let logits = Array4::from_shape_vec((n, height, width, C), logits).unwrap();
            (logits, Array3::from_shape_vec((n, height, width), labels).unwrap())
        })
    })
}

const C: usize = 4;

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        // Sums of a few hundred terms, in another order and kept to nine digits.
        (Some(a), Some(b)) => (a - b).abs() <= NINE_DIGITS * a.abs().max(1.0),
        (a, b) => a.is_none() && b.is_none(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_count_is_consistent_and_comes_back_from_its_file((logits, truth) in drawn()) {
        let results = results(&logits, &truth, &Classes::numbered(C, Some(255)), Measures::default());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        results.save(&path).unwrap();
        prop_assert_eq!(Results::load(&path).unwrap(), results);
    }

    #[test]
    fn renumbered_classes_have_the_same_scores((logits, truth) in drawn(), turn in 1..C) {
        let classes = Classes::numbered(C, Some(255));
        let mut turned = logits.clone();
        for c in 0..C {
            turned.slice_mut(ndarray::s![.., .., .., (c + turn) % C]).assign(&logits.slice(ndarray::s![.., .., .., c]));
        }
        let labels = truth.mapv(|label| if label == 255 { 255 } else { (label + turn as u8) % C as u8 });
        let report = |logits, truth| Report::new(&results(logits, truth, &classes, Measures::default()), Settings::default());
        let (before, after) = (report(&logits, &truth), report(&turned, &labels));
        for metric in &CLASS_METRICS {
            for c in 0..C {
                let here = before.of_class(metric, &before.sums.classes[c]);
                let there = after.of_class(metric, &after.sums.classes[(c + turn) % C]);
                prop_assert!(same(here, there), "{} {:?} {:?}", metric.definition.name, here, there);
            }
            prop_assert!(same(before.mean(metric), after.mean(metric)), "{}", metric.mean);
        }
        for name in ["accuracy", "iou_of_images", "iou_of_images_worst", "calibration_error", "brier", "nll"] {
            prop_assert!(same(before.value(name), after.value(name)), "{}", name);
        }
    }

    #[test]
    fn images_in_another_order_have_the_same_scores((logits, truth) in drawn()) {
        let classes = Classes::numbered(C, Some(255));
        let (mut backwards, mut labels) = (logits.clone(), truth.clone());
        backwards.invert_axis(ndarray::Axis(0));
        labels.invert_axis(ndarray::Axis(0));
        let here = results(&logits, &truth, &classes, Measures::default());
        let there = results(&backwards, &labels, &classes, Measures::default());
        // Integers: to the bit.
        prop_assert_eq!((&here.decided, &here.class_bins), (&there.decided, &there.class_bins));
        let (a, b) = (Report::new(&here, Settings::default()), Report::new(&there, Settings::default()));
        for metric in &CLASS_METRICS {
            prop_assert!(same(a.mean(metric), b.mean(metric)), "{}", metric.mean);
        }
        prop_assert!(same(a.value("iou_of_images_worst"), b.value("iou_of_images_worst")));
    }

    #[test]
    fn a_perfect_prediction_is_perfect((_, truth) in drawn()) {
        let (n, height, width) = truth.dim();
        let logits = Array4::from_shape_fn((n, height, width, C), |(i, y, x, c)| {
            if truth[[i, y, x]] == c as u8 { 60.0 } else { 0.0 }
        });
        let results = results(&logits, &truth, &Classes::numbered(C, Some(255)), Measures::default());
        let report = Report::new(&results, Settings::default());
        for metric in CLASS_METRICS.iter().filter(|metric| metric.definition.unit == segloss_unet::metrics::definitions::Unit::Part) {
            let expected = if ["calibration_error", "claimed_where_absent"].contains(&metric.definition.name) { 0.0 } else { 1.0 };
            // Enclosed by ignored pixels, a class has no outline.
            let found = report.mean(metric);
            prop_assert!(found.is_none_or(|found| (found - expected).abs() < 1e-9), "{} {:?}", metric.mean, found);
        }
        prop_assert!(report.value("mean_hd95").is_none_or(|distance| distance == 0.0));
        prop_assert!(report.value("nll").is_none_or(|nll| nll < 1e-9));
    }
}

#[test]
fn an_image_alone_is_what_it_is_among_others() {
    let golden = Golden::read("absent");
    let classes = Classes::numbered(6, Some(255));
    let (logits, truth) =
        (golden.logits.slice(ndarray::s![7..8, .., .., ..]), golden.truth.slice(ndarray::s![7..8, .., ..]));
    let alone = results(&logits.to_owned(), &truth.to_owned(), &classes, golden.results.origin.measures);
    let ImageResult { classes: found, .. } = &alone.images[0];
    assert_eq!(found, &golden.results.images[7].classes);
}
