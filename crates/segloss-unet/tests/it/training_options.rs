//! What a run may have beside net, loss and optimizer: micro-batches, deep supervision, an average of the weights, an
//! early end, a second loss.

use std::ops::ControlFlow;

use crate::common::small;
use segloss::LossSpec;
use segloss_unet::batch::{Batch, Batcher};
use segloss_unet::checkpoint::Best;
use segloss_unet::config::{AddedLoss, ModelConfig, Norm};
use segloss_unet::gradient::accumulate;
use segloss_unet::objective::Objective;
use segloss_unet::progress::EpochReport;
use segloss_unet::run::Which;
use segloss_unet::view::View;
use segloss_unet::{Checkpoint, Config, Dataset, Progress, RunFolder, UNet, resume, train};

/// Losses that are sums over pixels, and losses that are not.
const LOSSES: [&str; 6] = [
    "kind = 'cross_entropy'",
    "kind = 'cross_entropy'\n[weights]\nsource = 'per_batch'",
    "kind = 'dice'\nregion = 'batch'",
    "kind = 'lovasz_softmax'",
    "kind = 'top_k_cross_entropy'",
    "kind = 'combined'\n[[terms]]\nloss = { weights = { source = 'per_sample' } }\n[[terms]]\nloss = { kind = 'jaccard' }",
];

/// A batch of the first images of the embedded data, with what judges them.
fn batch(data: &Dataset, images: usize, multiple: usize) -> Batch<f32> {
    let Dataset { train, normalisation, classes, .. } = data;
    let views: Vec<View> = (0..images)
        .map(|n| View { height: 32, width: 40, ..View::whole(n, (train[n].height(), train[n].width())) })
        .collect();
    Batcher { samples: train, normalisation, classes, multiple }.build(&views)
}

fn zeros(net: &UNet<f32>) -> Vec<Vec<f32>> {
    net.parameters.iter().map(|parameter| vec![0.0; parameter.shape().iter().product()]).collect()
}

#[test]
fn micro_batches_give_the_loss_and_the_gradient_of_the_whole() {
    let data = Dataset::load(&Config::default().data).unwrap();
    for deep_supervision in [false, true] {
        let config =
            ModelConfig { width: 4, depth: 3, norm: Norm::None, deep_supervision, ..ModelConfig::default() };
        let mut net = UNet::new(&config, data.channels, data.classes.count(), 3).unwrap();
        assert_eq!(net.lower_heads(), usize::from(deep_supervision));
        let batch = batch(&data, 5, net.multiple());
        for loss in LOSSES {
            let spec = LossSpec::from_toml(loss).unwrap();
            let objective = Objective::new(&spec, &data.classes, Some(&data.counts), false).unwrap();
            let mut gradient = |images| {
                let mut into = zeros(&net);
                let value = accumulate(&mut net, &objective, &batch, images, &mut into).unwrap();
                (value, into.concat())
            };
            let (value, whole) = gradient(0);
            let largest = whole.iter().fold(0.0_f32, |largest, g| largest.max(g.abs()));
            assert!(largest > 1e-4, "{loss}");
            for images in [1, 2, 3, 5] {
                let (again, parts) = gradient(images);
                // The logits are the same bits; only sums of parameters' gradients are rounded otherwise.
                assert!((again - value).abs() <= 1e-13 * value, "{loss}: {again}, not {value}");
                for (part, whole) in parts.iter().zip(&whole) {
                    assert!(
                        (part - whole).abs() <= 2e-6 * largest,
                        "{loss} by {images}: {part}, not {whole}"
                    );
                }
            }
        }
    }
}

/// The losses of all levels together, along the gradient: the slope is the gradient's squared norm.
#[test]
fn deep_supervision_has_the_gradient_of_its_sum() {
    let data = Dataset::load(&Config::default().data).unwrap();
    let config = ModelConfig {
        width: 4,
        depth: 4,
        norm: Norm::None,
        deep_supervision: true,
        ..ModelConfig::default()
    };
    let mut net = UNet::new(&config, data.channels, data.classes.count(), 3).unwrap();
    assert_eq!(net.lower_heads(), 2);
    let names: Vec<&str> = net.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert!(
        names.contains(&"head1.weight")
            && names.contains(&"head2.weight")
            && !names.contains(&"head3.weight")
    );
    let batch = batch(&data, 2, net.multiple());
    let spec = LossSpec::from_toml("kind = 'cross_entropy'").unwrap();
    let objective = Objective::new(&spec, &data.classes, None, false).unwrap();
    let mut gradient = zeros(&net);
    accumulate(&mut net, &objective, &batch, 0, &mut gradient).unwrap();
    for (parameter, gradient) in net.parameters.iter().zip(&gradient) {
        assert!(gradient.iter().any(|&g| g != 0.0), "{}", parameter.name);
    }
    let norm = gradient.concat().iter().map(|&g| f64::from(g).powi(2)).sum::<f64>();
    let step = 1e-3 / norm.sqrt();
    let at = |sign: f64| {
        let mut moved = net.clone();
        for (parameter, gradient) in moved.parameters.iter_mut().zip(&gradient) {
            let values = parameter.values_mut().unwrap();
            values.iter_mut().zip(gradient).for_each(|(v, &g)| *v += (sign * step * f64::from(g)) as f32);
        }
        let mut unused = zeros(&moved);
        accumulate(&mut moved, &objective, &batch, 0, &mut unused).unwrap()
    };
    let slope = (at(1.0) - at(-1.0)) / (2.0 * step);
    assert!((slope / norm - 1.0).abs() < 1e-3, "{slope}, not {norm}");
}

/// The net that is kept is the average, training goes on with the other, and both are in the checkpoint.
#[test]
fn an_average_is_judged_and_the_weights_learn() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(&root.path().join("run"));
    let mut config = small(None);
    (config.train.epochs, config.train.ema) = (2, 0.99);
    let data = Dataset::load(&config.data).unwrap();
    train(&config, &data, &folder, &mut ()).unwrap();
    let checkpoint = Checkpoint::load(&folder.checkpoint_path(Which::Last)).unwrap();
    let learning = checkpoint.learning.unwrap();
    let (kept, learnt) = (&checkpoint.net.parameters[0], &learning.parameters[0]);
    assert_ne!(kept.values().unwrap(), learnt.values().unwrap());

    // The weights that learn are those of a run without an average.
    let plain = RunFolder::at(&root.path().join("plain"));
    config.train.ema = 0.0;
    train(&config, &data, &plain, &mut ()).unwrap();
    let checkpoint = Checkpoint::load(&plain.checkpoint_path(Which::Last)).unwrap();
    assert!(checkpoint.learning.is_none());
    assert_eq!(checkpoint.net.parameters[0].values().unwrap(), learnt.values().unwrap());
    // A checkpoint whose other net is gone is refused.
    let mut bytes = std::fs::read(folder.checkpoint_path(Which::Last)).unwrap();
    let at = bytes.windows(9).position(|window| window == b"learning/").unwrap();
    bytes[at] = b'L';
    let error = Checkpoint::decode(&bytes, "x".as_ref()).unwrap_err().to_string();
    assert!(error.contains("learning/"), "{error}");
}

/// Counts epochs, and notes an early end.
#[derive(Default)]
struct Watch {
    epochs: usize,
    stopped: Option<(Best, usize)>,
}

impl Progress for Watch {
    fn stopped_early(&mut self, best: &Best, patience: usize) {
        self.stopped = Some((*best, patience));
    }

    fn finished_epoch(&mut self, _: &EpochReport) -> ControlFlow<()> {
        self.epochs += 1;
        ControlFlow::Continue(())
    }
}

#[test]
fn a_run_that_does_not_become_better_ends_early_and_can_be_told_to_go_on() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(&root.path().join("run"));
    let mut config = small(None);
    config.model.norm = Norm::None;
    (config.train.epochs, config.train.patience) = (9, 2);
    // Steps that change no prediction.
    config.optimizer.learning_rate = 1e-12;
    let data = Dataset::load(&config.data).unwrap();
    let mut watch = Watch::default();
    train(&config, &data, &folder, &mut watch).unwrap();
    assert_eq!(watch.epochs, 3);
    let (best, patience) = watch.stopped.unwrap();
    assert_eq!((best.epoch, patience), (1, 2));

    let mut again = Watch::default();
    resume(&folder.config().unwrap(), &data, &folder, &mut again).unwrap();
    assert_eq!((again.epochs, again.stopped.is_some()), (0, true));
    let mut more = folder.config().unwrap();
    more.train.patience = 4;
    resume(&more, &data, &folder, &mut again).unwrap();
    assert_eq!(again.epochs, 2);
}

#[test]
fn an_added_loss_counts_from_its_epoch_on() {
    let root = tempfile::tempdir().unwrap();
    let mut config = small(None);
    config.optimizer.learning_rate = 1e-12;
    config.model.norm = Norm::None;
    let data = Dataset::load(&config.data).unwrap();
    let losses = |name: &str, loss: Option<LossSpec>, added: Option<AddedLoss>| -> Vec<f64> {
        let folder = RunFolder::at(&root.path().join(name));
        let mut config = Config { added_loss: added, ..config.clone() };
        config.loss = loss.unwrap_or(config.loss);
        train(&config, &data, &folder, &mut ()).unwrap();
        folder.log().unwrap().iter().map(|row| row.val_loss).collect()
    };
    let spec = LossSpec::from_toml("kind = 'dice'").unwrap();
    let plain = losses("plain", None, None);
    let dice = losses("dice", Some(spec.clone()), None);
    let with = losses("with", None, Some(AddedLoss { from_epoch: 3, weight: 0.25, loss: spec.clone() }));
    assert_eq!(plain[..2], with[..2]);
    for epoch in 2..4 {
        let expected = plain[epoch] + 0.25 * dice[epoch];
        assert!((with[epoch] - expected).abs() < 1e-6, "{} is not {expected}", with[epoch]);
    }
    let late = Config { added_loss: Some(AddedLoss { from_epoch: 5, weight: 1.0, loss: spec }), ..config };
    let folder = RunFolder::at(&root.path().join("late"));
    let error = train(&late, &data, &folder, &mut ()).unwrap_err().to_string();
    assert!(error.contains("`added_loss.from_epoch` is 5, but the run ends after 4 epochs"), "{error}");
}

#[test]
fn variations_without_anything_to_act_on_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = small(None);
        change(&mut config);
        let data = Dataset::load(&config.data).unwrap();
        let folder = RunFolder::at(&root.path().join("run"));
        train(&config, &data, &folder, &mut ()).unwrap_err().to_string()
    };
    let text = refused(&|config| config.augment.saturation = 0.5);
    assert!(text.contains("`augment.saturation` is 0.5, but the net sees grey images"), "{text}");
    let text = refused(&|config| config.augment.rare_share = 0.5);
    assert!(text.contains("`augment.rare_share` is 0.5, but `data.crop` is []"), "{text}");
    let text = refused(&|config| config.train.micro_batch = 9);
    assert!(text.contains("`train.micro_batch` is 9, expected at most `train.batch_size`"), "{text}");
}
