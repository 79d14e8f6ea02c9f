//! `losses` and `eval` as a user meets them: files, streams, exit codes.

use ndarray::{Array3, Array4, ArrayD};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn segloss(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_segloss")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn worked_example(file: &str) -> String {
    format!("{}/../../fixtures/worked_example/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn eval(spec: &str, logits: &str, target: &str, more: &[&str]) -> Output {
    segloss(&[&["eval", "--spec", spec, "--logits", logits, "--target", target], more].concat())
}

/// `eval` on the worked example, with one file replaced.
fn worked(replaced: Option<(&str, &Path)>, more: &[&str]) -> Output {
    let file = |role: &str, name: &str| match replaced {
        Some((replaced, path)) if replaced == role => path.to_str().unwrap().to_owned(),
        _ => worked_example(name),
    };
    let spec = file("spec", "s3.toml");
    eval(&spec, &file("logits", "logits.npy"), &file("target", "target.npy"), more)
}

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty());
    assert!(message.starts_with("error: ") && words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn the_worked_example_has_the_document_s_value_and_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let gradient = folder.path().join("g.npy");
    let map = folder.path().join("m.npy");
    let files = ["--grad", gradient.to_str().unwrap(), "--map", map.to_str().unwrap()];
    let output = worked(None, &files);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("value         0.33938637\n"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("balances nothing"));
    for (ours, theirs) in [(gradient, "s3_gradient.npy"), (map, "s3_map.npy")] {
        let read = |path: &Path| ArrayD::<f32>::read_npy(fs::File::open(path).unwrap()).unwrap();
        let (ours, theirs) = (read(&ours), read(&PathBuf::from(worked_example(theirs))));
        assert_eq!(ours.shape(), theirs.shape());
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() <= 1e-7), "{ours} {theirs}");
    }
}

#[test]
fn a_one_hot_target_and_json_say_the_same() {
    let one_hot = worked_example("one_hot.npy");
    let output = worked(Some(("target", Path::new(&one_hot))), &["--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(text(&output.stdout).contains("\"value\": 0.33938637,"));
    assert_eq!(report["valid_pixels"], 4);
    assert_eq!(report["effective_weights"][0][2], 1.0 / 3.0);
    assert!(report["warnings"][0].as_str().unwrap().contains("balances nothing"));
    // In JSON the warnings are data.
    assert!(output.stderr.is_empty());
}

#[test]
fn arrays_that_cannot_be_used_are_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.npy");
    let write = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
    let good = fs::read(worked_example("logits.npy")).unwrap();

    write(&good[..good.len() - 5]);
    refused(&worked(Some(("logits", &path)), &[]), &["bad.npy", "truncated: 5 bytes"]);
    write(&good[..40]);
    refused(&worked(Some(("logits", &path)), &[]), &["bad.npy"]);
    write(b"not an array");
    refused(&worked(Some(("logits", &path)), &[]), &["bad.npy", "not a NumPy array"]);

    // A header that promises four terabytes: an error, not an allocation.
    let huge = text(&good[10..128]).replace("(1, 2, 2, 3), }            ", "(1, 2, 500000000000, 3), } ");
    assert_eq!(huge.len(), 118, "the replacement must keep the header's length: {huge}");
    write(&[&good[..10], huge.as_bytes(), &good[128..]].concat());
    refused(&worked(Some(("logits", &path)), &[]), &["bad.npy", "truncated"]);

    let mut bytes = Vec::new();
    Array4::<f32>::zeros((2, 2, 2, 3)).write_npy(&mut bytes).unwrap();
    write(&bytes);
    refused(&worked(Some(("logits", &path)), &[]), &["target has shape [1, 2, 2]; expected [2, 2, 2]"]);

    bytes.clear();
    Array3::<u8>::from_elem((1, 2, 2), 7).write_npy(&mut bytes).unwrap();
    write(&bytes);
    refused(&worked(Some(("target", &path)), &[]), &["label 7 at [0, 0, 0]", "expected 0..=2"]);

    bytes.clear();
    Array4::<f32>::from_elem((1, 2, 2, 3), f32::NAN).write_npy(&mut bytes).unwrap();
    write(&bytes);
    refused(&worked(Some(("logits", &path)), &[]), &["logit of class 0 at [0, 0, 0] is NaN"]);

    refused(&worked(Some(("logits", &folder.path().join("none.npy"))), &[]), &["cannot read", "none.npy"]);
    refused(&worked(None, &["--grad", "/nonexistent/folder/g.npy"]), &["cannot write"]);
}

#[test]
fn specifications_that_cannot_be_used_name_the_key() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, word) in [
        (
            "a.toml",
            "kind = \"cross_entropy\"\ngamma = 2",
            "`gamma` is set; expected absent: cross_entropy takes",
        ),
        ("b.toml", "kind = ", "b.toml"),
        ("u.toml", "gama = 2", "line 1: unknown key `gama`; did you mean `gamma`?"),
        ("c.json", "{\"kind\": \"dyce\"}", "unknown name `dyce`; did you mean `dice`?"),
        (
            "d.toml",
            "layout = \"channels_last\"\n[weights]\nsource = \"fixed\"\nvalues = [1.0]",
            "has 1 entries",
        ),
        ("e.toml", "kind = \"document_binary\"\nthreshold = { document = 2.0 }", "`threshold.document` is 2"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        refused(&worked(Some(("spec", &path)), &[]), &[word]);
    }
}

/// Whatever a framework saves is taken: integers of every width, bool, 16-bit floats, any byte order, `.npz`.
#[test]
fn arrays_come_in_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let plain = text(&worked(None, &["--json"]).stdout);
    let value = |output: &Output| -> f64 {
        let report: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        report["value"].as_f64().unwrap()
    };
    let expected = serde_json::from_str::<serde_json::Value>(&plain).unwrap()["value"].as_f64().unwrap();
    let path = folder.path().join("y.npy");
    let labels = Array3::from_shape_vec((1, 2, 2), labels_of_the_worked_example()).unwrap();
    let hot = Array4::from_shape_fn((1, 2, 2, 3), |(n, y, x, c)| i64::from(labels[[n, y, x]]) == c as i64);
    let save = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        fs::write(&path, bytes).unwrap();
    };
    let same = || assert_eq!(value(&worked(Some(("target", &path)), &["--json"])), expected);
    save(&|bytes| labels.mapv(i8::try_from).mapv(Result::unwrap).write_npy(bytes).unwrap());
    same();
    save(&|bytes| labels.mapv(u64::from).write_npy(bytes).unwrap());
    same();
    // One-hot rows of integers or bool have the shape of the logits.
    save(&|bytes| hot.write_npy(bytes).unwrap());
    same();
    save(&|bytes| hot.mapv(u16::from).write_npy(bytes).unwrap());
    same();

    let mask = |pixels: [u8; 4]| {
        save(&|bytes| Array3::from_shape_vec((1, 2, 2), pixels.to_vec()).unwrap().write_npy(bytes).unwrap());
        worked(None, &["--json", "--mask", path.to_str().unwrap()])
    };
    assert_eq!(value(&mask([1; 4])), expected);
    assert_ne!(value(&mask([1, 0, 1, 1])), expected);
    refused(&mask([1, 1, 2, 1]), &["y.npy: holds 2 at [0, 1, 0]; a mask is 1 where a pixel counts"]);
    save(&|bytes| labels.mapv(f64::from).write_npy(bytes).unwrap());
    refused(&worked(None, &["--mask", path.to_str().unwrap()]), &["holds float64; expected bool"]);
    save(&|bytes| labels.write_npy(bytes).unwrap());
    refused(&worked(Some(("logits", &path)), &[]), &["holds uint8; expected float16, float32 or float64"]);
}

fn labels_of_the_worked_example() -> Vec<u8> {
    let path = worked_example("target.npy");
    let file = segloss_unet::npy::NpyFile::open(Path::new(&path)).unwrap();
    match file.array {
        segloss_unet::npy::Array::U8(labels) => labels.into_iter().collect(),
        segloss_unet::npy::Array::Int(labels) => labels.into_iter().map(|label| label as u8).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_that_is_read_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| {
        let path = folder.path().join(to);
        fs::copy(worked_example(from), &path).unwrap();
        path
    };
    let (logits, spec) = (copy("logits.npy", "z.npy"), copy("s3.toml", "s.toml"));
    let before = (fs::read(&logits).unwrap(), fs::read(&spec).unwrap());
    for (operand, path) in [("logits", &logits), ("spec", &spec)] {
        for flag in ["--grad", "--map"] {
            refused(
                &worked(Some((operand, path)), &[flag, path.to_str().unwrap()]),
                &["would be overwritten"],
            );
        }
    }
    assert_eq!((fs::read(&logits).unwrap(), fs::read(&spec).unwrap()), before);
    let g = folder.path().join("g.npy");
    let g = g.to_str().unwrap();
    refused(&worked(None, &["--grad", g, "--map", g]), &["--grad and --map would overwrite each other"]);
}

/// Printed warnings are told once, and a specification without a key is none.
#[test]
fn an_empty_specification_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    fs::write(&path, "# nothing\n").unwrap();
    refused(&worked(Some(("spec", &path)), &[]), &["s.toml", "holds no key"]);
}

#[test]
fn the_list_is_the_registry() {
    let listed = segloss(&["losses"]);
    let json = segloss(&["losses", "--json"]);
    let infos: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(infos.len(), segloss::Kind::ALL.len());
    for (kind, info) in segloss::Kind::ALL.iter().zip(&infos) {
        assert_eq!(info["name"], kind.name());
        assert!(text(&listed.stdout).contains(&format!("{}\n  ", kind.name())));
        for part in [&info["formula"], &info["reference"], &info["options"][0]["meaning"]] {
            assert!(text(&listed.stdout).contains(part.as_str().unwrap()), "{part}");
        }
    }
    let short = segloss(&["losses", "--short"]);
    assert_eq!(text(&short.stdout).lines().count(), infos.len());
    let one = segloss(&["losses", "dice"]);
    assert!(text(&one.stdout).starts_with("dice\n") && !text(&one.stdout).contains("jaccard\n"));
    refused(&segloss(&["losses", "dyce"]), &["no kind of loss is called `dyce`", "dice"]);
}

/// Every kind from a specification file, in both layouts, with a weight for each pixel.
#[test]
fn every_kind_is_evaluated_in_both_layouts_with_equal_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let first = Array4::from_shape_fn((2, 3, 4, 5), |(n, c, h, w)| {
        ((n * 60 + c * 20 + h * 5 + w) as f64 * 0.73).sin() * if c == 0 { 1.0 } else { 1.2 }
    });
    let last = first.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().to_owned();
    let labels = Array3::from_shape_fn((2, 4, 5), |(n, h, w)| [0_u8, 1, 2, 1, 255][(n + 3 * h + w * w) % 5]);
    let map = Array3::from_shape_fn((2, 4, 5), |(n, h, w)| 0.5 + (n + h + w) as f32 * 0.25);
    first.write_npy(fs::File::create(path("first.npy")).unwrap()).unwrap();
    last.write_npy(fs::File::create(path("last.npy")).unwrap()).unwrap();
    labels.write_npy(fs::File::create(path("y.npy")).unwrap()).unwrap();
    map.write_npy(fs::File::create(path("m.npy")).unwrap()).unwrap();
    for kind in segloss::Kind::ALL {
        let terms = match kind {
            segloss::Kind::Combined => {
                "[[terms]]\nloss = { kind = \"dice\" }\n[[terms]]\nfactor = 0.5\nloss = { kind = \"boundary\" }\n"
            }
            _ => "",
        };
        let results = ["first", "last"].map(|layout| {
            let spec = format!(
                "kind = \"{}\"\nlayout = \"channels_{layout}\"\nignore_index = 255\n{terms}",
                kind.name()
            );
            fs::write(path("spec.toml"), spec).unwrap();
            let (logits, gradient) = (path(&format!("{layout}.npy")), path("g.npy"));
            let more = ["--weight-map", &path("m.npy"), "--grad", &gradient, "--json"];
            let output = eval(&path("spec.toml"), &logits, &path("y.npy"), &more);
            assert!(output.status.success(), "{kind:?}: {}", text(&output.stderr));
            let gradient = Array4::<f64>::read_npy(fs::File::open(&gradient).unwrap()).unwrap();
            (text(&output.stdout), gradient)
        });
        let [(one, gradient), (other, relaid)] = results;
        assert_eq!(one, other, "{kind:?}");
        assert_eq!(gradient, relaid.permuted_axes([0, 3, 1, 2]), "{kind:?}");
        assert!(gradient.iter().any(|&g| g != 0.0), "{kind:?}");
    }
}

#[test]
fn a_kind_without_a_map_says_so_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (spec, map) = (folder.path().join("dice.toml"), folder.path().join("map.npy"));
    fs::write(&spec, "kind = \"dice\"\nlayout = \"channels_last\"").unwrap();
    let gradient = folder.path().join("g.npy");
    let files = ["--map", map.to_str().unwrap(), "--grad", gradient.to_str().unwrap()];
    refused(
        &worked(Some(("spec", &spec)), &files),
        &["dice: this loss is no sum over pixels, so that it has no map"],
    );
    assert!(!map.exists() && !gradient.exists());
}
