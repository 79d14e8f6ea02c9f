//! A data folder as people have them, and every way in which one can be wrong: a clear line that names the file.

use std::fs;
use std::path::Path;

use crate::common::{write_pair, write_set};
use segloss_unet::classes::Coding;
use segloss_unet::config::DataConfig;
use segloss_unet::decode::{Stored, StoredMask};
use segloss_unet::picture::{write_mask, write_png};
use segloss_unet::pixels::{Depth, Pixels};
use segloss_unet::{Dataset, Reading, Source, Split};

const SIZE: (usize, usize) = (20, 24);

fn load(folder: &Path) -> Result<Dataset, segloss_unet::Error> {
    Dataset::load(&DataConfig { folder: Some(folder.to_path_buf()), ..DataConfig::default() })
}

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

/// What a sound data set becomes after `change`.
fn changed(change: impl FnOnce(&Path)) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path());
    change(folder.path());
    load(folder.path()).unwrap()
}

/// Writes every mask of a sound set anew, from its labels.
fn recode(folder: &Path, mask: impl Fn(&[u8]) -> Stored, name: impl Fn(&str) -> String) {
    for split in ["train", "val", "test"] {
        for stem in ["a", "b"] {
            let labels: Vec<u8> = (0..SIZE.0 * SIZE.1).map(|i| u8::from(i % SIZE.1 >= SIZE.1 / 3)).collect();
            let masks = folder.join(split).join("masks");
            fs::remove_file(masks.join(format!("{stem}.png"))).unwrap();
            let mask = StoredMask { height: SIZE.0, width: SIZE.1, values: mask(&labels) };
            write_mask(&masks.join(name(stem)), &mask).unwrap();
        }
    }
}

fn plain(stem: &str) -> String {
    format!("{stem}.png")
}

fn grey(of: [u16; 2]) -> impl Fn(&[u8]) -> Stored {
    move |labels| Stored::Grey(labels.iter().map(|&label| of[usize::from(label)]).collect())
}

/// The labels of the sound set, whatever its masks store.
#[track_caller]
fn same_labels(data: &Dataset) {
    let sound = changed(|_| {});
    let labels = |data: &Dataset| -> Vec<Vec<u8>> {
        data.train.iter().chain(&data.val).map(|sample| sample.labels.clone()).collect()
    };
    assert_eq!(labels(data), labels(&sound));
}

#[test]
fn a_sound_folder_loads_and_says_what_it_left_out() {
    let data = changed(|dir| {
        fs::write(dir.join("train/images/.hidden.png"), "x").unwrap();
        fs::write(dir.join("train/images/notes.txt"), "x").unwrap();
        fs::write(dir.join("README"), "x").unwrap();
        fs::write(dir.join("preview.png"), "x").unwrap();
    });
    assert_eq!((data.train.len(), data.val.len(), data.channels), (2, 2, 1));
    assert_eq!(data.classes.names, ["class 0", "class 1"]);
    assert_eq!(
        data.notes,
        [
            "left out: 2 files of a kind that is not read (1 .txt, 1 without extension); 1 file in neither images/ nor \
          masks/; 1 file whose name begins with a dot"
        ]
    );
    assert_eq!(changed(|_| {}).notes, [""; 0]);
}

#[test]
fn missing_and_empty_folders() {
    let text = error(|dir| fs::remove_dir_all(dir).unwrap());
    assert!(text.starts_with("DIR: no such folder; a data set is DIR/{train"), "{text}");
    let empty = |dir: &Path| {
        for split in ["train", "val", "test"] {
            fs::remove_dir_all(dir.join(split)).unwrap();
        }
    };
    assert!(error(empty).starts_with("DIR: holds no image; images are PNG"), "{}", error(empty));
    let deeper = |dir: &Path| {
        for split in ["train", "val", "test"] {
            fs::create_dir_all(dir.join("camvid")).unwrap();
            fs::rename(dir.join(split), dir.join("camvid").join(split)).unwrap();
        }
    };
    assert!(error(deeper).ends_with("; did you mean DIR/camvid?"), "{}", error(deeper));
    let no_train = |dir: &Path| fs::remove_dir_all(dir.join("train")).unwrap();
    assert!(error(no_train).starts_with("DIR/train: no such folder"), "{}", error(no_train));
}

#[test]
fn pairs_must_be_complete_and_unique() {
    assert_eq!(
        error(|dir| fs::remove_file(dir.join("train/masks/b.png")).unwrap()),
        "DIR/train/images/b.png: has no mask called b; masks are called, for example, a"
    );
    assert_eq!(
        error(|dir| fs::remove_file(dir.join("val/images/a.png")).unwrap()),
        "DIR/val/masks/a.png: has no image: expected one called a"
    );
    assert_eq!(
        error(|dir| fs::write(dir.join("train/images/a.jpg"), "").unwrap()),
        "DIR/train/images/a.png: has the same name as DIR/train/images/a.jpg, and images and masks are paired by name: \
         leave one of them"
    );
    let odd_suffix = |dir: &Path| {
        for stem in ["a", "b"] {
            let masks = dir.join("train/masks");
            fs::rename(masks.join(format!("{stem}.png")), masks.join(format!("{stem}-truth.png"))).unwrap();
        }
    };
    assert_eq!(
        error(odd_suffix),
        "DIR/train/images/a.png: has no mask called a; masks are called, for example, a-truth (2 of 2 images have \
         none); `mask_suffix` in dataset.toml says what their names add"
    );
}

#[test]
fn a_test_split_that_cannot_be_read_does_not_stop_training() {
    let data = changed(|dir| fs::remove_file(dir.join("test/masks/b.png")).unwrap());
    assert!(data.notes[0].starts_with("test is not looked at: "), "{:?}", data.notes);
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
}

#[test]
fn sizes_are_checked() {
    let other = |size: (usize, usize)| {
        move |dir: &Path| {
            write_pair(&dir.join("other"), "a", size, [0, 1]);
            fs::rename(dir.join("other/masks/a.png"), dir.join("train/masks/a.png")).unwrap();
        }
    };
    assert_eq!(error(other((20, 23))), "DIR/train/masks/a.png: is 23x20 pixels, its image 24x20");
    assert!(error(other((24, 20))).contains("an EXIF orientation is applied to images"));
}

#[test]
fn one_class_is_refused() {
    let one = |dir: &Path| {
        for split in ["train", "val", "test"] {
            for name in ["a", "b"] {
                write_pair(&dir.join(split), name, SIZE, [1, 1]);
            }
        }
    };
    assert!(error(one).contains("the value 1 and nothing else: there is nothing to tell apart"));
    let ignored = DataConfig { ignore_index: Some(1), ..DataConfig::default() };
    assert!(
        error_with(one, ignored.clone())
            .contains("every pixel of the training masks carries the ignored label 1")
    );
    assert!(error_with(|_| {}, ignored).contains("the value 0 and nothing else (label 1 is ignored"));
    let named = |dir: &Path| {
        one(dir);
        fs::write(dir.join("dataset.toml"), "[[class]]\nname = \"a\"\n[[class]]\nname = \"b\"").unwrap();
    };
    assert!(error(named).contains("the class `b` and nothing else"), "{}", error(named));
}

#[test]
fn a_class_of_another_split_alone_is_warned_of() {
    let data = changed(|dir| write_pair(&dir.join("test"), "b", SIZE, [0, 2]));
    assert_eq!((data.classes.count(), data.notes.len()), (3, 0));
    assert_eq!(
        data.warnings,
        [
            "no training mask has a pixel of class `class 2` (320 in test): the net cannot learn it; move images that \
          show it to train"
        ]
    );
    // With named classes nothing is guessed from it.
    let named = |dir: &Path| {
        fs::write(dir.join("dataset.toml"), "[[class]]\nname = \"a\"\n[[class]]\nname = \"b\"").unwrap();
        write_pair(&dir.join("val"), "b", SIZE, [0, 2]);
    };
    assert!(
        error(named).starts_with(
            "DIR/val/masks/b.png: value 2 at x=8, y=0 is of no class: labels are 0 to 1; name it"
        ),
        "{}",
        error(named)
    );
}

#[test]
fn an_ignored_label_that_ignores_nothing_is_told() {
    let data = changed(|dir| fs::write(dir.join("dataset.toml"), "ignore_index = 7").unwrap());
    assert_eq!(data.notes, ["no mask has a pixel of the ignored label 7"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_lead_nowhere_twice() {
    let data = changed(|dir| {
        fs::rename(dir.join("train"), dir.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", dir.join("train")).unwrap();
        std::os::unix::fs::symlink("..", dir.join("elsewhere/up")).unwrap();
    });
    assert_eq!((data.train.len(), data.val.len()), (2, 2));
}

#[test]
fn black_and_white_masks_are_two_classes() {
    let data = changed(|dir| recode(dir, grey([0, 255]), |stem| format!("{stem}_mask.png")));
    same_labels(&data);
    assert_eq!(data.classes.names, ["background", "foreground"]);
    assert!(
        data.notes[0].contains("suffix `_mask`") && data.notes[1].contains("0 and 255"),
        "{:?}",
        data.notes
    );
    // Shades of grey in RGB are the same.
    let rgb = |labels: &[u8]| Stored::Rgb(labels.iter().map(|&label| [255 * label; 3]).collect());
    same_labels(&changed(|dir| recode(dir, rgb, plain)));
}

#[test]
fn values_far_apart_want_a_description() {
    let sparse = |dir: &Path| recode(dir, grey([45, 171]), plain);
    assert!(error(sparse).contains("the values 45, 171"), "{}", error(sparse));
    let described = changed(|dir| {
        sparse(dir);
        let text = "[[class]]\nname = \"a\"\nvalue = 45\n[[class]]\nname = \"b\"\nvalue = 171";
        fs::write(dir.join("dataset.toml"), text).unwrap();
    });
    same_labels(&described);
}

#[test]
fn colours_are_classes() {
    let colours = |labels: &[u8]| {
        Stored::Rgb(labels.iter().map(|&label| [[0, 0, 0], [226, 169, 41]][usize::from(label)]).collect())
    };
    let data = changed(|dir| recode(dir, colours, plain));
    same_labels(&data);
    assert_eq!(data.classes.names, ["#000000", "#e2a929"]);
    let named = changed(|dir| {
        recode(dir, colours, plain);
        let text = "[[class]]\nname = \"land\"\ncolour = [226, 169, 41]\n[[class]]\nname = \"void\"\n\
                    colour = [0, 0, 0]\nignore = true\n[[class]]\nname = \"water\"\ncolour = [1, 1, 1]";
        fs::write(dir.join("dataset.toml"), text).unwrap();
        // The other class must be there, too.
        let mask = |labels: &[u8]| {
            Stored::Rgb(labels.iter().map(|&label| [[1, 1, 1], [226, 169, 41]][usize::from(label)]).collect())
        };
        let labels: Vec<u8> = (0..SIZE.0 * SIZE.1).map(|i| (i % 2) as u8).collect();
        let mask = StoredMask { height: SIZE.0, width: SIZE.1, values: mask(&labels) };
        write_mask(&dir.join("train/masks/a.png"), &mask).unwrap();
    });
    assert_eq!(named.classes.names, ["land", "water"]);
    assert_eq!(named.train[1].labels[..9], [255, 255, 255, 255, 255, 255, 255, 255, 0]);
    assert!(matches!(named.classes.coding, Coding::Colours { .. }));
}

/// Writes palette masks whose palettes are each in an order of its own.
fn palettes(dir: &Path) {
    for split in ["train", "val", "test"] {
        for (stem, swap) in [("a", false), ("b", true)] {
            let path = dir.join(split).join("masks").join(format!("{stem}.png"));
            let colours = if swap { [200, 0, 0, 0, 0, 0] } else { [0, 0, 0, 200, 0, 0] };
            let file = fs::File::create(path).unwrap();
            let mut encoder = png::Encoder::new(file, SIZE.1 as u32, SIZE.0 as u32);
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(colours.to_vec());
            let index = |i: usize| u8::from((i % SIZE.1 >= SIZE.1 / 3) != swap);
            let data: Vec<u8> = (0..SIZE.0 * SIZE.1).map(index).collect();
            encoder.write_header().unwrap().write_image_data(&data).unwrap();
        }
    }
}

#[test]
fn palettes_that_differ_are_matched_by_colour_or_refused() {
    let data = changed(palettes);
    same_labels(&data);
    assert!(
        data.notes[0].contains("palettes differ (index 0 is #000000 in train/masks/a.png"),
        "{:?}",
        data.notes
    );
    let colours =
        "[[class]]\nname = \"a\"\ncolour = [0, 0, 0]\n[[class]]\nname = \"b\"\ncolour = [200, 0, 0]";
    let described = |text: &'static str| {
        move |dir: &Path| {
            palettes(dir);
            fs::write(dir.join("dataset.toml"), text).unwrap();
        }
    };
    same_labels(&changed(described(colours)));
    let text = error(described("[[class]]\nname = \"a\"\n[[class]]\nname = \"b\""));
    assert!(text.contains("its palette says index 0 is #c80000"), "{text}");
}

/// A palette says what its indices mean: as described, whatever the order, and as the net has learned.
#[test]
fn palettes_are_held_to_the_colours_of_the_classes() {
    let palette = |dir: &Path, colours: [[u8; 3]; 2]| {
        for split in ["train", "val", "test"] {
            for stem in ["a", "b"] {
                let path = dir.join(split).join("masks").join(format!("{stem}.png"));
                let mut encoder =
                    png::Encoder::new(fs::File::create(path).unwrap(), SIZE.1 as u32, SIZE.0 as u32);
                encoder.set_color(png::ColorType::Indexed);
                encoder.set_palette(colours.concat());
                let data: Vec<u8> =
                    (0..SIZE.0 * SIZE.1).map(|i| u8::from(i % SIZE.1 >= SIZE.1 / 3)).collect();
                encoder.write_header().unwrap().write_image_data(&data).unwrap();
            }
        }
    };
    let (green, red) = ([0, 255, 0], [255, 0, 0]);
    let text =
        "[[class]]\nname = \"red\"\ncolour = [255, 0, 0]\n[[class]]\nname = \"green\"\ncolour = [0, 255, 0]";
    let described = changed(|dir| {
        palette(dir, [green, red]);
        fs::write(dir.join("dataset.toml"), text).unwrap();
    });
    // Index 1, on the right, is red: class 0.
    assert_eq!((described.train[0].labels[0], described.train[0].labels[SIZE.1 - 1]), (1, 0));

    let by_index = changed(|dir| palette(dir, [green, red]));
    assert_eq!(by_index.classes.colours, [green, red]);
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path());
    let load = || {
        Reading::with_classes(&Source::new(Some(folder.path())), &by_index.classes)
            .unwrap()
            .load(Split::Test, false)
    };
    palette(folder.path(), [green, red]);
    assert_eq!(load().unwrap().len(), 2);
    palette(folder.path(), [red, green]);
    assert!(
        load()
            .unwrap_err()
            .to_string()
            .contains("its palette says index 0 is #ff0000, and the net's class 0")
    );
    palettes(folder.path());
    assert!(load().unwrap_err().to_string().contains("its palette says index 0 is"));
}

#[test]
fn doubtful_codings_are_asked_about() {
    // A stray 1 in black and white masks.
    let stray = |dir: &Path| {
        let mask = |labels: &[u8]| {
            let mut values: Vec<u16> = labels.iter().map(|&label| 255 * u16::from(label)).collect();
            values[0] = 1;
            Stored::Grey(values)
        };
        recode(dir, mask, plain);
    };
    assert!(error(stray).contains("255 for 1920 pixels and labels from 1 to 254 for 6"), "{}", error(stray));
    // One split in labels, another in black and white.
    let mixed = |dir: &Path| {
        let other = tempfile::tempdir().unwrap();
        write_set(other.path());
        recode(other.path(), grey([0, 255]), plain);
        fs::copy(other.path().join("val/masks/a.png"), dir.join("val/masks/a.png")).unwrap();
        fs::copy(other.path().join("val/masks/b.png"), dir.join("val/masks/b.png")).unwrap();
    };
    assert!(error(mixed).contains("the masks of val hold 255 for 640 pixels"), "{}", error(mixed));
    // Names for two classes, and 255 is none of them: the pixel is named, not the class that is left.
    let named = |dir: &Path| {
        recode(dir, grey([0, 255]), plain);
        fs::write(dir.join("dataset.toml"), "[[class]]\nname = \"a\"\n[[class]]\nname = \"b\"").unwrap();
    };
    assert!(error(named).contains("value 255 at x=8, y=0 is of no class"), "{}", error(named));
}

#[test]
fn maps_that_nobody_asks_for_stop_nothing() {
    let data = changed(|dir| {
        fs::create_dir_all(dir.join("train/maps")).unwrap();
        fs::write(dir.join("train/maps/other.npy"), "").unwrap();
    });
    assert!(data.notes[0].starts_with("left out: 1 weight maps"), "{:?}", data.notes);
}

#[test]
fn a_folder_without_splits_is_divided_and_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for i in 0..20 {
        write_pair(dir, &format!("im{i:02}"), SIZE, [0, 1]);
    }
    let data = load(dir).unwrap();
    assert_eq!((data.train.len(), data.val.len()), (14, 3));
    assert!(
        data.notes[0].starts_with("20 images are divided at random (seed 0): 14 to train"),
        "{:?}",
        data.notes
    );
    let names = |samples: &[segloss_unet::sample::Sample]| -> Vec<String> {
        samples.iter().map(|sample| sample.name.clone()).collect()
    };
    assert_eq!(names(&load(dir).unwrap().train), names(&data.train));
    let reading = Reading::with_classes(&Source::new(Some(dir)), &data.classes).unwrap();
    let test = names(&reading.load(Split::Test, false).unwrap());
    assert_eq!(test.len(), 3);
    assert!(test.iter().all(|name| !names(&data.train).contains(name) && !names(&data.val).contains(name)));
    fs::write(dir.join("dataset.toml"), "[split]\nval = 0.5\ntest = 0.0\nseed = 7").unwrap();
    assert_eq!(load(dir).unwrap().val.len(), 10);
}

#[test]
fn train_lends_to_a_missing_val_and_split_acts_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for i in 0..10 {
        write_pair(&dir.join("training"), &format!("im{i}"), SIZE, [0, 1]);
    }
    let data = load(dir).unwrap();
    assert_eq!((data.train.len(), data.val.len()), (8, 2));
    assert!(data.notes[0].starts_with("there is no val, so 10 images are divided"), "{:?}", data.notes);
    let text = error(|dir| fs::write(dir.join("dataset.toml"), "[split]\nval = 0.2").unwrap());
    assert!(text.starts_with("DIR/dataset.toml: `[split]` divides a folder that has no val"), "{text}");
}

#[test]
fn other_layouts_hold_the_same() {
    let transposed = |dir: &Path| {
        for kind in ["images", "masks"] {
            for (from, to) in [("train", "train"), ("val", "validation"), ("test", "testing")] {
                let name = if kind == "masks" { "Labels" } else { "JPEGImages" };
                fs::create_dir_all(dir.join(name)).unwrap();
                fs::rename(dir.join(from).join(kind), dir.join(name).join(to)).unwrap();
            }
        }
        for split in ["train", "val", "test"] {
            fs::remove_dir(dir.join(split)).unwrap();
        }
    };
    same_labels(&changed(transposed));
    let nested = changed(|dir| {
        for split in ["train", "val", "test"] {
            for kind in ["images", "masks"] {
                let folder = dir.join(split).join(kind);
                fs::create_dir_all(folder.join("x/y")).unwrap();
                fs::rename(folder.join("a.png"), folder.join("x/y/a.png")).unwrap();
            }
        }
    });
    let names: Vec<&str> = nested.train.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names, ["b", "x/y/a"]);
}

#[test]
fn deep_images_keep_their_range_and_do_not_mix_with_others() {
    let deep = |dir: &Path, split: &str, stem: &str| {
        let path = dir.join(split).join("images").join(format!("{stem}.png"));
        fs::remove_file(&path).unwrap();
        let values = (0..SIZE.0 * SIZE.1).map(|i| (i * 97) as u16).collect();
        let tiff = path.with_extension("tif");
        let mut file = fs::File::create(tiff).unwrap();
        let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
        let values: Vec<u16> = values;
        encoder
            .write_image::<tiff::encoder::colortype::Gray16>(SIZE.1 as u32, SIZE.0 as u32, &values)
            .unwrap();
    };
    let all = changed(|dir| {
        for split in ["train", "val", "test"] {
            for stem in ["a", "b"] {
                deep(dir, split, stem);
            }
        }
    });
    assert_eq!(all.normalisation.depth, Depth::Sixteen);
    assert!(all.normalisation.mean[0] > 20_000.0);
    let text = error(|dir| deep(dir, "train", "b"));
    assert!(
        text.starts_with("DIR/train/images/b.tif: is a 16-bit image, and DIR/train/images/a.png is 8-bit"),
        "{text}"
    );
    let both = |dir: &Path| ["a", "b"].iter().for_each(|stem| deep(dir, "val", stem));
    assert!(
        error(both).starts_with("DIR/val/images/a.tif: is a 16-bit image; the net was trained on 8-bit ones")
    );
}

#[test]
fn the_description_is_checked() {
    let text = error(|dir| fs::write(dir.join("dataset.toml"), "[[class]]\ncolour = [1, 2, 3]").unwrap());
    assert!(text.starts_with("DIR/dataset.toml: ") && text.contains("name"), "{text}");
    let text = error(|dir| fs::write(dir.join("dataset.toml"), "ignore = 3").unwrap());
    assert!(text.contains("unknown key `ignore`; did you mean `ignore_index`?"), "{text}");
    let text = error(|dir| fs::write(dir.join("dataset.toml"), "mask_suffix = \"_m\"").unwrap());
    assert!(text.contains("no mask's name ends so"), "{text}");
    let coloured = |dir: &Path| {
        let rgb = |labels: &[u8]| Stored::Rgb(labels.iter().map(|&label| [label, 9, 0]).collect());
        recode(dir, rgb, plain);
        fs::write(dir.join("dataset.toml"), "[[class]]\nname = \"a\"\n[[class]]\nname = \"b\"").unwrap();
    };
    assert_eq!(
        error(coloured),
        "DIR/dataset.toml: the masks are coded by colour, and class `a` has no `colour`"
    );
}

#[test]
fn the_embedded_files_are_those_of_the_repository() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist");
    let disk = Source::new(Some(&folder));
    assert_eq!(disk.description().unwrap(), Source::embedded().description().unwrap());
    for split in Split::ALL {
        let samples = |source: &Source| -> Vec<(String, segloss_unet::pixels::Image, Vec<u8>)> {
            let reading = Reading::open(source, &[split], None).unwrap();
            let samples = reading.load(split, false).unwrap().into_iter();
            samples.map(|sample| (sample.name, sample.image, sample.labels)).collect()
        };
        assert_eq!(samples(&disk), samples(&Source::embedded()));
    }
}

/// Pictures that are not masks are not written by accident.
#[test]
fn pictures_of_masks_are_refused_with_their_first_colour() {
    let rgb = Pixels { height: SIZE.0, width: SIZE.1, channels: 3, data: vec![9; SIZE.0 * SIZE.1 * 3] };
    let photograph = |dir: &Path| {
        let data = (0..SIZE.0 * SIZE.1 * 3).map(|i| (i * 31 % 251) as u8).collect();
        write_png(&dir.join("train/masks/a.png"), &Pixels { data, ..rgb.clone() }).unwrap();
    };
    let text = error(photograph);
    assert!(text.contains("is coded by colour and") || text.contains("colours, more than"), "{text}");
}
