//! The configuration of a run: TOML or JSON, every key with a default, unknown keys refused.

use std::path::{Path, PathBuf};

use segloss::LossSpec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::decode::one_line;
use crate::error::{ConfigProblem, Error, Result};
use crate::explain::{explain, unknown};
use crate::files;

/// The largest net, in weights: 1 GiB of f32, and the optimizer's state is twice that.
const MAX_NUMBERS: u128 = 1 << 28;

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
    /// Where the images are and how they are varied.
    pub data: DataConfig,
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
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { width: 16, depth: 4, norm: Norm::Batch, up: Up::Transposed, bias: true }
    }
}

impl ModelConfig {
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
        first + down.sum::<u128>() + ups.sum::<u128>() + width(0) * classes as u128
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
    /// Decides the first weights, the order of the images, flips and crops.
    pub seed: u64,
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
        Self { epochs: 20, batch_size: 4, seed: 0, overlays: 4, weights: None, fresh_head: false }
    }
}

impl Config {
    /// The whole configuration as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| malformed("configuration", &error.to_string()))
    }

    /// Reads a whole configuration.
    ///
    /// # Errors
    /// [`ConfigProblem`]; `origin` names the text in messages.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        let mut sources = Sources::default();
        sources.toml(text, origin)?;
        sources.finish()
    }

    /// Checks every range, and that every key that was set away from its default acts. [`Sources::finish`]
    /// has done so; a configuration built in code has not been checked until the trainer does.
    ///
    /// # Errors
    /// [`ConfigProblem::OutOfRange`] or [`ConfigProblem::Idle`] with the first key at fault, or an error of
    /// the loss.
    pub fn validate(&self) -> Result<()> {
        self.check_ranges()?;
        let (Self { optimizer: o, schedule: s, .. }, default) = (self, Self::default());
        let (sgd, adam) = (o.kind == OptimizerKind::Sgd, "adam and adamw");
        let [step, cosine, one_cycle] =
            [ScheduleKind::Step, ScheduleKind::Cosine, ScheduleKind::OneCycle].map(|kind| s.kind == kind);
        let (from, then) = (&default.optimizer, &default.schedule);
        let kinds = (("optimizer.kind", o.kind.name()), ("schedule.kind", s.kind.name()));
        // Whether the kind reads the key, which kind, the key, its value, its default, and who reads it.
        let number = |x: f64| Value::Float(x);
        let whole = |n: usize| Value::Integer(n as i64);
        for (acts, kind, key, value, default, readers) in [
            (!sgd, kinds.0, "optimizer.beta1", number(o.beta1), number(from.beta1), adam),
            (!sgd, kinds.0, "optimizer.beta2", number(o.beta2), number(from.beta2), adam),
            (!sgd, kinds.0, "optimizer.epsilon", number(o.epsilon), number(from.epsilon), adam),
            (sgd, kinds.0, "optimizer.momentum", number(o.momentum), number(from.momentum), "sgd"),
            (sgd, kinds.0, "optimizer.nesterov", o.nesterov.into(), from.nesterov.into(), "sgd"),
            (
                cosine || one_cycle,
                kinds.1,
                "schedule.warmup",
                number(s.warmup),
                number(then.warmup),
                "cosine and one_cycle",
            ),
            (
                one_cycle,
                kinds.1,
                "schedule.start_divisor",
                number(s.start_divisor),
                number(then.start_divisor),
                "one_cycle",
            ),
            (
                cosine || one_cycle,
                kinds.1,
                "schedule.final_factor",
                number(s.final_factor),
                number(then.final_factor),
                "cosine and one_cycle",
            ),
            (step, kinds.1, "schedule.every", whole(s.every), whole(then.every), "step"),
            (step, kinds.1, "schedule.factor", number(s.factor), number(then.factor), "step"),
        ] {
            if !acts && value != default {
                return Err(ConfigProblem::Idle { key, value: value.to_string(), kind, readers }.into());
            }
        }
        if self.train.fresh_head && self.train.weights.is_none() {
            let text = "`train.fresh_head` is true, but without `train.weights` (--weights) every layer is fresh; leave \
                        the key out";
            return Err(ConfigProblem::Contradiction(text.to_owned()).into());
        }
        Ok(())
    }

    /// Checks every range. What an older program wrote into a checkpoint may hold keys that do not act.
    pub(crate) fn check_ranges(&self) -> Result<()> {
        let Self { data, model, optimizer, schedule, train, loss } = self;
        let in_range = |ok: bool, key: &'static str, value: &dyn std::fmt::Debug, expected: &'static str| {
            if ok {
                Ok(())
            } else {
                Err(ConfigProblem::OutOfRange { key, value: format!("{value:?}"), expected })
            }
        };
        let crop_ok = data.crop.is_empty() || data.crop.len() == 2 && data.crop.iter().all(|&n| n > 0);
        in_range(crop_ok, "data.crop", &data.crop, "[] or [height, width], both above 0")?;
        in_range((1..=1024).contains(&model.width), "model.width", &model.width, "1 to 1024")?;
        in_range((1..=8).contains(&model.depth), "model.depth", &model.depth, "1 to 8")?;
        let numbers = model.kernel_numbers(3, 255);
        in_range(
            numbers <= MAX_NUMBERS,
            "model.width",
            &model.width,
            "a net of at most 2^28 weights at this depth",
        )?;

        let positive = |x: f64| x > 0.0 && x.is_finite();
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        let o = optimizer;
        in_range(positive(o.learning_rate), "optimizer.learning_rate", &o.learning_rate, "a number above 0")?;
        in_range((0.0..1.0).contains(&o.beta1), "optimizer.beta1", &o.beta1, "at least 0 and below 1")?;
        in_range((0.0..1.0).contains(&o.beta2), "optimizer.beta2", &o.beta2, "at least 0 and below 1")?;
        in_range(positive(o.epsilon), "optimizer.epsilon", &o.epsilon, "a number above 0")?;
        in_range(
            (0.0..1.0).contains(&o.momentum),
            "optimizer.momentum",
            &o.momentum,
            "at least 0 and below 1",
        )?;
        let ahead = !o.nesterov || o.momentum > 0.0;
        in_range(ahead, "optimizer.momentum", &o.momentum, "above 0 with `optimizer.nesterov`")?;
        in_range(not_negative(o.weight_decay), "optimizer.weight_decay", &o.weight_decay, "at least 0")?;
        in_range(not_negative(o.clip_norm), "optimizer.clip_norm", &o.clip_norm, "at least 0 (0: no limit)")?;

        let s = schedule;
        in_range((0.0..=1.0).contains(&s.warmup), "schedule.warmup", &s.warmup, "0 to 1")?;
        in_range(positive(s.start_divisor), "schedule.start_divisor", &s.start_divisor, "a number above 0")?;
        in_range(not_negative(s.final_factor), "schedule.final_factor", &s.final_factor, "at least 0")?;
        in_range(s.every > 0, "schedule.every", &s.every, "at least 1")?;
        in_range(positive(s.factor), "schedule.factor", &s.factor, "a number above 0")?;

        let epochs = 1..=1_000_000;
        in_range(epochs.contains(&train.epochs), "train.epochs", &train.epochs, "1 to 1000000")?;
        in_range(train.batch_size > 0, "train.batch_size", &train.batch_size, "at least 1")?;
        // TOML integers end there; a larger seed could not be written to config.toml.
        in_range(i64::try_from(train.seed).is_ok(), "train.seed", &train.seed, "0 to 2^63 - 1")?;
        segloss::Loss::new(loss.clone())?;
        Ok(())
    }
}

/// Collects what files and the command line say, later over earlier, and makes a [`Config`] of it.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    table: Table,
}

impl Sources {
    /// Adds a configuration file, in TOML or JSON.
    ///
    /// # Errors
    /// [`Error::Io`], or [`ConfigProblem::Malformed`], also if it holds no key.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        merge(&mut self.table, read(path)?);
        Ok(())
    }

    /// Adds the text of a configuration; `origin` names it in messages. It is JSON if `origin` ends in `.json`
    /// or the text begins with `{`, and TOML otherwise.
    ///
    /// # Errors
    /// [`ConfigProblem::Malformed`] if it is neither.
    pub fn toml(&mut self, text: &str, origin: &str) -> Result<()> {
        merge(&mut self.table, parse(text, origin)?);
        Ok(())
    }

    /// Replaces `[loss]` by a whole loss specification from a file, in TOML or JSON.
    ///
    /// # Errors
    /// [`Error::Io`], or [`ConfigProblem::Malformed`], also if it holds no key.
    pub fn loss_file(&mut self, path: &Path) -> Result<()> {
        self.table.insert("loss".to_owned(), Value::Table(read(path)?));
        Ok(())
    }

    /// Sets `train.weights`, whatever characters the path is made of.
    ///
    /// # Errors
    /// [`ConfigProblem::Malformed`] if the path is no UTF-8, which config.toml is.
    pub fn weights(&mut self, path: &Path) -> Result<()> {
        let origin = path.display().to_string();
        let text = path.to_str().ok_or_else(|| malformed(&origin, "the path is no UTF-8"))?;
        let train = Table::from_iter([("weights".to_owned(), Value::String(text.to_owned()))]);
        merge(&mut self.table, Table::from_iter([("train".to_owned(), Value::Table(train))]));
        Ok(())
    }

    /// Sets one key, as in `train.epochs=5` or `data.crop=[128, 128]`. What is not a TOML value is taken
    /// as a string, so that `model.norm=none` needs no quotes.
    ///
    /// # Errors
    /// [`ConfigProblem::NotAnAssignment`].
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let bad = || ConfigProblem::NotAnAssignment(assignment.to_owned());
        let (key, text) = assignment.split_once('=').ok_or_else(bad)?;
        let (key, text) = (key.trim(), text.trim());
        let value = toml::from_str::<Table>(&format!("value = {text}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(text.to_owned()));
        let mut path: Vec<&str> = key.split('.').collect();
        let last = path.pop().filter(|last| !last.is_empty() && !path.contains(&"")).ok_or_else(bad)?;
        let mut table = &mut self.table;
        for part in path {
            let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            if !entry.is_table() {
                *entry = Value::Table(Table::new());
            }
            let Value::Table(inner) = entry else { return Err(bad().into()) };
            table = inner;
        }
        table.insert(last.to_owned(), value);
        Ok(())
    }

    /// The configuration, with defaults for what was not said, checked.
    ///
    /// # Errors
    /// [`ConfigProblem`] with the first key at fault.
    pub fn finish(mut self) -> Result<Config> {
        let mut config = Config {
            data: self.section("data")?,
            model: self.section("model")?,
            optimizer: self.section("optimizer")?,
            schedule: self.section("schedule")?,
            train: self.section("train")?,
            loss: self.section("loss")?,
        };
        if let Some(key) = self.table.keys().next() {
            let known = ["data", "model", "optimizer", "schedule", "train", "loss"];
            return Err(unknown(key.clone(), key, &known.map(str::to_owned)).into());
        }
        config.data.maps |= config.loss.needs_weight_map();
        config.validate()?;
        Ok(config)
    }

    fn section<T: DeserializeOwned + Default>(&mut self, name: &str) -> Result<T> {
        let Some(value) = self.table.remove(name) else { return Ok(T::default()) };
        // A list would be taken for the section's values in their order.
        if !value.is_table() {
            let expected = "a section of keys".to_owned();
            return Err(ConfigProblem::WrongType {
                key: name.to_owned(),
                value: value.to_string(),
                expected,
            }
            .into());
        }
        T::deserialize(value.clone()).map_err(|error| explain::<T>(name, &value, &error).into())
    }
}

/// A file of keys; one without any would be given in vain.
fn read(path: &Path) -> Result<Table> {
    let origin = path.display().to_string();
    let table = parse(&files::read_text(path)?, &origin)?;
    if table.is_empty() { Err(malformed(&origin, "holds no key")) } else { Ok(table) }
}

fn parse(text: &str, origin: &str) -> Result<Table> {
    // Editors on Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at = |line: usize, problem: &str| malformed(&format!("{origin}, line {line}"), problem);
    if origin.to_ascii_lowercase().ends_with(".json") || text.trim_start().starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            let words = error.to_string();
            at(error.line(), words.split(" at line ").next().unwrap_or(&words))
        })?;
        return match from_json(value) {
            Some(Value::Table(table)) => Ok(table),
            _ => Err(malformed(origin, "is not a table of keys")),
        };
    }
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let before = error.span().map_or(0, |span| span.start.min(text.len()));
        at(text[..before].matches('\n').count() + 1, error.message())
    })
}

/// JSON as TOML: a key that is null is absent.
fn from_json(value: serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(value) => Value::Boolean(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(number.as_f64()?),
        },
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(list) => Value::Array(list.into_iter().filter_map(from_json).collect()),
        serde_json::Value::Object(keys) => {
            let kept = keys.into_iter().filter_map(|(key, value)| Some((key, from_json(value)?)));
            Value::Table(kept.collect())
        }
    })
}

fn malformed(origin: &str, problem: &str) -> Error {
    ConfigProblem::Malformed { origin: origin.to_owned(), problem: one_line(problem) }.into()
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(assignments: &[&str]) -> Result<Config> {
        let mut sources = Sources::default();
        for assignment in assignments {
            sources.set(assignment)?;
        }
        sources.finish()
    }

    fn problem(assignment: &str) -> String {
        with(&[assignment]).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut config = Config::default();
        config.data.ignore_index = Some(11);
        config.data.folder = Some("a b/\"c\"".into());
        config.data.crop = vec![64, 32];
        config.optimizer.learning_rate = 0.1 + 0.2;
        config.train.seed = i64::MAX as u64;
        config.loss.weights.source = segloss::Source::PerSample;
        let adam = config.clone();
        config.optimizer.kind = OptimizerKind::Sgd;
        (config.optimizer.momentum, config.optimizer.nesterov) = (0.5, true);
        for config in [adam, config] {
            let text = config.to_toml().unwrap();
            assert_eq!(Config::from_toml(&text, "x").unwrap(), config);
        }
    }

    #[test]
    fn assignments_need_no_quotes() {
        let config = with(&[
            "model.norm=none",
            "data.crop=[8, 8]",
            "data.folder=a/b c",
            "loss.weights.source = per_sample",
            "optimizer.learning_rate=1e-4",
        ])
        .unwrap();
        assert_eq!(config.model.norm, Norm::None);
        assert_eq!(config.data.crop, [8, 8]);
        assert_eq!(config.data.folder.unwrap(), Path::new("a/b c"));
        assert_eq!(config.optimizer.learning_rate, 1e-4);
    }

    #[test]
    fn later_sources_win_key_by_key() {
        let mut sources = Sources::default();
        sources.toml("[train]\nepochs = 3\nseed = 5", "a").unwrap();
        sources.toml("[train]\nepochs = 4", "b").unwrap();
        let config = sources.finish().unwrap();
        assert_eq!((config.train.epochs, config.train.seed), (4, 5));
    }

    #[test]
    fn unknown_keys_name_their_neighbours() {
        let text = problem("train.epoch=5");
        assert!(text.starts_with("unknown key `train.epoch`; did you mean `epochs`"), "{text}");
        assert!(problem("trian.epochs=5").starts_with("unknown key `trian`; did you mean `train`"));
        let text = problem("loss.weights.sorce=none");
        assert!(text.starts_with("unknown key `loss.weights.sorce`; did you mean `source`"), "{text}");
    }

    #[test]
    fn wrong_ranges_name_the_key() {
        assert_eq!(problem("train.batch_size=0"), "`train.batch_size` is 0, expected at least 1");
        assert!(problem("optimizer.learning_rate=nan").contains("`optimizer.learning_rate` is NaN"));
        assert!(problem("optimizer.beta1=1.0").contains("`optimizer.beta1`"));
        assert!(problem("data.crop=[8]").contains("`data.crop`"));
    }

    #[test]
    fn keys_that_the_chosen_kind_does_not_read_are_refused() {
        for (kind, key, acts) in [
            ("optimizer.kind=sgd", "optimizer.beta1=0.8", false),
            ("optimizer.kind=sgd", "optimizer.beta2=0.8", false),
            ("optimizer.kind=sgd", "optimizer.epsilon=0.1", false),
            ("optimizer.kind=sgd", "optimizer.momentum=0.8", true),
            ("optimizer.kind=sgd", "optimizer.nesterov=true", true),
            ("optimizer.kind=adam", "optimizer.momentum=0.8", false),
            ("optimizer.kind=adamw", "optimizer.nesterov=true", false),
            ("optimizer.kind=adam", "optimizer.beta1=0.8", true),
            ("schedule.kind=constant", "schedule.warmup=0.1", false),
            ("schedule.kind=step", "schedule.warmup=0.1", false),
            ("schedule.kind=cosine", "schedule.warmup=0.1", true),
            ("schedule.kind=cosine", "schedule.start_divisor=2.0", false),
            ("schedule.kind=one_cycle", "schedule.start_divisor=2.0", true),
            ("schedule.kind=step", "schedule.final_factor=0.5", false),
            ("schedule.kind=cosine", "schedule.final_factor=0.5", true),
            ("schedule.kind=one_cycle", "schedule.every=2", false),
            ("schedule.kind=step", "schedule.every=2", true),
            ("schedule.kind=cosine", "schedule.factor=0.5", false),
            ("schedule.kind=step", "schedule.factor=0.5", true),
        ] {
            let result = with(&[kind, key]);
            assert_eq!(result.is_ok(), acts, "{kind} {key}");
            let Err(error) = result else { continue };
            let (name, value) = key.split_once('=').unwrap();
            let expected = format!("`{name}` is {value}, but `{}` is ", kind.split_once('=').unwrap().0);
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        // At its default a key does no harm, so that a whole config.toml is read whatever its kinds are.
        with(&["optimizer.kind=sgd", "optimizer.beta1=0.9", "schedule.kind=constant", "schedule.every=10"])
            .unwrap();
        let text = with(&["optimizer.kind=sgd", "optimizer.nesterov=true", "optimizer.momentum=0"]);
        assert!(text.unwrap_err().to_string().contains("above 0 with `optimizer.nesterov`"));
    }

    #[test]
    fn json_and_byte_order_marks_are_read() {
        let json = "{\"train\": {\"epochs\": 3, \"seed\": 5}, \"data\": {\"crop\": [8, 8], \"ignore_index\": null}, \
                    \"optimizer\": {\"learning_rate\": 1e-3}, \"model\": {\"bias\": false}}";
        let toml = "[train]\nepochs = 3\nseed = 5\n[data]\ncrop = [8, 8]\n[optimizer]\nlearning_rate = 1e-3\n\
                    [model]\nbias = false";
        let expected = Config::from_toml(toml, "a.toml").unwrap();
        for (text, origin) in [
            (json.to_owned(), "a.json"),
            (json.to_owned(), "a"),
            (format!("\u{feff}{json}"), "a.toml"),
            (format!("\u{feff}{toml}"), "a.toml"),
        ] {
            assert_eq!(Config::from_toml(&text, origin).unwrap(), expected, "{text}");
        }
        let text = Config::from_toml("{\n\"train\": 5,}", "a.json").unwrap_err().to_string();
        assert!(text.starts_with("a.json, line 2: ") && !text.contains("column"), "{text}");
        let text = Config::from_toml("[1]", "a.json").unwrap_err().to_string();
        assert_eq!(text, "a.json: is not a table of keys");
    }

    #[test]
    fn a_file_without_a_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l.toml");
        std::fs::write(&path, "\u{feff}# nothing\n").unwrap();
        for result in [Sources::default().loss_file(&path), Sources::default().file(&path)] {
            let text = result.unwrap_err().to_string();
            assert!(text.ends_with("l.toml: holds no key"), "{text}");
        }
    }

    #[test]
    fn malformed_sources_are_located() {
        let text = Config::from_toml("[train]\nepochs = = 3", "my.toml").unwrap_err().to_string();
        assert!(text.starts_with("my.toml, line 2: "), "{text}");
        for bad in ["train.epochs", "=5", "train.=5"] {
            assert!(problem(bad).contains("not of the form key=value"), "{bad}");
        }
    }
}
