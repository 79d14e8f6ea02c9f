//! Runs from beginning to end: they learn, they repeat bit by bit, they go on as if never interrupted.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use crate::common::{Losses, small, write_pair, write_set};
use segloss::{Kind, LossSpec};
use segloss_unet::config::{
    AddedLoss, AugmentConfig, Flips, Norm, OptimizerKind, ScheduleConfig, ScheduleKind, Up,
};
use segloss_unet::curves::LogRow;
use segloss_unet::dataset::load_split;
use segloss_unet::evaluate::evaluate;
use segloss_unet::objective::Objective;
use segloss_unet::progress::{EpochReport, Warning};
use segloss_unet::replay::Replay;
use segloss_unet::run::{Standing, Which};
use segloss_unet::schedule::Schedule;
use segloss_unet::{
    Checkpoint, Config, Dataset, Predictor, Progress, Reading, RunFolder, Source, Split, Trainer, resume,
    train,
};

/// Everything of a run folder that must repeat: names and bytes, without the seconds of the log.
fn content(folder: &RunFolder) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.path().to_path_buf()];
    while let Some(path) = folders.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder.path()).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name == "log.csv" {
                let rows: Vec<LogRow> = folder.log().unwrap().into_iter().map(without_seconds).collect();
                files.push((name, format!("{rows:?}").into_bytes()));
            } else {
                files.push((name, fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn without_seconds(row: LogRow) -> LogRow {
    LogRow { train_seconds: 0.0, wait_seconds: 0.0, val_seconds: 0.0, ..row }
}

#[track_caller]
fn assert_same(a: &RunFolder, b: &RunFolder) {
    let (a, b) = (content(a), content(b));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for (a, b) in a.iter().zip(&b) {
        assert!(a.1 == b.1, "{} differs", a.0);
    }
}

fn folder(root: &Path, name: &str) -> RunFolder {
    RunFolder::at(&root.join(name))
}

/// Random crops and flips on the embedded tiles, a best epoch that is not always the last.
fn varied() -> Config {
    let mut config = small(None);
    (config.data.crop, config.data.flips) = (vec![40, 36], Flips::Both);
    config.train.batch_size = 3;
    config.optimizer.clip_norm = 0.5;
    config
}

#[test]
fn any_number_of_threads_gives_the_same_run() {
    let root = tempfile::tempdir().unwrap();
    let config = everything();
    let runs = [1, 2, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let folder = folder(root.path(), &threads.to_string());
        pool.install(|| train(&config, &Dataset::load(&config.data).unwrap(), &folder, &mut ()).unwrap());
        folder
    });
    assert_same(&runs[0], &runs[1]);
    assert_same(&runs[0], &runs[2]);
}

/// All that varies images and smooths, judges or adds to a loss, at once.
fn everything() -> Config {
    let mut config = varied();
    config.augment = AugmentConfig {
        scale: [0.5, 2.0],
        rotation: 15.0,
        brightness: 0.2,
        contrast: 0.2,
        saturation: 0.0,
        rare_share: 0.5,
    };
    (config.model.depth, config.model.deep_supervision) = (3, true);
    (config.train.batch_size, config.train.micro_batch) = (4, 2);
    (config.train.ema, config.train.patience) = (0.9, 20);
    config.added_loss = Some(AddedLoss {
        from_epoch: 3,
        weight: 0.5,
        loss: LossSpec::from_toml("kind = 'lovasz_softmax'").unwrap(),
    });
    config
}

/// Stops after so many epochs.
struct Stop(usize);

impl Progress for Stop {
    fn finished_epoch(&mut self, epoch: &EpochReport) -> ControlFlow<()> {
        if epoch.row.epoch == self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn a_resumed_run_is_the_uninterrupted_run() {
    let root = tempfile::tempdir().unwrap();
    for (mut config, up, kind) in
        [(varied(), Up::Transposed, OptimizerKind::AdamW), (everything(), Up::Nearest, OptimizerKind::Sgd)]
    {
        config.model.up = up;
        config.optimizer.kind = kind;
        // Weights that remember the batches before, in a term of a loss.
        config.loss = LossSpec::from_toml(
            "kind = 'combined'\n[[terms]]\nloss = { weights = { source = 'ema', decay = 0.5 } }\n\
             [[terms]]\nfactor = 0.5\nloss = { kind = 'dice', classes = 'present' }",
        )
        .unwrap();
        let data = Dataset::load(&config.data).unwrap();
        let whole = folder(root.path(), &format!("{up:?}-whole"));
        train(&config, &data, &whole, &mut ()).unwrap();

        let parts = folder(root.path(), &format!("{up:?}-parts"));
        train(&config, &data, &parts, &mut Stop(1)).unwrap();
        assert_eq!(Checkpoint::load(&parts.checkpoint_path(Which::Last)).unwrap().meta.epoch, 1);
        resume(&parts.config().unwrap(), &data, &parts, &mut Stop(3)).unwrap();
        // A crash between log and checkpoint leaves a row too many.
        let mut log = parts.log().unwrap();
        log.push(LogRow { epoch: 4, train_loss: 99.0, ..LogRow::default() });
        parts.write_log(&log).unwrap();
        resume(&parts.config().unwrap(), &data, &parts, &mut ()).unwrap();
        assert_same(&whole, &parts);
        // Nothing is left to do.
        resume(&parts.config().unwrap(), &data, &parts, &mut ()).unwrap();
        assert_same(&whole, &parts);
    }
}

#[test]
fn a_run_that_never_finished_an_epoch_begins_again() {
    let root = tempfile::tempdir().unwrap();
    let config = varied();
    let data = Dataset::load(&config.data).unwrap();
    let whole = folder(root.path(), "whole");
    train(&config, &data, &whole, &mut ()).unwrap();
    let parts = folder(root.path(), "parts");
    parts.write_config(&whole.config().unwrap()).unwrap();
    resume(&parts.config().unwrap(), &data, &parts, &mut ()).unwrap();
    assert_same(&whole, &parts);
}

#[test]
fn another_seed_is_another_run() {
    let root = tempfile::tempdir().unwrap();
    let mut config = varied();
    let data = Dataset::load(&config.data).unwrap();
    config.train.epochs = 1;
    let a = folder(root.path(), "a");
    train(&config, &data, &a, &mut ()).unwrap();
    config.train.seed = 1;
    let b = folder(root.path(), "b");
    train(&config, &data, &b, &mut ()).unwrap();
    assert_ne!(a.log().unwrap()[0].train_loss, b.log().unwrap()[0].train_loss);
}

#[test]
fn it_learns_images_of_any_size_and_scores_every_pixel_once() {
    let root = tempfile::tempdir().unwrap();
    let sizes = [(17, 23), (30, 9), (5, 40), (16, 16)];
    for split in ["train", "val", "test"] {
        for (i, size) in sizes.iter().enumerate() {
            // Label 0 is ignored, and lies within the range.
            write_pair(&root.path().join("data").join(split), &format!("{i}"), *size, [1, 2]);
        }
    }
    // One image has an ignored part.
    write_pair(&root.path().join("data/test"), "3", (16, 16), [0, 2]);
    for norm in [Norm::Batch, Norm::None] {
        let mut config = small(Some(root.path().join("data")));
        config.data.ignore_index = Some(0);
        config.model.norm = norm;
        (config.train.epochs, config.optimizer.learning_rate) = (40, 1e-2);
        let data = Dataset::load(&config.data).unwrap();
        assert_eq!(data.classes.count(), 3);
        let folder = folder(root.path(), &format!("{norm:?}"));
        let mut losses = Losses::default();
        let best = train(&config, &data, &folder, &mut losses).unwrap().unwrap();
        let (first, last) = (losses.0[0], losses.0[losses.0.len() - 1]);
        assert!(last < 0.3 * first, "{norm:?}: {first} to {last}");
        assert!(best.mean_iou > Some(0.8), "{norm:?}: {best:?}");

        let Checkpoint { net, meta, .. } = Checkpoint::load(&folder.checkpoint_path(Which::Best)).unwrap();
        let source = Source::new(meta.config.data.folder.as_deref());
        let reading = Reading::with_classes(&source, &meta.classes).unwrap();
        let test = load_split(&reading, Split::Test, &meta.normalisation, false).unwrap();
        let objective = Objective::new(&meta.config.loss, &meta.classes, None, false).unwrap();
        let score = |batch_size| {
            evaluate(&net, &objective, &meta.classes, &meta.normalisation, &test, batch_size, &mut |_| ())
                .unwrap()
        };
        let all: usize = sizes.iter().map(|(height, width)| height * width).sum();
        assert_eq!(score(1).scores.valid_pixels, (all - 16 * 5) as u64);
        assert_eq!(score(1).scores, score(4).scores);
        assert_eq!(score(1).scores.classes.iter().map(|class| class.label).collect::<Vec<_>>(), [1, 2]);
    }
    let overlays = fs::read_dir(root.path().join("Batch/overlays")).unwrap().count();
    assert_eq!(overlays, 1);
}

#[test]
fn a_prediction_has_the_size_of_its_image_and_no_ignored_class() {
    let root = tempfile::tempdir().unwrap();
    write_set(&root.path().join("data"));
    let mut config = small(Some(root.path().join("data")));
    config.train.epochs = 1;
    let folder = folder(root.path(), "run");
    train(&config, &Dataset::load(&config.data).unwrap(), &folder, &mut ()).unwrap();
    let predictor = Predictor::new(Checkpoint::load(&folder.checkpoint_path(Which::Last)).unwrap());
    let image = predictor.read(&root.path().join("data/test/images/a.png")).unwrap();
    let indices = predictor.predict(&image).unwrap();
    assert_eq!(indices.len(), 20 * 24);
    assert!(indices.iter().all(|&class| class < 2));
    // RGB of three equal channels is the same image.
    assert_eq!(predictor.predict(&image.with_channels(3)).unwrap(), indices);
}

#[test]
fn a_loss_that_ignores_another_label_is_refused() {
    let mut config = small(None);
    config.loss.ignore_index = Some(7);
    let data = Dataset::load(&config.data).unwrap();
    let error = Trainer::new(&config, &data).unwrap_err().to_string();
    assert_eq!(error, "loss.ignore_index is 7, but the data ignores none; use --set data.ignore_index=7");
}

/// The library's own test holds every kind to its gradient; here each reaches the weights of a net.
#[test]
fn every_kind_trains() {
    let root = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        let mut config = small(None);
        config.train.epochs = 1;
        config.loss = match kind {
            Kind::Combined => LossSpec::from_toml(
                "kind = 'combined'\nterms = [{ loss = { kind = 'dice' } }, { loss = { kind = 'boundary' } }]",
            )
            .unwrap(),
            kind => LossSpec::new(kind),
        };
        let data = Dataset::load(&config.data).unwrap();
        let folder = folder(root.path(), kind.name());
        let mut losses = Losses::default();
        match train(&config, &data, &folder, &mut losses) {
            Ok(_) => {}
            // S1 is NaN or infinite as soon as a pixel saturates, and the trainer says so.
            Err(error) if kind == Kind::DocumentBinary && error.to_string().contains("the loss is") => {
                continue;
            }
            Err(error) => panic!("{kind:?}: {error}"),
        }
        assert!(losses.0.iter().all(|loss| loss.is_finite()), "{kind:?}");
        assert_ne!(losses.0.first(), losses.0.last(), "{kind:?} changes nothing");
    }
}

#[test]
fn the_data_s_own_counts_are_kept_with_the_run() {
    let root = tempfile::tempdir().unwrap();
    let mut config = small(None);
    config.train.epochs = 1;
    config.loss.weights.source = segloss::Source::Dataset;
    let data = Dataset::load(&config.data).unwrap();
    assert_eq!(data.counts.valid, 8.0 * 128.0 * 128.0);
    let folder = folder(root.path(), "run");
    train(&config, &data, &folder, &mut ()).unwrap();
    assert_eq!(folder.config().unwrap().loss.dataset.as_ref(), Some(&data.counts));
    let meta = Checkpoint::load(&folder.checkpoint_path(Which::Last)).unwrap().meta;
    assert_eq!(meta.config.loss.dataset, Some(data.counts));
}

#[test]
fn weight_maps_weigh_or_are_missed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    write_set(&dir);
    let mut config = small(Some(dir.clone()));
    config.loss.weights.source = segloss::Source::Map;
    let data = Dataset::load(&config.data).unwrap();
    let error = Trainer::new(&config, &data).unwrap_err().to_string();
    assert!(error.starts_with("loss.weights.source is map, but data.maps is not set"), "{error}");

    config.data.maps = true;
    let missed = |config: &Config| Dataset::load(&config.data).unwrap_err().to_string();
    assert!(
        missed(&config).contains("data/train/images/a.png: has no weight map: expected"),
        "{}",
        missed(&config)
    );
    let maps = dir.join("train/maps");
    fs::create_dir_all(&maps).unwrap();
    let write = |name: &str, map: &ndarray::Array2<f32>| {
        ndarray_npy::write_npy(maps.join(name), map).unwrap();
    };
    let ones = ndarray::Array2::ones((20, 24));
    write("a.npy", &ones);
    assert!(
        missed(&config).ends_with("maps/b.npy; `segloss border-map` makes maps of the masks"),
        "{}",
        missed(&config)
    );
    for (bad, words) in [
        (ndarray::Array2::ones((24, 20)), "is an array of shape [24, 20]; the weights of this image are"),
        (ndarray::Array2::from_elem((20, 24), -1.0), "holds -1 at x=0, y=0; a weight is"),
    ] {
        write("b.npy", &bad);
        assert!(missed(&config).contains(words), "{}", missed(&config));
    }
    write("b.npy", &ones);

    // Ones weigh nothing: the same first epoch, bit for bit, as without.
    let first = |config: &Config| {
        let data = Dataset::load(&config.data).unwrap();
        Trainer::new(config, &data).unwrap().run_epoch(&mut ()).unwrap().row
    };
    let plain = small(Some(dir.clone()));
    assert_eq!(first(&config).train_loss, first(&plain).train_loss);
    assert!(Dataset::load(&plain.data).unwrap().notes[0].starts_with("left out: 2 weight maps"));
    write("b.npy", &ndarray::Array2::from_shape_fn((20, 24), |(y, _)| y as f32));
    assert_ne!(first(&config).train_loss, first(&plain).train_loss);

    // Weights that leave nothing to learn.
    ["a.npy", "b.npy"].iter().for_each(|name| write(name, &ndarray::Array2::zeros((20, 24))));
    let data = Dataset::load(&config.data).unwrap();
    let error = Trainer::new(&config, &data).unwrap().run_epoch(&mut ()).unwrap_err().to_string();
    assert!(error.starts_with("epoch 1: loss and gradient are 0 in every step"), "{error}");
}

/// Of a whole batch the loss itself refuses, of parts the trainer does where the loss cannot.
#[test]
fn a_weight_that_overflows_is_refused() {
    let mut config = small(None);
    for (weight, kind, words) in [
        (1e38, Kind::Dice, "overflows f32"),
        (1e308, Kind::Dice, "overflows f32"),
        (1e40, Kind::CrossEntropy, ""),
        (1e308, Kind::CrossEntropy, "overflows f32"),
    ] {
        config.model.norm = Norm::None;
        for micro_batch in [0, 1] {
            config.train.micro_batch = micro_batch;
            let loss = LossSpec::new(kind);
            config.added_loss = Some(AddedLoss { from_epoch: 1, weight, loss });
            let data = Dataset::load(&config.data).unwrap();
            let found = Trainer::new(&config, &data).unwrap().run_epoch(&mut ());
            let Err(error) = found else { panic!("{weight} {micro_batch} {kind:?}") };
            let error: &dyn std::error::Error = &error;
            let text = format!("{error}: {:?}", error.source().map(ToString::to_string));
            assert!(text.contains(words), "{text}");
        }
    }
}

/// Trains at an absurd rate, for an error with its step.
#[track_caller]
fn diverging(change: impl FnOnce(&mut Config)) -> (RunFolder, String, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    let mut config = small(None);
    config.model.norm = Norm::None;
    config.schedule = ScheduleConfig { kind: ScheduleKind::Constant, ..ScheduleConfig::default() };
    change(&mut config);
    let data = Dataset::load(&config.data).unwrap();
    let folder = folder(root.path(), "run");
    let text = train(&config, &data, &folder, &mut ()).unwrap_err().to_string();
    (folder, text, root)
}

#[test]
fn divergence_is_an_error_with_its_step() {
    // Finite weights, but so large that the next batch has no finite logits.
    let (folder, text, _root) = diverging(|config| config.optimizer.learning_rate = 1e30);
    let advice = "training diverged: try a smaller `optimizer.learning_rate`, or limit the gradient \
                  (`optimizer.clip_norm=1`); no epoch was completed, so the same command begins anew in the same folder";
    let start = "epoch 1, step 2, learning rate 1e30: the net's output is NaN, first in the output of `down";
    assert!(text.starts_with(start) && text.ends_with(advice), "{text}");

    // The step that failed is kept, and comes to the same again.
    let path = folder.replay_path();
    assert!(
        text.contains(&format!("(`segloss replay {}` computes the step again)", path.display())),
        "{text}"
    );
    let mut replay = Replay::load(&path).unwrap();
    assert_eq!((replay.meta.epoch, replay.meta.step, replay.meta.images.len()), (1, 2, 2));
    assert!(text.contains(&format!(", of the images {} (", replay.meta.images.join(", "))), "{text}");
    let found = replay.run().unwrap();
    assert!(!found.is_finite() && found.loss.is_err(), "{found:?}");
    assert!(text.contains(&found.first.unwrap()), "{text}");
    // Batch normalisations have not noted what the step made of them.
    let (with_norms, _, _other) = diverging(|config| {
        config.optimizer.learning_rate = 1e30;
        config.model.norm = Norm::Batch;
    });
    let replay_of_norms = Replay::load(&with_norms.replay_path()).unwrap();
    for statistics in &replay_of_norms.net.statistics {
        let running = &statistics.running;
        assert!(running.mean.iter().chain(&running.variance).all(|x| x.is_finite()), "{}", statistics.name);
    }
    // A new run there removes it.
    folder.check_new().unwrap();
    let config = small(None);
    train(&config, &Dataset::load(&config.data).unwrap(), &folder, &mut ()).unwrap();
    assert!(!path.exists());

    // In the validation after the only step of an epoch.
    let (_, text, _root) = diverging(|config| {
        config.optimizer.learning_rate = 1e30;
        config.train.batch_size = 8;
    });
    let start = "epoch 1, step 1, learning rate 1e30: the net's output is NaN in the validation after it, first in the \
                 output of `down";
    assert!(text.starts_with(start) && text.ends_with(advice), "{text}");
    assert!(text.contains(", of the images r") && !text.contains("segloss replay"), "{text}");
    let decay =
        "; rate · `optimizer.weight_decay` is 1e28, and a step multiplies the weights with 1 less that";
    assert!(text.contains(decay), "{text}");
    let (_, text, _root) = diverging(|config| {
        (config.optimizer.learning_rate, config.optimizer.weight_decay) = (1e30, 0.0);
    });
    assert!(!text.contains("weight_decay"), "{text}");

    // S1 at the first step: nothing has been learned yet.
    let (_, text, _root) = diverging(|config| {
        config.loss =
            LossSpec::from_toml("kind = 'document_binary'\nthreshold = { document = 0.01 }").unwrap();
    });
    assert!(text.starts_with("epoch 1, step 1, ") && text.contains("no learning rate is to blame"), "{text}");
    // Every tensor was finite: it is the loss.
    assert!(!text.contains("first in"), "{text}");
}

#[test]
fn divergence_after_an_epoch_can_go_on_more_slowly() {
    let root = tempfile::tempdir().unwrap();
    let mut config = small(None);
    config.model.norm = Norm::None;
    config.train.epochs = 2;
    let data = Dataset::load(&config.data).unwrap();
    let folder = folder(root.path(), "run");
    train(&config, &data, &folder, &mut Stop(1)).unwrap();
    config.optimizer.learning_rate = 1e30;
    let text = resume(&config, &data, &folder, &mut ()).unwrap_err().to_string();
    assert!(
        text.contains("epoch 2, step 6")
            && text.contains("`--resume --set optimizer.learning_rate=…` goes on after epoch 1"),
        "{text}"
    );
    config.optimizer.learning_rate = 1e-3;
    resume(&config, &data, &folder, &mut ()).unwrap();
    assert_eq!(folder.log().unwrap().len(), 2);
}

#[test]
fn a_longer_run_follows_the_schedule_of_its_length() {
    let root = tempfile::tempdir().unwrap();
    let mut config = varied();
    config.train.epochs = 2;
    let data = Dataset::load(&config.data).unwrap();
    let folder = folder(root.path(), "run");
    train(&config, &data, &folder, &mut ()).unwrap();
    let before = folder.log().unwrap();
    (config.train.epochs, config.train.overlays) = (4, 0);
    resume(&config, &data, &folder, &mut ()).unwrap();
    let log = folder.log().unwrap();
    assert_eq!((&log[..2], log.len()), (&before[..], 4));
    let schedule = Schedule::new(&config.schedule, config.optimizer.learning_rate, 4, 3);
    // Three steps an epoch, and the log has the last one's rate.
    assert_eq!([log[2].learning_rate, log[3].learning_rate], [8, 11].map(|step| schedule.rate(step)));
    // What is in force is what is written, and the next resume agrees with it.
    let meta = Checkpoint::load(&folder.checkpoint_path(Which::Last)).unwrap().meta;
    assert_eq!((&folder.config().unwrap(), meta.config.train.epochs), (&meta.config, 4));
    let content_before = content(&folder);
    resume(&folder.config().unwrap(), &data, &folder, &mut ()).unwrap();
    assert!(content(&folder) == content_before);
}

#[test]
fn moved_data_and_a_limited_gradient_act_from_the_next_step_on() {
    let root = tempfile::tempdir().unwrap();
    let (data, moved) = (root.path().join("data"), root.path().join("moved"));
    write_set(&data);
    let mut config = small(Some(data.clone()));
    config.train.epochs = 2;
    let [plain, clipped] = ["plain", "clipped"].map(|name| folder(root.path(), name));
    for folder in [&plain, &clipped] {
        train(&config, &Dataset::load(&config.data).unwrap(), folder, &mut Stop(1)).unwrap();
    }
    fs::rename(&data, &moved).unwrap();
    config.data.folder = Some(moved.clone());
    let data = Dataset::load(&config.data).unwrap();
    resume(&config, &data, &plain, &mut ()).unwrap();
    assert_eq!(plain.config().unwrap().data.folder, Some(moved));
    config.optimizer.clip_norm = 1e-9;
    resume(&config, &data, &clipped, &mut ()).unwrap();
    let [plain, clipped] = [plain, clipped].map(|folder| folder.log().unwrap());
    assert_eq!(without_seconds(plain[0].clone()), without_seconds(clipped[0].clone()));
    assert_ne!(plain[1].val_loss, clipped[1].val_loss);
}

#[test]
fn what_a_run_cannot_take_over_is_refused_and_nothing_is_written() {
    let root = tempfile::tempdir().unwrap();
    let config = small(None);
    let data = Dataset::load(&config.data).unwrap();
    let folder = folder(root.path(), "run");
    train(&config, &data, &folder, &mut Stop(2)).unwrap();
    let before = content(&folder);
    let changed = |change: fn(&mut Config)| {
        let mut config = config.clone();
        change(&mut config);
        let text = resume(&config, &data, &folder, &mut ()).unwrap_err().to_string();
        assert!(content(&folder) == before);
        text
    };
    for (change, expected) in [
        ((|config| config.train.seed = 1) as fn(&mut Config), "`train.seed` is 1, was 0"),
        (|config| config.optimizer.kind = OptimizerKind::Sgd, "`optimizer.kind` is \"sgd\", was \"adamw\""),
        (|config| config.loss = LossSpec::new(Kind::Dice), "`loss.kind` is \"dice\", was \"cross_entropy\""),
        (|config| config.data.crop = vec![9, 9], "`data.crop` is [9, 9], was []"),
        (|config| config.train.epochs = 1, "`train.epochs` is 1, but 2 epochs are done"),
    ] {
        let text = changed(change);
        assert!(text.starts_with(expected), "{text}");
    }
}

/// Notes the warnings.
#[derive(Default)]
struct Warnings(Vec<Warning>, usize);

impl Progress for Warnings {
    fn warned(&mut self, warning: &Warning) {
        self.0.push(warning.clone());
    }

    fn finished_epoch(&mut self, epoch: &EpochReport) -> ControlFlow<()> {
        if epoch.row.epoch == self.1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn a_class_that_is_never_predicted_is_warned_of_once() {
    let root = tempfile::tempdir().unwrap();
    for split in ["train", "val"] {
        write_pair(&root.path().join("data").join(split), "a", (20, 24), [0, 1]);
        write_pair(&root.path().join("data").join(split), "b", (20, 24), [0, 2]);
    }
    for source in [segloss::Source::None, segloss::Source::PerSample] {
        let mut config = small(Some(root.path().join("data")));
        (config.train.epochs, config.optimizer.learning_rate) = (9, 1e-6);
        config.loss.weights.source = source;
        let data = Dataset::load(&config.data).unwrap();
        let folder = folder(root.path(), &format!("{source:?}"));
        train(&config, &data, &folder, &mut Stop(1)).unwrap();
        // No pixel will be of class 2 any more.
        let last = folder.checkpoint_path(Which::Last);
        let mut checkpoint = Checkpoint::load(&last).unwrap();
        let bias = checkpoint.net.parameters.iter_mut().find(|parameter| parameter.name == "head.bias");
        bias.unwrap().values_mut().unwrap()[2] = -1e3;
        checkpoint.save(&last).unwrap();
        let go_on = |epochs| {
            let mut warnings = Warnings(Vec::new(), epochs);
            resume(&config, &data, &folder, &mut warnings).unwrap();
            assert_eq!(folder.log().unwrap().len(), epochs);
            warnings.0
        };
        assert_eq!(go_on(2), []);
        let [Warning::Unpredicted { classes, unweighted }] = &go_on(6)[..] else { panic!("no warning") };
        assert_eq!(*unweighted, source == segloss::Source::None);
        assert!(classes.contains(&"class 2".to_owned()), "{classes:?}");
        assert_eq!(go_on(9), []);
    }

    // What to do depends on what the loss could do.
    let advice = |unweighted| Warning::Unpredicted { classes: vec!["a".to_owned()], unweighted }.to_string();
    let text = advice(true);
    assert!(text.starts_with("no validation pixel was predicted to be `a`, 3 epochs in a row; "), "{text}");
    assert!(
        text.contains("--set loss.weights.source=per_sample") && text.contains("segloss weights"),
        "{text}"
    );
    assert!(advice(false).contains("another run with cross_entropy"), "{}", advice(false));
}

/// In the words of `segloss eval`, of the first batch, each kind once; a second loss is heard when it joins.
#[test]
fn what_the_loss_has_to_say_is_told_once() {
    let root = tempfile::tempdir().unwrap();
    for micro_batch in [0, 1] {
        let mut config = small(None);
        (config.train.epochs, config.train.micro_batch, config.model.norm) = (3, micro_batch, Norm::None);
        let constant = LossSpec::new(Kind::DocumentCategorical);
        let said = |config: &Config| {
            let data = Dataset::load(&config.data).unwrap();
            let folder = folder(root.path(), &format!("{micro_batch}{}", config.added_loss.is_some()));
            let mut warnings = Warnings::default();
            train(config, &data, &folder, &mut warnings).unwrap();
            let of_loss = |warning: &Warning| matches!(warning, Warning::Loss { .. });
            warnings.0.iter().filter(|w| of_loss(w)).map(ToString::to_string).collect::<Vec<_>>()
        };
        config.added_loss = Some(AddedLoss { from_epoch: 2, weight: 0.5, loss: constant.clone() });
        let added = said(&config);
        (config.added_loss, config.loss) = (None, constant);
        let alone = said(&config);
        assert_eq!(alone, added);
        let weight = 1.0 / 3.0;
        let words = format!(
            "of the first batch: the weight is {weight} for each of the 3 classes: it scales the loss"
        );
        assert!(alone.len() == 1 && alone[0].starts_with(&words), "{alone:?}");
    }
}

#[test]
fn a_log_that_lacks_epochs_is_warned_of() {
    let root = tempfile::tempdir().unwrap();
    let config = small(None);
    let data = Dataset::load(&config.data).unwrap();
    let folder = folder(root.path(), "run");
    train(&config, &data, &folder, &mut Stop(2)).unwrap();
    fs::remove_file(folder.path().join("log.csv")).unwrap();
    let mut warnings = Warnings::default();
    resume(&config, &data, &folder, &mut warnings).unwrap();
    assert_eq!(warnings.0[0], Warning::LogRows { epochs: 2, rows: 0 });

    let best = Checkpoint::load(&folder.checkpoint_path(Which::Last)).unwrap().meta.best.epoch;
    fs::remove_file(folder.checkpoint_path(Which::Best)).unwrap();
    let mut warnings = Warnings::default();
    resume(&config, &data, &folder, &mut warnings).unwrap();
    let gone = Warning::BestGone { epoch: best, is_last: best == config.train.epochs };
    assert_eq!(warnings.0.last(), Some(&gone));
    let words = |is_last| Warning::BestGone { epoch: 1, is_last }.to_string();
    assert!(
        words(false).ends_with("use --checkpoint last")
            && words(true).contains("copy last.safetensors to it")
    );
}

#[test]
fn any_moment_of_the_first_epoch_begins_again_and_no_later_one_does() {
    let root = tempfile::tempdir().unwrap();
    let mut config = varied();
    config.train.epochs = 2;
    let data = Dataset::load(&config.data).unwrap();
    let whole = folder(root.path(), "whole");
    train(&config, &data, &whole, &mut ()).unwrap();
    // Everything of an epoch is written in this order; the last checkpoint comes last.
    let order = ["config.toml", "log.csv", "curves.svg", "best.safetensors", "classes.csv", "classes.md"];
    let one = folder(root.path(), "one");
    let mut first = config.clone();
    first.train.epochs = 2;
    train(&first, &data, &one, &mut Stop(1)).unwrap();
    for written in 1..=order.len() {
        let parts = folder(root.path(), &format!("{written}"));
        fs::create_dir(parts.path()).unwrap();
        for name in &order[..written] {
            fs::copy(one.path().join(name), parts.path().join(name)).unwrap();
        }
        fs::write(parts.path().join(".writing-x"), "half").unwrap();
        assert_eq!(parts.standing().unwrap(), Standing::Begun);
        parts.check_new().unwrap();
        resume(&parts.config().unwrap(), &data, &parts, &mut ()).unwrap();
        assert_same(&whole, &parts);
    }

    fs::remove_file(whole.checkpoint_path(Which::Last)).unwrap();
    let before = content(&whole);
    for begin in [resume, train] {
        assert!(begin(&config, &data, &whole, &mut ()).is_err());
        assert!(content(&whole) == before);
    }
    let text = resume(&config, &data, &whole, &mut ()).unwrap_err().to_string();
    assert!(
        text.contains("2 epochs were completed, but last.safetensors is gone; copy best.safetensors"),
        "{text}"
    );
}
