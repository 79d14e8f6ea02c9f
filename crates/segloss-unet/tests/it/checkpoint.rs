//! What is saved is what is loaded, and what is broken is refused with one clear line.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::small;
use safetensors::SafeTensors;
use segloss_unet::config::OptimizerKind;
use segloss_unet::run::Which;
use segloss_unet::{Checkpoint, Dataset, RunFolder, Trainer, train};

fn run(root: &Path) -> (Dataset, PathBuf) {
    let mut config = small(None);
    config.train.epochs = 1;
    let data = Dataset::load(&config.data).unwrap();
    let folder = RunFolder::at(&root.join("run"));
    train(&config, &data, &folder, &mut ()).unwrap();
    (data, folder.checkpoint_path(Which::Last))
}

fn problem(path: &Path) -> String {
    let text = Checkpoint::load(path).unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    let prefix = format!("{}: ", path.display());
    text.strip_prefix(&prefix).unwrap_or(&text).to_owned()
}

#[test]
fn saving_what_was_loaded_gives_the_same_file() {
    let root = tempfile::tempdir().unwrap();
    let (_, path) = run(root.path());
    let again = root.path().join("again.safetensors");
    Checkpoint::load(&path).unwrap().save(&again).unwrap();
    assert!(fs::read(&path).unwrap() == fs::read(&again).unwrap());
}

#[test]
fn truncated_and_foreign_files_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let (_, path) = run(root.path());
    let whole = fs::read(&path).unwrap();
    let bad = root.path().join("bad");
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&bad, &whole[..length]).unwrap();
        assert!(problem(&bad).starts_with("not a whole safetensors file"), "{length}: {}", problem(&bad));
    }
    let mut hostile = whole.clone();
    hostile[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&bad, &hostile).unwrap();
    assert!(problem(&bad).starts_with("not a whole safetensors file"));
    fs::write(&bad, b"\x02\0\0\0\0\0\0\0{}").unwrap();
    assert!(problem(&bad).contains("not written by `segloss train`"), "{}", problem(&bad));
    fs::remove_file(&bad).unwrap();
    assert!(problem(&bad).starts_with("cannot read "));
}

/// The checkpoint with another text of metadata and, if `drop` says so, without a tensor.
fn rewrite(path: &Path, bad: &Path, edit: impl Fn(&str) -> String, drop: Option<&str>) {
    let bytes = fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let meta = edit(&header.metadata().as_ref().unwrap()["segloss"]);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let kept = tensors.tensors().into_iter().filter(|(name, _)| Some(name.as_str()) != drop);
    let metadata = HashMap::from([("segloss".to_owned(), meta)]);
    fs::write(bad, safetensors::serialize(kept, Some(metadata)).unwrap()).unwrap();
}

#[test]
fn metadata_and_tensors_must_fit_each_other() {
    let root = tempfile::tempdir().unwrap();
    let (_, path) = run(root.path());
    let bad = root.path().join("bad");
    let edited = |from: &str, to: &str| {
        let edit = |meta: &str| {
            assert!(meta.contains(from), "{meta}");
            meta.replacen(from, to, 1)
        };
        rewrite(&path, &bad, edit, None);
        problem(&bad)
    };
    assert!(edited("format = 1", "format = 9").contains("format version 9, this program reads version 1"));
    assert!(edited("format = 1", "").contains("no `format`"));
    assert!(edited("epoch = 1", "epoch = \"x\"").contains("metadata cannot be read"));
    // A net larger than the file is refused before it is made.
    assert!(edited("width = 4", "width = 512").contains("larger than the file"));
    assert!(edited("width = 4", "width = 99999999").contains("`model.width`"));
    let mismatch = edited("width = 4", "width = 2");
    assert!(
        mismatch.contains("tensor `model/down0.conv1.weight` is F32 [3, 3, 1, 4], expected F32 [3, 3, 1, 2]")
    );
    assert!(edited("channels = 1", "channels = 2").contains("2 channels"));
    // Numbers that no run leaves: one epoch of four steps.
    let run = "in 1 epochs, of which 1 is the best";
    assert!(edited("step = 4", "step = 0").contains(&format!("0 steps {run}")), "{}", problem(&bad));
    assert!(edited("epoch = 1", "epoch = 0").contains("4 steps in 0 epochs"), "{}", problem(&bad));
    assert!(edited("[best]\nepoch = 1", "[best]\nepoch = 2").contains("of which 2 is the best"));
    for score in ["1.5", "-0.25", "nan", "inf"] {
        let words = edited("mean_iou = 0.", &format!("mean_iou = {score} # "));
        assert!(words.contains("a best mean IoU of "), "{score}: {words}");
    }

    rewrite(&path, &bad, str::to_owned, Some("optimizer/head.bias.second"));
    assert_eq!(problem(&bad), "lacks the tensor `optimizer/head.bias.second`");
}

/// Programs before SGD wrote neither its keys nor how long classes were not predicted; and a key that does
/// not act, which is refused today, does no harm in what was trained with it.
#[test]
fn older_checkpoints_are_read() {
    let root = tempfile::tempdir().unwrap();
    let (data, path) = run(root.path());
    let old = root.path().join("old");
    let edit = |meta: &str| {
        let meta = meta.replace("every = 10", "every = 7");
        let (before, from) = meta.split_once("[unpredicted]").unwrap();
        let after = from.find("\n[").map_or("", |end| &from[end..]);
        let lines = [before, after].concat();
        let kept: Vec<&str> = lines
            .lines()
            .filter(|line| !line.starts_with("momentum") && !line.starts_with("nesterov"))
            .collect();
        assert_eq!(kept.len(), lines.lines().count() - 2, "{meta}");
        kept.join("\n")
    };
    rewrite(&path, &old, edit, None);
    let (old, new) = (Checkpoint::load(&old).unwrap(), Checkpoint::load(&path).unwrap());
    assert_eq!((&old.optimizer, old.meta.unpredicted.warned), (&new.optimizer, false));
    assert_eq!(old.net.parameters[0].values().unwrap(), new.net.parameters[0].values().unwrap());
    // Such a key is left out to go on; [schedule] may change.
    let mut config = old.meta.config.clone();
    assert!(
        Trainer::resume(old.clone(), &config, &data)
            .unwrap_err()
            .to_string()
            .contains("`schedule.every` is 7")
    );
    config.schedule.every = 10;
    assert_eq!(Trainer::resume(old, &config, &data).unwrap().epoch(), 1);
}

#[test]
fn a_checkpoint_holds_the_moments_that_its_rule_has() {
    let root = tempfile::tempdir().unwrap();
    for (momentum, moments) in [(0.9, 1), (0.0, 0)] {
        let mut config = small(None);
        config.train.epochs = 1;
        (config.optimizer.kind, config.optimizer.momentum) = (OptimizerKind::Sgd, momentum);
        let data = Dataset::load(&config.data).unwrap();
        let folder = RunFolder::at(&root.path().join(momentum.to_string()));
        train(&config, &data, &folder, &mut ()).unwrap();
        let path = folder.checkpoint_path(Which::Last);
        let bytes = fs::read(&path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let count = |start: &str| tensors.names().iter().filter(|name| name.starts_with(start)).count();
        assert_eq!(count("optimizer/"), moments * count("model/"));
        let checkpoint = Checkpoint::load(&path).unwrap();
        let again = root.path().join("again");
        checkpoint.save(&again).unwrap();
        assert!(fs::read(again).unwrap() == bytes);
    }
}

#[test]
fn nan_weights_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let (_, path) = run(root.path());
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    checkpoint.net.parameters[0].values_mut().unwrap()[3] = f32::NAN;
    checkpoint.save(&path).unwrap();
    assert_eq!(problem(&path), "tensor `model/down0.conv1.weight` holds NaN at position 3");
}

#[test]
fn means_of_squares_below_zero_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let (_, path) = run(root.path());
    let checkpoint = Checkpoint::load(&path).unwrap();
    let mut variance = checkpoint.clone();
    variance.net.statistics[0].running.variance[1] = -1.0;
    variance.save(&path).unwrap();
    let text = problem(&path);
    let words = ".variance` holds -1 at position 1, and is a mean of squares: at least 0";
    assert!(text.starts_with("tensor `statistics/") && text.ends_with(words), "{text}");
    let mut moment = checkpoint;
    moment.optimizer.moments[0][1][2] = -0.5;
    moment.save(&path).unwrap();
    assert!(problem(&path).contains(".second` holds -0.5 at position 2"), "{}", problem(&path));
}

#[test]
fn other_data_is_refused_when_resuming() {
    let root = tempfile::tempdir().unwrap();
    let (mut data, path) = run(root.path());
    data.normalisation.mean[0] += 1.0;
    let checkpoint = Checkpoint::load(&path).unwrap();
    let config = checkpoint.meta.config.clone();
    let error = Trainer::resume(checkpoint, &config, &data).unwrap_err().to_string();
    assert!(error.contains("the training images are not those of the checkpoint"), "{error}");
}
