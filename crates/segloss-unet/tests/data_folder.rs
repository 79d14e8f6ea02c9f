//! Every way in which a data folder can be wrong is one clear line that names the file.

#![allow(clippy::unwrap_used)] // Helpers of tests may panic as tests do.

mod common;

use std::fs;
use std::path::Path;

use common::{write_pair, write_set};
use segloss_unet::config::DataConfig;
use segloss_unet::picture::write_png;
use segloss_unet::sample::Pixels;
use segloss_unet::{Dataset, Source, Split};

/// The error after `spoil` has changed a sound data set, without the temporary folder's path.
fn error(spoil: impl FnOnce(&Path)) -> String {
    error_with(spoil, DataConfig::default())
}

fn error_with(spoil: impl FnOnce(&Path), config: DataConfig) -> String {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path());
    spoil(folder.path());
    let config = DataConfig { folder: Some(folder.path().to_path_buf()), ..config };
    let text = Dataset::load(&config).unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text.replace(folder.path().to_str().unwrap(), "DIR")
}

#[test]
fn a_sound_folder_loads() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path());
    // Neither is an image.
    fs::write(folder.path().join("train/images/.hidden.png"), "x").unwrap();
    fs::write(folder.path().join("train/images/notes.txt"), "x").unwrap();
    let config = DataConfig { folder: Some(folder.path().to_path_buf()), ..DataConfig::default() };
    let data = Dataset::load(&config).unwrap();
    assert_eq!((data.train.len(), data.val.len(), data.channels), (2, 2, 1));
    assert_eq!(data.classes.names, ["class 0", "class 1"]);
}

#[test]
fn missing_and_empty_folders() {
    assert!(
        error(|dir| fs::remove_dir_all(dir).unwrap())
            .starts_with("DIR: no such folder; a data set is DIR/{train")
    );
    assert!(
        error(|dir| fs::remove_dir_all(dir.join("val")).unwrap())
            .starts_with("DIR/val/masks: no such folder")
    );
    let empty = |dir: &Path| {
        for kind in ["images", "masks"] {
            fs::remove_dir_all(dir.join("train").join(kind)).unwrap();
            fs::create_dir(dir.join("train").join(kind)).unwrap();
        }
    };
    assert_eq!(error(empty), "DIR/train/images: holds no PNG or JPEG image");
}

#[test]
fn pairs_must_be_complete_and_unique() {
    assert_eq!(
        error(|dir| fs::remove_file(dir.join("train/masks/b.png")).unwrap()),
        "DIR/train/images/b.png: has no mask: expected DIR/train/masks/b.png"
    );
    assert_eq!(
        error(|dir| fs::remove_file(dir.join("val/images/a.png")).unwrap()),
        "DIR/val/masks/a.png: has no image of the same stem in DIR/val/images"
    );
    assert_eq!(
        error(|dir| fs::write(dir.join("train/images/a.jpg"), "").unwrap()),
        "DIR/train/images/a.png: has the same stem as a.jpg; images and masks are paired by stem"
    );
}

#[test]
fn broken_files_are_named() {
    let truncate = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    for file in ["train/images/b.png", "train/masks/a.png"] {
        let text = error(|dir| truncate(&dir.join(file)));
        assert!(text.starts_with(&format!("DIR/{file}: cannot be decoded: ")), "{text}");
    }
    let rgb = Pixels { height: 20, width: 24, channels: 3, data: vec![9; 20 * 24 * 3] };
    let text = error(|dir| write_png(&dir.join("train/masks/a.png"), &rgb).unwrap());
    assert!(text.starts_with("DIR/train/masks/a.png: a mask must be an 8-bit grey or palette PNG"), "{text}");
}

#[test]
fn sizes_and_labels_are_checked() {
    let smaller = |dir: &Path| {
        write_pair(&dir.join("other"), "a", (20, 23), [0, 1]);
        fs::rename(dir.join("other/masks/a.png"), dir.join("train/masks/a.png")).unwrap();
    };
    assert_eq!(error(smaller), "DIR/train/masks/a.png: is 23x20 pixels, its image 24x20");
    let stray = |dir: &Path| write_pair(&dir.join("val"), "b", (20, 24), [0, 2]);
    assert_eq!(
        error(stray),
        "DIR/val/masks/b.png: label 2 at x=8, y=0; labels are 0 to 1; to ignore one, set data.ignore_index"
    );
    let ignored = DataConfig { ignore_index: Some(1), ..DataConfig::default() };
    let all_ignored = |dir: &Path| {
        for name in ["a", "b"] {
            write_pair(&dir.join("train"), name, (20, 24), [1, 1]);
        }
    };
    let text = error_with(all_ignored, ignored);
    assert_eq!(text, "DIR/train/masks/a.png: every pixel of the training masks carries the ignored label 1");
}

#[test]
fn the_description_is_checked() {
    let text = error(|dir| fs::write(dir.join("dataset.toml"), "[[class]]\ncolour = [1, 2, 3]").unwrap());
    assert!(text.starts_with("DIR/dataset.toml: ") && text.contains("name"), "{text}");
    let text = error(|dir| fs::write(dir.join("dataset.toml"), "ignore = 3").unwrap());
    assert!(text.contains("unknown field `ignore`"), "{text}");
    let text = error(|dir| fs::write(dir.join("dataset.toml"), "[[class]]\nname = \"only\"").unwrap());
    assert!(text.starts_with("DIR/train/masks/a.png: label 1 at x=8, y=0"), "{text}");
}

#[test]
fn the_embedded_files_are_those_of_the_repository() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist");
    let disk = Source::new(Some(&folder));
    assert_eq!(disk.description().unwrap(), Source::embedded().description().unwrap());
    for split in [Split::Train, Split::Val, Split::Test] {
        let names = |source: &Source| -> Vec<(String, Vec<u8>, Vec<u8>)> {
            let samples = source.load(split).unwrap().into_iter();
            samples.map(|sample| (sample.name, sample.image.data, sample.labels)).collect()
        };
        assert_eq!(names(&disk), names(&Source::embedded()));
    }
}
