//! A net at the end of an epoch, in one safetensors file.
//!
//! | tensor | shape |
//! |---|---|
//! | `model/NAME` | of the parameter |
//! | `statistics/NAME.mean`, `statistics/NAME.variance` | (C) |
//! | `optimizer/NAME.MOMENT`, for each [moment](Optimizer::moment_names) of the rule | of the parameter |
//! | `learning/NAME`, `learning_statistics/NAME.…` | as above, where `model` is an average of the weights that learn |
//!
//! All are f32. The file's metadata has one entry, `segloss`, which is [`Meta`] as TOML (whose numbers
//! come back bit by bit). No generator is saved: random numbers depend on (seed, purpose, epoch) alone.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use segloss::ClassCounts;
use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::config::Config;
use crate::dataset::Normalisation;
use crate::decode::one_line;
use crate::error::{CheckpointProblem, Error, Result};
use crate::files;
use crate::optimizer::Optimizer;
use crate::unet::UNet;
use crate::unpredicted::Unpredicted;

/// The layout of the file; it changes whenever an older program could misread a newer file.
pub const FORMAT: u32 = 1;

const KEY: &str = "segloss";

/// All that is needed to predict, and to go on training.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The net that is judged and predicts.
    pub net: UNet<f32>,
    /// The net that learns, where the other is the moving average of its weights.
    pub learning: Option<UNet<f32>>,
    /// The optimizer with its moments.
    pub optimizer: Optimizer<f32>,
    /// Everything else.
    pub meta: Meta,
}

/// What a checkpoint says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// See [`FORMAT`].
    pub format: u32,
    /// Epochs completed.
    pub epoch: usize,
    /// Optimizer steps taken.
    pub step: u64,
    /// Input channels of the net.
    pub channels: usize,
    /// The best epoch so far; this one, in `best.safetensors`.
    pub best: Best,
    /// Of the training images.
    pub normalisation: Normalisation,
    /// Of the outputs.
    pub classes: Classes,
    /// What a loss with running class counts remembers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loss_history: Vec<ClassCounts>,
    /// For how long classes have not been predicted.
    #[serde(default)]
    pub unpredicted: Unpredicted,
    /// The whole configuration of the run.
    pub config: Config,
}

/// The best epoch of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Counted from 1.
    pub epoch: usize,
    /// Its mean IoU on the validation images; none if no pixel was valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_iou: Option<f64>,
}

impl Best {
    /// Whether a run that waits for `patience` epochs has waited long enough after `epoch`; 0 waits for ever.
    pub fn is_stale(&self, epoch: usize, patience: usize) -> bool {
        patience > 0 && epoch >= self.epoch + patience
    }
}

impl Meta {
    /// Whether the run has come to its end, and did not merely stop.
    pub fn is_whole(&self) -> bool {
        let train = &self.config.train;
        self.epoch == train.epochs || self.best.is_stale(self.epoch, train.patience)
    }
}

impl Checkpoint {
    /// Writes the checkpoint: whole, or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        save(path, &self.net, self.learning.as_ref(), &self.optimizer, &self.meta)
    }

    /// Reads a checkpoint and checks everything in it.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Checkpoint`] with what is wrong.
    pub fn load(path: &Path) -> Result<Self> {
        Self::decode(&files::read(path)?, path)
    }

    /// Reads a checkpoint from its bytes; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Checkpoint`].
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        read(bytes).map_err(|refusal| refusal.of(path))
    }
}

/// As [`Checkpoint::save`], of borrowed parts.
pub(crate) fn save(
    path: &Path,
    net: &UNet<f32>,
    learning: Option<&UNet<f32>>,
    optimizer: &Optimizer<f32>,
    meta: &Meta,
) -> Result<()> {
    let failed = |problem: String| Error::checkpoint(path, CheckpointProblem::Malformed(problem));
    let mut tensors = tensors_of(net, JUDGED)?;
    if let Some(learning) = learning {
        tensors.extend(tensors_of(learning, LEARNING)?);
    }
    for (parameter, moments) in net.parameters.iter().zip(&optimizer.moments) {
        let (name, shape) = (&parameter.name, parameter.shape());
        for (moment, values) in optimizer.moment_names().iter().zip(moments) {
            tensors.push((format!("optimizer/{name}.{moment}"), shape.clone(), to_bytes(values)));
        }
    }
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, bytes) in &tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        views.push((name.as_str(), view.map_err(|error| failed(error.to_string()))?));
    }
    let meta = toml::to_string(meta).map_err(|error| failed(error.to_string()))?;
    let metadata = HashMap::from([(KEY.to_owned(), meta)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| failed(error.to_string()))?;
    files::write_atomic(path, &bytes)
}

/// The folders of a net's weights and of its running statistics.
pub(crate) type Folders = (&'static str, &'static str);

pub(crate) const JUDGED: Folders = ("model", "statistics");
const LEARNING: Folders = ("learning", "learning_statistics");

/// Name, shape and bytes.
pub(crate) type Stored = (String, Vec<usize>, Vec<u8>);

pub(crate) fn tensors_of(net: &UNet<f32>, (weights, moments): Folders) -> Result<Vec<Stored>> {
    let mut tensors = Vec::new();
    for parameter in &net.parameters {
        let values = to_bytes(parameter.values()?);
        tensors.push((format!("{weights}/{}", parameter.name), parameter.shape(), values));
    }
    for statistics in &net.statistics {
        let (name, running) = (&statistics.name, &statistics.running);
        let shape = vec![running.mean.len()];
        tensors.push((format!("{moments}/{name}.mean"), shape.clone(), to_bytes(&running.mean)));
        tensors.push((format!("{moments}/{name}.variance"), shape, to_bytes(&running.variance)));
    }
    Ok(tensors)
}

/// Whether numbers that are not finite are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    Finite,
    Any,
}

pub(crate) fn fill_net(
    tensors: &SafeTensors<'_>,
    net: &mut UNet<f32>,
    (weights, moments): Folders,
    numbers: Numbers,
) -> std::result::Result<(), Refusal> {
    for parameter in &mut net.parameters {
        let (name, shape) = (format!("{weights}/{}", parameter.name), parameter.shape());
        fill(tensors, &name, &shape, parameter.values_mut()?, numbers)?;
    }
    for statistics in &mut net.statistics {
        let (name, running) = (&statistics.name, &mut statistics.running);
        let shape = [running.mean.len()];
        fill(tensors, &format!("{moments}/{name}.mean"), &shape, &mut running.mean, numbers)?;
        let name = format!("{moments}/{name}.variance");
        fill(tensors, &name, &shape, &mut running.variance, numbers)?;
        if numbers == Numbers::Finite {
            not_negative(&name, &running.variance)?;
        }
    }
    Ok(())
}

/// Why bytes are no checkpoint.
pub(crate) enum Refusal {
    Problem(CheckpointProblem),
    Other(Error),
}

impl Refusal {
    pub(crate) fn of(self, path: &Path) -> Error {
        match self {
            Self::Problem(problem) => Error::checkpoint(path, problem),
            Self::Other(error) => error,
        }
    }
}

impl From<CheckpointProblem> for Refusal {
    fn from(problem: CheckpointProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn read(bytes: &[u8]) -> std::result::Result<Checkpoint, Refusal> {
    let malformed =
        |error: safetensors::SafeTensorError| CheckpointProblem::Malformed(one_line(&error.to_string()));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(malformed)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(malformed)?;
    let text =
        header.metadata().as_ref().and_then(|entries| entries.get(KEY)).ok_or(CheckpointProblem::Foreign)?;
    let meta = read_meta(text)?;
    // A hostile configuration must not make us allocate more than the file holds.
    let model = &meta.config.model;
    if model.kernel_numbers(meta.channels, meta.classes.count()) > bytes.len() as u128 / 4 {
        let problem = "the net it describes is larger than the file".to_owned();
        return Err(CheckpointProblem::Metadata(problem).into());
    }
    let mut net = UNet::new(model, meta.channels, meta.classes.count(), 0)?;
    let sizes = net.parameters.iter().map(|parameter| parameter.shape().iter().product());
    let mut optimizer = Optimizer::new(&meta.config.optimizer, sizes);
    optimizer.steps = meta.step;
    let moment_names = optimizer.moment_names();
    fill_net(&tensors, &mut net, JUDGED, Numbers::Finite)?;
    for (parameter, moments) in net.parameters.iter().zip(&mut optimizer.moments) {
        let (name, shape) = (&parameter.name, parameter.shape());
        for (moment, values) in moment_names.iter().zip(moments) {
            let name = format!("optimizer/{name}.{moment}");
            fill(&tensors, &name, &shape, values, Numbers::Finite)?;
            if *moment == "second" {
                not_negative(&name, values)?;
            }
        }
    }
    let learning = match meta.config.train.ema > 0.0 {
        true => {
            let mut learning = net.clone();
            fill_net(&tensors, &mut learning, LEARNING, Numbers::Finite)?;
            Some(learning)
        }
        false => None,
    };
    Ok(Checkpoint { net, learning, optimizer, meta })
}

fn read_meta(text: &str) -> std::result::Result<Meta, Refusal> {
    let bad = |problem: &str| CheckpointProblem::Metadata(one_line(problem));
    let table: toml::Table = toml::from_str(text).map_err(|error: toml::de::Error| bad(error.message()))?;
    // The version comes first: another version's metadata may have other keys.
    let found = table.get("format").and_then(toml::Value::as_integer).and_then(|n| u32::try_from(n).ok());
    match found {
        Some(FORMAT) => {}
        Some(found) => return Err(CheckpointProblem::Version { found, expected: FORMAT }.into()),
        None => return Err(bad("no `format`").into()),
    }
    let meta = Meta::deserialize(table).map_err(|error| bad(&error.to_string()))?;
    meta.config.check_ranges()?;
    let Meta { channels, normalisation, classes, .. } = &meta;
    let lengths = [normalisation.mean.len(), normalisation.deviation.len()];
    if !matches!(channels, 1 | 3) || lengths != [*channels; 2] {
        return Err(bad(&format!("{channels} channels with a normalisation of {lengths:?}")).into());
    }
    let Meta { epoch, step, best, .. } = &meta;
    // The state after a completed epoch, each of which takes a step or more.
    if *epoch < 1 || *step < *epoch as u64 || !(1..=*epoch).contains(&best.epoch) {
        return Err(
            bad(&format!("{step} steps in {epoch} epochs, of which {} is the best", best.epoch)).into()
        );
    }
    if let Some(iou) = best.mean_iou.filter(|iou| !(0.0..=1.0).contains(iou)) {
        return Err(bad(&format!("a best mean IoU of {iou}")).into());
    }
    if !classes.is_consistent() {
        return Err(bad("the classes are not 1 to 255 names with a colour, and a value, each").into());
    }
    if !normalisation.mean.iter().all(|v| v.is_finite()) || !normalisation.deviation.iter().all(|&v| v > 0.0)
    {
        return Err(bad("the normalisation is not finite").into());
    }
    Ok(meta)
}

fn not_negative(name: &str, values: &[f32]) -> std::result::Result<(), CheckpointProblem> {
    match values.iter().position(|&value| value < 0.0) {
        None => Ok(()),
        Some(index) => {
            let (name, value) = (name.to_owned(), values[index].into());
            Err(CheckpointProblem::Negative { name, index, value })
        }
    }
}

pub(crate) fn fill(
    tensors: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
    into: &mut [f32],
    numbers: Numbers,
) -> std::result::Result<(), CheckpointProblem> {
    let missing = |_| CheckpointProblem::MissingTensor(name.to_owned());
    let tensor = tensors.tensor(name).map_err(missing)?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
        return Err(CheckpointProblem::TensorMismatch {
            name: name.to_owned(),
            found: format!("{:?} {:?}", tensor.dtype(), tensor.shape()),
            expected: format!("F32 {shape:?}"),
        });
    }
    for (index, (into, bytes)) in into.iter_mut().zip(tensor.data().chunks_exact(4)).enumerate() {
        let value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if numbers == Numbers::Finite && !value.is_finite() {
            return Err(CheckpointProblem::NotFinite { name: name.to_owned(), index, value: value.into() });
        }
        *into = value;
    }
    Ok(())
}

pub(crate) fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
