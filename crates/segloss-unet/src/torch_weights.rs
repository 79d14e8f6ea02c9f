//! Weights by the names and in the layouts of PyTorch: a net that goes elsewhere, or comes from there.
//!
//! The names are those of the U-Net that most PyTorch code has (milesial/Pytorch-UNet, with `bilinear=False`), for any
//! width and depth d. What is block `down1` here is `down1.maxpool_conv.1.double_conv` there:
//!
//! | here | there |
//! |---|---|
//! | `down0`, `down1` … `down{d−1}`, `bottom` | `inc`, `down1.maxpool_conv.1` … `down{d}.maxpool_conv.1` |
//! | `up{d−1}` … `up0` | `up1.conv` … `up{d}.conv` |
//! | `conv1`, `norm1`, `conv2`, `norm2` of a block | its `double_conv.0`, `.1`, `.3`, `.4` |
//! | `gamma`, `beta`, mean, variance of a norm | its `weight`, `bias`, `running_mean`, `running_var` |
//! | `up{l}.up` | `up{d−l}.up`; with `model.up = "nearest"`: `up{d−l}.up.1` |
//! | `head` | `outc.conv` |
//!
//! Kernels are (Kh, Kw, Cin, Cout) here. There, those of a convolution are (Cout, Cin, Kh, Kw), and those of a
//! transposed one (Cin, Cout, Kh, Kw).
//!
//! **What has no counterpart there** has the name that its PyTorch modules would give it: without normalisation,
//! `nn.Identity` stands in its place and the convolutions have biases; nearest-neighbour doubling is
//! `nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(…, 3, padding=1))`. A convolution that no normalisation follows
//! always has a bias there: zeros are written for one that has none here (`model.bias = false`), and only zeros are
//! taken for it. The heads of deep supervision serve training alone: they are not written, and begin at random.
//! `num_batches_tracked` is written for PyTorch to find and not read: it acts only without a momentum.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::decode::one_line;
use crate::error::{Error, Result, WeightsProblem};
use crate::files;
use crate::unet::{Parameter, UNet};

/// The metadata entry of the file in which [`save`] describes the net.
pub const KEY: &str = "segloss_net";

/// The metadata entry of a checkpoint, whose tensors have other names.
const CHECKPOINT_KEY: &str = "segloss";

/// A tensor as PyTorch has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TorchTensor {
    /// As in `inc.double_conv.0.weight`.
    pub name: String,
    /// In PyTorch's order of axes.
    pub shape: Vec<usize>,
    /// In row-major order.
    pub values: Vec<f32>,
}

/// All weights and statistics of a net in PyTorch's names and layouts, in the order in which an image meets them.
pub(crate) fn state(net: &UNet<f32>) -> Result<Vec<TorchTensor>> {
    let mut found = Vec::new();
    for slot in slots(net) {
        let values = match slot.place {
            Place::Parameter(at) => {
                let from = net.parameters[at].values()?;
                slot.order().map(|position| position.map_or(0.0, |position| from[position])).collect()
            }
            Place::Mean(at) => net.statistics[at].running.mean.clone(),
            Place::Variance(at) => net.statistics[at].running.variance.clone(),
            Place::Zeros => vec![0.0; slot.shape.iter().product()],
        };
        found.push(TorchTensor { name: slot.name, shape: slot.shape, values });
    }
    Ok(found)
}

/// Writes the weights of a net for PyTorch: `load_state_dict(load_file(path), strict=True)` takes them. `batches` is
/// what every normalisation's `num_batches_tracked` becomes, and `about` the text under [`KEY`].
///
/// # Errors
/// [`Error::Io`].
pub fn save(path: &Path, net: &UNet<f32>, batches: u64, about: &str) -> Result<()> {
    let failed = |error: safetensors::SafeTensorError| {
        Error::weights(path, WeightsProblem::Malformed(one_line(&error.to_string())))
    };
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for TorchTensor { name, shape, values } in state(net)? {
        if let Some(norm) = name.strip_suffix("running_var") {
            let count = i64::try_from(batches).unwrap_or(i64::MAX).to_le_bytes().to_vec();
            tensors.push((format!("{norm}num_batches_tracked"), Dtype::I64, Vec::new(), count));
        }
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.push((name, Dtype::F32, shape, bytes));
    }
    let mut views = Vec::with_capacity(tensors.len());
    for (name, dtype, shape, bytes) in &tensors {
        views.push((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).map_err(failed)?));
    }
    // One entry: several would be written in an order that differs from run to run.
    let metadata = HashMap::from([(KEY.to_owned(), about.to_owned())]);
    files::write_atomic(path, &safetensors::serialize(views, Some(metadata)).map_err(failed)?)
}

/// Fills a net with the weights of a file that PyTorch, or [`save`], wrote; says in a sentence each what had to be
/// changed on the way. With `fresh_head` the last layer stays as it is, and whatever the file holds of it is passed over.
///
/// float16 and bfloat16 become float32 exactly, float64 is rounded. A convolution before a normalisation may have a bias,
/// as it has in early revisions of the PyTorch net: N(Wx + b) with the running mean μ is N(Wx) with μ − b.
///
/// # Errors
/// [`Error::Io`], or [`Error::Weights`] with what is wrong; the net is then in no defined state.
pub fn load(path: &Path, net: &mut UNet<f32>, fresh_head: bool) -> Result<Vec<String>> {
    let bytes = files::read(path)?;
    read(&bytes, net, fresh_head).map_err(|error| match error {
        Failure::Problem(problem) => Error::weights(path, problem),
        Failure::Other(error) => error,
    })
}

/// Why weights were not taken.
enum Failure {
    Problem(WeightsProblem),
    Other(Error),
}

impl From<WeightsProblem> for Failure {
    fn from(problem: WeightsProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn read(bytes: &[u8], net: &mut UNet<f32>, fresh_head: bool) -> std::result::Result<Vec<String>, Failure> {
    let malformed =
        |error: safetensors::SafeTensorError| WeightsProblem::Malformed(one_line(&error.to_string()));
    if is_checkpoint(bytes) {
        return Err(WeightsProblem::Checkpoint.into());
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(malformed)?;
    let file: BTreeMap<&str, TensorView<'_>> = tensors.iter().collect();

    let mut slots = slots(net);
    let shape_here = |name: &str| slots.iter().find(|slot| slot.name == name).map(|slot| slot.shape.clone());
    let shape_there = |name: &str| file.get(name).map(|tensor| tensor.shape().to_vec());
    let hint = Outline::of(shape_there).map_or_else(String::new, |there| {
        // The net at hand has all its tensors, and so an outline.
        Outline::of(shape_here).map_or_else(String::new, |here| there.beside(&here, fresh_head))
    });
    if fresh_head {
        slots.retain(|slot| !slot.name.starts_with(HEAD));
    }
    let names: BTreeMap<&str, &Slot> = slots.iter().map(|slot| (slot.name.as_str(), slot)).collect();
    // A bias before a normalisation, by the name of its running mean.
    let folded = |name: &str| -> Option<String> {
        let (block, bias) = name.split_once("double_conv.")?;
        let norm = ["0.bias", "3.bias"].iter().position(|known| *known == bias)?;
        let mean = format!("{block}double_conv.{}.running_mean", [1, 4][norm]);
        names.contains_key(mean.as_str()).then_some(mean)
    };
    let biases: BTreeMap<String, &TensorView<'_>> =
        file.iter().filter_map(|(name, tensor)| Some((folded(name)?, tensor))).collect();
    let has_place = |name: &str| {
        names.contains_key(name)
            || name.ends_with(".num_batches_tracked")
            || fresh_head && name.starts_with(HEAD)
            || folded(name).is_some()
    };
    let missing = slots.iter().filter(|slot| !file.contains_key(slot.name.as_str()) && slot.is_needed());
    let missing: Vec<String> = missing.map(|slot| slot.name.clone()).collect();
    let unexpected: Vec<String> =
        file.keys().filter(|name| !has_place(name)).map(|name| (*name).to_owned()).collect();
    if !missing.is_empty() || !unexpected.is_empty() {
        return Err(WeightsProblem::Names { missing, unexpected, hint }.into());
    }

    let mut rounded = 0;
    for slot in &slots {
        let Some(tensor) = file.get(slot.name.as_str()) else { continue };
        if tensor.shape() != slot.shape {
            return Err(WeightsProblem::Shape {
                name: slot.name.clone(),
                found: tensor.shape().to_vec(),
                expected: slot.shape.clone(),
                hint,
            }
            .into());
        }
        rounded += usize::from(tensor.dtype() == Dtype::F64);
        let mut values = numbers(&slot.name, tensor)?;
        match slot.place {
            Place::Parameter(at) => {
                let into = net.parameters[at].values_mut()?;
                for (position, value) in slot.order().zip(values) {
                    if let Some(position) = position {
                        into[position] = value;
                    }
                }
            }
            Place::Mean(at) => {
                if let Some(bias) = biases.get(&slot.name) {
                    let name = format!("the bias before {}", slot.name);
                    let shift = numbers(&name, bias)?;
                    if shift.len() != values.len() {
                        let (found, expected) = (bias.shape().to_vec(), slot.shape.clone());
                        return Err(WeightsProblem::Shape { name, found, expected, hint }.into());
                    }
                    values.iter_mut().zip(shift).for_each(|(mean, bias)| *mean -= bias);
                }
                net.statistics[at].running.mean = values;
            }
            Place::Variance(at) => {
                if let Some(index) = values.iter().position(|&value| !(value >= 0.0)) {
                    let (name, value) = (slot.name.clone(), values[index].into());
                    return Err(WeightsProblem::Variance { name, index, value }.into());
                }
                net.statistics[at].running.variance = values;
            }
            Place::Zeros => {
                if let Some(index) = values.iter().position(|&value| value != 0.0) {
                    let (name, value) = (slot.name.clone(), values[index].into());
                    return Err(WeightsProblem::Bias { name, index, value }.into());
                }
            }
        }
    }
    let mut notes = Vec::new();
    if rounded > 0 {
        notes.push(format!("{rounded} tensors of float64 were rounded to float32"));
    }
    if !biases.is_empty() {
        notes.push(format!(
            "{} biases stand before batch normalisations, which take them out again: their running means were \
             lowered by them",
            biases.len()
        ));
    }
    Ok(notes)
}

/// Whether a file is a checkpoint of this trainer.
pub(crate) fn is_checkpoint(bytes: &[u8]) -> bool {
    SafeTensors::read_metadata(bytes).is_ok_and(|(_, header)| {
        header.metadata().as_ref().is_some_and(|entries| entries.contains_key(CHECKPOINT_KEY))
    })
}

/// The numbers of a tensor as f32, all of them finite.
fn numbers(name: &str, tensor: &TensorView<'_>) -> std::result::Result<Vec<f32>, WeightsProblem> {
    let bytes = tensor.data();
    let two = |convert: fn([u8; 2]) -> f32| {
        bytes.chunks_exact(2).map(|b| convert([b[0], b[1]])).collect::<Vec<f32>>()
    };
    let values: Vec<f32> = match tensor.dtype() {
        Dtype::F32 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Dtype::F64 => bytes
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32)
            .collect(),
        Dtype::F16 => two(|b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => two(|b| bf16::from_le_bytes(b).to_f32()),
        other => {
            return Err(WeightsProblem::ElementType { name: name.to_owned(), found: format!("{other:?}") });
        }
    };
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(index) => {
            Err(WeightsProblem::NotFinite { name: name.to_owned(), index, value: values[index].into() })
        }
    }
}

const HEAD: &str = "outc.conv.";

/// A tensor of the PyTorch net, and where its numbers are here.
struct Slot {
    name: String,
    shape: Vec<usize>,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    /// Position among the parameters.
    Parameter(usize),
    /// Position among the statistics.
    Mean(usize),
    /// Position among the statistics.
    Variance(usize),
    /// A bias that the net here does not have.
    Zeros,
}

impl Slot {
    /// Whether a file must hold it.
    fn is_needed(&self) -> bool {
        !matches!(self.place, Place::Zeros)
    }

    /// For each number of the PyTorch tensor in its order, the position of the same number here.
    fn order(&self) -> impl Iterator<Item = Option<usize>> {
        let kernel = match self.shape[..] {
            // (Cin, Cout, 2, 2), the only kernel of this size.
            [inputs, outputs, 2, 2] => Some((inputs, outputs, 2, 2, true)),
            [outputs, inputs, kh, kw] => Some((inputs, outputs, kh, kw, false)),
            _ => None,
        };
        let count = self.shape.iter().product::<usize>();
        (0..count).map(move |at| {
            let Some((inputs, outputs, kh, kw, transposed)) = kernel else { return Some(at) };
            let (plane, y, x) = (at / (kh * kw), at / kw % kh, at % kw);
            let (input, output) = if transposed {
                (plane / outputs, plane % outputs)
            } else {
                (plane % inputs, plane / inputs)
            };
            Some(((y * kw + x) * inputs + input) * outputs + output)
        })
    }
}

/// Every tensor of the PyTorch net that a net is, in the order in which an image meets them.
fn slots(net: &UNet<f32>) -> Vec<Slot> {
    let depth = net.multiple().ilog2() as usize;
    let is_nearest = |parameter: &Parameter<f32>| {
        parameter.name.ends_with(".up.weight") && parameter.shape().first() == Some(&3)
    };
    let nearest = net.parameters.iter().any(is_nearest);
    let mut slots = Vec::new();
    let mut statistics = net.statistics.iter().enumerate();
    // The heads of deep supervision, `head1` and so on, have no counterpart.
    let has_counterpart = |parameter: &Parameter<f32>| {
        let block = parameter.name.split('.').next().unwrap_or_default();
        block == "head" || !block.starts_with("head")
    };
    let parameters = net.parameters.iter().enumerate();
    let mut parameters = parameters.filter(|(_, parameter)| has_counterpart(parameter)).peekable();
    while let Some((at, parameter)) = parameters.next() {
        let (module, kind) = name_there(&parameter.name, depth, nearest);
        let mut push = |name: &str, shape: Vec<usize>, place| {
            slots.push(Slot { name: format!("{module}.{name}"), shape, place });
        };
        match (kind, &parameter.shape()[..]) {
            ("weight", &[kh, kw, inputs, outputs]) => {
                let transposed = (kh, kw) == (2, 2);
                let planes = if transposed { [inputs, outputs] } else { [outputs, inputs] };
                push("weight", vec![planes[0], planes[1], kh, kw], Place::Parameter(at));
                let next = parameters.peek().map_or("", |(_, next)| next.name.as_str());
                if !next.ends_with(".bias") && !next.ends_with(".gamma") {
                    push("bias", vec![outputs], Place::Zeros);
                }
            }
            ("beta", shape) => {
                push("bias", shape.to_vec(), Place::Parameter(at));
                // The builder makes one set of statistics for each β.
                if let Some((at, _)) = statistics.next() {
                    push("running_mean", shape.to_vec(), Place::Mean(at));
                    push("running_var", shape.to_vec(), Place::Variance(at));
                }
            }
            ("gamma", shape) => push("weight", shape.to_vec(), Place::Parameter(at)),
            (_, shape) => push("bias", shape.to_vec(), Place::Parameter(at)),
        }
    }
    slots
}

/// The PyTorch module of a parameter, and what it is here: `weight`, `bias`, `gamma` or `beta`.
fn name_there(name: &str, depth: usize, nearest: bool) -> (String, &str) {
    let (layer, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    let (block, layer) = layer.split_once('.').unwrap_or((layer, ""));
    let level = |prefix| block.strip_prefix(prefix).and_then(|level| level.parse::<usize>().ok());
    let convolutions = match (level("down"), level("up")) {
        (Some(0), _) => "inc".to_owned(),
        (Some(level), _) => format!("down{level}.maxpool_conv.1"),
        (_, Some(level)) if layer == "up" => {
            return (format!("up{}.up{}", depth - level, if nearest { ".1" } else { "" }), kind);
        }
        (_, Some(level)) => format!("up{}.conv", depth - level),
        _ if block == "bottom" => format!("down{depth}.maxpool_conv.1"),
        _ => return ("outc.conv".to_owned(), kind),
    };
    let position = match layer {
        "conv1" => 0,
        "norm1" => 1,
        "conv2" => 3,
        _ => 4,
    };
    (format!("{convolutions}.double_conv.{position}"), kind)
}

/// What the shapes of a PyTorch net's tensors tell of it.
#[derive(Debug, PartialEq)]
struct Outline {
    channels: usize,
    classes: usize,
    width: usize,
    depth: usize,
    norm: &'static str,
    up: &'static str,
}

impl Outline {
    /// Of a net whose tensors have these shapes; none of anything else.
    fn of(shape: impl Fn(&str) -> Option<Vec<usize>>) -> Option<Self> {
        let first = shape("inc.double_conv.0.weight").filter(|shape| shape.len() == 4)?;
        let head = shape("outc.conv.weight").filter(|shape| shape.len() == 4)?;
        let level = |depth: &usize| shape(&format!("down{depth}.maxpool_conv.1.double_conv.0.weight"));
        let depth = (1..).take_while(|depth| level(depth).is_some()).count();
        let up = if shape("up1.up.weight").is_some() {
            "transposed"
        } else if shape("up1.up.1.weight").is_some() {
            "nearest"
        } else {
            "bilinear"
        };
        let norm = if shape("inc.double_conv.1.weight").is_some() { "batch" } else { "none" };
        Some(Self { channels: first[1], classes: head[0], width: first[0], depth, norm, up })
    }

    /// What is to be said where this is a file's net, and another one is at hand; nothing where both are alike.
    fn beside(&self, here: &Self, fresh_head: bool) -> String {
        let mut differences = Vec::new();
        let mut settings = Vec::new();
        let mut say = |what: &str, there: String, here: String, setting: String| {
            if there != here {
                differences.push(format!("{what} {there} (here {here})"));
                settings.push(format!("--set {setting}"));
            }
        };
        let pairs = [("width", self.width, here.width), ("depth", self.depth, here.depth)];
        for (key, there, here) in pairs {
            say(key, there.to_string(), here.to_string(), format!("model.{key}={there}"));
        }
        for (key, there, here) in [("norm", self.norm, here.norm), ("up", self.up, here.up)] {
            say(key, there.to_owned(), here.to_owned(), format!("model.{key}={there}"));
        }
        let channels = if self.channels == 1 { "grey" } else { "rgb" };
        let setting = format!("data.channels={channels}");
        say("input channels", self.channels.to_string(), here.channels.to_string(), setting);
        if !fresh_head {
            let setting = "train.fresh_head=true".to_owned();
            say("classes", self.classes.to_string(), here.classes.to_string(), setting);
        }
        if differences.is_empty() {
            return String::new();
        }
        let remedy = match (self.up, self.channels) {
            ("bilinear", _) => "bilinear up-sampling is not among what this program builds".to_owned(),
            (_, 1 | 3) => format!("use {}", settings.join(" ")),
            _ => "images have 1 or 3 channels".to_owned(),
        };
        format!("; the file's net has {}: {remedy}", differences.join(", "))
    }
}
