//! The U-Net (Ronneberger, Fischer & Brox 2015), with same-padding.
//!
//! ```text
//! image ─ block(w) ──────────────────── skip ──────────────────── block(w) ─ head 1×1 ─ logits
//!            └ pool ─ block(2w) ─────── skip ─────── block(2w) ─ up ┘
//!                        └ pool ─  … block(2^depth·w) …  ─ up ┘
//! ```
//!
//! A block is two 3×3 convolutions, each followed by the normalisation, if there is one, and a ReLU. Going
//! up halves the channels: a transposed 2×2 convolution of stride 2, or nearest-neighbour doubling and
//! a 3×3 convolution; then the skip's channels and these, in this order, go through a block.
//!
//! **Layouts.** Images and logits are channels last, (N, H, W, C). [`UNet::forward_channels_first`] takes
//! (N, C, H, W) and gives channels-last logits, as the [source document](segloss::source_document)'s model does (S6).
//!
//! **Gradients** reach every parameter, but not the images: nobody asks for them in training, and they
//! would cost a convolution at full resolution.
//!
//! **First weights** are normal with deviation √(2 / fan-in) before a ReLU (He et al. 2015) and
//! √(1 / fan-in) elsewhere; biases are 0, γ = 1, β = 0. The fan-in of the transposed convolution is its
//! number of input channels, because its 2×2 windows do not overlap.

use dfdx::prelude::{Cpu, Gradients, HasShape, NoneTape, PutTape, SplitTape, Tape, TensorFromVec};
use dfdx_conv::{
    Activation, BatchNormMode, Conv2dOptions, Image, Kernel, RunningStatistics, Vector, batch_norm2d,
    concat_channels, conv_transpose2d, conv2d_with, data, data_mut, max_pool2d, parameter_gradient, relu,
    to_channels_last, upsample_conv2d,
};

use crate::config::{ModelConfig, Norm, Up};
use crate::error::Result;
use crate::random::{Purpose, Stream};
use crate::real::Real;

/// ε of the batch normalisation.
pub(crate) const EPSILON: f64 = 1e-5;

/// A U-Net whose width, depth, input channels and outputs are chosen at run time.
///
/// ```
/// use segloss_unet::config::{ModelConfig, Norm, Up};
/// use segloss_unet::unet::UNet;
///
/// let config = ModelConfig { norm: Norm::None, up: Up::Nearest, bias: false, ..ModelConfig::default() };
/// let net = UNet::<f32>::new(&config, 3, 4, 0)?;
/// assert_eq!(net.parameter_count(), 2_157_040);
/// # Ok::<(), segloss_unet::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct UNet<E: Real> {
    device: Cpu,
    /// Every weight, in the order in which an image meets them.
    pub parameters: Vec<Parameter<E>>,
    /// What the batch normalisations have seen, in the same order.
    pub statistics: Vec<Statistics<E>>,
    downs: Vec<Block>,
    bottom: Block,
    /// From the bottom to the top.
    ups: Vec<UpStep>,
    head: Convolution,
    /// Of the levels 1, 2, … on the way up, in training with deep supervision.
    lower_heads: Vec<Convolution>,
}

/// Logits in training, of the full resolution and, with deep supervision, of a half, a quarter, ….
#[derive(Debug)]
pub struct Supervised<E: Real, T> {
    /// (N, H, W, classes)
    pub logits: Image<E, T>,
    /// (N, H/2ˡ, W/2ˡ, classes) for l = 1, 2, …; on the same tape, which `logits` carries.
    pub lower: Vec<Image<E>>,
}

/// A tensor that learns.
#[derive(Debug, Clone)]
pub struct Parameter<E: Real> {
    /// As in `down0.conv1.weight`.
    pub name: String,
    /// Its numbers.
    pub tensor: Weights<E>,
}

/// The two kinds of learning tensors.
#[derive(Debug, Clone)]
pub enum Weights<E: Real> {
    /// Of a convolution, (Kh, Kw, Cin, Cout); weight decay applies.
    Kernel(Kernel<E>),
    /// A bias, γ or β; weight decay does not apply.
    Vector(Vector<E>),
}

/// The running statistics of one batch normalisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics<E> {
    /// As in `down0.norm1`.
    pub name: String,
    /// Mean and variance.
    pub running: RunningStatistics<E>,
}

impl<E: Real> Parameter<E> {
    /// The numbers in row-major order.
    pub fn values(&self) -> Result<&[E]> {
        Ok(match &self.tensor {
            Weights::Kernel(tensor) => data(tensor)?,
            Weights::Vector(tensor) => data(tensor)?,
        })
    }

    /// The numbers, to be changed in place.
    pub fn values_mut(&mut self) -> Result<&mut [E]> {
        Ok(match &mut self.tensor {
            Weights::Kernel(tensor) => data_mut(tensor)?,
            Weights::Vector(tensor) => data_mut(tensor)?,
        })
    }

    /// Its gradient after a backward pass, in the order of [`Parameter::values`].
    pub fn gradient<'g>(&self, gradients: &'g mut Gradients<E, Cpu>) -> Result<&'g [E]> {
        Ok(match &self.tensor {
            Weights::Kernel(tensor) => parameter_gradient(gradients, tensor)?,
            Weights::Vector(tensor) => parameter_gradient(gradients, tensor)?,
        })
    }

    /// (Kh, Kw, Cin, Cout), or (C).
    pub fn shape(&self) -> Vec<usize> {
        match &self.tensor {
            Weights::Kernel(tensor) => {
                let &(kh, kw, cin, cout) = tensor.shape();
                vec![kh, kw, cin, cout]
            }
            Weights::Vector(tensor) => vec![tensor.shape().0],
        }
    }

    /// Whether weight decay applies.
    pub fn decays(&self) -> bool {
        matches!(self.tensor, Weights::Kernel(_))
    }
}

/// Whether batch normalisations use, and update from, the batch at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Train,
    Evaluate,
}

/// What one pass through the net works with.
struct Pass<'a, E: Real> {
    mode: Mode,
    statistics: &'a mut [Statistics<E>],
    /// Is shown what each layer makes of the images.
    watch: Option<&'a mut Watch<'a, E>>,
}

/// Is shown the name of a layer and its output.
type Watch<'a, E> = dyn FnMut(&str, &[E]) + 'a;

impl<'a, E: Real> Pass<'a, E> {
    fn new(mode: Mode, statistics: &'a mut [Statistics<E>]) -> Self {
        Self { mode, statistics, watch: None }
    }
}

// The layers hold positions in `parameters` and `statistics`: so the optimizer and the checkpoint see one
// flat list, and the forward pass the structure.

#[derive(Debug, Clone, Copy)]
struct Convolution {
    weight: usize,
    bias: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Normalisation {
    gamma: usize,
    beta: usize,
    statistics: usize,
}

#[derive(Debug, Clone, Copy)]
struct Layer {
    convolution: Convolution,
    norm: Option<Normalisation>,
}

#[derive(Debug, Clone, Copy)]
struct Block([Layer; 2]);

#[derive(Debug, Clone, Copy)]
struct UpStep {
    kind: Up,
    convolution: Convolution,
    block: Block,
}

impl<E: Real> UNet<E> {
    /// A net with its first weights, for images of `channels` channels and logits of `classes`.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn new(config: &ModelConfig, channels: usize, classes: usize, seed: u64) -> Result<Self> {
        let mut builder = Builder {
            device: Cpu::default(),
            random: Stream::new(seed, Purpose::Weights, 0),
            config,
            parameters: Vec::new(),
            statistics: Vec::new(),
        };
        let width = |level: usize| config.width << level;
        let mut downs = Vec::new();
        let mut inputs = channels;
        for level in 0..config.depth {
            downs.push(builder.block(&format!("down{level}"), inputs, width(level))?);
            inputs = width(level);
        }
        let bottom = builder.block("bottom", inputs, width(config.depth))?;
        let mut ups = Vec::new();
        for level in (0..config.depth).rev() {
            let (name, w) = (format!("up{level}"), width(level));
            let size = if config.up == Up::Transposed { 2 } else { 3 };
            let fan_in = if config.up == Up::Transposed { 2 * w } else { 9 * 2 * w };
            let deviation = (1.0 / fan_in as f64).sqrt();
            let convolution =
                builder.convolution(&format!("{name}.up"), size, 2 * w, w, deviation, config.bias)?;
            let block = builder.block(&name, 2 * w, w)?;
            ups.push(UpStep { kind: config.up, convolution, block });
        }
        let deviation = (1.0 / config.width as f64).sqrt();
        let head = builder.convolution("head", 1, config.width, classes, deviation, config.bias)?;
        let mut lower_heads = Vec::new();
        for level in config.heads().skip(1) {
            let (name, w) = (format!("head{level}"), width(level));
            let deviation = (1.0 / w as f64).sqrt();
            lower_heads.push(builder.convolution(&name, 1, w, classes, deviation, config.bias)?);
        }
        let Builder { device, parameters, statistics, .. } = builder;
        Ok(Self { device, parameters, statistics, downs, bottom, ups, head, lower_heads })
    }

    /// How many numbers learn.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(|parameter| parameter.shape().iter().product::<usize>()).sum()
    }

    /// Heights and widths must be multiples of this: 2^depth.
    pub fn multiple(&self) -> usize {
        1 << self.downs.len()
    }

    /// How far a logit sees: the numbers at and beyond a row (or column) that is a multiple of [`UNet::multiple`]
    /// depend on at most this many rows before it, and on no others.
    ///
    /// A block is two 3×3 convolutions, so it sees 2 pixels of its own level to each side. Let m_l be how many
    /// pixels beyond that row are needed of the result of level l on the way up, m_0 = 0. The block there asks
    /// for 2 more; nearest-neighbour doubling, which has a 3×3 convolution, for 1 more (u = 1), a transposed
    /// 2×2 convolution for none (u = 0); and half as many pixels, rounded up, are needed one level below:
    ///
    /// > m_{l+1} = ⌈(m_l + 2 + u) / 2⌉
    ///
    /// The bottom block adds 2; each level on the way down doubles and adds 2:
    ///
    /// > r = 2^d · (m_d + 2) + 2 · (2^d − 1) = 2^d · (m_d + 4) − 2
    ///
    /// with m_d = 1 for d = 1 and 2 from there on, one more with nearest-neighbour doubling. (A skip asks
    /// for m_l + 2 ≤ 5 pixels of its level, less than the 6 or more of the way down.)
    pub fn reach(&self) -> usize {
        let mut margin = 0_usize;
        for step in self.ups.iter().rev() {
            margin = (margin + 2 + usize::from(step.kind == Up::Nearest)).div_ceil(2);
        }
        self.downs.iter().fold(margin + 2, |margin, _| 2 * margin + 2)
    }

    /// A tensor of images, or of anything else with four sizes.
    ///
    /// # Errors
    /// If `values` has another length than the shape.
    pub fn tensor(&self, values: Vec<E>, shape: (usize, usize, usize, usize)) -> Result<Image<E>> {
        Ok(self.device.try_tensor_from_vec(values, shape).map_err(dfdx_conv::Error::from)?)
    }

    /// Logits (N, H, W, classes) of images (N, H, W, channels), in training: batch normalisations use the
    /// statistics of this batch and note them.
    ///
    /// # Errors
    /// If the sizes are not multiples of [`UNet::multiple`] or the channels differ.
    pub fn forward<T: Tape<E, Cpu>>(&mut self, images: Image<E, T>) -> Result<Image<E, T>> {
        Ok(self.forward_supervised(images)?.logits)
    }

    /// As [`UNet::forward`], with the logits of deep supervision where the net has its heads.
    ///
    /// # Errors
    /// As [`UNet::forward`].
    pub fn forward_supervised<T: Tape<E, Cpu>>(&mut self, images: Image<E, T>) -> Result<Supervised<E, T>> {
        let mut statistics = std::mem::take(&mut self.statistics);
        let logits = self.run(images, &mut Pass::new(Mode::Train, &mut statistics));
        self.statistics = statistics;
        logits
    }

    /// The same logits, without noting the statistics: for a look before the step.
    ///
    /// # Errors
    /// As [`UNet::forward`].
    pub fn look<T: Tape<E, Cpu>>(&self, images: Image<E, T>) -> Result<Supervised<E, T>> {
        self.run(images, &mut Pass::new(Mode::Train, &mut self.statistics.clone()))
    }

    /// Outputs.
    pub fn classes(&self) -> usize {
        // The head's kernel is (1, 1, width, classes).
        self.parameters[self.head.weight].shape()[3]
    }

    /// The first tensor with a number that is not finite, in words: a weight, or what a layer makes of these images in
    /// training; none if there is none up to the logits.
    ///
    /// # Errors
    /// As [`UNet::forward`].
    pub fn first_non_finite(&self, images: Image<E>) -> Result<Option<String>> {
        self.first_non_finite_in(Mode::Train, images)
    }

    /// As [`UNet::first_non_finite`], with the statistics noted so far.
    ///
    /// # Errors
    /// As [`UNet::forward`].
    pub fn first_non_finite_in_evaluation(&self, images: Image<E>) -> Result<Option<String>> {
        self.first_non_finite_in(Mode::Evaluate, images)
    }

    fn first_non_finite_in(&self, mode: Mode, images: Image<E>) -> Result<Option<String>> {
        let is_bad = |values: &[E]| values.iter().any(|value| !value.is_finite());
        for parameter in &self.parameters {
            if is_bad(parameter.values()?) {
                return Ok(Some(format!("the weights `{}`", parameter.name)));
            }
        }
        let mut first = None;
        let mut watch = |name: &str, values: &[E]| {
            if first.is_none() && is_bad(values) {
                first = Some(format!("the output of `{name}`"));
            }
        };
        let mut statistics = self.statistics.clone();
        let pass = &mut Pass { mode, statistics: &mut statistics, watch: Some(&mut watch) };
        let logits = self.run(images, pass)?.logits;
        if first.is_none() && is_bad(data(&logits)?) {
            first = Some("the logits".to_owned());
        }
        Ok(first)
    }

    /// How many levels below the full resolution have a head of their own.
    pub fn lower_heads(&self) -> usize {
        self.lower_heads.len()
    }

    /// As [`UNet::forward`], with the statistics noted so far and without changing them.
    ///
    /// # Errors
    /// As [`UNet::forward`].
    pub fn evaluate<T: Tape<E, Cpu>>(&self, images: Image<E, T>) -> Result<Image<E, T>> {
        // A few hundred numbers: a copy is cheaper than a second forward pass to maintain.
        Ok(self.run(images, &mut Pass::new(Mode::Evaluate, &mut self.statistics.clone()))?.logits)
    }

    /// Channels-last logits of channels-first images, in training ([S6](segloss::source_document)).
    ///
    /// # Errors
    /// As [`UNet::forward`].
    pub fn forward_channels_first<T: Tape<E, Cpu>>(&mut self, images: Image<E, T>) -> Result<Image<E, T>> {
        self.forward(to_channels_last(images)?)
    }

    fn run<T: Tape<E, Cpu>>(&self, images: Image<E, T>, pass: &mut Pass<'_, E>) -> Result<Supervised<E, T>> {
        let mut x = images;
        let mut lower = Vec::new();
        let mut skips: Vec<Image<E>> = Vec::with_capacity(self.downs.len());
        for block in &self.downs {
            x = self.block(x, block, pass)?;
            // dfdx gives gradients to a tensor by its identity, which the copy without a tape shares.
            skips.push(x.retaped::<NoneTape>());
            x = max_pool2d(x)?;
        }
        x = self.block(x, &self.bottom, pass)?;
        let levels = (0..self.ups.len()).rev();
        for ((step, skip), level) in self.ups.iter().zip(skips.into_iter().rev()).zip(levels) {
            x = match step.kind {
                Up::Transposed => {
                    let (weight, bias) = self.weights(step.convolution);
                    conv_transpose2d(x, weight, bias)?
                }
                Up::Nearest => {
                    let (weight, bias) = self.weights(step.convolution);
                    upsample_conv2d(x, weight, bias)?
                }
            };
            self.show(&x, step.convolution.weight, pass)?;
            // The skip comes first, so it is the one to carry the tape.
            let (up, tape) = x.split_tape();
            x = concat_channels(skip.put_tape(tape), up)?;
            x = self.block(x, &step.block, pass)?;
            let head = level.checked_sub(1).and_then(|below| self.lower_heads.get(below));
            if let Some(&head) = head.filter(|_| pass.mode == Mode::Train) {
                // The level's logits leave the way up here; the tape goes with them and comes back.
                let (stays, tape) = x.split_tape();
                let branch = stays.retaped::<NoneTape>().put_tape(tape);
                let (logits, tape) = self.convolve(branch, head, Conv2dOptions::default())?.split_tape();
                lower.push(logits);
                x = stays.put_tape(tape);
            }
        }
        // They were met from the bottom up.
        lower.reverse();
        Ok(Supervised { logits: self.convolve(x, self.head, Conv2dOptions::default())?, lower })
    }

    fn block<T: Tape<E, Cpu>>(
        &self,
        mut x: Image<E, T>,
        block: &Block,
        pass: &mut Pass<'_, E>,
    ) -> Result<Image<E, T>> {
        for layer in &block.0 {
            // Nobody asks for the gradient of the images, which the very first convolution would compute.
            let input_gradient = layer.convolution.weight != 0;
            let activation = if layer.norm.is_some() { Activation::Identity } else { Activation::Relu };
            x = self.convolve(x, layer.convolution, Conv2dOptions { input_gradient, activation })?;
            self.show(&x, layer.convolution.weight, pass)?;
            let Some(norm) = layer.norm else { continue };
            let running = &mut pass.statistics[norm.statistics].running;
            let mode = match pass.mode {
                Mode::Train => BatchNormMode::Train(running),
                Mode::Evaluate => BatchNormMode::Evaluate(running),
            };
            let (gamma, beta) = (self.vector(norm.gamma), self.vector(norm.beta));
            x = batch_norm2d(x, gamma, beta, E::nearest(EPSILON), mode)?;
            self.show(&x, norm.gamma, pass)?;
            x = relu(x)?;
        }
        Ok(x)
    }

    /// Shows the output of the layer that has this parameter.
    fn show<T: Tape<E, Cpu>>(&self, x: &Image<E, T>, parameter: usize, pass: &mut Pass<'_, E>) -> Result<()> {
        if let Some(watch) = &mut pass.watch {
            let name = &self.parameters[parameter].name;
            let layer = name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer);
            watch(layer, data(&x.retaped::<NoneTape>())?);
        }
        Ok(())
    }

    fn convolve<T: Tape<E, Cpu>>(
        &self,
        x: Image<E, T>,
        convolution: Convolution,
        options: Conv2dOptions,
    ) -> Result<Image<E, T>> {
        let (weight, bias) = self.weights(convolution);
        Ok(conv2d_with(x, weight, bias, options)?)
    }

    fn weights(&self, convolution: Convolution) -> (&Kernel<E>, Option<&Vector<E>>) {
        let weight = match &self.parameters[convolution.weight].tensor {
            Weights::Kernel(kernel) => kernel,
            Weights::Vector(_) => unreachable!("the builder made a kernel at this position"),
        };
        (weight, convolution.bias.map(|bias| self.vector(bias)))
    }

    fn vector(&self, position: usize) -> &Vector<E> {
        match &self.parameters[position].tensor {
            Weights::Vector(vector) => vector,
            Weights::Kernel(_) => unreachable!("the builder made a vector at this position"),
        }
    }
}

/// Makes parameters one after the other.
struct Builder<'a, E: Real> {
    device: Cpu,
    random: Stream,
    config: &'a ModelConfig,
    parameters: Vec<Parameter<E>>,
    statistics: Vec<Statistics<E>>,
}

impl<E: Real> Builder<'_, E> {
    fn block(&mut self, name: &str, inputs: usize, outputs: usize) -> Result<Block> {
        let first = self.layer(name, 1, inputs, outputs)?;
        Ok(Block([first, self.layer(name, 2, outputs, outputs)?]))
    }

    fn layer(&mut self, block: &str, number: usize, inputs: usize, outputs: usize) -> Result<Layer> {
        let normalised = self.config.norm == Norm::Batch;
        let bias = self.config.bias && !normalised;
        let deviation = (2.0 / (9 * inputs) as f64).sqrt();
        let name = format!("{block}.conv{number}");
        let convolution = self.convolution(&name, 3, inputs, outputs, deviation, bias)?;
        let norm = if normalised {
            Some(self.normalisation(&format!("{block}.norm{number}"), outputs)?)
        } else {
            None
        };
        Ok(Layer { convolution, norm })
    }

    fn convolution(
        &mut self,
        name: &str,
        size: usize,
        inputs: usize,
        outputs: usize,
        deviation: f64,
        bias: bool,
    ) -> Result<Convolution> {
        let count = size * size * inputs * outputs;
        let values = (0..count).map(|_| E::nearest(self.random.normal() * deviation)).collect();
        let shape = (size, size, inputs, outputs);
        let kernel = self.device.try_tensor_from_vec(values, shape).map_err(dfdx_conv::Error::from)?;
        let weight = self.push(format!("{name}.weight"), Weights::Kernel(kernel));
        let bias = if bias { Some(self.vector(format!("{name}.bias"), outputs, E::zero())?) } else { None };
        Ok(Convolution { weight, bias })
    }

    fn normalisation(&mut self, name: &str, channels: usize) -> Result<Normalisation> {
        let gamma = self.vector(format!("{name}.gamma"), channels, E::one())?;
        let beta = self.vector(format!("{name}.beta"), channels, E::zero())?;
        self.statistics.push(Statistics { name: name.to_owned(), running: RunningStatistics::new(channels) });
        Ok(Normalisation { gamma, beta, statistics: self.statistics.len() - 1 })
    }

    fn vector(&mut self, name: String, channels: usize, value: E) -> Result<usize> {
        let values = vec![value; channels];
        let vector = self.device.try_tensor_from_vec(values, (channels,)).map_err(dfdx_conv::Error::from)?;
        Ok(self.push(name, Weights::Vector(vector)))
    }

    fn push(&mut self, name: String, tensor: Weights<E>) -> usize {
        self.parameters.push(Parameter { name, tensor });
        self.parameters.len() - 1
    }
}
