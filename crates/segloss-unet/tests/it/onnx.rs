//! An exported model, read back from its bytes and computed node by node as ONNX defines its operators.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use segloss_unet::batch::{Batch, single};
use segloss_unet::config::{ModelConfig, Norm, Up};
use segloss_unet::exchange::export;
use segloss_unet::pixels::{Depth, Image, Values};
use segloss_unet::{Checkpoint, Config, Predictor};

use crate::common::{small, trained};

/// The fields of a Protocol Buffers message, in their order.
struct Message(Vec<(u64, Value)>);

#[derive(Debug)]
enum Value {
    Int(i64),
    Float(f32),
    Bytes(Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return value;
        }
    }
    panic!("a varint without an end");
}

fn take(bytes: &mut &[u8], count: usize) -> Vec<u8> {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken.to_vec()
}

impl Message {
    fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = match key & 7 {
                0 => Value::Int(varint(&mut bytes) as i64),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    Value::Bytes(take(&mut bytes, length))
                }
                5 => Value::Float(f32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap())),
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, value));
        }
        Self(fields)
    }

    fn all(&self, field: u64) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |(number, _)| *number == field).map(|(_, value)| value)
    }

    fn ints(&self, field: u64) -> Vec<i64> {
        self.all(field)
            .map(|value| if let Value::Int(x) = value { *x } else { panic!("{value:?}") })
            .collect()
    }

    fn bytes(&self, field: u64) -> Vec<&[u8]> {
        self.all(field)
            .map(|value| if let Value::Bytes(x) = value { &x[..] } else { panic!("{value:?}") })
            .collect()
    }

    fn texts(&self, field: u64) -> Vec<String> {
        self.bytes(field).iter().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }

    fn text(&self, field: u64) -> String {
        let texts = self.texts(field);
        assert_eq!(texts.len(), 1, "{texts:?}");
        texts[0].clone()
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        self.bytes(field).into_iter().map(Self::read).collect()
    }

    fn message(&self, field: u64) -> Self {
        let mut messages = self.messages(field);
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }
}

/// Numbers (N, C, H, W), or of fewer axes.
#[derive(Debug, Clone, PartialEq)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensor {
    /// Of four axes.
    fn sizes(&self) -> [usize; 4] {
        self.shape[..].try_into().unwrap()
    }

    fn filled(shape: [usize; 4], value: impl Fn([usize; 4]) -> f64) -> Self {
        let [n, c, h, w] = shape;
        let positions = (0..n * c * h * w).map(|at| [at / (w * h * c), at / (w * h) % c, at / w % h, at % w]);
        Self { shape: shape.to_vec(), values: positions.map(|at| value(at) as f32).collect() }
    }

    fn at(&self, [n, c, y, x]: [usize; 4]) -> f64 {
        let [_, channels, height, width] = self.sizes();
        self.values[((n * channels + c) * height + y) * width + x].into()
    }
}

struct Node {
    operation: String,
    inputs: Vec<String>,
    output: String,
    attributes: HashMap<String, Message>,
}

impl Node {
    fn ints(&self, name: &str) -> Vec<i64> {
        self.attributes.get(name).map_or(Vec::new(), |attribute| {
            assert_eq!(attribute.ints(20), [7]);
            attribute.ints(8)
        })
    }

    fn text(&self, name: &str) -> String {
        assert_eq!(self.attributes[name].ints(20), [3]);
        self.attributes[name].text(4)
    }
}

struct Model {
    metadata: BTreeMap<String, String>,
    /// In their order.
    nodes: Vec<Node>,
    weights: BTreeMap<String, Tensor>,
    input: Message,
    output: Message,
}

impl Model {
    fn read(path: &Path) -> Self {
        let model = Message::read(&fs::read(path).unwrap());
        assert_eq!((model.ints(1), model.text(2)), (vec![8], "segloss".to_owned()));
        let opset = model.message(8);
        assert_eq!((opset.text(1), opset.ints(2)), (String::new(), vec![17]));
        let graph = model.message(7);
        let weights = graph.messages(5).into_iter().map(|tensor| {
            assert_eq!(tensor.ints(2), [1]);
            let shape = tensor.ints(1).iter().map(|&size| size as usize).collect();
            let values =
                tensor.bytes(9)[0].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            (tensor.text(8), Tensor { shape, values: values.collect() })
        });
        let nodes = graph.messages(1).into_iter().map(|node| Node {
            operation: node.text(4),
            inputs: node.texts(1),
            output: node.text(2),
            attributes: node
                .messages(5)
                .into_iter()
                .map(|attribute| (attribute.text(1), attribute))
                .collect(),
        });
        Self {
            metadata: model.messages(14).iter().map(|entry| (entry.text(1), entry.text(2))).collect(),
            nodes: nodes.collect(),
            weights: weights.collect(),
            input: graph.message(11),
            output: graph.message(12),
        }
    }

    /// Logits (N, classes, H, W) of images (N, C, H, W).
    fn run(&self, images: Tensor) -> Tensor {
        let mut known = self.weights.clone();
        known.insert(self.input.text(1), images);
        for node in &self.nodes {
            let inputs: Vec<&Tensor> =
                node.inputs.iter().filter(|name| !name.is_empty()).map(|name| &known[name]).collect();
            let result = compute(node, &inputs);
            // Every name is given once.
            assert_eq!(known.insert(node.output.clone(), result), None, "{}", node.output);
        }
        known.remove(&self.output.text(1)).unwrap()
    }
}

/// One node, from the definition of its operator (opset 17), one number at a time.
fn compute(node: &Node, inputs: &[&Tensor]) -> Tensor {
    let x = inputs[0];
    let [n, channels, height, width] = x.sizes();
    let bias = |c: usize| inputs.get(2).map_or(0.0, |bias| f64::from(bias.values[c]));
    let per_channel = |at: usize, c: usize| f64::from(inputs[at].values[c]);
    match node.operation.as_str() {
        "Sub" => Tensor::filled(x.sizes(), |at| x.at(at) - inputs[1].at([0, at[1], 0, 0])),
        "Div" => Tensor::filled(x.sizes(), |at| x.at(at) / inputs[1].at([0, at[1], 0, 0])),
        "Relu" => Tensor::filled(x.sizes(), |at| x.at(at).max(0.0)),
        "BatchNormalization" => {
            let epsilon = node.attributes["epsilon"].all(2).next();
            let Some(&Value::Float(epsilon)) = epsilon else { panic!("{epsilon:?}") };
            Tensor::filled(x.sizes(), |at| {
                let c = at[1];
                let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|input| per_channel(input, c));
                (x.at(at) - mean) / (variance + f64::from(epsilon)).sqrt() * scale + shift
            })
        }
        "Conv" => {
            let kernel = inputs[1];
            let [outputs, _, kh, kw] = kernel.sizes();
            let pads = node.ints("pads");
            let pad = pads.first().map_or(0, |&pad| pad as usize);
            assert_eq!((kh, kw, pads.len()), (2 * pad + 1, 2 * pad + 1, if pad > 0 { 4 } else { 0 }));
            assert_eq!(node.ints("kernel_shape"), [kh as i64, kw as i64]);
            Tensor::filled([n, outputs, height, width], |[n, o, y, x_]| {
                let mut sum = bias(o);
                for (c, i, j) in (0..channels).flat_map(|c| (0..kh * kw).map(move |k| (c, k / kw, k % kw))) {
                    let (row, column) = (y + i, x_ + j);
                    if row >= pad && column >= pad && row - pad < height && column - pad < width {
                        sum += x.at([n, c, row - pad, column - pad]) * kernel.at([o, c, i, j]);
                    }
                }
                sum
            })
        }
        "MaxPool" => {
            assert_eq!([node.ints("kernel_shape"), node.ints("strides")], [[2, 2], [2, 2]]);
            Tensor::filled([n, channels, height / 2, width / 2], |[n, c, y, x_]| {
                let window =
                    [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| x.at([n, c, 2 * y + i, 2 * x_ + j]));
                window.into_iter().fold(f64::NEG_INFINITY, f64::max)
            })
        }
        "ConvTranspose" => {
            assert_eq!([node.ints("kernel_shape"), node.ints("strides")], [[2, 2], [2, 2]]);
            let kernel = inputs[1];
            Tensor::filled([n, kernel.shape[1], 2 * height, 2 * width], |[n, o, y, x_]| {
                let of = |c: usize| x.at([n, c, y / 2, x_ / 2]) * kernel.at([c, o, y % 2, x_ % 2]);
                bias(o) + (0..channels).map(of).sum::<f64>()
            })
        }
        "Resize" => {
            let rule = ["coordinate_transformation_mode", "mode", "nearest_mode"].map(|name| node.text(name));
            assert_eq!(rule, ["asymmetric", "nearest", "floor"]);
            assert_eq!((node.inputs[1].as_str(), &inputs[1].values[..]), ("", &[1.0, 1.0, 2.0, 2.0][..]));
            Tensor::filled([n, channels, 2 * height, 2 * width], |[n, c, y, x_]| x.at([n, c, y / 2, x_ / 2]))
        }
        "Concat" => {
            assert_eq!(node.attributes["axis"].ints(3), [1]);
            Tensor::filled([n, channels + inputs[1].shape[1], height, width], |[n, c, y, x_]| {
                if c < channels { x.at([n, c, y, x_]) } else { inputs[1].at([n, c - channels, y, x_]) }
            })
        }
        other => panic!("{other} was not expected"),
    }
}

fn one_epoch(root: &Path, model: ModelConfig) -> (Checkpoint, Config) {
    let mut config = Config { model, ..small(None) };
    config.train.epochs = 1;
    (trained(root, &config), config)
}

#[test]
fn node_by_node_it_finds_what_predict_finds() {
    for (norm, up, bias, depth) in [
        (Norm::Batch, Up::Transposed, true, 2),
        (Norm::Batch, Up::Nearest, false, 1),
        (Norm::None, Up::Transposed, false, 1),
        (Norm::None, Up::Nearest, true, 2),
    ] {
        let root = tempfile::tempdir().unwrap();
        let (checkpoint, config) =
            one_epoch(root.path(), ModelConfig { width: 3, depth, norm, up, bias, deep_supervision: false });
        let path = root.path().join("model.onnx");
        export(&checkpoint, &path).unwrap();
        let model = Model::read(&path);

        // Two images of a size that the net wants, so that nothing is padded.
        let (height, width) = (12, 20);
        let image = |first: usize| {
            let bytes = (0..height * width).map(|i| ((i + first) * 7919 % 251) as u8).collect();
            Image { height, width, channels: 1, values: Values::Eight(bytes) }
        };
        let images = [image(0), image(90)];
        let values =
            images.iter().flat_map(|image| (0..height * width).map(|at| image.values.get(at) as f32));
        let logits = model.run(Tensor { shape: vec![2, 1, height, width], values: values.collect() });
        assert_eq!(logits.shape, [2, 3, height, width]);
        let largest = logits.values.iter().fold(0.0, |largest: f32, logit| largest.max(logit.abs()));
        let (net, normalisation) = (&checkpoint.net, &checkpoint.meta.normalisation);
        let predictor = Predictor::new(checkpoint.clone());
        let mut seen = [false; 3];
        for (n, image) in images.iter().enumerate() {
            let Batch { shape, images, .. } = single(image, normalisation, net.multiple());
            let own = net.evaluate(net.tensor(images, shape).unwrap()).unwrap();
            let predicted = predictor.predict(image).unwrap();
            for (at, own) in dfdx_conv::data(&own).unwrap().chunks_exact(3).enumerate() {
                let found: [f64; 3] =
                    std::array::from_fn(|class| logits.at([n, class, at / width, at % width]));
                let case = format!("{:?}, image {n}, pixel {at}: {found:?}, not {own:?}", config.model);
                let apart = |(found, own): (&f64, &f32)| (found - f64::from(*own)).abs() / f64::from(largest);
                assert!(found.iter().zip(own).map(apart).all(|apart| apart <= 1e-5), "{case}");
                let class = usize::from(predicted[at]);
                assert!(found.iter().all(|&logit| logit <= found[class]), "{case}");
                seen[class] = true;
            }
        }
        assert!(seen.iter().filter(|&&seen| seen).count() > 1, "{:?}: one class tells nothing", config.model);
    }
}

#[test]
fn weights_are_those_of_the_safetensors_file() {
    let root = tempfile::tempdir().unwrap();
    let (checkpoint, _) = one_epoch(root.path(), small(None).model);
    let (model, weights) = (root.path().join("m.onnx"), root.path().join("w.safetensors"));
    export(&checkpoint, &model).unwrap();
    export(&checkpoint, &weights).unwrap();
    let mut model = Model::read(&model);
    let normalisation = &checkpoint.meta.normalisation;
    for (name, right) in [("mean", &normalisation.mean), ("deviation", &normalisation.deviation)] {
        let found = model.weights.remove(name).unwrap();
        assert_eq!((&found.shape[..], found.values), (&[1, 1, 1, 1][..], vec![right[0] as f32]));
    }
    let bytes = fs::read(weights).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut count = 0;
    for (name, tensor) in file.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")) {
        let values: Vec<f32> =
            tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(model.weights[name], Tensor { shape: tensor.shape().to_vec(), values }, "{name}");
        count += 1;
    }
    assert_eq!(count, model.weights.len());
    let batches = file.tensor("inc.double_conv.1.num_batches_tracked").unwrap();
    assert_eq!(batches.data(), (checkpoint.meta.step as i64).to_le_bytes());
    assert!(batches.shape().is_empty());
}

#[test]
fn shapes_are_free_and_the_metadata_says_what_is_needed() {
    let root = tempfile::tempdir().unwrap();
    let (mut checkpoint, _) = one_epoch(root.path(), small(None).model);
    let path = root.path().join("m.onnx");
    checkpoint.meta.classes.ignore_index = Some(0);
    checkpoint.meta.classes.names[1] = "a \"b\", ü".into();
    export(&checkpoint, &path).unwrap();
    let model = Model::read(&path);
    for (image, name, channels) in [(&model.input, "image", 1), (&model.output, "logits", 3)] {
        let tensor = image.message(2).message(1);
        assert_eq!((image.text(1).as_str(), tensor.ints(1)), (name, vec![1]));
        let sizes = tensor.message(2).messages(1);
        assert_eq!([&sizes[0], &sizes[2], &sizes[3]].map(|size| size.text(2)), ["N", "H", "W"]);
        assert_eq!((sizes[1].ints(1), sizes.len()), (vec![channels], 4));
    }
    let normalisation = &checkpoint.meta.normalisation;
    let mut expected: BTreeMap<String, String> = [
        ("classes", r#"["background","a \"b\", ü","boundary"]"#.to_owned()),
        ("ignore_index", "0".to_owned()),
        ("multiple", "4".to_owned()),
        ("channels", "grey".to_owned()),
        ("range", "8-bit".to_owned()),
        ("mean", format!("{:?}", normalisation.mean)),
        ("deviation", format!("{:?}", normalisation.deviation)),
    ]
    .map(|(key, value)| (format!("segloss.{key}"), value))
    .into();
    assert_eq!(model.metadata, expected);
    checkpoint.meta.classes.ignore_index = None;
    checkpoint.meta.normalisation.depth = Depth::Sixteen;
    export(&checkpoint, &path).unwrap();
    expected.remove("segloss.ignore_index");
    expected.insert("segloss.range".into(), "16-bit".into());
    assert_eq!(Model::read(&path).metadata, expected);
}

#[test]
fn the_same_net_is_the_same_file() {
    let root = tempfile::tempdir().unwrap();
    let (checkpoint, _) = one_epoch(root.path(), small(None).model);
    for extension in ["onnx", "safetensors"] {
        let [a, b] = ["a", "b"].map(|name| root.path().join(name).with_extension(extension));
        export(&checkpoint, &a).unwrap();
        export(&checkpoint, &b).unwrap();
        assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "{extension}");
    }
}

#[test]
fn a_mean_beyond_float32_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (mut checkpoint, _) = one_epoch(root.path(), small(None).model);
    let path = root.path().join("model.onnx");
    export(&checkpoint, &path).unwrap();
    let before = fs::read(&path).unwrap();
    for mean in [16_777_217.0, f64::INFINITY] {
        checkpoint.meta.normalisation.mean[0] = mean;
        let text = export(&checkpoint, &path).unwrap_err().to_string();
        assert!(text.contains("channel 0 of the images has the mean "), "{text}");
    }
    assert!(before == fs::read(&path).unwrap());
}
