//! `weights` as a user meets it: tables, files, exit codes.

use std::process::{Command, Output};

fn weights(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_segloss")).arg("weights").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn refused(args: &[&str], words: &str) {
    let output = weights(args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty() && message.contains(words), "{message}");
}

#[test]
fn the_embedded_tiles_are_counted_and_weighed() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("weights.svg");
    let table = weights(&["--plot", plot.to_str().unwrap()]);
    assert!(table.status.success(), "{}", text(&table.stderr));
    let table = text(&table.stdout);
    assert!(table.contains("| boundary   |") && table.contains("1 pixel in 34"), "{table}");
    assert!(std::fs::read_to_string(plot).unwrap().contains("median_frequency"));

    let json = weights(&["--json", "--reference", "0.1895,1,5.269"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["counts"]["valid"], 131_072.0);
    assert_eq!(report["schemes"][3]["scheme"], "median_frequency");
    assert!(report["reference"]["largest"].as_f64().unwrap() < 1e-3);
    assert_eq!(text(&weights(&["--csv"]).stdout).lines().count(), 4);
}

/// What `--toml` prints is what a specification reads.
#[test]
fn the_printed_counts_make_a_specification() {
    let printed = text(&weights(&["--toml"]).stdout);
    let spec = format!("[weights]\nsource = \"dataset\"\nscheme = \"median_frequency\"\n{printed}");
    let spec = segloss::LossSpec::from_toml(&spec).unwrap();
    let weights = spec.weights.of_counts(spec.dataset.as_ref().unwrap());
    assert_eq!(weights[1], 1.0);
    assert!(segloss::Loss::new(spec).is_ok());
}

#[test]
fn what_cannot_be_asked_is_refused() {
    refused(&["--reference", "1,2"], "--reference has 2 weights; the data set has 3 classes");
    refused(&["--beta", "1"], "--beta is 1; expected at least 0 and below 1");
    refused(&["--count-void"], "--count-void needs an ignored label");
    refused(&["--data", "/nonexistent"], "/nonexistent");
    refused(&["--plot", "/nonexistent/w.svg"], "cannot write");
}
