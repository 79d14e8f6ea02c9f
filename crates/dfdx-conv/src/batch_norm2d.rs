//! Batch normalisation.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape};

use crate::gradient::{backward_error, record};
use crate::output::Runs;
use crate::view::view;
use crate::{Element, Error, Image, Vector, channels, output};

const NAME: &str = "batch_norm2d";

/// What a batch norm has seen so far, to normalise with when evaluating. Not a parameter: nothing
/// here has a gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningStatistics<E> {
    /// Running mean of each channel.
    pub mean: Vec<E>,
    /// Running **unbiased** variance of each channel.
    pub variance: Vec<E>,
    /// The weight of the newest batch: running ← (1 − momentum)·running + momentum·batch.
    pub momentum: E,
}

impl<E: Element> RunningStatistics<E> {
    /// Mean 0, variance 1, momentum 0.1: where PyTorch starts.
    pub fn new(channels: usize) -> Self {
        Self { mean: vec![E::zero(); channels], variance: vec![E::one(); channels], momentum: E::narrow(0.1) }
    }
}

/// Which mean and variance to normalise with.
#[derive(Debug)]
pub enum BatchNormMode<'a, E> {
    /// Those of this batch, which also update the running ones. The gradient takes into account that
    /// they depend on `x`.
    Train(&'a mut RunningStatistics<E>),
    /// The running ones, as constants.
    Evaluate(&'a RunningStatistics<E>),
}

/// Normalises each channel, then scales and shifts it:
///
/// > y = γ·x̂ + β,  x̂ = (x − μ)/√(σ² + ε)
///
/// with, in training, μ and the **biased** variance σ² taken over the N·H·W = m pixels of the batch.
/// The running variance is updated with the **unbiased** one, σ²·m/(m − 1) (for m = 1, which has none,
/// with 0). `gamma` and `beta` have one element for each channel. All as in PyTorch, except that a
/// batch of one pixel is normalised (to β) and not refused.
///
/// Sums over pixels are carried in `f64`, in a fixed order.
///
/// # Errors
/// [`Error::Shape`] when channels do not agree or when training on an image without pixels;
/// [`Error::Value`] unless `epsilon` ≥ 0; [`Error::NotContiguous`]. The running statistics change only
/// on success.
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{BatchNormMode, Image, RunningStatistics, Vector, batch_norm2d, data};
/// let device = Cpu::default();
/// let x: Image<f64> = device.tensor_from_vec(vec![1.0, 3.0], (1, 1, 2, 1));
/// let gamma: Vector<f64> = device.ones_like(&(1,));
/// let beta: Vector<f64> = device.zeros_like(&(1,));
/// let mut statistics = RunningStatistics::new(1);
/// let y = batch_norm2d(x, &gamma, &beta, 0.0, BatchNormMode::Train(&mut statistics))?;
/// assert_eq!(data(&y)?, [-1.0, 1.0]);
/// assert!((statistics.mean[0] - 0.1 * 2.0).abs() < 1e-15);
/// assert!((statistics.variance[0] - (0.9 * 1.0 + 0.1 * 2.0)).abs() < 1e-15);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn batch_norm2d<E: Element, T: Tape<E, Cpu>>(
    x: Image<E, T>,
    gamma: &Vector<E>,
    beta: &Vector<E>,
    epsilon: E,
    mode: BatchNormMode<'_, E>,
) -> Result<Image<E, T>, Error> {
    let shape = *x.shape();
    check(shape, gamma, beta, epsilon, &mode)?;
    let (x, tape) = x.split_tape();
    let values = view(&x, NAME)?;
    let training = matches!(mode, BatchNormMode::Train(_));
    let (mean, variance) = match &mode {
        BatchNormMode::Train(_) => moments(values, shape.3),
        BatchNormMode::Evaluate(running) => (to_f64(&running.mean), to_f64(&running.variance)),
    };
    let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + epsilon.widen()).sqrt()).collect();
    let y = normalise(values, &mean, &inverse, view(gamma, NAME)?, view(beta, NAME)?);
    if let BatchNormMode::Train(running) = mode {
        update(running, &mean, &variance, values.len() / shape.3.max(1));
    }
    let device = x.device().clone();
    let (gamma, beta) = (gamma.clone(), beta.clone());
    record(&device, y, shape, tape, move |gradients, dy| {
        let values = view(&x, NAME).map_err(backward_error)?;
        let scale = view(&gamma, NAME).map_err(backward_error)?;
        // Σ dy and Σ dy·x̂ for each channel are the gradients of β and γ…
        let sums = gradient_sums(values, &dy, &mean, &inverse);
        let (of_beta, of_gamma) = sums.split_at(mean.len());
        // …and in training they come back in dx, because μ and σ depend on x.
        let line = |c: usize| Line::new(c, scale, &mean, &inverse, of_beta, of_gamma, training, &dy);
        let lines: Vec<Line<E>> = (0..mean.len()).map(line).collect();
        add_input_gradient(values, &dy, &lines, gradients.get_or_alloc_mut(&x)?);
        add(of_gamma, gradients.get_or_alloc_mut(&gamma)?);
        add(of_beta, gradients.get_or_alloc_mut(&beta)?);
        Ok(())
    })
}

fn check<E: Element>(
    shape: crate::Shape4,
    gamma: &Vector<E>,
    beta: &Vector<E>,
    epsilon: E,
    mode: &BatchNormMode<'_, E>,
) -> Result<(), Error> {
    let channels = shape.3;
    let statistics: &RunningStatistics<E> = match mode {
        BatchNormMode::Train(statistics) => statistics,
        BatchNormMode::Evaluate(statistics) => statistics,
    };
    let sizes = [
        ("gamma", gamma.shape().0),
        ("beta", beta.shape().0),
        ("running mean", statistics.mean.len()),
        ("running variance", statistics.variance.len()),
    ];
    for (name, actual) in sizes {
        if actual != channels {
            let expected = format!("{name} of {channels} elements, one for each channel of x");
            return Err(Error::shape(NAME, expected, actual));
        }
    }
    // `!(ε ≥ 0)` rather than `ε < 0`: NaN is refused too.
    if !(epsilon >= E::zero()) {
        let (expected, actual) = ("epsilon ≥ 0".into(), format!("{epsilon:?}"));
        return Err(Error::Value { operation: NAME, expected, actual });
    }
    if matches!(mode, BatchNormMode::Train(_)) && shape.0 * shape.1 * shape.2 == 0 {
        return Err(Error::shape(NAME, "at least one pixel to take statistics of", shape));
    }
    Ok(())
}

/// Mean and biased variance of each channel. Two passes: E[x²] − E[x]² would cancel.
fn moments<E: Element>(x: &[E], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let pixels = (x.len() / channels.max(1)) as f64;
    let mut mean = channels::sums(x.len(), channels, 1, |p, sums| {
        sums.iter_mut().zip(&x[p..p + channels]).for_each(|(s, x)| *s += x.widen());
    });
    mean.iter_mut().for_each(|m| *m /= pixels);
    let mut variance = channels::sums(x.len(), channels, 1, |p, sums| {
        for ((s, x), m) in sums.iter_mut().zip(&x[p..p + channels]).zip(&mean) {
            let d = x.widen() - m;
            *s += d * d;
        }
    });
    variance.iter_mut().for_each(|v| *v /= pixels);
    (mean, variance)
}

/// running ← (1 − momentum)·running + momentum·batch
fn update<E: Element>(running: &mut RunningStatistics<E>, mean: &[f64], variance: &[f64], pixels: usize) {
    let momentum = running.momentum.widen();
    let unbiased = if pixels > 1 { pixels as f64 / (pixels - 1) as f64 } else { 0.0 };
    let blend = |old: &mut E, new: f64| *old = E::narrow((1.0 - momentum) * old.widen() + momentum * new);
    running.mean.iter_mut().zip(mean).for_each(|(r, m)| blend(r, *m));
    running.variance.iter_mut().zip(variance).for_each(|(r, v)| blend(r, unbiased * v));
}

/// y = a·(x − μ) + β with a = γ/√(σ² + ε)
fn normalise<E: Element>(x: &[E], mean: &[f64], inverse: &[f64], gamma: &[E], beta: &[E]) -> Vec<E> {
    let c = mean.len();
    let mean: Vec<E> = mean.iter().map(|m| E::narrow(*m)).collect();
    let a: Vec<E> = inverse.iter().zip(gamma).map(|(i, g)| E::narrow(i * g.widen())).collect();
    let runs = Runs::new(x.len() / c.max(1), c);
    output::build(&runs.lengths(), |run, y| {
        let pixels = x[runs.elements(run)].chunks_exact(c.max(1));
        for (y, x) in y.chunks_exact_mut(c.max(1)).zip(pixels) {
            for ((((y, &x), &m), &a), &b) in y.iter_mut().zip(x).zip(&mean).zip(&a).zip(beta) {
                *y = a * (x - m) + b;
            }
        }
    })
}

/// Σ dy, then Σ dy·x̂, for each channel.
fn gradient_sums<E: Element>(x: &[E], dy: &[E], mean: &[f64], inverse: &[f64]) -> Vec<f64> {
    let c = mean.len();
    let mut sums = channels::sums(x.len(), c, 2, |p, sums| {
        let (plain, centred) = sums.split_at_mut(c);
        let pixel = x[p..p + c].iter().zip(&dy[p..p + c]);
        for (((s, t), (x, dy)), m) in plain.iter_mut().zip(centred).zip(pixel).zip(mean) {
            *s += dy.widen();
            *t += dy.widen() * (x.widen() - m);
        }
    });
    sums[c..].iter_mut().zip(inverse).for_each(|(t, i)| *t *= i);
    sums
}

/// One channel's dx as a function of its x and dy: dx = a·dy − slope·(x − μ) − offset. With μ and σ
/// constant that is a·dy; in training the other two terms are a·x̂·(Σ dy·x̂)/m and a·(Σ dy)/m.
struct Line<E> {
    a: E,
    mean: E,
    slope: E,
    offset: E,
}

impl<E: Element> Line<E> {
    #[expect(clippy::too_many_arguments, reason = "the columns of one table, used in one place")]
    fn new(
        c: usize,
        gamma: &[E],
        mean: &[f64],
        inverse: &[f64],
        of_beta: &[f64],
        of_gamma: &[f64],
        training: bool,
        dy: &[E],
    ) -> Self {
        let a = gamma[c].widen() * inverse[c];
        let share = if training { a / (dy.len() / mean.len()) as f64 } else { 0.0 };
        Self {
            a: E::narrow(a),
            mean: E::narrow(mean[c]),
            slope: E::narrow(share * inverse[c] * of_gamma[c]),
            offset: E::narrow(share * of_beta[c]),
        }
    }
}

fn add_input_gradient<E: Element>(x: &[E], dy: &[E], lines: &[Line<E>], dx: &mut [E]) {
    let c = lines.len();
    if c == 0 {
        return;
    }
    let runs = Runs::new(x.len() / c, c);
    output::update(dx, &runs.lengths(), |run, dx| {
        let elements = runs.elements(run);
        let pixels = x[elements.clone()].chunks_exact(c).zip(dy[elements].chunks_exact(c));
        for (dx, (x, dy)) in dx.chunks_exact_mut(c).zip(pixels) {
            for (((dx, &x), &dy), l) in dx.iter_mut().zip(x).zip(dy).zip(lines) {
                *dx += l.a * dy - l.slope * (x - l.mean) - l.offset;
            }
        }
    });
}

fn to_f64<E: Element>(values: &[E]) -> Vec<f64> {
    values.iter().map(|v| v.widen()).collect()
}

fn add<E: Element>(terms: &[f64], total: &mut [E]) {
    total.iter_mut().zip(terms).for_each(|(t, s)| *t += E::narrow(*s));
}
