//! What a loss may have made of its arguments before it computed anything: as they are, or by mistake something else.
//!
//! A step is a function z → z′ of the logits with its derivative beside it; a reading of the target puts other labels in the place of
//! the given ones. A loss of segloss then follows, so that "softmax twice" is cross-entropy of z′ = softmax(z).

use super::observation::{Observation, softmax_pull};
use super::own_class::{OwnClass, clip, logarithms_of_clipped, logits_of_clipped};
use segloss::Layout;
use segloss_cases::Labels;
use std::borrow::Cow;

/// What is done to the logits first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: z′ = z.
    AsGiven,
    /// z′ = softmax(z), taken for logits.
    Softmax,
    /// z′ = σ(z), taken for logits.
    Sigmoid,
    /// z′ = logit(softmax(z)): what is computed channel by channel sees the probabilities of the softmax.
    ChannelsOfSoftmax,
    /// The same, of a softmax along this axis of (N, C, spatial…), which is not the classes'.
    ChannelsOfSoftmaxAlong(usize),
    /// The same, of a softmax over all pixels of a channel.
    ChannelsOfSoftmaxOverPixels,
    /// z′ = ln(p + ε), p the softmax and ε one over ten to this; of one channel ln((p + ε)/(1 − p + ε)). Up to a constant the cross-entropy
    /// of it is −ln(p + ε).
    AddedToProbability(i32),
    /// z′ = 0 at ignored pixels.
    MaskedLogits,
    /// z′ = ln σ(z): a softmax of it is σ(z)/Σσ(z).
    LogSigmoid,
    /// z′ = logit(softmax(z)), with z = 0 at ignored pixels.
    ChannelsOfMaskedSoftmax,
    /// z′ = z with the array of the prediction taken for one whose class axis is the last (or the first), without moving it.
    Viewed,
    /// z′ = ln(z) of logits that are clipped as if they were probabilities.
    Clipped,
    /// z′ = logit(z) of the same.
    ChannelsOfClipped,
    /// z′ of the right class alone.
    Own(OwnClass),
    /// z′ so that the largest class has a probability of 1: no gradient comes back.
    ArgMax,
}

/// What the target is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetReading {
    /// What it is.
    AsGiven,
    /// Label c for c + 1; the last for the first.
    Next,
    /// Label c for c − 1; the first for the last.
    Previous,
    /// Label c for c − 1; pixels of the first do not count.
    PreviousDropped,
    /// Label c for c − 1; pixels of the first are in no class.
    PreviousAsNone,
    /// Label c for c + 1; pixels of the last are in no class.
    NextAsNone,
    /// Label c for c − 1; the first for itself.
    PreviousClamped,
    /// A mask of 0 and 1 divided by 255.
    Divided,
    /// Label c for C − 1 − c.
    Reversed,
    /// The last two spatial axes swapped, in the same shape.
    Transposed,
    /// Each image with the targets of all: (N, 1, H, W) beside (N, H, W) is (N, N, H, W).
    OfAllImages,
    /// Ignored pixels as pixels of this class.
    IgnoredAs(usize),
    /// Ignored pixels as pixels that are in no class.
    IgnoredAsNone,
}

/// Both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Of the logits.
    pub step: Step,
    /// Of the target.
    pub target: TargetReading,
    /// Whether a share of the pixels is rounded down: ⌊keep·P⌋, where segloss takes ⌈keep·P⌉.
    pub floor: bool,
}

impl Reading {
    /// The arguments as they were given.
    pub const PLAIN: Self = Self { step: Step::AsGiven, target: TargetReading::AsGiven, floor: false };

    /// Whether the arguments are read as they were given.
    pub fn is_plain(self) -> bool {
        self.of_all_pixels() == Self::PLAIN
    }

    /// The same of a loss that takes no share of the pixels.
    pub fn of_all_pixels(self) -> Self {
        Self { floor: false, ..self }
    }

    /// Every reading that can be told from the plain one on such a batch, the plain one first.
    pub fn all(o: &Observation) -> Vec<Self> {
        let plain = Self::PLAIN;
        let step = |step| Self { step, ..plain };
        let target = |target| Self { target, ..plain };
        let several = o.classes > 1;
        let mut all = vec![plain, Self { floor: true, ..plain }];
        if several {
            all.extend([step(Step::Softmax), step(Step::ChannelsOfSoftmax), step(Step::LogSigmoid)]);
            all.push(step(Step::Viewed));
        }
        all.push(step(Step::Sigmoid));
        let axes = (0..o.shape().len()).filter(|&axis| axis != 1 && o.shape()[axis] > 1);
        all.extend(axes.map(|axis| step(Step::ChannelsOfSoftmaxAlong(axis))));
        if o.spatial.len() > 1 {
            all.push(step(Step::ChannelsOfSoftmaxOverPixels));
        }
        if o.labels().is_some() {
            all.extend([TargetReading::Next, TargetReading::Reversed].map(target));
            all.extend([TargetReading::PreviousDropped, TargetReading::PreviousClamped].map(target));
            match several {
                true => {
                    all.push(target(TargetReading::Previous));
                    let none = [TargetReading::PreviousAsNone, TargetReading::NextAsNone];
                    all.extend(none.map(|target| Self { step: Step::ChannelsOfSoftmax, target, ..plain }));
                }
                false => all.push(target(TargetReading::Divided)),
            }
            if !several && o.images > 1 && o.valid() == o.images * o.pixels() {
                all.push(target(TargetReading::OfAllImages));
            }
            if let [.., height, width] = o.spatial[..]
                && height > 1
                && width > 1
            {
                all.push(target(TargetReading::Transposed));
            }
            if o.ignored.is_some() && o.valid() < o.images * o.pixels() {
                all.extend((0..o.classes.max(2)).map(|c| target(TargetReading::IgnoredAs(c))));
                for step in [Step::ChannelsOfSoftmax, Step::ChannelsOfMaskedSoftmax] {
                    all.push(Self { step, target: TargetReading::IgnoredAsNone, ..plain });
                }
                all.extend((0..o.classes.max(2)).map(|c| Self {
                    step: Step::MaskedLogits,
                    target: TargetReading::IgnoredAs(c),
                    ..plain
                }));
            }
        }
        all
    }

    /// Those in which a sum over pixels takes logits for probabilities, or sees the right class alone.
    pub fn without_softmax(o: &Observation) -> Vec<Self> {
        let step = |step| Self { step, ..Self::PLAIN };
        // Numbers between 0 and 1 are probabilities in fact.
        if o.labels().is_none() || o.logits.iter().all(|z| (0.0..=1.0).contains(z)) {
            return Vec::new();
        }
        let own = OwnClass::ALL.map(Step::Own);
        let all = [Step::Clipped, Step::ChannelsOfClipped].into_iter().chain(own).map(step);
        match o.classes {
            1 => vec![step(Step::ChannelsOfClipped)],
            _ => all.chain(own.map(|own| Self { floor: true, ..step(own) })).collect(),
        }
    }

    /// Those of a number that is added to a probability before its logarithm, which only sums over pixels have.
    pub fn with_epsilon() -> impl Iterator<Item = Self> {
        (2..13).map(|digits| Self { step: Step::AddedToProbability(digits), ..Self::PLAIN })
    }

    /// The logits and the target that the loss sees.
    pub fn of(self, o: &Observation) -> Seen<'_> {
        let (labels, ignored) = self.target.of(o);
        let z = match self.step {
            Step::AsGiven => Cow::Borrowed(o.logits.as_slice()),
            step => Cow::Owned(step.of(o, &o.logits)),
        };
        Seen { z, target: labels, ignored }
    }
}

/// What a loss sees.
pub struct Seen<'a> {
    /// z′.
    pub z: Cow<'a, [f64]>,
    /// y′.
    pub target: Labels,
    /// The label that does not count.
    pub ignored: Option<i64>,
}

impl Step {
    /// z′ of z.
    fn of(self, o: &Observation, z: &[f64]) -> Vec<f64> {
        match self {
            Self::AsGiven => z.to_vec(),
            Self::Softmax => softmax(z, &o.shape(), 1),
            Self::Sigmoid => z.iter().map(|&z| sigmoid(z)).collect(),
            Self::ChannelsOfSoftmax => softmax(z, &o.shape(), 1).into_iter().map(logit).collect(),
            Self::ChannelsOfSoftmaxAlong(axis) => {
                softmax(z, &o.shape(), axis).into_iter().map(logit).collect()
            }
            Self::AddedToProbability(digits) => {
                let epsilon = 10f64.powi(-digits);
                match o.classes {
                    1 => z
                        .iter()
                        .map(|&z| (sigmoid(z) + epsilon).ln() - (sigmoid(-z) + epsilon).ln())
                        .collect(),
                    _ => softmax(z, &o.shape(), 1).into_iter().map(|p| (p + epsilon).ln()).collect(),
                }
            }
            Self::ChannelsOfSoftmaxOverPixels => {
                softmax(z, &over_pixels(o), 2).into_iter().map(logit).collect()
            }
            Self::MaskedLogits => {
                let mut masked = z.to_vec();
                each_ignored(o, |at| masked[at] = 0.0);
                masked
            }
            Self::LogSigmoid => z.iter().map(|&z| sigmoid(z).ln()).collect(),
            Self::ChannelsOfMaskedSoftmax => {
                let masked = Self::MaskedLogits.of(o, z);
                softmax(&masked, &o.shape(), 1).into_iter().map(logit).collect()
            }
            Self::Viewed => viewed(o).into_iter().map(|from| z[from]).collect(),
            Self::Clipped => logarithms_of_clipped(o, z),
            Self::ChannelsOfClipped => logits_of_clipped(o, z),
            Self::Own(own) => own.of(o, z),
            Self::ArgMax => arg_max(o, z),
        }
    }

    /// The gradient by z, from that by z′.
    pub fn pull(self, o: &Observation, g: Vec<f64>) -> Vec<f64> {
        let z = &o.logits;
        // d logit(p)/dp = 1/(p·(1 − p)).
        let by_p = |p: &[f64]| -> Vec<f64> {
            g.iter().zip(p).map(|(g, p)| g / (p * (1.0 - p)).max(1e-300)).collect()
        };
        match self {
            Self::AsGiven => g,
            Self::Softmax => softmax_pull(o, &softmax(z, &o.shape(), 1), &g),
            Self::Sigmoid => g.iter().zip(z).map(|(g, &z)| g * sigmoid(z) * sigmoid(-z)).collect(),
            Self::ChannelsOfSoftmax => {
                let p = softmax(z, &o.shape(), 1);
                softmax_pull(o, &p, &by_p(&p))
            }
            Self::ChannelsOfSoftmaxAlong(axis) => {
                let p = softmax(z, &o.shape(), axis);
                pull_along(&p, &by_p(&p), &o.shape(), axis)
            }
            Self::AddedToProbability(digits) => {
                let epsilon = 10f64.powi(-digits);
                if o.classes == 1 {
                    let slope = |z: f64| {
                        let (p, q) = (sigmoid(z), sigmoid(-z));
                        p * q * (1.0 / (p + epsilon) + 1.0 / (q + epsilon))
                    };
                    return g.iter().zip(z).map(|(g, &z)| g * slope(z)).collect();
                }
                let p = softmax(z, &o.shape(), 1);
                let by_p: Vec<f64> = g.iter().zip(&p).map(|(g, p)| g / (p + epsilon)).collect();
                softmax_pull(o, &p, &by_p)
            }
            Self::ChannelsOfSoftmaxOverPixels => {
                let p = softmax(z, &over_pixels(o), 2);
                pull_along(&p, &by_p(&p), &over_pixels(o), 2)
            }
            Self::MaskedLogits => {
                let mut masked = g;
                each_ignored(o, |at| masked[at] = 0.0);
                masked
            }
            Self::LogSigmoid => g.iter().zip(z).map(|(g, &z)| g * sigmoid(-z)).collect(),
            Self::ChannelsOfMaskedSoftmax => {
                let p = softmax(&Self::MaskedLogits.of(o, z), &o.shape(), 1);
                let mut pulled = softmax_pull(o, &p, &by_p(&p));
                each_ignored(o, |at| pulled[at] = 0.0);
                pulled
            }
            Self::Viewed => {
                let mut pulled = vec![0.0; g.len()];
                viewed(o).into_iter().zip(g).for_each(|(from, g)| pulled[from] = g);
                pulled
            }
            Self::Clipped | Self::ChannelsOfClipped => {
                let (least, most) = clip(o);
                let slope = |z: f64| match self {
                    // Beyond its ends a clip has no slope.
                    _ if !(least..=most).contains(&z) => 0.0,
                    Self::Clipped => 1.0 / z,
                    _ => 1.0 / (z * (1.0 - z)),
                };
                g.iter().zip(z).map(|(g, &z)| g * slope(z)).collect()
            }
            Self::Own(own) => own.pull(o, &g),
            Self::ArgMax => vec![0.0; g.len()],
        }
    }
}

impl TargetReading {
    fn of(self, o: &Observation) -> (Labels, Option<i64>) {
        let Some(labels) = o.labels() else { return (o.target.clone(), None) };
        let classes = o.classes.max(2) as i64;
        let each = |change: &dyn Fn(i64) -> i64| {
            let change = |&label: &i64| if Some(label) == o.ignored { label } else { change(label) };
            (Labels::Indices(labels.iter().map(change).collect()), o.ignored)
        };
        match self {
            Self::AsGiven => (o.target.clone(), o.ignored),
            Self::Next => each(&|label| (label + 1) % classes),
            Self::Previous => each(&|label| (label + classes - 1) % classes),
            Self::PreviousClamped => each(&|label| (label - 1).max(0)),
            Self::PreviousDropped => {
                let change = |&label: &i64| if Some(label) == o.ignored { -1 } else { label - 1 };
                (Labels::Indices(labels.iter().map(change).collect()), Some(-1))
            }
            Self::PreviousAsNone => moved(o, -1),
            Self::NextAsNone => moved(o, 1),
            Self::Divided => {
                let y = |&label: &i64| if Some(label) == o.ignored { 0.0 } else { label as f64 / 255.0 };
                (Labels::Distribution(labels.iter().map(y).collect()), None)
            }
            Self::Reversed => each(&|label| classes - 1 - label),
            Self::OfAllImages => {
                // Of a loss that is linear in y, the mean over targets is the loss of their mean.
                let mean = |at: usize| {
                    let of = |n: usize| o.y(n, at / o.pixels() % o.classes, at % o.pixels());
                    (0..o.images).map(of).sum::<f64>() / o.images as f64
                };
                (Labels::Distribution((0..o.logits.len()).map(mean).collect()), None)
            }
            Self::Transposed => {
                let [.., height, width] = o.spatial[..] else { return (o.target.clone(), o.ignored) };
                let transposed = (0..labels.len()).map(|at| {
                    let (outer, y, x) = (at / (height * width), at / width % height, at % width);
                    let at = y * width + x;
                    labels[outer * height * width + at % height * width + at / height]
                });
                (Labels::Indices(transposed.collect()), o.ignored)
            }
            Self::IgnoredAs(class) => {
                let change = |&label: &i64| if Some(label) == o.ignored { class as i64 } else { label };
                (Labels::Indices(labels.iter().map(change).collect()), None)
            }
            Self::IgnoredAsNone => {
                let mut y = vec![0.0; o.logits.len()];
                for n in 0..o.images {
                    for p in 0..o.pixels() {
                        (0..o.classes).for_each(|c| y[o.at(n, c, p)] = o.y(n, c, p));
                    }
                }
                (Labels::Distribution(y), None)
            }
        }
    }
}

/// Each class as the one so many further; beyond the ends a pixel is in no class.
fn moved(o: &Observation, by: isize) -> (Labels, Option<i64>) {
    let mut y = vec![0.0; o.logits.len()];
    for (n, p) in (0..o.images).flat_map(|n| (0..o.pixels()).map(move |p| (n, p))) {
        for c in 0..o.classes {
            let to = c.checked_add_signed(by).filter(|&to| to < o.classes);
            to.into_iter().for_each(|to| y[o.at(n, to, p)] = o.y(n, c, p));
        }
    }
    (Labels::Distribution(y), None)
}

/// (N, C, P).
fn over_pixels(o: &Observation) -> [usize; 3] {
    [o.images, o.classes, o.pixels()]
}

/// σ(z).
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn logit(p: f64) -> f64 {
    p.max(1e-300).ln() - (-p).ln_1p().max(-690.0)
}

/// Where each entry of (N, C, …) comes from if the array is reshaped where its axes should be moved.
fn viewed(o: &Observation) -> Vec<usize> {
    let (classes, pixels) = (o.classes, o.pixels());
    let mut from = vec![0; o.logits.len()];
    for n in 0..o.images {
        for c in 0..classes {
            for p in 0..pixels {
                // As it lies in memory: rows of C numbers are taken for pixels, or planes of P numbers for classes.
                from[o.at(n, c, p)] = match o.layout {
                    Layout::ChannelsFirst => (n * pixels + p) * classes + c,
                    Layout::ChannelsLast => {
                        let flat = (n * classes + c) * pixels + p;
                        let (image, pixel, class) =
                            (flat / (pixels * classes), flat / classes % pixels, flat % classes);
                        o.at(image, class, pixel)
                    }
                };
            }
        }
    }
    from
}

/// ±100 for the largest class and the others; of one channel its sign.
fn arg_max(o: &Observation, z: &[f64]) -> Vec<f64> {
    if o.classes == 1 {
        return z.iter().map(|&z| if z > 0.0 { 100.0 } else { -100.0 }).collect();
    }
    let mut hard = vec![-100.0; z.len()];
    for n in 0..o.images {
        for p in 0..o.pixels() {
            let largest = (0..o.classes).max_by(|&a, &b| z[o.at(n, a, p)].total_cmp(&z[o.at(n, b, p)]));
            if let Some(c) = largest {
                hard[o.at(n, c, p)] = 100.0;
            }
        }
    }
    hard
}

fn each_ignored(o: &Observation, mut act: impl FnMut(usize)) {
    for n in 0..o.images {
        for p in (0..o.pixels()).filter(|&p| !o.is_valid(n, p)) {
            (0..o.classes).for_each(|c| act(o.at(n, c, p)));
        }
    }
}

/// The indices of each line of an array along an axis.
fn lines(shape: &[usize], axis: usize) -> impl Iterator<Item = impl Iterator<Item = usize> + Clone> {
    let inner: usize = shape[axis + 1..].iter().product();
    let (length, outer) = (shape[axis], shape[..axis].iter().product::<usize>());
    (0..outer)
        .flat_map(move |o| (0..inner).map(move |i| (0..length).map(move |k| (o * length + k) * inner + i)))
}

/// exp(z − max)/Σ exp(z − max) along an axis.
pub fn softmax(z: &[f64], shape: &[usize], axis: usize) -> Vec<f64> {
    let mut p = z.to_vec();
    for line in lines(shape, axis) {
        let most = line.clone().map(|at| z[at]).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = line.clone().map(|at| (z[at] - most).exp()).sum();
        line.for_each(|at| p[at] = (z[at] - most).exp() / total);
    }
    p
}

/// p·(g − Σ p·g) along an axis.
fn pull_along(p: &[f64], g: &[f64], shape: &[usize], axis: usize) -> Vec<f64> {
    let mut out = vec![0.0; p.len()];
    for line in lines(shape, axis) {
        let mean: f64 = line.clone().map(|at| p[at] * g[at]).sum();
        line.for_each(|at| out[at] = p[at] * (g[at] - mean));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every derivative against a central difference of its own step.
    #[test]
    fn steps_have_their_derivatives() {
        let mut o = Observation::sample(&[2, 3, 2, 2]);
        // Off the ends of a clip.
        o.logits.iter_mut().for_each(|z| *z += 0.0371);
        let r: Vec<f64> = (0..o.logits.len()).map(|i| ((i * 7 % 11) as f64) / 5.0 - 1.0).collect();
        let readings = [Reading::all(&o), Reading::without_softmax(&o), Reading::with_epsilon().collect()];
        for reading in readings.concat() {
            let step = reading.step;
            let value = |z: &[f64]| step.of(&o, z).iter().zip(&r).map(|(z, r)| z * r).sum::<f64>();
            let pulled = step.pull(&o, r.clone());
            for at in 0..o.logits.len() {
                let moved = |h: f64| {
                    let mut z = o.logits.clone();
                    z[at] += h;
                    value(&z)
                };
                let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!(
                    (slope - pulled[at]).abs() <= 1e-7 * slope.abs().max(1.0),
                    "{step:?} {at}: {slope} {}",
                    pulled[at]
                );
            }
        }
    }
}
