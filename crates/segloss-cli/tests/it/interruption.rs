//! Runs that are killed, or that meet a full disk: what they leave is whole, and goes on as if nothing had been.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A small run with all that has a state: random views, an average, a second loss, running class counts.
const RUN: &str = "
[data]
crop = [48, 40]
flips = \"both\"
[augment]
scale = [0.5, 2.0]
rotation = 10.0
brightness = 0.2
rare_share = 0.5
[model]
width = 4
depth = 3
deep_supervision = true
[train]
epochs = 5
batch_size = 4
micro_batch = 2
ema = 0.9
overlays = 2
[schedule]
kind = \"constant\"
[loss]
weights = { source = \"ema\", decay = 0.9 }
[added_loss]
from_epoch = 3
loss = { kind = \"dice\" }
";

fn start(folder: &Path, run: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segloss"));
    command.current_dir(folder).args(["train", "--out", run, "--config", "run.toml", "--resume", "--quiet"]);
    command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

fn finish(folder: &Path, run: &str) {
    assert_eq!(start(folder, run).wait().unwrap().code(), Some(0));
}

/// Names and bytes of a run, but for the log's seconds.
fn content(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![run.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut bytes = fs::read(&path).unwrap();
            if path.ends_with("log.csv") {
                let mut rows = csv::Reader::from_reader(&bytes[..]);
                let titles = rows.headers().unwrap().clone();
                let keep = |row: &csv::StringRecord| -> Vec<String> {
                    let cells = titles.iter().zip(row).filter(|(title, _)| !title.ends_with("seconds"));
                    cells.map(|(_, cell)| cell.to_owned()).collect()
                };
                let rows: Vec<Vec<String>> = rows.records().map(|row| keep(&row.unwrap())).collect();
                assert_eq!(rows.len(), 5);
                bytes = format!("{rows:?}").into_bytes();
            }
            files.push((path.strip_prefix(run).unwrap().to_owned(), bytes));
        }
    }
    files.sort();
    files
}

#[track_caller]
fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (content(a), content(b));
    assert_eq!(
        a.iter().map(|file| &file.0).collect::<Vec<_>>(),
        b.iter().map(|file| &file.0).collect::<Vec<_>>()
    );
    for (a, b) in a.iter().zip(&b) {
        assert!(a.1 == b.1, "{} differs", a.0.display());
    }
}

/// Whether some file in the run folder is being written.
fn is_writing(run: &Path) -> bool {
    let Ok(entries) = fs::read_dir(run) else { return false };
    entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b".writing-"))
}

/// Kills runs `kills` times, every other time while a file is being written, and lets each go on until it is done; every
/// one that comes to its end must be what an uninterrupted run is.
fn kill(kills: usize) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    fs::write(dir.join("run.toml"), RUN).unwrap();
    let began = Instant::now();
    finish(dir, "whole");
    let length = began.elapsed().as_micros() as u64;

    let (mut done, mut while_writing, mut number) = (0, 0, 0_u64);
    let run = dir.join("run");
    while done < kills {
        let mut child = start(dir, "run");
        number += 1;
        // Multiples of the golden ratio fall evenly everywhere between the beginning and the end of a run.
        let moment = Duration::from_micros(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % length.max(1));
        let waits = Instant::now();
        let mut ended = false;
        let mut writing = false;
        while !ended && (waits.elapsed() < moment || number % 2 == 0 && !writing) {
            ended = child.try_wait().unwrap().is_some();
            writing = waits.elapsed() >= moment && is_writing(&run);
            sleep(Duration::from_micros(50));
        }
        if !ended {
            child.kill().unwrap();
            done += 1;
            while_writing += usize::from(writing);
        }
        if child.wait().unwrap().code() == Some(0) {
            assert_same(&dir.join("whole"), &run);
            fs::remove_dir_all(&run).unwrap();
        }
    }
    finish(dir, "run");
    assert_same(&dir.join("whole"), &run);
    assert!(while_writing * 8 >= kills, "{while_writing} of {kills} kills while a file was written");
}

#[test]
fn a_run_that_is_killed_goes_on_as_if_it_had_not_been() {
    kill(16);
}

/// The long profile: `cargo test -p segloss-cli --test it kill -- --ignored`.
#[test]
#[ignore = "a minute or more"]
fn two_hundred_and_forty_kills_change_nothing() {
    kill(240);
}

/// A limit on the size of files stands for a full disk: the write of a checkpoint fails in the middle.
#[test]
fn a_full_disk_leaves_the_last_good_state() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    fs::write(dir.join("run.toml"), RUN).unwrap();
    finish(dir, "whole");
    fs::write(dir.join("run.toml"), RUN.replace("epochs = 5", "epochs = 3")).unwrap();
    finish(dir, "run");
    let last = fs::read(dir.join("run/last.safetensors")).unwrap();
    assert!(last.len() > 100_000, "{}", last.len());
    fs::write(dir.join("run.toml"), RUN).unwrap();

    let program = env!("CARGO_BIN_EXE_segloss");
    let script = format!(
        "trap '' XFSZ; ulimit -f 100; exec {program} train --out run --config run.toml --resume --quiet"
    );
    let output = Command::new("sh").arg("-c").arg(script).current_dir(dir).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.starts_with("error: cannot write") && text.contains(".safetensors"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(fs::read(dir.join("run/last.safetensors")).unwrap() == last);

    finish(dir, "run");
    assert_same(&dir.join("whole"), &dir.join("run"));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    fs::write(dir.join("run.toml"), RUN).unwrap();
    fs::create_dir(dir.join("run")).unwrap();
    fs::set_permissions(dir.join("run"), fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write everywhere.
    if fs::write(dir.join("run/probe"), "").is_ok() {
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_segloss"))
        .current_dir(dir)
        .args(["train", "--out", "run", "--config", "run.toml"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("cannot write run/config.toml: Permission denied"), "{text}");
}
