//! From a gradient to a step: Adam, AdamW and SGD, with clipping.
//!
//! With g the gradient after clipping, η the learning rate, t the step counted from 1 and λ the decay:
//!
//! ```text
//! g ← g · min(1, clip / ‖g‖₂)          ‖g‖ over all parameters together; clip = 0: no limit
//! g ← g + λ·θ                           adam and sgd (L2 regularisation)
//!
//! adam (Kingma & Ba 2015), adamw (Loshchilov & Hutter 2019):
//! m ← β₁·m + (1 − β₁)·g                 v ← β₂·v + (1 − β₂)·g²
//! θ ← θ − η·λ·θ                         adamw only: decoupled
//! θ ← θ − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
//!
//! sgd with momentum μ (Sutskever et al. 2013, in the form of torch.optim.SGD, dampening 0):
//! b ← μ·b + g                           b = 0 before the first step
//! g ← g + μ·b                           nesterov
//! g ← b                                 otherwise
//! θ ← θ − η·g
//! ```
//!
//! λ applies to kernels, not to biases and normalisations. The state (m and v, b, or nothing where μ = 0) is of
//! the parameters' own number type. Every element is computed by itself, and ‖g‖² is summed in f64 over fixed
//! chunks, so a step does not depend on the number of threads.

use crate::config::{OptimizerConfig, OptimizerKind};
use crate::real::Real;
use rayon::prelude::*;

/// Elements that one task works through; also the chunk of the norm's partial sums, hence fixed.
const CHUNK: usize = 16 * 1024;

/// The optimizer with its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer<E> {
    config: OptimizerConfig,
    /// Steps taken.
    pub steps: u64,
    /// For each parameter, in the model's order, its moments in the order of [`Optimizer::moment_names`].
    pub moments: Vec<Vec<Vec<E>>>,
}

/// The numbers that one step applies to every parameter.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    rate: f64,
    scale: f64,
    /// 1 − β₁ᵗ
    correction1: f64,
    /// 1 − β₂ᵗ
    correction2: f64,
}

impl<E: Real> Optimizer<E> {
    /// An optimizer that has taken no step, for parameters of the given sizes.
    pub fn new(config: &OptimizerConfig, sizes: impl IntoIterator<Item = usize>) -> Self {
        let moments = moment_names(config).len();
        let zeros = |n: usize| vec![vec![E::zero(); n]; moments];
        Self { config: config.clone(), steps: 0, moments: sizes.into_iter().map(zeros).collect() }
    }

    /// What the rule remembers of each parameter's gradients: `first` and `second` (m and v of Adam),
    /// `momentum` (b of SGD), or nothing.
    pub fn moment_names(&self) -> &'static [&'static str] {
        moment_names(&self.config)
    }

    /// Goes on with other settings of the same rule: its memory stays.
    pub fn reconfigure(&mut self, config: &OptimizerConfig) {
        debug_assert_eq!(moment_names(config), self.moment_names());
        self.config = config.clone();
    }

    /// Begins the next step, at the learning rate η and for a gradient of the norm ‖g‖; then
    /// [`Optimizer::update`] follows for each parameter.
    pub fn begin(&mut self, rate: f64, norm: f64) -> Step {
        self.steps += 1;
        let t = self.steps as f64;
        let clip = self.config.clip_norm;
        Step {
            rate,
            scale: if clip > 0.0 && norm > clip { clip / norm } else { 1.0 },
            correction1: 1.0 - self.config.beta1.powf(t),
            correction2: 1.0 - self.config.beta2.powf(t),
        }
    }

    /// Moves the parameter number `index`; `decays` says whether λ applies to it.
    pub fn update(&mut self, step: Step, index: usize, values: &mut [E], gradient: &[E], decays: bool) {
        let decay = if decays { self.config.weight_decay } else { 0.0 };
        let (coupled, decoupled) = match self.config.kind {
            OptimizerKind::Adam | OptimizerKind::Sgd => (decay, 0.0),
            OptimizerKind::AdamW => (0.0, decay),
        };
        let (scale, coupled) = (E::of(step.scale), E::of(coupled));
        let gradient = Gradient { values: gradient, scale, coupled };
        match (self.config.kind, &mut self.moments[index][..]) {
            (OptimizerKind::Sgd, moments) => sgd(&self.config, step, values, gradient, moments.first_mut()),
            (_, [first, second]) => adam(&self.config, step, decoupled, values, gradient, first, second),
            _ => unreachable!("`new` gives Adam two moments"),
        }
    }
}

fn moment_names(config: &OptimizerConfig) -> &'static [&'static str] {
    match config.kind {
        OptimizerKind::Adam | OptimizerKind::AdamW => &["first", "second"],
        OptimizerKind::Sgd if config.momentum > 0.0 => &["momentum"],
        OptimizerKind::Sgd => &[],
    }
}

/// A gradient with what is done to it before the rule: g·scale + coupled·θ.
#[derive(Clone, Copy)]
struct Gradient<'a, E> {
    values: &'a [E],
    scale: E,
    coupled: E,
}

fn adam<E: Real>(
    config: &OptimizerConfig,
    step: Step,
    decoupled: f64,
    values: &mut [E],
    Gradient { values: gradient, scale, coupled }: Gradient<'_, E>,
    first: &mut [E],
    second: &mut [E],
) {
    let of = E::of;
    let OptimizerConfig { beta1, beta2, epsilon, .. } = *config;
    let (beta1, rest1, beta2, rest2) = (of(beta1), of(1.0 - beta1), of(beta2), of(1.0 - beta2));
    let keep = of(1.0 - step.rate * decoupled);
    // η·(m/c₁) / (√(v/c₂) + ε), with the constants taken together.
    let (rate, root, epsilon) =
        (of(step.rate / step.correction1), of(1.0 / step.correction2.sqrt()), of(epsilon));
    values
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .zip(first.par_chunks_mut(CHUNK))
        .zip(second.par_chunks_mut(CHUNK))
        .for_each(|(((values, gradient), first), second)| {
            for (((x, &g), m), v) in values.iter_mut().zip(gradient).zip(first).zip(second) {
                let g = g * scale + coupled * *x;
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * g * g;
                *x = keep * *x - rate * *m / (v.sqrt() * root + epsilon);
            }
        });
}

fn sgd<E: Real>(
    config: &OptimizerConfig,
    step: Step,
    values: &mut [E],
    Gradient { values: gradient, scale, coupled }: Gradient<'_, E>,
    momentum: Option<&mut Vec<E>>,
) {
    let (rate, mu) = (E::of(step.rate), E::of(config.momentum));
    let chunks = values.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
    let Some(momentum) = momentum else {
        return chunks.for_each(|(values, gradient)| {
            for (x, &g) in values.iter_mut().zip(gradient) {
                *x -= rate * (g * scale + coupled * *x);
            }
        });
    };
    chunks.zip(momentum.par_chunks_mut(CHUNK)).for_each(|((values, gradient), momentum)| {
        for ((x, &g), b) in values.iter_mut().zip(gradient).zip(momentum) {
            let g = g * scale + coupled * *x;
            *b = mu * *b + g;
            *x -= rate * if config.nesterov { g + mu * *b } else { *b };
        }
    });
}

/// ‖g‖² of one parameter's gradient.
pub fn squared_norm<E: Real>(gradient: &[E]) -> f64 {
    let partial: Vec<f64> =
        gradient.par_chunks(CHUNK).map(|chunk| chunk.iter().map(|g| g.wide() * g.wide()).sum()).collect();
    partial.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(kind: OptimizerKind, weight_decay: f64, clip_norm: f64) -> OptimizerConfig {
        OptimizerConfig { kind, weight_decay, clip_norm, epsilon: 1e-3, ..OptimizerConfig::default() }
    }

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-13 * b.abs(), "{a} is not {b}");
    }

    /// Two steps at η = 0.1 from θ = 1 with gradients 0.5 and −0.25, in f64.
    fn two_steps(config: &OptimizerConfig, decays: bool) -> [f64; 2] {
        let mut optimizer = Optimizer::new(config, [1]);
        let mut values = [1.0];
        [0.5, -0.25].map(|g: f64| {
            let step = optimizer.begin(0.1, g.abs());
            optimizer.update(step, 0, &mut values, &[g], decays);
            values[0]
        })
    }

    #[test]
    fn adam_by_hand() {
        // m₁ = 0.05, v₁ = 0.00025; m̂ = 0.5, √v̂ = 0.5. m₂ = 0.02, v₂ = 0.00031225; c₁ = 0.19, c₂ = 0.001999.
        let [one, two] = two_steps(&config(OptimizerKind::Adam, 0.0, 0.0), true);
        close(one, 1.0 - 0.1 * 0.5 / 0.501);
        close(two, one - 0.1 * (0.02 / 0.19) / ((0.000_312_25_f64 / 0.001_999).sqrt() + 1e-3));
    }

    #[test]
    fn decay_coupled_decoupled_and_not_at_all() {
        let [plain, _] = two_steps(&config(OptimizerKind::Adam, 0.0, 0.0), true);
        let [decoupled, _] = two_steps(&config(OptimizerKind::AdamW, 0.2, 0.0), true);
        close(decoupled, plain - 0.1 * 0.2 * 1.0);
        let [coupled, _] = two_steps(&config(OptimizerKind::Adam, 0.2, 0.0), true);
        close(coupled, 1.0 - 0.1 * 0.7 / 0.701);
        for kind in [OptimizerKind::Adam, OptimizerKind::AdamW] {
            assert_eq!(two_steps(&config(kind, 0.2, 0.0), false), two_steps(&config(kind, 0.0, 0.0), true));
        }
    }

    fn sgd_config(momentum: f64, nesterov: bool, weight_decay: f64) -> OptimizerConfig {
        let kind = OptimizerKind::Sgd;
        OptimizerConfig { kind, momentum, nesterov, weight_decay, ..OptimizerConfig::default() }
    }

    #[test]
    fn sgd_by_hand() {
        let [one, two] = two_steps(&sgd_config(0.0, false, 0.0), true);
        close(one, 1.0 - 0.1 * 0.5);
        close(two, one + 0.1 * 0.25);
        // b₁ = 0.5, b₂ = 0.9 · 0.5 − 0.25 = 0.2
        let [one, two] = two_steps(&sgd_config(0.9, false, 0.0), true);
        close(one, 0.95);
        close(two, 0.95 - 0.1 * 0.2);
        // g₁ + 0.9 · b₁ = 0.95, g₂ + 0.9 · b₂ = −0.07
        let [one, two] = two_steps(&sgd_config(0.9, true, 0.0), true);
        close(one, 1.0 - 0.1 * 0.95);
        close(two, one + 0.1 * 0.07);
        // λ = 0.2 adds 0.2 · θ to the gradient: 0.7, and −0.25 + 0.2 · 0.93
        let [one, two] = two_steps(&sgd_config(0.9, false, 0.2), true);
        close(one, 0.93);
        close(two, 0.93 - 0.1 * (0.9 * 0.7 - 0.25 + 0.2 * 0.93));
        assert_eq!(
            two_steps(&sgd_config(0.9, false, 0.2), false),
            two_steps(&sgd_config(0.9, false, 0.0), true)
        );
    }

    /// Three steps as in `two_steps`, with a third gradient of 0.125: torch.optim.SGD of PyTorch 2.15.0, float64.
    ///
    /// ```text
    /// import torch; torch.set_default_dtype(torch.float64)
    /// x = torch.tensor([1.0], requires_grad=True)
    /// o = torch.optim.SGD([x], lr=0.1, momentum=0.5, nesterov=True, weight_decay=0.1)
    /// for g in (0.5, -0.25, 0.125): x.grad = torch.tensor([g]); o.step(); print(x.item())
    /// ```
    #[test]
    fn sgd_is_that_of_pytorch() {
        for (momentum, nesterov, decay, expected) in [
            (0.0, false, 0.0, [0.95, 0.975, 0.9625]),
            (0.9, false, 0.0, [0.95, 0.929_999_999_999_999_9, 0.8995]),
            (0.9, true, 0.0, [0.905, 0.912, 0.87205]),
            (0.9, false, 0.2, [0.93, 0.873_400_000_000_000_1, 0.792_492_000_000_000_1]),
            (0.5, true, 0.1, [0.91, 0.918_850_000_000_000_1, 0.882_792_250_000_000_1]),
        ] {
            let mut optimizer = Optimizer::new(&sgd_config(momentum, nesterov, decay), [1]);
            let mut values = [1.0];
            let found = [0.5, -0.25, 0.125].map(|g: f64| {
                let step = optimizer.begin(0.1, g.abs());
                optimizer.update(step, 0, &mut values, &[g], true);
                values[0]
            });
            found.into_iter().zip(expected).for_each(|(found, expected)| close(found, expected));
        }
    }

    #[test]
    fn the_rules_remember_what_they_need() {
        for (config, moments) in [
            (config(OptimizerKind::Adam, 0.0, 0.0), 2),
            (sgd_config(0.9, true, 0.0), 1),
            (sgd_config(0.0, false, 0.0), 0),
        ] {
            let optimizer = Optimizer::<f32>::new(&config, [3, 5]);
            assert_eq!(optimizer.moment_names().len(), moments);
            assert!(optimizer.moments.iter().all(|of_parameter| of_parameter.len() == moments));
        }
    }

    #[test]
    fn clipping_scales_large_gradients_only() {
        let clipped = two_steps(&config(OptimizerKind::Adam, 0.0, 0.4), true);
        // The first gradient becomes 0.4, the second is below the limit.
        close(clipped[0], 1.0 - 0.1 * 0.4 / 0.401);
        let (m, v) = (0.9 * 0.04 - 0.025, 0.999 * 0.00016 + 0.0000625);
        close(clipped[1], clipped[0] - 0.1 * (m / 0.19) / ((v / 0.001_999_f64).sqrt() + 1e-3));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let n = 3 * CHUNK + 17;
        let gradient: Vec<f32> = (0..n).map(|i| ((i * 7919) % 1000) as f32 / 1000.0 - 0.3).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut optimizer = Optimizer::new(&config(OptimizerKind::AdamW, 0.1, 1.0), [n]);
                let mut values = vec![1.0_f32; n];
                for _ in 0..3 {
                    let norm = squared_norm(&gradient).sqrt();
                    let step = optimizer.begin(0.01, norm);
                    optimizer.update(step, 0, &mut values, &gradient, true);
                }
                (squared_norm(&gradient).to_bits(), values.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
            })
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(3));
    }
}
