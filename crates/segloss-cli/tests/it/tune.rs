//! `tune` as a user meets it, and what `evaluate` and `predict` make of its rule.

use std::fs;
use std::path::Path;

use crate::trainer::{one_line, segloss, stderr, stdout};

fn train(dir: &Path, more: &[&str]) {
    let small = ["--set", "model.width=4", "--set", "model.depth=2", "--set", "train.epochs=2", "--quiet"];
    let args = [&["train", "--out", "run"][..], &small, more].concat();
    let output = segloss(dir, &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_rule_is_chosen_kept_and_used() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    train(dir, &["--set", "loss.weights.source=per_sample", "--set", "data.held_out=['r1c3', 'r1c2']"]);
    let text = stdout(&segloss(dir, &["tune", "--run", "run", "--dry-run"]));
    assert!(text.contains("cross-fitted") && text.ends_with("nothing was written (--dry-run)\n"), "{text}");
    assert!(!dir.join("run/rule.json").exists());

    let args = [
        "tune",
        "--run",
        "run",
        "--on",
        "held-out",
        "--temperature",
        "--undo-weights",
        "--metric",
        "class-average",
        "--json",
    ];
    let json = stdout(&segloss(dir, &args));
    let file: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(file["chosen_by"], "held_out of embedded");
    assert_eq!(file["fit"]["rule"]["correction"].as_array().unwrap().len(), 3);
    assert_eq!(json, fs::read_to_string(dir.join("run/rule.json")).unwrap());
    assert!(fs::read_to_string(dir.join("run/rule.svg")).unwrap().contains("1/C, arg max"));

    // What evaluate counts is what the rule decides, and says so.
    let output = segloss(dir, &["evaluate", "--run", "run", "--json"]);
    assert!(stderr(&output).contains("note: classes are decided by rule.json"), "{}", stderr(&output));
    let ruled: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(ruled["rule"], file["fit"]["rule"]);
    let plain = stdout(&segloss(dir, &["evaluate", "--run", "run", "--json", "--arg-max"]));
    let plain: serde_json::Value = serde_json::from_str(&plain).unwrap();
    assert_ne!(ruled["accuracy"], plain["accuracy"]);
    assert!(
        dir.join("run/results/test-best-rule.json").exists()
            && dir.join("run/results/test-best.json").exists()
    );

    // So does predict.
    let tile =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist/test/images/r3c0.png");
    let image = tile.to_str().unwrap();
    let mask = |out: &str, more: &[&str]| {
        let output = segloss(dir, &[&["predict", "--run", "run", "--out", out, image][..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        fs::read(dir.join(out).join("r3c0_classes.png")).unwrap()
    };
    assert_ne!(mask("a", &[]), mask("b", &["--arg-max"]));

    // What taking the weights out does to decisions is shown, and no old picture stays.
    let output = segloss(dir, &["tune", "--run", "run", "--shift", "none", "--undo-weights"]);
    assert!(
        stdout(&output).contains("arg max z + correction")
            && stdout(&output).contains("the same, cross-fitted"),
        "{}",
        stdout(&output)
    );
    assert!(stderr(&output).contains("warning: the weights moved the decisions"), "{}", stderr(&output));
    assert!(!dir.join("run/rule.svg").exists());
    // A rule is for one epoch's net.
    let text = one_line(dir, &["evaluate", "--run", "run", "--checkpoint", "last"]);
    assert!(text.contains("the rule was chosen for the best epoch") && text.contains("--arg-max"), "{text}");
    fs::write(dir.join("run/rule.json"), &json[..json.len() / 2]).unwrap();
    assert!(one_line(dir, &["evaluate", "--run", "run"]).contains("is no rule of `segloss tune`"));
}

/// A strength that somebody has already: no image has a say in it, and the net decides by it.
#[test]
fn a_given_strength_is_taken() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    train(dir, &[]);
    let tune = |t: &str, more: &[&str]| {
        let output = segloss(dir, &[&["tune", "--run", "run", "--strength", t][..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        output
    };
    let output = tune("0.5", &["--on", "test"]);
    let said = stdout(&output);
    assert!(said.contains("t = 0.5, as given") && !said.contains("cross-fitted"), "{said}");
    assert!(!stderr(&output).contains("cannot be judged"), "{}", stderr(&output));
    let file = || -> serde_json::Value {
        serde_json::from_slice(&fs::read(dir.join("run/rule.json")).unwrap()).unwrap()
    };
    let half = file();
    assert_eq!(half["fit"]["strength"], 0.5);
    assert_eq!(half["fit"]["fitted"], half["fit"]["cross_fitted"]);
    let output = segloss(dir, &["evaluate", "--run", "run"]);
    assert!(stderr(&output).contains(", t = 0.5 as given); --arg-max"), "{}", stderr(&output));

    // What images chose beside it is told from it.
    tune("-.25", &["--temperature"]);
    let notes = stderr(&segloss(dir, &["evaluate", "--run", "run"]));
    assert!(notes.contains("t = -0.25 as given, the temperature chosen on val of embedded"), "{notes}");

    // Ten times the strength is ten times the shift, also where the search does not look.
    tune("-5", &[]);
    let [half, other] = [half, file()].map(|file| file["fit"]["rule"]["shift"].as_array().unwrap().clone());
    for (half, other) in half.iter().zip(&other) {
        assert_eq!(-10.0 * half.as_f64().unwrap(), other.as_f64().unwrap());
    }
    assert!(fs::read_to_string(dir.join("run/rule.svg")).unwrap().contains("t = -5: "));
}

/// Where the loss shifts a net's decisions already, a given shift comes on top; that is said.
#[test]
fn a_shift_on_top_of_weights_is_warned_of() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    train(dir, &["--set", "loss.weights.source=per_sample"]);
    for (args, is_warned) in [
        (&["--strength", "0.5"][..], true),
        (&["--strength", "-0.5"], false),
        (&["--strength", "0.5", "--undo-weights"], false),
        (&[], false),
    ] {
        let output = segloss(dir, &[&["tune", "--run", "run", "--dry-run"][..], args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stderr(&output).contains("the shift comes on top"), is_warned, "{args:?}");
    }
}

#[test]
fn what_cannot_be_chosen_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    train(dir, &[]);
    for (args, expected) in [
        (&["--shift", "none"][..], "--shift none leaves nothing to choose"),
        (&["--on", "held-out"], "the run held no image out"),
        (&["--undo-weights"], "there is nothing to take out"),
        (
            &["--metric", "f-beta", "--class", "nuclei"],
            "--class is `nuclei`; the classes are background, nucleus, boundary",
        ),
        (&["--metric", "f-beta", "--class", "1", "--beta", "nan"], "--beta is NaN"),
        (&["--metric", "f-beta", "--class", "1", "--beta", "1e300"], "expected a number from 0 to 1000"),
        (&["--strength", "nan"], "--strength is NaN; expected a number from -10 to 10"),
        (&["--strength", "11"], "--strength is 11; expected"),
        (&["--class", "nucleus"], "--class and --beta are for --metric f-beta"),
    ] {
        let args: Vec<&str> = ["tune", "--run", "run"].into_iter().chain(args.iter().copied()).collect();
        let text = one_line(dir, &args);
        assert!(text.contains(expected), "{args:?}: {text}");
    }
    assert!(!dir.join("run/rule.json").exists());
}
