//! A whole net with its loss: one training step's value and gradient, and what they should be.

use crate::number::Number;
use crate::number::big::Big;
use crate::number::dual::Dual;
use crate::textbook::Textbook;
use crate::textbook::unet::{Parameters, logits};
use dfdx_conv::Shape4;
use rand::RngExt;
use segloss::{Kind, Layout, LossSpec, Region, Scheme, Source, WeightSpec};
use segloss_cases::{Case, Effort, Grid, Labels, generator, set};
use segloss_unet::config::{ModelConfig, Norm, Up};
use segloss_unet::{Classes, Dataset, Error};

/// Images and their size: (N, H, W, C).
const SHAPE: Shape4 = (2, 8, 16, 1);

/// A net and a batch.
#[derive(Clone, Debug)]
pub struct NetworkTask {
    /// Names it in reports.
    pub name: String,
    /// The net.
    pub config: ModelConfig,
    /// From which its first weights are drawn.
    pub seed: u64,
    /// The loss.
    pub spec: LossSpec,
    /// Of the labels.
    pub classes: Classes,
    /// The batch.
    pub images: Vec<f64>,
    /// (N, H, W, C).
    pub shape: Shape4,
    /// (N, H, W).
    pub labels: Vec<u8>,
}

/// What a net makes of a batch, by name: sizes, numbers and gradient of every parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The loss.
    pub value: f64,
    /// Every parameter.
    pub parameters: Vec<ParameterStep>,
}

/// A parameter and its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterStep {
    /// As in `down0.conv1.weight`.
    pub name: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Vec<f64>,
    /// Their gradient.
    pub gradient: Vec<f64>,
}

/// Nets with and without batch norm, with both ways up, under different losses; of a sweep one in turn.
///
/// # Errors
/// If the embedded images' classes cannot be read.
pub fn tasks(seed: u64, effort: Effort) -> Result<Vec<NetworkTask>, Error> {
    let classes = Dataset::load(&Default::default())?.classes;
    let weighted =
        WeightSpec { source: Source::PerSample, scheme: Scheme::InverseFrequency, ..WeightSpec::default() };
    let of = |(norm, up, kind): (Norm, Up, Kind)| {
        let name = format!("U-Net, {norm:?}, {up:?}, {}", kind.name());
        let mut rng = generator(seed, &name);
        let pixels = SHAPE.0 * SHAPE.1 * SHAPE.2;
        // A row of weights for each image wants a region for each.
        let mut spec = LossSpec { weights: weighted.clone(), ..LossSpec::new(kind) };
        if kind.sums_regions() {
            set(&mut spec, "region", Region::Image);
        }
        NetworkTask {
            config: ModelConfig {
                width: effort.of([2, 3, 3, 3]),
                depth: effort.of([1, 2, 2, 2]),
                norm,
                up,
                ..ModelConfig::default()
            },
            seed,
            spec,
            images: (0..pixels * SHAPE.3).map(|_| rng.random::<f64>() * 3.0 - 1.5).collect(),
            labels: (0..pixels).map(|_| rng.random_range(0..classes.count() as u8)).collect(),
            shape: SHAPE,
            classes: classes.clone(),
            name,
        }
    };
    let nets = [
        (Norm::Batch, Up::Transposed, Kind::CrossEntropy),
        (Norm::Batch, Up::Nearest, Kind::Focal),
        (Norm::None, Up::Transposed, Kind::Dice),
    ];
    let is_next = |i: u64| effort != Effort::Sweep || i == seed % nets.len() as u64;
    Ok((0..).zip(nets).filter(|&(i, _)| is_next(i)).map(|(_, net)| of(net)).collect())
}

impl NetworkTask {
    /// The loss and its slopes along directions through the space of all parameters, `directions[d][parameter][i]`:
    /// by dual numbers of 320 bits through the whole net. No step is taken, so that no kink is crossed.
    pub fn exact(&self, step: &Step, directions: &[Vec<Vec<f64>>]) -> (f64, Vec<f64>) {
        let big = Big::from_f64;
        let moving = |(p, parameter): (usize, &ParameterStep)| {
            let along = |i: usize| directions.iter().map(move |direction| big(direction[p][i]));
            let numbers = parameter.values.iter().enumerate().map(|(i, &x)| Dual::moving(big(x), along(i)));
            (parameter.name.clone(), (parameter.shape.clone(), numbers.collect()))
        };
        let parameters: Parameters<Dual<Big>> = step.parameters.iter().enumerate().map(moving).collect();
        let images: Vec<Dual<Big>> = self.images.iter().map(|&x| Dual::from_f64(x)).collect();
        let z = logits(&self.config, &parameters, &images, self.shape);
        let (n, h, w, _) = self.shape;
        let case = Case::new(
            &self.name,
            LossSpec { layout: Layout::ChannelsLast, ..self.spec.clone() },
            Grid::new(n, self.classes.count(), &[h, w]),
            z.iter().map(Dual::to_f64).collect(),
            Labels::Indices(self.labels.iter().map(|&label| i64::from(label)).collect()),
        );
        let loss = Textbook::of(&case).at(&z).value;
        let slopes = (0..directions.len()).map(|d| loss.slope(d).to_f64()).collect();
        (loss.to_f64(), slopes)
    }
}
