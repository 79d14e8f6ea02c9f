//! `train`, `evaluate` and `predict` as a user meets them: files, streams, exit codes.

#![allow(clippy::unwrap_used)] // Helpers of tests may panic as tests do.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use segloss_unet::decode::decode_image;

fn segloss(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segloss"));
    command.current_dir(folder).args(args);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The single line of an error that ends with exit code 2.
#[track_caller]
fn refused(folder: &Path, args: &[&str]) -> String {
    let output = segloss(folder, args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}{}", stdout(&output), stderr(&output));
    assert_eq!(stdout(&output), "", "{args:?}");
    let text = stderr(&output);
    assert!(text.starts_with("error: "), "{text}");
    text
}

/// `refused`, where the message is ours and one line.
#[track_caller]
fn one_line(folder: &Path, args: &[&str]) -> String {
    let text = refused(folder, args);
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

const SMALL: [&str; 8] = [
    "--set",
    "model.width=4",
    "--set",
    "model.depth=2",
    "--set",
    "train.epochs=2",
    "--set",
    "data.flips=both",
];

fn train(folder: &Path, more: &[&str]) -> Output {
    let mut args = vec!["train", "--out", "run"];
    args.extend(SMALL);
    args.extend(more);
    segloss(folder, &args)
}

#[test]
fn from_training_to_prediction() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let trained = train(dir, &["--threads", "2"]);
    assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
    // Standard error is no terminal here: one line to begin with and one per epoch.
    assert_eq!(stderr(&trained).lines().count(), 3, "{}", stderr(&trained));
    assert!(stderr(&trained).contains("epoch   2/2  loss "), "{}", stderr(&trained));
    assert!(stdout(&trained).starts_with("best epoch "), "{}", stdout(&trained));
    for file in ["config.toml", "log.csv", "curves.svg", "classes.csv", "classes.md", "best.safetensors"] {
        assert!(dir.join("run").join(file).is_file(), "{file}");
    }
    assert_eq!(fs::read_dir(dir.join("run/overlays")).unwrap().count(), 4);

    let table = segloss(dir, &["evaluate", "--run", "run"]);
    assert_eq!(table.status.code(), Some(0), "{}", stderr(&table));
    assert!(
        stdout(&table).contains("| nucleus ") && stdout(&table).contains("mean IoU "),
        "{}",
        stdout(&table)
    );
    assert_eq!(stderr(&table), "");
    let json =
        segloss(dir, &["evaluate", "--run", "run", "--split", "val", "--checkpoint", "last", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["epoch"], &json["split"]), (&2.into(), &"val".into()));
    assert_eq!(json["classes"][2]["name"], "boundary");
    assert_eq!(json["valid_pixels"], 4 * 128 * 128);

    let tile =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist/test/images/r3c0.png");
    let tile = fs::canonicalize(tile).unwrap();
    let tile = tile.to_str().unwrap();
    let found = segloss(dir, &["predict", "--run", "run", "--out", "found", tile]);
    assert_eq!(found.status.code(), Some(0), "{}", stderr(&found));
    assert_eq!(stdout(&found).trim_end(), Path::new("found").join("r3c0_classes.png").to_str().unwrap());
    let picture = |name: &str| {
        let path = dir.join("found").join(name);
        decode_image(&fs::read(&path).unwrap(), &path).unwrap()
    };
    let classes = picture("r3c0_classes.png");
    assert_eq!((classes.width, classes.height, classes.channels), (128, 128, 1));
    assert!((0..classes.values.len()).all(|at| classes.values.get(at) < 3.0));
    assert_eq!(picture("r3c0_overlay.png").width, 2 * 128 + 4);

    assert!(
        one_line(dir, &["train", "--out", "run"])
            .contains("run: holds a run already; go on with it (--resume)")
    );
    let again = segloss(dir, &["train", "--out", "run", "--resume", "--quiet"]);
    assert_eq!((again.status.code(), stderr(&again)), (Some(0), String::new()));
    assert_eq!(stdout(&again), stdout(&trained));
    assert!(
        one_line(dir, &["predict", "--run", "run", "--out", "x", tile, tile])
            .contains("r3c0.png would both become x/r3c0_classes.png")
    );
    assert!(
        one_line(dir, &["predict", "--run", "run", "--out", "x", "no.png"]).contains("cannot read no.png: ")
    );

    let checkpoint = dir.join("run/best.safetensors");
    let bytes = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, &bytes[..1000]).unwrap();
    assert!(
        one_line(dir, &["evaluate", "--run", "run"])
            .contains("run/best.safetensors: not a whole safetensors file")
    );
}

#[test]
fn quiet_and_json() {
    let root = tempfile::tempdir().unwrap();
    let output = train(root.path(), &["--quiet", "--json"]);
    assert_eq!(stderr(&output), "");
    let rows: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["epoch"], 2);
    assert!(rows[0]["mean_iou"].is_f64());
}

#[test]
fn sources_of_the_configuration() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    fs::write(dir.join("c.toml"), "[train]\nepochs = 9\nseed = 5\n[loss]\nkind = \"document_sigmoid\"")
        .unwrap();
    fs::write(dir.join("l.toml"), "[weights]\nsource = \"per_sample\"").unwrap();
    let output = train(dir, &["--config", "c.toml", "--loss", "l.toml", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let used = fs::read_to_string(dir.join("run/config.toml")).unwrap();
    for line in
        ["epochs = 2", "seed = 5", "kind = \"cross_entropy\"", "source = \"per_sample\"", "beta2 = 0.999"]
    {
        assert!(used.contains(line), "{line}: {used}");
    }
}

#[test]
fn bad_usage_and_bad_files_are_exit_code_2() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    assert!(
        one_line(dir, &["train", "--out", "r", "--set", "train.epoch=5"]).contains("did you mean `epochs`")
    );
    assert!(one_line(dir, &["train", "--out", "r", "--set", "train.epochs"]).contains("key=value"));
    assert!(one_line(dir, &["train", "--out", "r", "--data", "nowhere"]).contains("nowhere: no such folder"));
    assert!(one_line(dir, &["train", "--out", "r", "--config", "no.toml"]).contains("cannot read no.toml: "));
    assert!(one_line(dir, &["evaluate", "--run", "r"]).contains("r: holds no run"));
    assert!(refused(dir, &["train", "--out", "r", "--resume", "--restart"]).contains("cannot be used with"));
    assert!(refused(dir, &["evaluate", "--run", "r", "--split", "tset"]).contains("'test'"));
    assert!(refused(dir, &["predict", "--run", "r", "--out", "o"]).contains("<IMAGE>"));
    // Nothing was made on the way.
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    fs::write(dir.join("l.toml"), "gama = 2.0").unwrap();
    let text = one_line(dir, &["train", "--out", "r", "--loss", "l.toml"]);
    assert!(text.contains("unknown key `loss.gama`; did you mean"), "{text}");
}

#[test]
fn help_teaches() {
    for command in ["train", "evaluate", "predict"] {
        let output = segloss(Path::new("."), &[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("Examples:"), "{}", stdout(&output));
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    let mut args = vec!["train", "--out", "run", "--json", "--quiet"];
    args.extend(SMALL);
    let mut child =
        command(root.path(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}
