//! The configuration of a run: TOML, every key with a default, unknown keys refused.

use std::path::{Path, PathBuf};

use segloss::LossSpec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::decode::one_line;
use crate::error::{ConfigProblem, Error, Result};
use crate::files;
use crate::optimizer::OptimizerKind;
use crate::schedule::ScheduleKind;

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
    /// The peak learning rate η; see `[schedule]`.
    pub learning_rate: f64,
    /// Decay of the mean of the gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// ε beside the root of the mean square.
    pub epsilon: f64,
    /// λ; kernels only, never biases or normalisations.
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
            weight_decay: 1e-2,
            clip_norm: 0.0,
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
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self { epochs: 20, batch_size: 4, seed: 0, overlays: 4 }
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

    /// Checks every range. [`Sources::finish`] has done so; a configuration built in code has not been
    /// checked until the trainer does.
    ///
    /// # Errors
    /// [`ConfigProblem::OutOfRange`] with the first key at fault, or an error of the loss.
    pub fn validate(&self) -> Result<()> {
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
    /// Adds a configuration file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`ConfigProblem::Malformed`].
    pub fn file(&mut self, path: &Path) -> Result<()> {
        self.toml(&files::read_text(path)?, &path.display().to_string())
    }

    /// Adds the text of a configuration; `origin` names it in messages.
    ///
    /// # Errors
    /// [`ConfigProblem::Malformed`] if it is not TOML.
    pub fn toml(&mut self, text: &str, origin: &str) -> Result<()> {
        merge(&mut self.table, parse(text, origin)?);
        Ok(())
    }

    /// Replaces `[loss]` by a whole loss specification from a file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`ConfigProblem::Malformed`].
    pub fn loss_file(&mut self, path: &Path) -> Result<()> {
        let table = parse(&files::read_text(path)?, &path.display().to_string())?;
        self.table.insert("loss".to_owned(), Value::Table(table));
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
        T::deserialize(value.clone()).map_err(|error| {
            let text = error.message().to_owned();
            // serde says: unknown field `epoch`, expected one of `epochs`, `batch_size`
            if let Some(rest) = text.strip_prefix("unknown field ") {
                let mut quoted = rest.split('`').skip(1).step_by(2).map(str::to_owned);
                let field = quoted.next().unwrap_or_default();
                let key = find_key(&value, &field).map_or(field.clone(), |path| path);
                return unknown(format!("{name}.{key}"), &field, &quoted.collect::<Vec<_>>()).into();
            }
            malformed(&format!("[{name}]"), &error.to_string())
        })
    }
}

fn parse(text: &str, origin: &str) -> Result<Table> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        malformed(&format!("{origin}, line {line}"), error.message())
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

/// The dotted path of the first key called `field`, at any depth.
fn find_key(value: &Value, field: &str) -> Option<String> {
    let table = value.as_table()?;
    if table.contains_key(field) {
        return Some(field.to_owned());
    }
    table.iter().find_map(|(key, inner)| find_key(inner, field).map(|path| format!("{key}.{path}")))
}

/// An unknown key, with the known keys that need the fewest changes.
fn unknown(key: String, field: &str, known: &[String]) -> ConfigProblem {
    let mut ranked: Vec<_> = known.iter().map(|name| (edit_distance(field, name), name)).collect();
    ranked.sort();
    let suggestions = ranked.into_iter().take(3).map(|(_, name)| name.clone()).collect();
    ConfigProblem::UnknownKey { key, suggestions }
}

/// Levenshtein's distance: the fewest insertions, deletions and replacements of a character.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
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
        let text = config.to_toml().unwrap();
        assert_eq!(Config::from_toml(&text, "x").unwrap(), config);
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
    fn wrong_types_and_ranges_name_the_key() {
        let text = problem("train.epochs=many");
        assert!(text.contains("[train]") && text.contains("epochs"), "{text}");
        assert!(problem("model.norm=bach").contains("`batch`"));
        assert_eq!(problem("train.batch_size=0"), "`train.batch_size` is 0, expected at least 1");
        assert!(problem("optimizer.learning_rate=nan").contains("`optimizer.learning_rate` is NaN"));
        assert!(problem("optimizer.beta1=1.0").contains("`optimizer.beta1`"));
        assert!(problem("data.crop=[8]").contains("`data.crop`"));
        assert!(problem("train=5").contains("[train]"));
    }

    #[test]
    fn malformed_sources_are_located() {
        let text = Config::from_toml("[train]\nepochs = = 3", "my.toml").unwrap_err().to_string();
        assert!(text.starts_with("my.toml, line 2: "), "{text}");
        for bad in ["train.epochs", "=5", "train.=5"] {
            assert!(problem(bad).contains("not of the form key=value"), "{bad}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }
}
