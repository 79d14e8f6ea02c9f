//! `border-map` as a user meets it: files, streams, exit codes.

use image::{GrayImage, ImageBuffer, Luma, RgbImage};
use ndarray::{Array2, array};
use ndarray_npy::ReadNpyExt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder with a folder `masks` in it.
fn folder(masks: &[(&str, Array2<u8>)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("masks")).unwrap();
    for (name, mask) in masks {
        grey(mask).save(root.path().join("masks").join(name)).unwrap();
    }
    root
}

fn grey(mask: &Array2<u8>) -> GrayImage {
    let (height, width) = mask.dim();
    GrayImage::from_raw(width as u32, height as u32, mask.iter().copied().collect()).unwrap()
}

/// `border-map --masks masks --out maps` with more options.
fn border_map(root: &Path, more: &[&str]) -> Output {
    run(root, &[&["--masks", "masks", "--out", "maps"], more].concat())
}

fn run(root: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segloss"));
    command.current_dir(root).arg("border-map").args(options).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn made(root: &Path, more: &[&str]) -> String {
    let output = border_map(root, more);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    text(&output.stdout)
}

/// One line of stderr, exit code 2, and nothing written.
#[track_caller]
fn refused(root: &Path, more: &[&str]) -> String {
    let output = border_map(root, more);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty() && message.starts_with("error: "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(!root.join("maps").exists(), "{message}");
    message
}

fn map(root: &Path, name: &str) -> Array2<f32> {
    Array2::read_npy(fs::File::open(root.join("maps").join(name)).unwrap()).unwrap()
}

fn files(folder: PathBuf) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The second term for d1 + d2 = `sum`, with the paper's parameters.
fn border(sum: f64) -> f64 {
    10.0 * (-sum * sum / 50.0).exp()
}

#[test]
fn weights_are_equation_2() {
    let root = folder(&[("a.b.png", array![[1, 0, 0, 2]]), ("lone.PNG", array![[0, 1], [0, 1]])]);
    fs::write(root.path().join("masks/notes.txt"), "passed over").unwrap();
    fs::write(root.path().join("masks/.hidden.png"), "passed over").unwrap();
    let output = border_map(root.path(), &[]);
    assert_eq!(text(&output.stderr), "note: left out: 2 files that are hidden, or no PNG, TIFF or BMP\n");
    assert_eq!(
        text(&output.stdout),
        "mask  cells         min        mean         max\n\
         a.b       2      1.0000      5.1764      9.3527\n\
         lone      1      1.0000      1.0000      1.0000\n\
         \n2 masks, 3 cells; class weights: background 1.0000, cell 1.0000\n"
    );
    let between = (1.0 + border(3.0)) as f32;
    assert_eq!(map(root.path(), "a.b.npy"), array![[1.0, between, between, 1.0]]);
    assert_eq!(map(root.path(), "lone.npy"), Array2::from_elem((2, 2), 1.0));
    assert_eq!(files(root.path().join("maps")), ["a.b.npy", "lone.npy"]);
}

#[test]
fn cells_are_regions_of_the_chosen_labels() {
    // Label 2 is the outline between two cells of label 1; two of label 3 meet at a corner.
    let mask = array![[1, 2, 1, 0, 3, 0], [0, 0, 0, 0, 0, 3]];
    let root = folder(&[("m.png", mask)]);
    let cells = |more: &[&str]| {
        let report: serde_json::Value = serde_json::from_str(&made(root.path(), more)).unwrap();
        report["masks"][0]["cells"].as_u64().unwrap()
    };
    assert_eq!(cells(&["--json"]), 3);
    assert_eq!(cells(&["--json", "--connectivity", "8"]), 2);
    assert_eq!(cells(&["--json", "--cells", "1,3"]), 4);
    assert_eq!(cells(&["--json", "--cells", "1"]), 2);
    assert_eq!(map(root.path(), "m.npy")[[0, 1]], (1.0 + border(2.0)) as f32);
    // An ignored label belongs to no cell, and weighs nothing.
    assert_eq!(cells(&["--json", "--ignore", "2"]), 4);
    assert_eq!(map(root.path(), "m.npy")[[0, 1]], 0.0);
}

#[test]
fn instances_are_cells_by_number() {
    let root = folder(&[]);
    let numbers = vec![300_u16, 300, 256, 0, 65_535, 0, 256, 256];
    ImageBuffer::<Luma<u16>, _>::from_raw(8, 1, numbers)
        .unwrap()
        .save(root.path().join("masks/deep.png"))
        .unwrap();
    assert!(
        refused(root.path(), &[])
            .contains("masks/deep.png: holds 300 at x=0, y=0, and labels go up to 255; if it")
    );
    let report: serde_json::Value =
        serde_json::from_str(&made(root.path(), &["--instances", "--json"])).unwrap();
    assert_eq!(report["masks"][0]["cells"], 3);
    assert_eq!(report["masks"][0]["map"], Path::new("maps").join("deep.npy").to_str().unwrap());
    assert_eq!(map(root.path(), "deep.npy")[[0, 3]], (1.0 + border(2.0)) as f32);
    // Then the gap's nearest numbers are 256, right beside it, and 300.
    made(root.path(), &["--instances", "--ignore", "65535", "--w0", "4", "--sigma", "2.5"]);
    let weights = map(root.path(), "deep.npy");
    assert_eq!(weights[[0, 4]], 0.0);
    assert_eq!(weights[[0, 3]], (1.0 + 4.0 * (-9.0_f64 / 12.5).exp()) as f32);
}

#[test]
fn balanced_class_weights_count_the_whole_folder() {
    let root = folder(&[("a.png", array![[0, 0, 0, 1]]), ("b.png", array![[0, 0, 0, 9]])]);
    let table = made(root.path(), &["--class-weights", "balanced", "--ignore", "9", "--w0", "0"]);
    // Six pixels of background and one of a cell: 7 / (2 · 6) and 7 / (2 · 1).
    assert!(table.ends_with("class weights: background 0.5833, cell 3.5000\n"), "{table}");
    let [rest, cell] = [7.0 / 12.0, 3.5_f64].map(|weight| weight as f32);
    assert_eq!(map(root.path(), "a.npy"), array![[rest, rest, rest, cell]]);
    assert_eq!(map(root.path(), "b.npy"), array![[rest, rest, rest, 0.0]]);
    assert!(table.contains("b         0      0.5833      0.5833      0.5833"), "{table}");
}

#[test]
fn the_embedded_masks_have_maps_and_pictures() {
    let root = tempfile::tempdir().unwrap();
    let masks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist/train/masks");
    let options = ["--cells", "1", "--pictures", "--quiet", "--json", "--out", "new/maps", "--masks"];
    let output = run(root.path(), &[&options[..], &[masks.to_str().unwrap()]].concat());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["masks"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    for row in rows {
        let weights: Array2<f32> =
            Array2::read_npy(fs::File::open(root.path().join(row["map"].as_str().unwrap())).unwrap())
                .unwrap();
        assert_eq!(weights.dim(), (128, 128));
        assert!(weights.iter().all(|weight| (1.0..11.0).contains(weight)));
        let name = format!("new/maps/{}.png", row["mask"].as_str().unwrap());
        assert_eq!(image::open(root.path().join(name)).unwrap().to_rgb8().dimensions(), (128, 128));
    }
    assert_eq!(rows.iter().map(|row| row["cells"].as_u64().unwrap()).sum::<u64>(), 79);
    // Nuclei of the first tile touch: a pixel of outline is right beside one and diagonal to another.
    let closest = rows[0]["max"].as_f64().unwrap();
    assert!((closest - 1.0 - border(1.0 + 2.0_f64.sqrt())).abs() < 1e-6, "{closest}");
}

#[test]
fn what_cannot_be_used_is_one_clear_line_and_leaves_nothing() {
    let empty = tempfile::tempdir().unwrap();
    assert!(refused(empty.path(), &[]).contains("masks: no such folder"));
    fs::create_dir(empty.path().join("masks")).unwrap();
    assert!(refused(empty.path(), &[]).contains("masks: holds no PNG, TIFF or BMP"));

    let root = folder(&[("a.png", array![[1, 0, 2]]), ("b.png", array![[0, 0, 3]])]);
    let dir = root.path();
    for (options, absent) in [
        (&["--cells", "7"][..], "--cells 7"),
        (&["--cells", "1,7"], "--cells 7"),
        (&["--ignore", "9"], "--ignore 9"),
        (&["--instances", "--ignore", "300"], "--ignore 300"),
    ] {
        let expected = format!("masks: {absent}: no mask has that label; the labels are 0, 1, 2, 3\n");
        assert!(refused(dir, options).ends_with(&expected), "{options:?}");
    }
    let background = folder(&[("a.png", array![[0, 0]])]);
    assert!(
        refused(background.path(), &[])
            .contains("masks: no pixel of any mask is of a cell; the labels are 0")
    );
    assert!(
        refused(dir, &["--cells", "1,2", "--ignore", "2"]).contains("label 2 is both in --cells and ignored")
    );
    assert!(refused(dir, &["--ignore", "256"]).contains("go up to 255"));
    assert!(refused(dir, &["--sigma", "0"]).contains("`sigma` is 0; expected a positive number of pixels"));
    assert!(refused(dir, &["--w0=-1"]).contains("`w0` is -1; expected a number from 0"));
    assert!(refused(dir, &["--w0", "NaN"]).contains("`w0` is NaN"));
    for usage in [&["--cells", "300"][..], &["--cells", "1", "--instances"], &["--connectivity", "6"]] {
        assert_eq!(border_map(dir, usage).status.code(), Some(2), "{usage:?}");
    }

    // A mask that cannot be read is found before the first map is written.
    let colours = dir.join("masks/c.png");
    RgbImage::from_fn(2, 2, |x, _| image::Rgb([0, 7 * x as u8, 0])).save(&colours).unwrap();
    for args in [&[][..], &["--instances"]] {
        assert!(refused(dir, args).contains("masks/c.png: has the colour #000700 at x=1, y=0"));
    }
    fs::write(&colours, &fs::read(dir.join("masks/a.png")).unwrap()[..40]).unwrap();
    assert!(refused(dir, &[]).contains("masks/c.png: cannot be decoded"));
    fs::remove_file(colours).unwrap();

    grey(&array![[1]]).save(dir.join("masks/a.PNG")).unwrap();
    // Not every file system tells the two apart.
    if files(dir.join("masks")).len() == 3 {
        assert!(refused(dir, &[]).contains("masks/a.png: has the same name as masks/a.PNG"));
    }
}

#[test]
fn masks_are_never_overwritten() {
    let root = folder(&[("a.png", array![[1, 0, 1]])]);
    let before = fs::read(root.path().join("masks/a.png")).unwrap();
    let output = run(root.path(), &["--masks", "masks", "--out", "masks/../masks", "--pictures"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("masks/../masks: holds the masks"), "{}", text(&output.stderr));
    assert_eq!(files(root.path().join("masks")), ["a.png"]);
    assert_eq!(fs::read(root.path().join("masks/a.png")).unwrap(), before);
}

#[test]
fn help_teaches() {
    let help = text(&border_map(Path::new("."), &["--help"]).stdout);
    for words in ["Examples:", "w_c(x) + w0 · exp(", "--weight-map maps.npy", "equation 2"] {
        assert!(help.contains(words), "{words}: {help}");
    }
}
