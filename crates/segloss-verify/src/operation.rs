//! One use of an operation of the network: what goes in, and what its definition makes of it.

use crate::number::Number;
use crate::number::big::Big;
use crate::number::dual::Dual;
use dfdx_conv::{Shape4, reference};
use rand::RngExt;
use segloss_cases::generator;

/// Every operation of `dfdx-conv` that travels on a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Convolution with a bias.
    Conv2d,
    /// The same and a rectifier, in one pass.
    Conv2dRelu,
    /// Doubling by a transposed convolution.
    ConvTranspose2d,
    /// The largest of each 2×2 window.
    MaxPool2d,
    /// Every pixel four times.
    UpsampleNearest2d,
    /// The same and a convolution, in one pass.
    UpsampleConv2d,
    /// Normalised by the batch's own moments.
    BatchNorm2d,
    /// Normalised by the running ones.
    BatchNorm2dEvaluating,
    /// The rectifier.
    Relu,
    /// Two images' channels, one's after the other's.
    ConcatChannels,
    /// (N, C, H, W) to (N, H, W, C).
    ToChannelsLast,
    /// And back.
    ToChannelsFirst,
    /// A loss that something else computes: here ½‖x‖².
    ExternalLoss,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Conv2d,
        Self::Conv2dRelu,
        Self::ConvTranspose2d,
        Self::MaxPool2d,
        Self::UpsampleNearest2d,
        Self::UpsampleConv2d,
        Self::BatchNorm2d,
        Self::BatchNorm2dEvaluating,
        Self::Relu,
        Self::ConcatChannels,
        Self::ToChannelsLast,
        Self::ToChannelsFirst,
        Self::ExternalLoss,
    ];

    /// The function of `dfdx-conv` that it is.
    pub fn function(self) -> &'static str {
        match self {
            Self::Conv2d => "conv2d",
            Self::Conv2dRelu => "conv2d_with",
            Self::ConvTranspose2d => "conv_transpose2d",
            Self::MaxPool2d => "max_pool2d",
            Self::UpsampleNearest2d => "upsample_nearest2d",
            Self::UpsampleConv2d => "upsample_conv2d",
            Self::BatchNorm2d | Self::BatchNorm2dEvaluating => "batch_norm2d",
            Self::Relu => "relu",
            Self::ConcatChannels => "concat_channels",
            Self::ToChannelsLast => "to_channels_last",
            Self::ToChannelsFirst => "to_channels_first",
            Self::ExternalLoss => "external_loss",
        }
    }

    /// Whether its slope jumps somewhere: differences must not step across.
    pub fn has_kinks(self) -> bool {
        matches!(self, Self::Conv2dRelu | Self::MaxPool2d | Self::Relu)
    }
}

/// ε of batch norms.
pub const EPSILON: f64 = 1e-5;
/// The newest batch's share in running statistics.
pub const MOMENTUM: f64 = 0.25;

/// An operation, what it is given, and what is asked of it: L = Σ r·y and its derivatives.
#[derive(Clone, Debug)]
pub struct Task {
    /// Names it in reports; with the run's seed it says how to make it again.
    pub name: String,
    /// What is done.
    pub operation: Operation,
    /// The sizes of the image.
    pub image: Shape4,
    /// The sizes of the kernel, or of the second image.
    pub second: Option<Shape4>,
    /// The operands in order: the image, then kernel or second image, then vectors of a number for each channel.
    pub operands: Vec<Vec<f64>>,
    /// Running mean and variance, of batch norms.
    pub running: (Vec<f64>, Vec<f64>),
    /// r.
    pub cotangent: Vec<f64>,
    /// Whether it is done twice on one tape, so that gradients must add up to twice as much.
    pub twice: bool,
}

/// What comes of it. Numbers are widened to `f64`, which changes none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// y.
    pub output: Vec<f64>,
    /// ∂L/∂ each operand.
    pub gradients: Vec<Vec<f64>>,
    /// Running mean and variance afterwards, of a batch norm.
    pub statistics: Vec<f64>,
}

/// How the numbers of an image are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Draw {
    /// Uniform in ±1.
    Plain,
    /// From few levels, 0 among them: ties and kinks are hit, not avoided.
    Levels,
    /// Of any size from 1e-8 to 1e4.
    Scales,
}

/// (what is special, image, kernel or second image, how its numbers are drawn).
type Sizes = (&'static str, Shape4, Option<Shape4>, Draw);

/// The sizes at which an operation is judged.
fn sizes(operation: Operation) -> Vec<Sizes> {
    use Draw::{Levels, Plain, Scales};
    match operation {
        Operation::Conv2d => vec![
            ("3×3", (2, 5, 6, 3), Some((3, 3, 3, 4)), Plain),
            ("3×3, one row", (1, 1, 7, 2), Some((3, 3, 2, 3)), Plain),
            ("1×1", (2, 3, 4, 5), Some((1, 1, 5, 2)), Plain),
            ("5×3", (1, 6, 5, 2), Some((5, 3, 2, 3)), Scales),
            ("one pixel", (1, 1, 1, 1), Some((3, 3, 1, 1)), Plain),
        ],
        Operation::Conv2dRelu => vec![
            ("3×3", (2, 5, 6, 3), Some((3, 3, 3, 4)), Plain),
            ("at its kink", (1, 3, 4, 2), Some((3, 3, 2, 2)), Levels),
        ],
        Operation::ConvTranspose2d => vec![
            ("2×2", (2, 3, 4, 3), Some((2, 2, 3, 2)), Plain),
            ("one pixel", (1, 1, 1, 2), Some((2, 2, 2, 1)), Scales),
        ],
        Operation::UpsampleConv2d => vec![
            ("3×3", (2, 3, 4, 3), Some((3, 3, 3, 2)), Plain),
            ("one pixel", (1, 1, 1, 2), Some((3, 3, 2, 1)), Scales),
        ],
        Operation::MaxPool2d => vec![
            ("", (2, 4, 6, 3), None, Plain),
            ("ties", (2, 4, 6, 3), None, Levels),
            ("one window", (1, 2, 2, 1), None, Scales),
        ],
        Operation::BatchNorm2d | Operation::BatchNorm2dEvaluating => vec![
            ("", (2, 4, 6, 3), None, Plain),
            ("two pixels", (1, 1, 2, 2), None, Plain),
            ("one pixel", (1, 1, 1, 2), None, Plain),
        ],
        Operation::ConcatChannels => vec![("", (2, 4, 6, 3), Some((2, 4, 6, 2)), Plain)],
        _ => vec![("", (2, 4, 6, 3), None, Scales), ("levels", (1, 3, 5, 2), None, Levels)],
    }
}

/// Every task of a seed.
pub fn tasks(seed: u64) -> Vec<Task> {
    let once = Operation::ALL.into_iter().flat_map(|operation| {
        sizes(operation).into_iter().map(move |sizes| draw(seed, operation, sizes, false))
    });
    let twice = Operation::ALL.into_iter().map(|operation| draw(seed, operation, sizes(operation)[0], true));
    once.chain(twice).collect()
}

fn draw(seed: u64, operation: Operation, (special, image, second, how): Sizes, twice: bool) -> Task {
    let words = [if special.is_empty() { "" } else { ", " }, special, if twice { ", twice" } else { "" }];
    let name = format!("{operation:?}{}", words.concat());
    let mut rng = generator(seed, &name);
    let size = |(a, b, c, d): Shape4| a * b * c * d;
    let mut plain = |n: usize| -> Vec<f64> {
        // Exact in f32, so that both precisions are given the same numbers.
        (0..n).map(|_| f64::from((rng.random::<f64>() * 2.0 - 1.0) as f32)).collect()
    };
    let mut first = plain(size(image));
    for x in &mut first {
        *x = match how {
            Draw::Plain => *x,
            Draw::Levels => (*x * 2.0).round() / 2.0,
            Draw::Scales => f64::from((x.signum() * 10f64.powf(6.0 * x.abs() - 2.0 + *x * 2.0)) as f32),
        };
    }
    let mut operands = vec![first];
    operands.extend(second.map(|shape| plain(size(shape))));
    let channels = image.3;
    match operation {
        Operation::Conv2d
        | Operation::Conv2dRelu
        | Operation::ConvTranspose2d
        | Operation::UpsampleConv2d => {
            let outputs = second.map_or(0, |kernel| kernel.3);
            // At its kink a sum must be 0 exactly: kernel and bias on levels, too.
            operands.push(plain(outputs));
            if how == Draw::Levels {
                operands.iter_mut().flatten().for_each(|x| *x = (*x * 2.0).round() / 2.0);
            }
        }
        Operation::BatchNorm2d | Operation::BatchNorm2dEvaluating => {
            operands.extend([plain(channels), plain(channels)]);
        }
        _ => {}
    }
    let running = (plain(channels), plain(channels).iter().map(|x| 1.0 + x / 2.0).collect());
    let mut task = Task { name, operation, image, second, operands, running, cotangent: Vec::new(), twice };
    // Every output counts differently, some of them against the others.
    task.cotangent = plain(task.output().len());
    task
}

impl Task {
    /// The operands as constants of another kind of number.
    fn lifted<T: Number>(&self) -> Vec<Vec<T>> {
        self.operands.iter().map(|operand| operand.iter().map(|&x| T::from_f64(x)).collect()).collect()
    }

    /// Output and running statistics by definition.
    fn by_definition<T: Number + reference::Number>(&self, operands: &[Vec<T>]) -> (Vec<T>, Vec<T>) {
        let constants = |of: &[f64]| of.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        let (x, image) = (&operands[0], self.image);
        let kernel = self.second.unwrap_or((0, 0, 0, 0));
        let output = match self.operation {
            Operation::Conv2d => reference::conv2d(x, image, &operands[1], kernel, Some(&operands[2])),
            Operation::Conv2dRelu => {
                reference::relu(&reference::conv2d(x, image, &operands[1], kernel, Some(&operands[2])))
            }
            Operation::ConvTranspose2d => {
                reference::conv_transpose2d(x, image, &operands[1], kernel, Some(&operands[2]))
            }
            Operation::MaxPool2d => reference::max_pool2d(x, image),
            Operation::UpsampleNearest2d => reference::upsample_nearest2d(x, image),
            Operation::UpsampleConv2d => {
                let (n, h, w, c) = image;
                let up = reference::upsample_nearest2d(x, image);
                reference::conv2d(&up, (n, 2 * h, 2 * w, c), &operands[1], kernel, Some(&operands[2]))
            }
            Operation::BatchNorm2d => {
                let (mean, variance) = reference::moments(x, image);
                let running = (constants(&self.running.0), constants(&self.running.1));
                let pixels = image.0 * image.1 * image.2;
                let after = reference::running_statistics(
                    (&running.0, &running.1),
                    (&mean, &variance),
                    pixels,
                    MOMENTUM,
                );
                let moments = (&mean[..], &variance[..]);
                let y = reference::batch_norm2d(x, moments, &operands[1], &operands[2], EPSILON);
                return (y, [after.0, after.1].concat());
            }
            Operation::BatchNorm2dEvaluating => {
                let running = (&constants(&self.running.0)[..], &constants(&self.running.1)[..]);
                let y = reference::batch_norm2d(x, running, &operands[1], &operands[2], EPSILON);
                return (y, [running.0, running.1].concat());
            }
            Operation::Relu => reference::relu(x),
            Operation::ConcatChannels => reference::concat_channels(x, &operands[1], (image.3, kernel.3)),
            Operation::ToChannelsLast => reference::to_channels_last(x, image),
            Operation::ToChannelsFirst => reference::to_channels_first(x, image),
            Operation::ExternalLoss => {
                let squares = x.iter().map(|x| T::from_f64(0.5) * x.clone() * x.clone());
                vec![crate::number::sum(squares)]
            }
        };
        (output, Vec::new())
    }

    /// y in f64.
    pub fn output(&self) -> Vec<f64> {
        self.by_definition(&self.operands).0
    }

    /// L at these operands, in f64: for differences.
    pub fn loss(&self, operands: &[Vec<f64>]) -> f64 {
        let (y, _) = self.by_definition(operands);
        y.iter().zip(&self.cotangent).map(|(y, r)| y * r).sum()
    }

    /// What the rounding of the output is relative to: Σ|terms| of sums of products, else the largest entry.
    pub fn output_scale(&self, output: &[f64]) -> f64 {
        let sizes = match self.operation {
            Operation::Conv2d | Operation::ConvTranspose2d | Operation::UpsampleConv2d => {
                let absolute = |operand: &Vec<f64>| operand.iter().map(|x| x.abs()).collect();
                self.by_definition::<f64>(&self.operands.iter().map(absolute).collect::<Vec<_>>()).0
            }
            _ => output.iter().map(|y| y.abs()).collect(),
        };
        crate::compare::largest(sizes)
    }

    /// What the rounding of the image's gradient is relative to: its largest entry, unless terms cancel. Behind
    /// batch norm γ/σ·(r − mean of r − x̂·mean of r·x̂) nearly vanishes where pixels are few.
    pub fn scale(&self, gradient: &[f64]) -> f64 {
        let largest = |of: &mut dyn Iterator<Item = f64>| crate::compare::largest(of.map(f64::abs));
        if self.operation != Operation::BatchNorm2d {
            return largest(&mut gradient.iter().copied());
        }
        let channels = self.image.3;
        let (_, variance) = reference::moments(&self.operands[0], self.image);
        let term = |(i, r): (usize, &f64)| {
            let c = i % channels;
            self.operands[1][c] * r / (variance[c] + EPSILON).sqrt()
        };
        largest(&mut self.cotangent.iter().enumerate().map(term))
    }

    /// What should come of it: by dual numbers of 320 bits, rounded once.
    pub fn exact(&self) -> Applied {
        let mut next = 0..;
        let variable = |x: Big| Dual::variable(next.next().unwrap_or_default(), x);
        let operands: Vec<Vec<Dual<Big>>> = {
            let mut variable = variable;
            let lifted = self.lifted::<Big>().into_iter();
            lifted.map(|operand| operand.into_iter().map(&mut variable).collect()).collect()
        };
        let (y, statistics) = self.by_definition(&operands);
        let weighted = y.iter().zip(&self.cotangent).map(|(y, &r)| y.clone() * Dual::from_f64(r));
        let loss = crate::number::sum(weighted);
        let times = if self.twice { 2.0 } else { 1.0 };
        let mut first = 0;
        let gradients = operands
            .iter()
            .map(|operand| {
                let range = first..first + operand.len();
                first = range.end;
                range.map(|i| loss.slope(i).to_f64() * times).collect()
            })
            .collect();
        Applied {
            output: y.iter().map(Dual::to_f64).collect(),
            gradients,
            statistics: statistics.iter().map(Dual::to_f64).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str) -> Task {
        tasks(1).into_iter().find(|task| task.name == name).unwrap()
    }

    #[test]
    fn names_tell_tasks_apart() {
        let names: std::collections::BTreeSet<String> = tasks(1).into_iter().map(|task| task.name).collect();
        assert_eq!(names.len(), tasks(1).len());
    }

    /// The first of equal pixels gets it all, and a pixel at 0 nothing.
    #[test]
    fn the_definition_decides_at_kinks() {
        let mut ties = task("MaxPool2d, one window");
        (ties.operands, ties.cotangent) = (vec![vec![1.0, 3.0, 3.0, 3.0]], vec![2.0]);
        assert_eq!(ties.exact().gradients, [[0.0, 2.0, 0.0, 0.0]]);
        let mut kink = task("Relu, levels");
        kink.operands[0].fill(0.0);
        assert!(kink.exact().gradients[0].iter().all(|&g| g == 0.0));
    }

    #[test]
    fn levels_hit_the_kinks() {
        assert!(
            task("Conv2dRelu, at its kink")
                .by_definition::<f64>(&task("Conv2dRelu, at its kink").operands)
                .0
                .contains(&0.0)
        );
        assert!(task("Relu, levels").operands[0].contains(&0.0));
    }
}
