//! A net as an ONNX model: the graph of its operations with its weights, for any runtime.
//!
//! | | name | type | shape |
//! |---|---|---|---|
//! | input | `image` | float32 | (N, C, H, W), the values as they were stored, such as 0 to 255; C = 1 grey or 3 RGB |
//! | output | `logits` | float32 | (N, classes, H, W) |
//!
//! N, H and W are free; H and W are multiples of 2^depth, which the metadata entry `segloss.multiple` holds. The first two
//! operations normalise, (v − μ_c) / σ_c, with μ and σ rounded to float32. Then each layer is an operation of its own,
//! named as its PyTorch module ([`torch_weights`](crate::torch_weights)): Conv, BatchNormalization (in inference), Relu, MaxPool,
//! ConvTranspose or Resize with Conv, Concat.
//!
//! Opset 17. Source of the field numbers: `onnx.proto3` of the ONNX project, IR version 8.

use crate::dataset::Normalisation;
use crate::error::Result;
use crate::protobuf::Message;
use crate::torch_weights::{TorchTensor, state};
use crate::unet::{EPSILON, UNet};

const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// `TensorProto.DataType.FLOAT`
const FLOAT: i64 = 1;

/// The bytes of the model. `entries` become its metadata, in their order.
///
/// # Errors
/// If the weights cannot be read.
pub(crate) fn model(
    net: &UNet<f32>,
    normalisation: &Normalisation,
    entries: &[(String, String)],
) -> Result<Vec<u8>> {
    let mut graph = Graph::default();
    let tensors = state(net)?;
    let shape = |name: &str| tensors.iter().find(|tensor| tensor.name == name).map(|tensor| &tensor.shape);
    let depth = net.multiple().ilog2();

    let channels = normalisation.mean.len();
    let per_channel = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    graph.initialise("mean", &[1, channels, 1, 1], &per_channel(&normalisation.mean));
    graph.initialise("deviation", &[1, channels, 1, 1], &per_channel(&normalisation.deviation));
    let x = graph.node("Sub", "centre", &["image", "mean"], []);
    let mut x = graph.node("Div", "scale", &[&x, "deviation"], []);

    let has = |name: &str| shape(name).is_some();
    let mut skips = Vec::new();
    for level in 0..=depth {
        let module = match level {
            0 => "inc".to_owned(),
            level => format!("down{level}.maxpool_conv.1"),
        };
        if level > 0 {
            skips.push(x.clone());
            let window = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
            x = graph.node("MaxPool", &format!("down{level}.maxpool_conv.0"), &[&x], window);
        }
        x = graph.block(x, &module, &has);
    }
    for (step, skip) in (1..).zip(skips.into_iter().rev()) {
        let module = format!("up{step}.up");
        x = if has(&format!("{module}.weight")) {
            let window = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
            graph.layer("ConvTranspose", &module, &[&x], &["weight", "bias"], window)
        } else {
            if step == 1 {
                graph.initialise("scales", &[4], &[1.0, 1.0, 2.0, 2.0]);
            }
            // Output pixel i is input pixel ⌊i/2⌋.
            let rule = [
                string("coordinate_transformation_mode", "asymmetric"),
                string("mode", "nearest"),
                string("nearest_mode", "floor"),
            ];
            let x = graph.node("Resize", &format!("{module}.0"), &[&x, "", "scales"], rule);
            graph.layer("Conv", &format!("{module}.1"), &[&x], &["weight", "bias"], same_padding())
        };
        x = graph.node("Concat", &format!("up{step}.cat"), &[&skip, &x], [int("axis", 1)]);
        x = graph.block(x, &format!("up{step}.conv"), &has);
    }
    let head = ["outc.conv.weight", "outc.conv.bias"];
    graph.named("Conv", "outc.conv", &[&x, head[0], head[1]], "logits", [ints("kernel_shape", &[1, 1])]);

    let classes = shape(head[0]).map_or(0, |shape| shape[0]);
    for TorchTensor { name, shape, values } in tensors {
        graph.initialise(&name, &shape, &values);
    }
    let graph = Message::default()
        .messages(1, &graph.nodes)
        .text(2, "segloss U-Net")
        .messages(5, &graph.initialisers)
        .message(11, &images("image", channels))
        .message(12, &images("logits", classes));
    let entries: Vec<Message> =
        entries.iter().map(|(key, value)| Message::default().text(1, key).text(2, value)).collect();
    let model = Message::default()
        .int(1, IR_VERSION)
        .text(2, "segloss")
        .text(3, env!("CARGO_PKG_VERSION"))
        .message(7, &graph)
        // The operators of ONNX itself are of the domain "".
        .message(8, &Message::default().text(1, "").int(2, OPSET))
        .messages(14, &entries);
    Ok(model.into_bytes())
}

/// The nodes and weights of a graph, as they are added.
#[derive(Default)]
struct Graph {
    nodes: Vec<Message>,
    initialisers: Vec<Message>,
}

impl Graph {
    /// Two convolutions, each with its normalisation, if there is one, and a ReLU.
    fn block(&mut self, mut x: String, module: &str, has: &impl Fn(&str) -> bool) -> String {
        for (convolution, norm, relu) in [(0, 1, 2), (3, 4, 5)] {
            let layer = |position| format!("{module}.double_conv.{position}");
            let normalised = has(&format!("{}.weight", layer(norm)));
            let weights: &[&str] = if normalised { &["weight"] } else { &["weight", "bias"] };
            x = self.layer("Conv", &layer(convolution), &[&x], weights, same_padding());
            if normalised {
                let weights = ["weight", "bias", "running_mean", "running_var"];
                let epsilon = [float("epsilon", EPSILON as f32)];
                x = self.layer("BatchNormalization", &layer(norm), &[&x], &weights, epsilon);
            }
            x = self.node("Relu", &layer(relu), &[&x], []);
        }
        x
    }

    /// A node whose further inputs are the weights of a PyTorch module.
    fn layer<const N: usize>(
        &mut self,
        operation: &str,
        module: &str,
        inputs: &[&str],
        weights: &[&str],
        attributes: [Message; N],
    ) -> String {
        let weights: Vec<String> = weights.iter().map(|weight| format!("{module}.{weight}")).collect();
        let inputs: Vec<&str> = inputs.iter().copied().chain(weights.iter().map(String::as_str)).collect();
        self.node(operation, module, &inputs, attributes)
    }

    /// A node; its result has its name.
    fn node<const N: usize>(
        &mut self,
        operation: &str,
        name: &str,
        inputs: &[&str],
        attributes: [Message; N],
    ) -> String {
        self.named(operation, name, inputs, name, attributes)
    }

    fn named<const N: usize>(
        &mut self,
        operation: &str,
        name: &str,
        inputs: &[&str],
        output: &str,
        attributes: [Message; N],
    ) -> String {
        let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
        self.nodes.push(node.text(2, output).text(3, name).text(4, operation).messages(5, &attributes));
        output.to_owned()
    }

    fn initialise(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = shape.iter().fold(Message::default(), |tensor, &size| tensor.int(1, size as i64));
        self.initialisers.push(tensor.int(2, FLOAT).text(8, name).bytes(9, &bytes));
    }
}

/// (N, `channels`, H, W) of float32, with N, H and W free.
fn images(name: &str, channels: usize) -> Message {
    let free = |size: &str| Message::default().text(2, size);
    let shape = [free("N"), Message::default().int(1, channels as i64), free("H"), free("W")];
    let tensor = Message::default().int(1, FLOAT).message(2, &Message::default().messages(1, &shape));
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

fn same_padding() -> [Message; 2] {
    [ints("kernel_shape", &[3, 3]), ints("pads", &[1, 1, 1, 1])]
}

// Attributes: a name, a value in the field of its type, and the type.

fn float(name: &str, value: f32) -> Message {
    Message::default().text(1, name).float(2, value).int(20, 1)
}

fn int(name: &str, value: i64) -> Message {
    Message::default().text(1, name).int(3, value).int(20, 2)
}

fn string(name: &str, value: &str) -> Message {
    Message::default().text(1, name).text(4, value).int(20, 3)
}

fn ints(name: &str, values: &[i64]) -> Message {
    let attribute = Message::default().text(1, name);
    values.iter().fold(attribute, |attribute, &value| attribute.int(8, value)).int(20, 7)
}
