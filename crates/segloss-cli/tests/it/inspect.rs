//! From a folder as people have it to a trained net, with the two commands that the README shows.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use segloss_unet::decode::{Stored, StoredMask, decode_mask};
use segloss_unet::picture::{write_mask, write_png};
use segloss_unet::pixels::Pixels;

const SIDE: usize = 16;

fn segloss(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_segloss")).current_dir(folder).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The label of each pixel of image number `i`: a square somewhere.
fn labels(i: usize) -> Vec<u8> {
    let inside = |at: usize| (2 + i % 5..8 + i % 5).contains(&at);
    (0..SIDE * SIDE).map(|at| u8::from(inside(at / SIDE) && inside(at % SIDE))).collect()
}

/// A data set of a bright square: `split` names the folder of an image, `mask` what is stored for its labels.
fn make(dir: &Path, split: impl Fn(usize) -> String, mask_name: &str, mask: impl Fn(u8) -> Stored) {
    for i in 0..18 {
        let (images, masks) = (dir.join(split(i)).join("images"), dir.join(split(i)).join("masks"));
        fs::create_dir_all(&images).unwrap();
        fs::create_dir_all(&masks).unwrap();
        let labels = labels(i);
        let data =
            labels.iter().enumerate().map(|(at, &label)| 40 + 150 * label + (at * 7 % 31) as u8).collect();
        let image = Pixels { height: SIDE, width: SIDE, channels: 1, data };
        write_png(&images.join(format!("im{i:02}.png")), &image).unwrap();
        let mut values = mask(0);
        for (at, &label) in labels.iter().enumerate() {
            match (&mut values, mask(label)) {
                (Stored::Grey(into), Stored::Grey(from)) if at > 0 => into.extend(from),
                (Stored::Rgb(into), Stored::Rgb(from)) if at > 0 => into.extend(from),
                (values, from) => *values = from,
            }
        }
        let mask = StoredMask { height: SIDE, width: SIDE, values };
        write_mask(&masks.join(format!("im{i:02}{mask_name}.png")), &mask).unwrap();
    }
}

fn thirds(i: usize) -> String {
    ["train", "val", "test"][i % 3].to_owned()
}

/// `inspect --write`, `train`, `predict`: what the net writes is of the data set's own kind.
#[track_caller]
fn two_commands(root: &Path, data: &str, classes: &[&str]) -> Stored {
    let inspected = segloss(root, &["inspect", "--data", data, "--write"]);
    assert_eq!(inspected.status.code(), Some(0), "{}", text(&inspected.stderr));
    for class in classes {
        assert!(text(&inspected.stdout).contains(class), "{class}: {}", text(&inspected.stdout));
    }
    let written = fs::read_to_string(root.join(data).join("dataset.toml")).unwrap();
    // What is written is understood, and means the same.
    let again = segloss(root, &["inspect", "--data", data, "--json"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    let described = |text: &str| segloss_unet::description::Description::read(text).unwrap();
    assert_eq!(described(again["dataset_toml"].as_str().unwrap()), described(&written));

    let run = format!("run_{data}");
    let small = ["model.width=4", "model.depth=2", "train.epochs=25", "optimizer.learning_rate=0.02"];
    let mut args = vec!["train", "--data", data, "--out", &run, "-q"];
    small.iter().for_each(|set| args.extend(["--set", set]));
    let trained = segloss(root, &args);
    assert_eq!(trained.status.code(), Some(0), "{}", text(&trained.stderr));
    let scores = segloss(root, &["evaluate", "--run", &run, "--json"]);
    let scores: serde_json::Value = serde_json::from_slice(&scores.stdout).unwrap();
    assert!(scores["mean_iou"].as_f64().unwrap() > 0.8, "{scores}");

    let images = root.join(data);
    let image = ["test/images/im02", "images/im02"].map(|image| images.join(image));
    let image = image.iter().flat_map(|image| [image.with_extension("png"), image.with_extension("tif")]);
    let image = image.into_iter().find(|image| image.exists()).unwrap();
    let predicted = segloss(root, &["predict", "--run", &run, "--out", "found", image.to_str().unwrap()]);
    assert_eq!(predicted.status.code(), Some(0), "{}", text(&predicted.stderr));
    let path = root.join("found/im02_classes.png");
    decode_mask(&fs::read(&path).unwrap(), &path).unwrap().values
}

#[test]
fn masks_coded_by_colour() {
    let root = tempfile::tempdir().unwrap();
    let colours = [[0, 0, 0], [60, 16, 152]];
    make(&root.path().join("rgb"), thirds, "", |label| Stored::Rgb(vec![colours[usize::from(label)]]));
    let found = two_commands(root.path(), "rgb", &["#3c1098"]);
    let Stored::Rgb(found) = found else { panic!("{found:?}") };
    assert!(found.iter().all(|colour| colours.contains(colour)) && found.contains(&colours[1]));
}

#[test]
fn black_and_white_masks_with_a_suffix() {
    let root = tempfile::tempdir().unwrap();
    make(&root.path().join("bw"), thirds, "_mask", |label| Stored::Grey(vec![255 * u16::from(label)]));
    let found = two_commands(root.path(), "bw", &["foreground"]);
    let Stored::Grey(found) = found else { panic!("{found:?}") };
    assert!(found.iter().all(|value| [0, 255].contains(value)) && found.contains(&255));
    // A second --write does not replace what somebody may have edited.
    let again = segloss(root.path(), &["inspect", "--data", "bw", "--write"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("dataset.toml: is there already"), "{}", text(&again.stderr));
}

#[test]
fn deep_tiffs() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("tiff");
    make(&data, thirds, "", |label| Stored::Grey(vec![u16::from(label)]));
    for i in 0..18 {
        for (kind, of) in [("images", 200), ("masks", 1)] {
            let path = data.join(thirds(i)).join(kind).join(format!("im{i:02}.png"));
            let bytes = fs::read(&path).unwrap();
            let values = decode_mask(&bytes, &path).unwrap().numbers().unwrap().data;
            let values: Vec<u16> = values.into_iter().map(|value| value * of).collect();
            let mut file = fs::File::create(path.with_extension("tif")).unwrap();
            let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
            encoder
                .write_image::<tiff::encoder::colortype::Gray16>(SIDE as u32, SIDE as u32, &values)
                .unwrap();
            fs::remove_file(path).unwrap();
        }
    }
    assert!(matches!(two_commands(root.path(), "tiff", &["16-bit grey .tif"]), Stored::Grey(_)));
}

#[test]
fn a_folder_without_splits() {
    let root = tempfile::tempdir().unwrap();
    make(&root.path().join("flat"), |_| String::new(), "", |label| Stored::Grey(vec![u16::from(label)]));
    two_commands(root.path(), "flat", &["|     12 | train |"]);
}

#[test]
fn values_far_apart_are_described_and_then_train() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("sparse");
    make(&data, thirds, "", |label| Stored::Grey(vec![45 + 126 * u16::from(label)]));
    let trained = segloss(root.path(), &["train", "--data", "sparse", "--out", "run"]);
    assert_eq!(trained.status.code(), Some(2));
    assert!(text(&trained.stderr).contains("the values 45, 171"), "{}", text(&trained.stderr));
    assert!(!root.path().join("run").exists());
    let found = two_commands(root.path(), "sparse", &["45", "171"]);
    assert!(matches!(&found, Stored::Grey(found) if found.contains(&171)), "{found:?}");
}

#[test]
fn what_stands_in_the_way_is_listed_and_ends_with_code_1() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("bad");
    make(&data, thirds, "", |label| Stored::Grey(vec![u16::from(label)]));
    let cut = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    cut(&data.join("train/images/im00.png"));
    cut(&data.join("val/masks/im01.png"));
    fs::copy(data.join("train/images/im03.png"), data.join("test/images/im02.png")).unwrap();
    let inspected = segloss(root.path(), &["inspect", "--data", "bad"]);
    let said = text(&inspected.stderr);
    assert_eq!(inspected.status.code(), Some(1), "{said}");
    assert!(said.contains("problem: bad/train/images/im00.png: cannot be decoded"), "{said}");
    assert!(said.contains("problem: bad/val/masks/im01.png: cannot be decoded"), "{said}");
    assert!(said.contains("train/images/im03.png and test/images/im02.png are the same image"), "{said}");
    assert!(said.ends_with("error: 2 problems must be mended before training\n"), "{said}");
    let missing = segloss(root.path(), &["inspect", "--data", "nowhere"]);
    assert_eq!(missing.status.code(), Some(2));
}
