//! The file of an evaluation: written whole, read with suspicion; and the evaluation that makes it.

use std::fs;

use ndarray::{Array3, Array4};
use segloss_unet::batch::Batcher;
use segloss_unet::evaluate::{evaluate, examine};
use segloss_unet::metrics::image::Measures;
use segloss_unet::metrics::sums::Settings;
use segloss_unet::metrics::{Report, Results};
use segloss_unet::objective::Objective;
use segloss_unet::{Classes, Dataset, ResultsProblem, UNet, table};

use crate::common::small;
use crate::metrics::{origin, results};

fn some() -> Results {
    let logits = Array4::from_shape_fn((2, 6, 5, 3), |(i, y, x, c)| {
        ((i * 31 + y * 7 + x * 5 + c * 13) % 17) as f64 / 4.0
    });
    let truth = Array3::from_shape_fn((2, 6, 5), |(i, y, x)| [0, 1, 255][(i + y / 2 + x / 3) % 3]);
    let classes = Classes {
        names: ["a", "b|\"c\"", "é"].map(str::to_owned).to_vec(),
        ..Classes::numbered(3, Some(255))
    };
    results(&logits, &truth, &classes, Measures::default())
}

fn text(results: &Results) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    results.save(&path).unwrap();
    fs::read_to_string(path).unwrap()
}

#[track_caller]
fn problem(text: &str) -> String {
    Results::read(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_file_is_json_with_a_line_for_each_image() {
    let text = text(&some());
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["format"], &json["origin"]["epoch"]), (&1.into(), &3.into()));
    assert_eq!(text.lines().filter(|line| line.starts_with("{\"name\":")).count(), 2);
    assert_eq!(
        json["columns"].as_array().unwrap().len(),
        json["images"][0]["classes"][0].as_array().unwrap().len()
    );
    assert_eq!(Results::read(text.as_bytes()).unwrap(), some());
}

/// What a thousand images of twelve classes take.
#[test]
fn a_file_is_small() {
    let logits = Array4::from_shape_fn((4, 90, 120, 12), |(i, y, x, c)| {
        ((i * 7919 + y * 104 + x * 31 + c * 997) % 101) as f64 / 9.0
    });
    let truth = Array3::from_shape_fn((4, 90, 120), |(_, y, x)| ((y / 30) * 4 + x / 30) as u8);
    let few = results(&logits, &truth, &Classes::numbered(12, None), Measures::default());
    let lines: usize = text(&few).lines().filter(|line| line.starts_with("{\"name\":")).map(str::len).sum();
    // Every class in every image, and wrong everywhere: 12 rows of some 65 characters.
    assert!(lines * 250 < 900_000, "{lines}");
}

#[test]
fn what_is_no_result_is_refused_with_a_reason() {
    let good = text(&some());
    for cut in [0, 1, 20, good.len() / 2, good.len() - 3] {
        assert!(problem(&good[..cut]).starts_with("is no result of `segloss evaluate`: "), "{cut}");
    }
    let swapped = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        problem(&good.replacen(from, to, 1))
    };
    assert_eq!(
        Results::read(good.replacen("\"format\":1", "\"format\":2", 1).as_bytes()),
        Err(ResultsProblem::Version { found: 2, expected: 1 })
    );
    assert!(swapped("\"epoch\"", "\"epok\"").contains("unknown field `epok`"));
    assert!(swapped("\"fn\"", "\"tn\"").contains("its columns are not label, tp"));
    assert!(swapped("\"loss\":0.5", "\"loss\":1e999").contains("number out of range"));
    assert!(
        swapped("\"temperature\":1.0", "\"temperature\":0.0").contains("the rule is not one for 3 outputs")
    );
    assert!(swapped("\"shift\":[]", "\"shift\":[0.5]").contains("the rule is not one"));
    assert!(swapped("\"tolerance\":2.0", "\"tolerance\":-2.0").contains("a tolerance of -2"));
    assert!(swapped("\"outputs\":3", "\"outputs\":2").contains("not below 2"));
    assert!(swapped("\"name\":\"1\"", "\"name\":\"0\"").contains("image `0` is there twice"));
    assert!(swapped("\"height\":6", "\"height\":0").contains("image 1 `0`: 0 rows of 5 pixels"));
    assert!(swapped("\"height\":6", "\"height\":18446744073709551615").contains("rows of 5 pixels"));
    assert!(swapped("\"height\":6", "\"height\":2").contains("image 1 `0`: "));
}

/// No number of a file can be changed to one that no evaluation gives without being noticed, and none brings the reader down.
#[test]
fn every_count_is_held_against_the_others() {
    let good = some();
    let refused = |change: &dyn Fn(&mut Results)| {
        let mut results = good.clone();
        change(&mut results);
        assert_ne!(results, good);
        let error = results.check().unwrap_err();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        assert!(results.save(&path).unwrap_err().to_string().contains("its numbers contradict each other"));
        assert!(!path.exists());
        error
    };
    let mut errors = Vec::new();
    for by in [1, u64::MAX / 2] {
        errors.push(refused(&|r| r.images[0].classes[0].overlap.found += by));
        errors.push(refused(&|r| r.images[0].classes[0].overlap.claimed += by));
        errors.push(refused(&|r| r.images[0].classes[0].overlap.missed += by));
        errors.push(refused(&|r| r.images[0].classes[0].surface.truth += by.max(100)));
        errors.push(refused(&|r| r.images[0].classes[0].surface.truth_near += by.max(100)));
        errors.push(refused(&|r| r.images[0].classes[0].surface.predicted_near += by.max(100)));
        errors.push(refused(&|r| r.images[0].classes[0].surface.predicted += by.max(100)));
        errors.push(refused(&|r| r.images[0].classes[0].band.both += by.max(100)));
        errors.push(refused(&|r| r.images[0].classes[0].band.either += by.max(100)));
        errors.push(refused(&|r| r.decided[14].pixels += by));
        errors.push(refused(&|r| r.decided[14].correct += by));
        errors.push(refused(&|r| r.class_bins[1][0].pixels += by));
        errors.push(refused(&|r| r.class_bins[1][0].correct += by));
        errors.push(refused(&|r| r.confusion[0][1] += by));
        errors.push(refused(&|r| r.confusion[1][1] += by));
    }
    for bad in [f64::NAN, f64::INFINITY, -1.0, 1e9] {
        errors.push(refused(&|r| r.images[0].classes[0].surface.hd95 = Some(bad)));
        errors.push(refused(&|r| r.images[0].classes[0].brier = bad));
        errors.push(refused(&|r| r.decided[9].confidence = bad));
        if bad != 1e9 {
            errors.push(refused(&|r| r.images[0].classes[0].surprise = bad));
        }
        if bad != -1.0 && bad != 1e9 {
            errors.push(refused(&|r| r.loss = bad));
        }
    }
    errors.push(refused(&|r| r.images[0].classes[0].surface.hd95 = None));
    errors.push(refused(&|r| r.images[0].classes[0].label = 200));
    errors.push(refused(&|r| r.images[0].classes.reverse()));
    errors.push(refused(&|r| r.classes.reverse()));
    errors.push(refused(&|r| r.decided.truncate(14)));
    errors.push(refused(&|r| r.class_bins.truncate(1)));
    errors.push(refused(&|r| r.confusion.truncate(1)));
    errors.push(refused(&|r| r.confusion[0].truncate(1)));
    errors.push(refused(&|r| r.images.truncate(1)));
    assert!(errors.iter().all(|error| !error.is_empty() && error.lines().count() == 1));
}

#[test]
fn threads_and_batches_change_no_bit() {
    let config = small(None);
    let data = Dataset::load(&config.data).unwrap();
    let net: UNet<f32> = UNet::new(&config.model, data.channels, data.classes.count(), 5).unwrap();
    let objective = Objective::new(&config.loss, &data.classes, None, false).unwrap();
    let batcher = Batcher {
        samples: &data.val,
        normalisation: &data.normalisation,
        classes: &data.classes,
        multiple: net.multiple(),
    };
    let run = |threads: usize, batch_size: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            examine(&net, &objective, &batcher, batch_size, origin(Measures::default()), &mut |_| ()).unwrap()
        })
    };
    let one = run(1, 1);
    one.check().unwrap();
    assert_eq!(
        one.images.iter().map(|image| &image.name).collect::<Vec<_>>(),
        data.val.iter().map(|s| &s.name).collect::<Vec<_>>()
    );
    for (threads, batch_size) in [(3, 1), (1, 3), (2, 4)] {
        // The loss is that of batches, and known to be.
        assert_eq!(Results { loss: one.loss, ..run(threads, batch_size) }, one);
    }
    assert_eq!(run(2, 1).loss, one.loss);

    let usual =
        evaluate(&net, &objective, &data.classes, &data.normalisation, &data.val, 1, &mut |_| ()).unwrap();
    let report = Report::new(&one, Settings::default());
    assert_eq!((report.loss, report.value("mean_iou")), (usual.loss, usual.scores.mean_iou));
    assert_eq!(report.value("calibration_error"), usual.scores.calibration_error);
}

#[test]
fn tables_name_every_score_and_have_no_nan() {
    let report = Report::new(&some(), Settings { beta: 0.5 });
    let (usual, all) = (table::report(&report, false), table::report(&report, true));
    for text in [&usual, &all] {
        let widths: Vec<usize> =
            text.lines().take_while(|line| !line.is_empty()).map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 2 + 3 + 1, "{text}");
        assert!(widths.iter().all(|&width| width == widths[0]), "{text}");
        assert!(text.contains("b\\|\"c\"") && text.contains("| mean ") && !text.contains("NaN"), "{text}");
        assert!(text.contains(" within 2 px · ") && text.contains("(band 2 % of the diagonal)"), "{text}");
    }
    assert!(!usual.contains("HD95 px") && all.contains(" HD95 px ") && all.contains(" F_0.5 % "), "{all}");
    // Class 2 is in no truth.
    assert!(all.contains("`é` was predicted in 2 of the 2 images without it: "), "{all}");
    let csv = table::report_csv(&report).unwrap();
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("label,name,pixels,predicted,images,missed_images,absent_images,claimed_images,claimed_pixels,iou,dice,"));
    assert_eq!(csv.lines().count(), 1 + 3 + 1);
    assert!(csv.lines().nth(3).unwrap().starts_with("2,é,0,"), "{csv}");
    assert!(csv.lines().last().unwrap().starts_with(",mean,,"), "{csv}");
}
