//! The sections of a configuration, with the default of every key.

use std::path::PathBuf;

use segloss::LossSpec;
use serde::{Deserialize, Serialize};

/// Everything that decides the outcome of a run, but for the data itself.
///
/// ```
/// use segloss_unet::Config;
///
/// let mut sources = segloss_unet::config::Sources::default();
/// sources.toml("[train]\nepochs = 5", "my.toml")?;
/// sources.set("model.width=8")?;
/// let config = sources.finish()?;
/// assert_eq!((config.train.epochs, config.model.width), (5, 8));
/// assert_eq!(config.model.depth, Config::default().model.depth);
/// # Ok::<(), segloss_unet::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the images are, and which part of them is looked at.
    pub data: DataConfig,
    /// How images are varied in training, beyond crops and flips.
    pub augment: AugmentConfig,
    /// The shape of the net.
    pub model: ModelConfig,
    /// How a gradient becomes a step.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes.
    pub schedule: ScheduleConfig,
    /// How long, how many at once, from which seed.
    pub train: TrainConfig,
    /// What is minimised. The trainer itself decides two of its keys: `layout` (channels last) and
    /// `ignore_index` (that of the data); the latter may be given here too, but not another one.
    pub loss: LossSpec,
    /// What is minimised besides, from some epoch on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_loss: Option<AddedLoss>,
}

/// `[added_loss]`: from an epoch on, L + `weight` · L′ is minimised, with L of `[loss]` and L′ of `[added_loss.loss]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddedLoss {
    /// The first epoch in which it counts, from 1.
    pub from_epoch: usize,
    /// What it is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// Which loss; the trainer decides the same two keys of it.
    pub loss: LossSpec,
}

fn one() -> f64 {
    1.0
}

/// `[data]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// `DIR/{train,val,test}/{images,masks}`; the embedded tiles if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The label whose pixels count for nothing. It goes before that of `dataset.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_index: Option<u8>,
    /// Whether each pixel's loss is multiplied with a weight from `maps/NAME.npy`, beside `images` and `masks`.
    /// `loss.weights.source = "map"` asks for it.
    pub maps: bool,
    /// Whether the net sees grey or RGB.
    pub channels: Channels,
    /// Flips in training.
    pub flips: Flips,
    /// `[height, width]` of a random crop in training; empty for whole images.
    pub crop: Vec<usize>,
    /// Training images whose names begin with one of these are not learned from: a sequence, a patient. `segloss tune` can
    /// choose a decision rule by them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<String>,
}

/// `[augment]`: drawn anew for each image of each epoch. Masks move with their images, by the nearest pixel; what comes
/// from outside the image is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// The smallest and the largest magnification, uniform in the logarithm; `[1.0, 1.0]` for none.
    pub scale: [f64; 2],
    /// The largest rotation to either side, in degrees; 0 for none.
    pub rotation: f64,
    /// b: every value is multiplied by a number from 1 − b to 1 + b.
    pub brightness: f64,
    /// k: every value's distance from its channel's mean is multiplied by a number from 1 − k to 1 + k.
    pub contrast: f64,
    /// s: every channel's distance from the pixel's grey is multiplied by a number from 1 − s to 1 + s; of RGB only.
    pub saturation: f64,
    /// The share of the crops whose centre is a pixel of a rare class, drawn among the rare classes of the image, then
    /// among the pixels of that class. A class is rare if fewer than 1/C of the training pixels are its.
    pub rare_share: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            scale: [1.0; 2],
            rotation: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            saturation: 0.0,
            rare_share: 0.0,
        }
    }
}

/// Whether the net sees grey or RGB images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// RGB if any training image has colour, else grey.
    #[default]
    Auto,
    /// One channel.
    Grey,
    /// Three channels.
    Rgb,
}

/// Which flips an image may get in training, each with probability ½.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flips {
    /// None.
    None,
    /// Left to right: for street scenes, where up is up.
    #[default]
    Horizontal,
    /// Left to right, and top to bottom: for microscopes and aerial images.
    Both,
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Channels at full resolution; each level down has twice as many.
    pub width: usize,
    /// How often the resolution is halved.
    pub depth: usize,
    /// What follows a convolution.
    pub norm: Norm,
    /// How the resolution is doubled.
    pub up: Up,
    /// Whether a convolution that no normalisation follows has a bias. (One that is followed by a
    /// normalisation never has: the normalisation would take it out again.)
    pub bias: bool,
    /// Whether every level on the way up but the lowest has a head of its own in training, whose loss counts 2⁻ˡ at
    /// level l, all of them together 1 (Isensee et al. 2021, nnU-Net; labels by the nearest pixel).
    pub deep_supervision: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            width: 16,
            depth: 4,
            norm: Norm::Batch,
            up: Up::Transposed,
            bias: true,
            deep_supervision: false,
        }
    }
}

impl ModelConfig {
    /// The levels that have a head: the full resolution, and with deep supervision those below it but the lowest.
    pub fn heads(&self) -> std::ops::Range<usize> {
        0..if self.deep_supervision { self.depth.saturating_sub(1).max(1) } else { 1 }
    }

    /// How many numbers the kernels hold, without making them: Σ over the convolutions of
    /// Kh·Kw·Cin·Cout. (Cannot overflow for configurations in range.)
    pub fn kernel_numbers(&self, channels: usize, classes: usize) -> u128 {
        let width = |level: usize| (self.width as u128) << level;
        let block = |inputs: u128, outputs: u128| 9 * (inputs * outputs + outputs * outputs);
        let up = if self.up == Up::Transposed { 4 } else { 9 };
        let first = block(channels as u128, width(0));
        let down = (0..self.depth).map(|level| block(width(level), width(level + 1)));
        let ups = (0..self.depth).map(|level| {
            let w = width(level);
            up * 2 * w * w + block(2 * w, w)
        });
        let heads = self.heads().map(|level| width(level) * classes as u128);
        first + down.sum::<u128>() + ups.sum::<u128>() + heads.sum::<u128>()
    }
}

/// What follows a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Batch normalisation (Ioffe & Szegedy 2015).
    Batch,
    /// Nothing.
    None,
}

/// How the resolution is doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Up {
    /// A transposed 2×2 convolution of stride 2.
    Transposed,
    /// Each pixel becomes 2×2 equal ones, then a 3×3 convolution.
    Nearest,
}

/// `[optimizer]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Which rule.
    pub kind: OptimizerKind,
    /// The peak learning rate η; see `[schedule]`. The default suits Adam and AdamW, whose steps do not
    /// depend on the scale of the gradient; SGD usually needs 0.01 to 0.1.
    pub learning_rate: f64,
    /// β₁ of Adam and AdamW: decay of the mean of the gradients.
    pub beta1: f64,
    /// β₂ of Adam and AdamW: decay of the mean of their squares.
    pub beta2: f64,
    /// ε of Adam and AdamW, beside the root of the mean square.
    pub epsilon: f64,
    /// μ of SGD; 0 for none.
    pub momentum: f64,
    /// Whether SGD looks ahead along its momentum.
    pub nesterov: bool,
    /// λ; kernels only, never biases or normalisations. The default suits AdamW, where λ stands apart from the
    /// gradient; in Adam and SGD it is part of it, and 1e-4 is usual.
    pub weight_decay: f64,
    /// A gradient whose Euclidean norm is larger is scaled down to it; 0 for no limit.
    pub clip_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::AdamW,
            learning_rate: 2e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 1e-2,
            clip_norm: 0.0,
        }
    }
}

/// Which rule turns gradients into steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Weight decay is part of the gradient.
    Adam,
    /// Weight decay is apart from the gradient.
    AdamW,
    /// Stochastic gradient descent, with momentum if there is one.
    Sgd,
}

impl OptimizerKind {
    /// As in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::Sgd => "sgd",
        }
    }
}

/// `[schedule]`; see [`ScheduleKind`] for who uses which key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Which curve.
    pub kind: ScheduleKind,
    /// The part of the run, 0 to 1, in which the rate rises.
    pub warmup: f64,
    /// A one-cycle run starts at the peak rate divided by this.
    pub start_divisor: f64,
    /// The last step's rate as a part of the peak.
    pub final_factor: f64,
    /// The step schedule multiplies the rate by `factor` every so many epochs.
    pub every: usize,
    /// See `every`.
    pub factor: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::OneCycle,
            warmup: 0.3,
            start_divisor: 25.0,
            final_factor: 4e-6,
            every: 10,
            factor: 0.1,
        }
    }
}

/// How the learning rate changes over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Always the peak η.
    Constant,
    /// η · factor^⌊epoch / every⌋, with epochs counted from 0.
    Step,
    /// Linear warm-up from 0 to η over the first `warmup` of the run, then half a cosine down to
    /// η · `final_factor`.
    Cosine,
    /// Half a cosine up from η / `start_divisor` to η over the first `warmup` of the run, then half a
    /// cosine down to η · `final_factor` (Smith & Topin 2018, in PyTorch's form).
    OneCycle,
}

impl ScheduleKind {
    /// As in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step => "step",
            Self::Cosine => "cosine",
            Self::OneCycle => "one_cycle",
        }
    }
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// Images in memory at once; 0 for all of a step. The loss and its gradient are those of the whole batch, whatever
    /// the loss is; batch normalisations see these images alone.
    pub micro_batch: usize,
    /// Decides the first weights, the order of the images, flips and crops.
    pub seed: u64,
    /// d: the net that is evaluated and kept is a moving average of the weights, θ̄ ← d·θ̄ + (1 − d)·θ after each
    /// step, with d = min(`ema`, (1 + t)/(10 + t)) in step t; 0 for the weights themselves.
    pub ema: f64,
    /// The run ends after so many epochs without a better mean IoU; 0 for never.
    pub patience: usize,
    /// Validation images that are drawn into `overlays/` after an epoch that is the best so far.
    pub overlays: usize,
    /// A safetensors file whose weights the net begins with, in place of random ones: see
    /// [`torch_weights`](crate::torch_weights).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// Whether the last layer begins at random all the same: for other classes than those of `weights`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fresh_head: bool,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch_size: 4,
            micro_batch: 0,
            seed: 0,
            ema: 0.0,
            patience: 0,
            overlays: 4,
            weights: None,
            fresh_head: false,
        }
    }
}
