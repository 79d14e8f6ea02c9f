//! `train`, `evaluate` and `predict` as a user meets them: files, streams, exit codes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use segloss_unet::decode::decode_image;

pub fn segloss(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segloss"));
    command.current_dir(folder).args(args);
    command
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
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
pub fn one_line(folder: &Path, args: &[&str]) -> String {
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
    assert!(json["mean_hd95"].is_f64() && json["classes"][2]["surface_dice"].is_f64(), "{json}");
    tables_are_made_again_of_the_file_alone(dir, &stdout(&table));

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

/// After `evaluate --run run` has printed `table`.
fn tables_are_made_again_of_the_file_alone(dir: &Path, table: &str) {
    let file = "run/results/test-best.json";
    let written = fs::read(dir.join(file)).unwrap();
    assert!(dir.join("run/results/val-last.json").is_file());
    let again = segloss(dir, &["evaluate", "--from", file]);
    assert_eq!((again.status.code(), stdout(&again)), (Some(0), table.to_owned()), "{}", stderr(&again));
    for more in [&["--json"][..], &["--all", "--beta", "0.5", "--csv", "scores.csv"]] {
        let of_net = segloss(dir, &[&["evaluate", "--run", "run"], more].concat());
        let of_file = segloss(dir, &[&["evaluate", "--from", file], more].concat());
        assert_eq!(of_net.status.code(), Some(0), "{}", stderr(&of_net));
        assert_eq!(stdout(&of_net), stdout(&of_file));
    }
    let csv = fs::read_to_string(dir.join("scores.csv")).unwrap();
    assert!(csv.lines().nth(3).unwrap().starts_with("2,boundary,"), "{csv}");
    // Threads change no bit of it, and a tolerance does.
    segloss(dir, &["evaluate", "--run", "run", "--threads", "1"]);
    assert_eq!(fs::read(dir.join(file)).unwrap(), written);
    let strict = segloss(dir, &["evaluate", "--run", "run", "--tolerance", "0", "--out", "strict.json"]);
    assert!(stdout(&strict).contains(" within 0 px "), "{}", stdout(&strict));
    assert!(dir.join("strict.json").is_file() && fs::read(dir.join(file)).unwrap() == written);
    // Another data set has a file of its own.
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist");
    let other = segloss(dir, &["evaluate", "--run", "run", "--data", data.to_str().unwrap()]);
    assert_eq!(stdout(&other), table, "{}", stderr(&other));
    assert!(dir.join("run/results/test-best-tiny_stardist.json").is_file());

    let half = String::from_utf8(written).unwrap().replacen("\"tp\"", "\"tn\"", 1);
    fs::write(dir.join("half.json"), half).unwrap();
    assert!(one_line(dir, &["evaluate", "--from", "half.json"]).contains("half.json: is no result of"));
    assert!(one_line(dir, &["evaluate", "--from", "no.json"]).contains("cannot read no.json: "));
    assert!(
        one_line(dir, &["evaluate", "--run", "run", "--out", "no/such/r.json"])
            .contains("cannot write no/such/r.json: No such file or directory (os error 2)\n")
    );
    // What cannot be kept in the run can be elsewhere.
    fs::rename(dir.join("run/results"), dir.join("kept")).unwrap();
    fs::write(dir.join("run/results"), "").unwrap();
    let text = one_line(dir, &["evaluate", "--run", "run"]);
    assert!(text.contains("cannot be kept in the run; --out FILE writes it elsewhere: cannot "), "{text}");
    fs::remove_file(dir.join("run/results")).unwrap();
    fs::rename(dir.join("kept"), dir.join("run/results")).unwrap();
    // Neither a file of the run nor one of another kind is lost.
    fs::write(dir.join("mine.txt"), "mine").unwrap();
    let content = |name: &str| fs::read(dir.join(name)).unwrap();
    for (name, words) in [
        ("run/last.safetensors", "is a file of the run in run, which would be lost"),
        ("run/config.toml", "is a file of the run in run"),
        ("mine.txt", "is a file, and no "),
    ] {
        let before = content(name);
        for option in ["--out", "--csv"] {
            let text = one_line(dir, &["evaluate", "--run", "run", option, name]);
            assert!(text.contains(&format!("{name}: {words}")), "{text}");
        }
        assert!(content(name) == before);
    }
    let text = one_line(dir, &["evaluate", "--from", file, "--csv", file]);
    assert!(text.contains("and no table of scores, which would be lost"), "{text}");
    let text = one_line(dir, &["evaluate", "--run", "run", "--out", "n", "--csv", "n"]);
    assert!(text.contains("n: --out and --csv would overwrite each other"), "{text}");
    let text = one_line(dir, &["weights", "--plot", "run/curves.svg"]);
    assert!(text.contains("is a file of the run"), "{text}");
    for idle in [
        &["--from", file, "--tolerance", "3"][..],
        &["--from", file, "--run", "run"],
        &["--run", "run", "--beta", "1"],
        &["--explain", "--all"],
        &["--run", "run", "--json", "--all"],
        &["--run", "run", "--tolerance", "-1"],
        &["--run", "run", "--band", "0"],
        &["--run", "run", "--band", "NaN"],
        &["--run", "run", "--band", "1.01"],
        &["--run", "run", "--tolerance", "10001"],
        &[],
    ] {
        refused(dir, &[&["evaluate"], idle].concat());
    }
    let text = refused(dir, &["evaluate", "--run", "run", "--tolerance", "-1"]);
    assert!(text.contains("expected a number of at least 0"), "{text}");
    let explained = segloss(dir, &["evaluate", "--explain"]);
    assert_eq!(explained.status.code(), Some(0));
    assert!(stdout(&explained).contains("mean_boundary_iou (boundary IoU)"), "{}", stdout(&explained));
}

#[test]
fn images_that_have_moved_are_looked_for_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let put = |from: &Path, to: &Path| {
        let mut folders = vec![(from.to_owned(), to.to_owned())];
        while let Some((from, to)) = folders.pop() {
            fs::create_dir_all(&to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
                if path.is_dir() { folders.push((path, to)) } else { _ = fs::copy(path, to).unwrap() }
            }
        }
    };
    put(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist"), &dir.join("data"));
    let trained = train(dir, &["--quiet", "--data", "data", "--set", "train.epochs=1"]);
    assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
    fs::rename(dir.join("data"), dir.join("moved")).unwrap();
    for command in [&["train", "--out", "run", "--resume"][..], &["evaluate", "--run", "run"]] {
        let text = one_line(dir, command);
        assert!(text.contains("data: no such folder; the run's images were there, and --data DIR"), "{text}");
        let text = one_line(dir, &[command, &["--data", "none"]].concat());
        assert!(text.contains("none: no such folder; a data set is DIR/"), "{text}");
        let found = segloss(dir, &[command, &["--data", "moved"]].concat());
        assert_eq!(found.status.code(), Some(0), "{}", stderr(&found));
        // The run remembers where they are now.
        fs::remove_dir_all(dir.join("run/results")).unwrap_or_default();
        let config = fs::read_to_string(dir.join("run/config.toml")).unwrap();
        fs::write(dir.join("run/config.toml"), config.replace("/moved", "/data")).unwrap();
    }
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
    for (option, key) in [("--data", "data.folder"), ("--weights", "train.weights")] {
        let text = one_line(dir, &["train", "--out", "r", option, "a", "--set", &format!("{key}=b")]);
        assert!(text.contains(&format!("{option} is a, and --set {key}=b: leave one of them out")), "{text}");
        let text =
            one_line(dir, &["train", "--out", "r", option, "nowhere", "--set", &format!("{key}=nowhere")]);
        assert!(text.contains("nowhere"), "{text}");
    }
    assert!(one_line(dir, &["train", "--out", "r", "--config", "no.toml"]).contains("cannot read no.toml: "));
    assert!(one_line(dir, &["evaluate", "--run", "r"]).contains("r: holds no run"));
    assert!(refused(dir, &["train", "--out", "r", "--resume", "--restart"]).contains("cannot be used with"));
    for threads in ["0", "1025", "20000", "x"] {
        let text = refused(dir, &["evaluate", "--run", "r", "--threads", threads]);
        assert!(text.contains("expected a number from 1 to 1024"), "{text}");
    }
    assert!(refused(dir, &["evaluate", "--run", "r", "--split", "tset"]).contains("'test'"));
    assert!(refused(dir, &["predict", "--run", "r", "--out", "o"]).contains("<IMAGE>"));
    // Nothing was made on the way.
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    fs::write(dir.join("l.toml"), "gama = 2.0").unwrap();
    for more in [&[][..], &["--resume"], &["--restart"]] {
        for out in ["l.toml", "l.toml/x/y"] {
            let text = one_line(dir, &[&["train", "--out", out], more].concat());
            assert_eq!(text, "error: l.toml: is not a folder\n");
        }
    }
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

/// Runs a command whose reader is gone before the first line.
#[track_caller]
fn unread(folder: &Path, args: &[&str], closed: fn(&mut Command) -> &mut Command) -> Output {
    let mut command = command(folder, args);
    let child = closed(command.stdout(Stdio::piped()).stderr(Stdio::piped())).spawn();
    child.unwrap().wait_with_output().unwrap()
}

/// The writing end of a pipe that nobody reads.
fn broken_pipe() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist");
    let example = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worked_example").join(name);
        path.to_str().unwrap().to_owned()
    };
    let (spec, z, y) = (example("s3.toml"), example("logits.npy"), example("target.npy"));
    let (data, tile) = (embedded.to_str().unwrap(), embedded.join("test/images/r3c0.png"));
    let masks = embedded.join("test/masks");
    let mut training = vec!["train", "--out", "run", "--json", "--quiet"];
    training.extend(SMALL);
    let eval = ["eval", "--spec", &spec, "--logits", &z, "--target", &y];
    let json = [&eval[..], &["--json"]].concat();
    for args in [
        &["losses"][..],
        &["losses", "--json"],
        &["losses", "--short"],
        &["losses", "--help"],
        &["--help"],
        &json,
        &eval,
        &["weights", "--data", data],
        &["weights", "--data", data, "--json"],
        &["border-map", "--masks", masks.to_str().unwrap(), "--out", "maps", "--quiet"],
        &["border-map", "--masks", masks.to_str().unwrap(), "--out", "maps", "--quiet", "--json"],
        &training,
        &["evaluate", "--run", "run"],
        &["evaluate", "--run", "run", "--json"],
        &["evaluate", "--explain"],
        &["predict", "--run", "run", "--out", "found", tile.to_str().unwrap()],
    ] {
        let output = unread(dir, args, |command| command.stdout(broken_pipe()));
        let messages = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {messages}");
        // What is wrong with the worked example's loss, and what is no picture of the folder, is said all the same.
        let said = |line: &str| line.starts_with("warning: ") || line.starts_with("note: ");
        assert!(messages.lines().all(said), "{args:?}: {messages}");
    }
    // Training does not end because nobody reads its progress any more.
    let output = unread(dir, &["train", "--out", "run", "--resume"], |command| command.stderr(broken_pipe()));
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("best epoch "), "{}", stdout(&output));
    let output = unread(dir, &["losses", "dyce"], |command| command.stderr(broken_pipe()));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_run_goes_on_for_longer_and_with_nothing_else_changed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    assert_eq!(train(dir, &["--quiet", "--resume"]).status.code(), Some(0), "begins where nothing stands");
    let resume = |more: &[&str]| segloss(dir, &[&["train", "--out", "run", "--resume"], more].concat());
    let rows = || fs::read_to_string(dir.join("run/log.csv")).unwrap().lines().count() - 1;
    let done = resume(&[]);
    assert_eq!((done.status.code(), rows()), (Some(0), 2));
    assert!(stderr(&done).starts_with("nothing to do: all 2 epochs are done; "), "{}", stderr(&done));

    // An edited config.toml acts.
    let config = dir.join("run/config.toml");
    let edit = |from: &str, to: &str| {
        let text = fs::read_to_string(&config).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&config, text.replace(from, to)).unwrap();
    };
    edit("epochs = 2", "epochs = 3");
    assert_eq!((resume(&["-q"]).status.code(), rows()), (Some(0), 3));
    // So do a file, --set over it, and what they say is remembered.
    fs::write(dir.join("c.json"), "{\"train\": {\"epochs\": 9}, \"optimizer\": {\"clip_norm\": 1}}").unwrap();
    let longer = resume(&["-q", "--config", "c.json", "--set", "train.epochs=4"]);
    assert_eq!((longer.status.code(), rows()), (Some(0), 4), "{}", stderr(&longer));
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("epochs = 4") && text.contains("clip_norm = 1.0"), "{text}");

    let refused = |more: &[&str]| one_line(dir, &[&["train", "--out", "run", "--resume"], more].concat());
    let text = refused(&["--set", "train.epochs=3"]);
    assert!(text.contains("`train.epochs` is 3, but 4 epochs are done; expected 4 or more"), "{text}");
    let text = refused(&["--set", "model.width=8", "--set", "train.seed=1"]);
    assert!(
        text.contains("`model.width` is 8, was 4; `train.seed` is 1, was 0: ") && text.contains("--restart"),
        "{text}"
    );
    fs::write(dir.join("l.json"), "{\"kind\": \"dice\"}").unwrap();
    assert!(refused(&["--loss", "l.json"]).contains("`loss.kind` is \"dice\", was \"cross_entropy\""));
    edit("batch_size = 4", "batch_size = 5");
    assert!(refused(&[]).contains("`train.batch_size` is 5, was 4"));
    edit("batch_size = 5", "batch_size = 4");

    fs::remove_file(dir.join("run/last.safetensors")).unwrap();
    let text = refused(&[]);
    assert!(text.contains("4 epochs were completed") && text.contains("copy best.safetensors"), "{text}");
    fs::copy(dir.join("run/best.safetensors"), dir.join("run/last.safetensors")).unwrap();
    assert_eq!((resume(&["-q"]).status.code(), rows()), (Some(0), 4));

    // Anew, beside what is not the run's own.
    fs::write(dir.join("run/notes.txt"), "mine").unwrap();
    let again = train(dir, &["--restart", "--quiet", "--set", "train.epochs=1", "--set", "train.overlays=0"]);
    assert_eq!((again.status.code(), rows()), (Some(0), 1), "{}", stderr(&again));
    assert!(dir.join("run/notes.txt").exists() && !dir.join("run/overlays").exists());
}

#[test]
fn a_folder_without_a_completed_epoch_is_begun_anew() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let diverging =
        ["--set", "optimizer.learning_rate=1e30", "--set", "model.norm=none", "--set", "data.crop=[32,32]"];
    let output = train(dir, &diverging);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let error = text.lines().last().unwrap();
    assert!(error.starts_with("error: epoch 1, step 2, learning rate "), "{text}");
    assert!(error.contains("optimizer.clip_norm=1") && error.contains("the same command"), "{text}");
    let again = train(dir, &["--quiet"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));

    // A configuration that somebody has edited should act, and other files should stay.
    fs::create_dir(dir.join("edited")).unwrap();
    fs::write(dir.join("edited/config.toml"), "[train]\nepochs = 1").unwrap();
    assert!(one_line(dir, &["train", "--out", "edited"]).contains("not as a run leaves it"));
    fs::create_dir(dir.join("other")).unwrap();
    fs::write(dir.join("other/log.csv"), "a,b").unwrap();
    for more in [&[][..], &["--resume"]] {
        let text = one_line(dir, &[&["train", "--out", "other"], more].concat());
        assert!(text.contains("other: holds no run, but log.csv"), "{text}");
    }
    // What is no run's is not removed either.
    fs::create_dir_all(dir.join("own/overlays")).unwrap();
    fs::write(dir.join("own/config.toml"), "[server]\nport = 80\n").unwrap();
    fs::write(dir.join("own/overlays/mine.png"), "mine").unwrap();
    let text = one_line(dir, &["train", "--out", "own", "--restart"]);
    assert!(text.contains("own: holds a config.toml that is no run's, and nothing is removed"), "{text}");
    for name in ["config.toml", "overlays"] {
        assert!(dir.join("own").join(name).exists(), "{name}");
        if name == "config.toml" {
            fs::remove_file(dir.join("own/config.toml")).unwrap();
        }
        let text = one_line(dir, &["train", "--out", "own", "--restart"]);
        assert!(text.contains("own: holds no run, but overlays"), "{text}");
    }
    assert!(dir.join("own/overlays/mine.png").exists());
    let text = one_line(dir, &["train", "--out", "other", "--restart"]);
    assert!(text.contains("other: holds no run, but log.csv"), "{text}");
    let edited = [&["train", "--out", "edited", "--restart", "--quiet"], &SMALL[..]].concat();
    assert_eq!(segloss(dir, &edited).status.code(), Some(0));
    // Refused before anything is written: 8 tiles in batches of 7 leave one over.
    let one = ["--set", "data.crop=[4, 4]", "--set", "train.batch_size=7", "--out", "none"];
    let text = one_line(dir, &[&["train"], &SMALL[..], &one].concat());
    assert!(text.contains("8 training images in batches of 7 leave one over"), "{text}");
    assert!(!dir.join("none").exists());
}

#[test]
fn folders_are_predicted_with_their_paths() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    assert_eq!(train(dir, &["--quiet", "--set", "train.epochs=1"]).status.code(), Some(0));
    let tile =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist/test/images/r3c0.png");
    let put = |path: &str| {
        fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        fs::copy(&tile, dir.join(path)).unwrap();
    };
    ["in/b.png", "in/a/b.png", "in/a/c.PNG", "in/.hidden.png"].into_iter().for_each(put);
    for name in ["in/notes.txt", "in/a/more.txt", "in/README"] {
        fs::write(dir.join(name), "").unwrap();
    }
    let predict = |more: &[&str]| segloss(dir, &[&["predict", "--run", "run"], more].concat());
    let found = predict(&["--out", "in/found", "in"]);
    assert_eq!(found.status.code(), Some(0), "{}", stderr(&found));
    let paths = "in/found/a/b_classes.png\nin/found/a/c_classes.png\nin/found/b_classes.png\n";
    assert_eq!(stdout(&found), paths);
    assert_eq!(stderr(&found), "in: 3 images; passed over 2 .txt, 1 hidden, 1 without extension\n");
    // What was found is no image to look at, the next time.
    let again = predict(&["--out", "in/found", "in", "--quiet"]);
    assert_eq!(stdout(&again), paths);
    assert!(stderr(&again).contains("1 --out folder"), "{}", stderr(&again));
    // In tiles it is the same.
    let tiled = predict(&["--out", "tiled", "--tile", "70", "in/b.png"]);
    assert_eq!(tiled.status.code(), Some(0), "{}", stderr(&tiled));
    let read = |path: &str| fs::read(dir.join(path)).unwrap();
    assert_eq!(read("tiled/b_classes.png"), read("in/found/b_classes.png"));

    let refused = |more: &[&str]| one_line(dir, &[&["predict", "--run", "run"], more].concat());
    assert!(refused(&["--out", "x", "--tile", "4", "in/b.png"]).contains("a tile of 4 pixels is too small"));
    let text = refused(&["--out", "x", "in/b.png", "in/a/b.png"]);
    assert!(text.contains("in/b.png and in/a/b.png would both become x/b_classes.png"), "{text}");
    put("in/a/b_classes.png");
    let text = refused(&["--out", "in/a", "in/a/b.png", "in/a/b_classes.png"]);
    assert!(text.contains("in/a/b_classes.png would overwrite the image in/a/b_classes.png"), "{text}");
    fs::create_dir(dir.join("empty")).unwrap();
    fs::write(dir.join("empty/a.gif"), "").unwrap();
    let text = refused(&["--out", "x", "empty"]);
    assert!(text.contains("empty: holds no image; there are 1 .gif"), "{text}");
    assert!(!dir.join("x").exists());
    // Stops at the first that cannot be read; nothing of it is written.
    fs::write(dir.join("in/bad.png"), "no picture").unwrap();
    let bad = predict(&["--out", "y", "in/a/b.png", "in/bad.png"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(stderr(&bad).contains("in/bad.png: cannot be decoded"), "{}", stderr(&bad));
    assert_eq!(fs::read_dir(dir.join("y")).unwrap().count(), 2);
}

#[test]
fn a_step_that_diverged_is_computed_again() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let text = stderr(&train(
        dir,
        &["--quiet", "--set", "optimizer.learning_rate=1e30", "--set", "model.norm=none"],
    ));
    assert!(
        text.contains("first in the output of `") && text.contains("segloss replay run/diverged.safetensors"),
        "{text}"
    );
    let output = segloss(dir, &["replay", "run/diverged.safetensors"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("step            2, of epoch 1"), "{}", stdout(&output));
    assert_eq!(stderr(&output), "error: the step comes to a number that is not finite\n");
    fs::write(dir.join("short"), &fs::read(dir.join("run/diverged.safetensors")).unwrap()[..5000]).unwrap();
    one_line(dir, &["replay", "short"]);
    one_line(dir, &["replay", "none"]);
}

#[test]
fn a_net_is_exported_and_another_run_begins_with_it() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    assert_eq!(train(dir, &["--quiet"]).status.code(), Some(0));
    for file in ["model.onnx", "weights.safetensors"] {
        let exported = segloss(dir, &["export", "--run", "run", "--checkpoint", "last", "--out", file]);
        assert_eq!(exported.status.code(), Some(0), "{}", stderr(&exported));
        assert_eq!((stdout(&exported).trim_end(), stderr(&exported).as_str()), (file, ""));
        assert!(dir.join(file).is_file());
    }
    // Refused before the run is read: there is none.
    let text = one_line(dir, &["export", "--run", "none", "--out", "model.pt"]);
    assert!(text.contains("model.pt: the name must end in .onnx (to run the net) or .safetensors"), "{text}");
    let text = one_line(dir, &["export", "--run", "run", "--out", "run/best.safetensors"]);
    assert!(text.contains("is a file of the run in run, which would be lost"), "{text}");
    fs::copy(dir.join("run/best.safetensors"), dir.join("copy.safetensors")).unwrap();
    let text = one_line(dir, &["export", "--run", "run", "--out", "copy.safetensors"]);
    assert!(text.contains("is a checkpoint of a run, which would be lost"), "{text}");
    let text = one_line(dir, &["export", "--run", "run", "--out", "no/such/folder/model.onnx"]);
    assert!(text.contains("cannot write no/such/folder/model.onnx"), "{text}");

    let begin = |out: &str, more: &[&str]| {
        let mut args = vec!["train", "--out", out, "--quiet", "--weights", "weights.safetensors"];
        args.extend(SMALL);
        args.extend(more);
        args.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |args: Vec<String>| segloss(dir, &args.iter().map(String::as_str).collect::<Vec<_>>());
    let second = run(begin("second", &[]));
    assert_eq!((second.status.code(), stderr(&second)), (Some(0), String::new()));
    // The configuration remembers it, from wherever it is read.
    let config = fs::read_to_string(dir.join("second/config.toml")).unwrap();
    let path = std::path::absolute(dir.join("weights.safetensors")).unwrap();
    let path = fs::canonicalize(dir).unwrap().join(path.file_name().unwrap());
    assert!(config.contains(&format!("weights = \"{}\"", path.display())), "{config}");
    // What the first run had learnt is where the second one begins.
    let first_loss = |run: &str| {
        let log = fs::read_to_string(dir.join(run).join("log.csv")).unwrap();
        let column = log.lines().next().unwrap().split(',').position(|name| name == "train_loss").unwrap();
        log.lines().nth(1).unwrap().split(',').nth(column).unwrap().parse::<f64>().unwrap()
    };
    assert!(
        first_loss("second") < 0.95 * first_loss("run"),
        "{} {}",
        first_loss("second"),
        first_loss("run")
    );

    let fresh = run(begin("fresh", &["--set", "train.fresh_head=true", "--set", "train.epochs=1"]));
    assert_eq!((fresh.status.code(), stderr(&fresh)), (Some(0), String::new()));
    let again = segloss(dir, &["train", "--out", "fresh", "--resume", "--set", "train.epochs=2", "--quiet"]);
    assert_eq!((again.status.code(), stderr(&again)), (Some(0), String::new()));

    let args = begin("third", &["--set", "model.depth=3"]);
    let text = one_line(dir, &args.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.contains("the file's net has depth 2 (here 3): use --set model.depth=2"), "{text}");
    assert!(!dir.join("third").exists());
    let text = one_line(dir, &["train", "--out", "third", "--weights", "run/best.safetensors"]);
    assert!(text.contains("is a checkpoint of `segloss train`; `segloss export --run RUN"), "{text}");
    let text = one_line(dir, &["train", "--out", "third", "--set", "train.fresh_head=true"]);
    assert!(text.contains("`train.fresh_head` is true, but without `train.weights`"), "{text}");
}

/// The loss that is reported is the one of the checkpoint's epoch, with all that it and the first one remember.
#[test]
fn a_run_whose_loss_was_joined_by_another_is_evaluated() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let joined =
        "[loss]\nweights = { source = \"ema\" }\n[added_loss]\nfrom_epoch = 2\nloss = { kind = \"dice\" }\n";
    fs::write(dir.join("joined.toml"), joined).unwrap();
    let trained = train(dir, &["--quiet", "--config", "joined.toml"]);
    assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
    let args = ["evaluate", "--run", "run", "--split", "val", "--checkpoint", "last", "--json"];
    let output = segloss(dir, &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let log = fs::read_to_string(dir.join("run/log.csv")).unwrap();
    let column = log.lines().next().unwrap().split(',').position(|name| name == "val_loss").unwrap();
    let logged: f64 = log.lines().nth(2).unwrap().split(',').nth(column).unwrap().parse().unwrap();
    assert_eq!(report["loss"].as_f64(), Some(logged));
}
