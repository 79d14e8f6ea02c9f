//! A net that `segloss export` wrote, run by tract: what a program has to do that has the file and nothing of segloss.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

/// A model with what its metadata says.
pub struct Net {
    proto: ModelProto,
    /// The names of the classes, one for each output.
    pub classes: Vec<String>,
    /// 1 for grey images, 3 for RGB.
    pub channels: usize,
    /// Height and width of what the model sees are multiples of it.
    pub multiple: usize,
    /// The output that is never predicted, if there is one.
    ignored: Option<usize>,
}

impl Net {
    /// Reads a model.
    pub fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let proto = tract_onnx::onnx().proto_model_for_path(path)?;
        let entries: HashMap<&str, &str> =
            proto.metadata_props.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
        let entry = |key: &str| entries.get(key).copied().ok_or(format!("no metadata entry {key}"));
        let channels = match entry("segloss.channels")? {
            "grey" => 1,
            "rgb" => 3,
            other => return Err(format!("channels {other}").into()),
        };
        let (classes, multiple) =
            (serde_json::from_str(entry("segloss.classes")?)?, entry("segloss.multiple")?.parse()?);
        let ignored = entries.get("segloss.ignore_index").map(|label| label.parse()).transpose()?;
        Ok(Self { proto, classes, channels, multiple, ignored })
    }

    /// The logits of each pixel of an image (H, W, C), whose values are as they were stored: (H, W, classes).
    pub fn logits(&self, values: &[f32], (height, width): (usize, usize)) -> TractResult<Vec<f32>> {
        let (rows, columns) = (height.next_multiple_of(self.multiple), width.next_multiple_of(self.multiple));
        let shape = (1, self.channels, rows, columns);
        let image: Tensor = tract_ndarray::Array4::from_shape_fn(shape, |(_, c, y, x)| {
            values[(mirror(y, height) * width + mirror(x, width)) * self.channels + c]
        })
        .into();
        let model = tract_onnx::onnx()
            .model_for_proto_model(&self.proto)?
            .with_input_fact(0, f32::fact([1, self.channels, rows, columns]).into())?
            .into_optimized()?
            .into_runnable()?;
        let results = model.run(tvec!(image.into()))?;
        let logits = results[0].to_plain_array_view::<f32>()?;
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let classes = self.classes.len();
        Ok(pixels
            .flat_map(|(y, x)| (0..classes).map(move |class| [0, class, y, x]))
            .map(|at| logits[at])
            .collect())
    }

    /// The class of a pixel with these logits: that of the largest, the first of equals.
    pub fn class(&self, logits: &[f32]) -> u8 {
        let mut best = (0, f32::NEG_INFINITY);
        for (class, &logit) in logits.iter().enumerate().filter(|(class, _)| Some(*class) != self.ignored) {
            if logit > best.1 {
                best = (class, logit);
            }
        }
        best.0 as u8
    }

    /// The class of each pixel of an image.
    pub fn predict(&self, values: &[f32], size: (usize, usize)) -> TractResult<Vec<u8>> {
        let logits = self.logits(values, size)?;
        Ok(logits.chunks_exact(self.classes.len()).map(|logits| self.class(logits)).collect())
    }
}

/// Continues 0, 1, …, n−1 by n−1, …, 1, 0, 0, 1, … without end.
fn mirror(i: usize, n: usize) -> usize {
    let i = i % (2 * n);
    if i < n { i } else { 2 * n - 1 - i }
}
