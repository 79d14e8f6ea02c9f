//! A step that went wrong, in one safetensors file: the net before it, and its batch.
//!
//! | tensor | shape |
//! |---|---|
//! | `model/NAME`, `statistics/NAME.…` | as in a [checkpoint](crate::checkpoint), not all of them finite |
//! | `batch/images` | (N, H, W, C), normalised and padded |
//! | `batch/labels`, u8 | (N, H, W) |
//! | `batch/weights`, where the images have some | (N, H, W) |
//!
//! The metadata has one entry, `segloss-replay`, which is [`Meta`] as TOML.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use segloss::ClassCounts;
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::checkpoint::{JUDGED, Numbers, Refusal, fill, fill_net, tensors_of, to_bytes};
use crate::classes::Classes;
use crate::config::Config;
use crate::decode::one_line;
use crate::error::{CheckpointProblem, Error, Result};
use crate::files;
use crate::gradient::accumulate;
use crate::objective::Objective;
use crate::optimizer::squared_norm;
use crate::unet::UNet;

const KEY: &str = "segloss-replay";

/// A step of a run.
#[derive(Debug, Clone)]
pub struct Replay {
    /// As it was before the step.
    pub net: UNet<f32>,
    /// What it was shown.
    pub batch: Batch<f32>,
    /// Everything else.
    pub meta: Meta,
}

/// What a step needs besides tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// Counted from 1.
    pub epoch: usize,
    /// Of the whole run, counted from 1.
    pub step: u64,
    /// The images of the batch, by name.
    pub images: Vec<String>,
    /// (N, H, W, C) of the batch.
    pub shape: (usize, usize, usize, usize),
    /// What the outputs mean.
    pub classes: Classes,
    /// What the loss remembered of the batches before.
    pub loss_history: Vec<ClassCounts>,
    /// The run's configuration, whose loss is the one of this step.
    pub config: Config,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The loss, or why there is none.
    pub loss: std::result::Result<f64, String>,
    /// The norm of the gradient, where there is a loss.
    pub gradient_norm: Option<f64>,
    /// The first tensor with a number that is not finite, in words.
    pub first: Option<String>,
}

impl Finding {
    /// Whether the step could have been taken.
    pub fn is_finite(&self) -> bool {
        let is_finite = |number: f64| number.is_finite();
        self.loss.clone().is_ok_and(is_finite) && self.gradient_norm.is_some_and(is_finite)
    }
}

impl Replay {
    /// Takes the step up to its gradient.
    ///
    /// # Errors
    /// If the loss does not fit the classes, or a tensor operation fails.
    pub fn run(&mut self) -> Result<Finding> {
        let Self { net, batch, meta } = self;
        let mut objective = Objective::new(&meta.config.loss, &meta.classes, None, true)?;
        objective.restore_running_counts(&meta.loss_history)?;
        let first = net.first_non_finite(net.tensor(batch.images.clone(), batch.shape)?)?;
        let sizes = net.parameters.iter().map(|parameter| parameter.shape().iter().product());
        let mut gradients: Vec<Vec<f32>> = sizes.map(|size| vec![0.0; size]).collect();
        let images = meta.config.train.micro_batch;
        let loss = match accumulate(net, &objective, batch, images, &mut gradients) {
            Ok(loss) => Ok(loss),
            Err(Error::Loss(error)) => Err(error.to_string()),
            Err(other) => return Err(other),
        };
        let norm = || gradients.iter().map(|gradient| squared_norm(gradient)).sum::<f64>().sqrt();
        Ok(Finding { gradient_norm: loss.is_ok().then(norm), loss, first })
    }

    /// Writes the step: whole, or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = |problem: String| Error::checkpoint(path, CheckpointProblem::Malformed(problem));
        let Self { net, batch, meta } = self;
        let (n, h, w, c) = batch.shape;
        let mut tensors = tensors_of(net, JUDGED)?;
        tensors.push(("batch/images".to_owned(), vec![n, h, w, c], to_bytes(&batch.images)));
        if !batch.weights.is_empty() {
            tensors.push(("batch/weights".to_owned(), vec![n, h, w], to_bytes(&batch.weights)));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        });
        let labels =
            TensorView::new(Dtype::U8, vec![n, h, w], &batch.labels).map(|view| ("batch/labels", view));
        let views: std::result::Result<Vec<_>, safetensors::SafeTensorError> =
            views.chain([labels]).collect();
        let meta = toml::to_string(meta).map_err(|error| failed(error.to_string()))?;
        let metadata = HashMap::from([(KEY.to_owned(), meta)]);
        let views = views.map_err(|error| failed(error.to_string()))?;
        let bytes =
            safetensors::serialize(views, Some(metadata)).map_err(|error| failed(error.to_string()))?;
        files::write_atomic(path, &bytes)
    }

    /// Reads a step.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Checkpoint`] with what is wrong.
    pub fn load(path: &Path) -> Result<Self> {
        Self::decode(&files::read(path)?, path)
    }

    /// Reads a step from its bytes; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Checkpoint`].
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        read(bytes).map_err(|refusal| refusal.of(path))
    }
}

fn read(bytes: &[u8]) -> std::result::Result<Replay, Refusal> {
    let malformed =
        |error: safetensors::SafeTensorError| CheckpointProblem::Malformed(one_line(&error.to_string()));
    let bad = |problem: &str| Refusal::from(CheckpointProblem::Metadata(one_line(problem)));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(malformed)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(malformed)?;
    let text =
        header.metadata().as_ref().and_then(|entries| entries.get(KEY)).ok_or(CheckpointProblem::Foreign)?;
    let meta: Meta = toml::from_str(text).map_err(|error: toml::de::Error| bad(error.message()))?;
    meta.config.check_ranges()?;
    let (n, h, w, c) = meta.shape;
    let multiple = 1 << meta.config.model.depth;
    if n == 0 || h == 0 || w == 0 || !matches!(c, 1 | 3) || h % multiple != 0 || w % multiple != 0 {
        return Err(bad(&format!("a batch of {:?} is none for a net of this depth", meta.shape)));
    }
    if !meta.classes.is_consistent() {
        return Err(bad("the classes are not 1 to 255 names with a colour, and a value, each"));
    }
    // Neither net nor batch may be larger than the file that holds them.
    let pixels = [n, h, w].iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
    let Some(pixels) =
        pixels.filter(|pixels| pixels.checked_mul(c).is_some_and(|all| all <= bytes.len() / 4))
    else {
        return Err(bad("the batch it describes is larger than the file"));
    };
    if meta.config.model.kernel_numbers(c, meta.classes.count()) > bytes.len() as u128 / 4 {
        return Err(bad("the net it describes is larger than the file"));
    }
    let mut net = UNet::new(&meta.config.model, c, meta.classes.count(), 0)?;
    fill_net(&tensors, &mut net, JUDGED, Numbers::Any)?;
    let mut images = vec![0.0; pixels * c];
    fill(&tensors, "batch/images", &[n, h, w, c], &mut images, Numbers::Any)?;
    let mut weights = Vec::new();
    if tensors.tensor("batch/weights").is_ok() {
        weights = vec![0.0; pixels];
        fill(&tensors, "batch/weights", &[n, h, w], &mut weights, Numbers::Any)?;
    }
    let labels = tensors
        .tensor("batch/labels")
        .map_err(|_| CheckpointProblem::MissingTensor("batch/labels".into()))?;
    if labels.dtype() != Dtype::U8 || labels.shape() != [n, h, w] {
        let found = format!("{:?} {:?}", labels.dtype(), labels.shape());
        let expected = format!("U8 {:?}", [n, h, w]);
        return Err(CheckpointProblem::TensorMismatch { name: "batch/labels".into(), found, expected }.into());
    }
    let labels = labels.data().to_vec();
    Ok(Replay {
        net,
        batch: Batch { shape: meta.shape, images, labels, weights, sizes: vec![(h, w); n] },
        meta,
    })
}
