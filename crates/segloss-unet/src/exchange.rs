//! A trained net as a file for other programs: ONNX to run it anywhere, safetensors for PyTorch.
//!
//! Both say what has to be known of the net beside its weights, key by key: in ONNX as metadata entries `segloss.KEY`, in
//! safetensors as the JSON text of the one entry [`segloss_net`](torch_weights::KEY).
//!
//! | key | what |
//! |---|---|
//! | `classes` | JSON list of names, one for each output |
//! | `ignore_index` | the label that counted for nothing; absent if none did. Where it is an output, that output was never learned and is never predicted |
//! | `multiple` | height and width of an image must be multiples of it: 2^depth |
//! | `channels` | `grey` or `rgb` |
//! | `range` | of the image's values: `8-bit`, `16-bit` or `float` |
//! | `mean`, `deviation` | JSON lists: the net was trained on (v − mean) / deviation of each channel |
//!
//! An image of another size is padded at the bottom and at the right with its mirror image (… b c | c b a …), as
//! `numpy.pad(…, mode="symmetric")` does, and the result is cropped. Then a pixel's class is that of its largest logit, the
//! first of equals, and the same as `segloss predict` finds.

use std::path::Path;

use serde::Serialize;

use crate::checkpoint::{Checkpoint, Meta};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::{files, onnx, torch_weights};

/// Protocol Buffers hold messages of less than 2 GiB; 1 MiB is more than all but the weights takes.
const LARGEST_ONNX: u64 = (1 << 31) - (1 << 20);

/// How far a rounded mean may shift the images, in deviations.
const LARGEST_SHIFT: f64 = 1e-3;

/// What a net is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The whole net, for any runtime; normalisation included.
    Onnx,
    /// The weights, by the names of PyTorch's U-Net.
    Safetensors,
}

impl Format {
    /// What a file of the format may replace.
    pub fn output(self) -> Output {
        match self {
            Self::Onnx => Output::Onnx,
            Self::Safetensors => Output::Safetensors,
        }
    }

    /// That of a file's extension.
    ///
    /// # Errors
    /// [`Error::Export`] for any other than `.onnx` and `.safetensors`.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("onnx") => Ok(Self::Onnx),
            Some("safetensors") => Ok(Self::Safetensors),
            _ => Err(refused(
                path,
                "the name must end in .onnx (to run the net) or .safetensors (for PyTorch)",
            )),
        }
    }
}

/// What others have to know of a net.
#[derive(Debug, Serialize)]
struct About<'a> {
    classes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore_index: Option<u8>,
    multiple: usize,
    channels: &'static str,
    range: &'static str,
    mean: &'a [f64],
    deviation: &'a [f64],
}

/// Writes the net of a checkpoint in the format of the file's extension: whole, or not at all.
///
/// # Errors
/// [`Error::Export`] for another extension, or a net that is too large for ONNX; [`Error::Overwriting`] as
/// [`Output::check`]; [`Error::Io`].
pub fn export(checkpoint: &Checkpoint, path: &Path) -> Result<()> {
    let Checkpoint { net, meta, .. } = checkpoint;
    let Meta { classes, normalisation, channels, .. } = meta;
    let about = About {
        classes: &classes.names,
        ignore_index: classes.ignore_index,
        multiple: net.multiple(),
        channels: if *channels == 1 { "grey" } else { "rgb" },
        range: normalisation.depth.name(),
        mean: &normalisation.mean,
        deviation: &normalisation.deviation,
    };
    let format = Format::of(path)?;
    format.output().check(path)?;
    match format {
        Format::Onnx => {
            let size = 4 * net.parameter_count() as u64;
            if size > LARGEST_ONNX {
                let problem = format!("the weights are {size} bytes, and an ONNX file holds less than 2 GiB");
                return Err(refused(path, &problem));
            }
            // A mean that float32 does not hold would shift every image.
            let shift = |(&mean, &deviation): (&f64, &f64)| (mean - f64::from(mean as f32)).abs() / deviation;
            let shifts = normalisation.mean.iter().zip(&normalisation.deviation).map(shift);
            if let Some(channel) = shifts.into_iter().position(|shift| !(shift <= LARGEST_SHIFT)) {
                let (mean, deviation) = (normalisation.mean[channel], normalisation.deviation[channel]);
                return Err(refused(
                    path,
                    &format!(
                        "channel {channel} of the images has the mean {mean:e} and the deviation {deviation:e}: in float32, \
                         in which a model normalises, the two cannot be told apart; train on images from which a \
                         constant was subtracted"
                    ),
                ));
            }
            let value = serde_json::to_value(&about).map_err(|error| refused(path, &error.to_string()))?;
            let keys = value.as_object().into_iter().flatten();
            let text = |value: &serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
            let entries: Vec<(String, String)> =
                keys.map(|(key, value)| (format!("segloss.{key}"), text(value))).collect();
            files::write_atomic(path, &onnx::model(net, normalisation, &entries)?)
        }
        Format::Safetensors => {
            let about = serde_json::to_string(&about).map_err(|error| refused(path, &error.to_string()))?;
            torch_weights::save(path, net, meta.step, &about)
        }
    }
}

fn refused(path: &Path, problem: &str) -> Error {
    Error::Export { path: path.to_path_buf(), problem: problem.to_owned() }
}
