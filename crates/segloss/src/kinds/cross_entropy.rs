//! Softmax cross-entropy with class weights.
//!
//! ```text
//! value     L = Σ_c w_c·y_c·(−ln p_c),    −ln p_c = ln Σ_j exp z_j − z_c
//! gradient  ∂L/∂z_k = p_k·Σ_{c≠k} w_c·y_c − w_k·y_k·(1 − p_k)
//! ```
//!
//! The gradient is the textbook's p_k·Σ_c w_c·y_c − w_k·y_k with the class k taken out of the sum: the
//! two terms of the textbook cancel where p_k → 1, these do not.
//!
//! With `label_smoothing` s every label gives s of its mass to all classes alike, and **the pixel keeps the
//! weight of its own label**:
//!
//! ```text
//! value     L = (1 − s)·Σ_c w_c·y_c·(−ln p_c) + s/C·W·Σ_c −ln p_c,    W = Σ_c w_c·y_c
//! gradient  … + s·W·(p_k − 1/C)
//! ```
//!
//! With `smoothing_weight = "class"` it is PyTorch's `F.cross_entropy(weight=, label_smoothing=)`, which weighs the
//! smoothing term class by class, so that a rare class's large weight pulls at every pixel:
//!
//! ```text
//! value     L = Σ_c w_c·y'_c·(−ln p_c),    y' = (1 − s)·y + s/C
//! ```
//!
//! Both are divided by Σ W. A smoothed distribution y' given as a soft target is divided by Σ w_c·y'_c instead.
//! Without weights all three are the same.
//!
//! - Shapes: logits (N, C, spatial…) or (N, spatial…, C); targets are indices or distributions.
//! - Reduction: [`WeightSum`](crate::Reduction::Mean), divided by Σ w_c·y_c over the valid pixels.
//! - Confidently wrong pixels: L grows like z_max − z_y, the gradient tends to ±w; never zero.
//! - Saturated logits: exact for |z| up to 1e4 and beyond; no exponential overflows.
//! - One channel is refused: p = 1 whatever its logit is. Two classes in one channel are
//!   [`binary_cross_entropy`](super::binary_cross_entropy).
//! - An absent class appears in no y; its weight is not used, whatever the policy makes of it.
//!
//! Reference: Bishop 2006, *Pattern Recognition and Machine Learning*, eq. 4.108 and 4.109.

use super::{Pixel, PixelLoss, PixelTarget, PixelWeights};
use crate::element::Element;
use crate::error::Error;
use crate::families::blocks::BlockLoss;
use crate::kernels::cross_entropy::Shape;
use crate::kind::{Info, LossKind};
use crate::spec::options::options;
use crate::spec::{LossSpec, SmoothingWeight, smoothing, smoothing_acts};
use crate::stable::Softmax;

options! {
    /// The options of [`cross_entropy`](self).
    pub struct CrossEntropy {
        /// share of each label that goes to all classes alike.
        pub label_smoothing: f64 = 0.0, samples [0.0, 0.1, 0.4],
        /// label: a pixel keeps its label's weight; class: PyTorch's, each class's share has that class's weight.
        pub smoothing_weight: Option<SmoothingWeight> = None,
        samples [SmoothingWeight::Label, SmoothingWeight::Class],
    }
}

impl LossKind for CrossEntropy {
    const INFO: Info = Info {
        summary: "Softmax cross-entropy with class weights: the default for exclusive classes.",
        formula: "Σ_c w_c·y_c·(ln Σ_j exp z_j − z_c)",
        reference: "Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.108; per-sample weights: the source document, S5",
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "label_smoothing = 0.1",
        "label_smoothing = 0.1\nsmoothing_weight = 'class'\n[weights]\nsource = 'per_sample'",
        "threshold = { logit_adjustment = 1.0 }",
        "[weights]\nsource = 'per_batch'",
        "[weights]\nsource = 'per_sample'\nscheme = 'complement'",
        "[weights]\nsource = 'ema'\nscheme = 'enet'\nabsent = 'prior'",
        "label_smoothing = 0.2\n[weights]\nsource = 'per_sample'\nscheme = 'median_frequency'\nnormalise = 'expected_one'",
    ];

    fn validate(&self, spec: &LossSpec) -> Result<(), Error> {
        smoothing(self.label_smoothing)?;
        smoothing_acts(self.smoothing_weight, self.label_smoothing, spec)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PixelCrossEntropy {
    /// s.
    pub smoothing: f64,
    /// Whose weight the smoothed part has.
    pub weight: SmoothingWeight,
}

impl<T: Element> PixelLoss<T> for PixelCrossEntropy {
    fn kernel(&self) -> Option<BlockLoss> {
        (self.smoothing == 0.0).then_some(BlockLoss::Softmax(Shape::Plain))
    }

    fn pixel(&self, Pixel { z, y, w, loss, gradient, .. }: Pixel<'_, T>) {
        let softmax = Softmax::new(z, gradient);
        match y {
            PixelTarget::Index(Some(class)) => {
                loss.fill(T::zero());
                loss[class] = w.loss[class] * softmax.surprise(z[class]);

                let weight = w.gradient[class];
                for (k, g) in gradient.iter_mut().enumerate() {
                    *g = match k == class {
                        true => -(weight * softmax.complement(k, *g)),
                        false => weight * softmax.probability(*g),
                    };
                }
            }
            // No label of a categorical target raises nothing; if one did, it would cost nothing.
            PixelTarget::Index(None) => {
                loss.fill(T::zero());
                gradient.fill(T::zero());
            }
            PixelTarget::Distribution(y) => {
                Self::distribution(&softmax, z, y, w, loss, gradient);
            }
        }
        match (self.smoothing > 0.0, self.weight) {
            (false, _) => {}
            (true, SmoothingWeight::Label) => self.smooth(z, y, w, loss, gradient),
            (true, SmoothingWeight::Class) => self.smooth_classes(z, y, w, loss, gradient),
        }
    }
}

impl PixelCrossEntropy {
    /// The loss of a row y. `gradient` holds the exponentials of the softmax.
    fn distribution<T: Element>(
        softmax: &Softmax<T>,
        z: &[T],
        y: &[T],
        w: PixelWeights<'_, T>,
        loss: &mut [T],
        gradient: &mut [T],
    ) {
        for (c, loss) in loss.iter_mut().enumerate() {
            // A class without a share costs nothing, even at p_c = 0 where ln p_c = −∞.
            *loss = match y[c] > T::zero() {
                true => w.loss[c] * y[c] * softmax.surprise(z[c]),
                false => T::zero(),
            };
        }

        let pull = |c: usize| w.gradient[c] * y[c];
        let total = (0..y.len()).fold(T::zero(), |sum, c| sum + pull(c));
        for (k, g) in gradient.iter_mut().enumerate() {
            // For a one-hot row the difference is exactly 0 or the whole weight, so that the bits
            // are those of the index above.
            let elsewhere = total - pull(k);
            *g = softmax.probability(*g) * elsewhere - pull(k) * softmax.complement(k, *g);
        }
    }

    /// The loss of y' = (1 − s)·y + s/C, computed anew.
    fn smooth_classes<T: Element>(
        &self,
        z: &[T],
        y: PixelTarget<'_, T>,
        w: PixelWeights<'_, T>,
        loss: &mut [T],
        gradient: &mut [T],
    ) {
        let (kept, each) = (T::of(1.0 - self.smoothing), T::of(self.smoothing / z.len() as f64));
        let smoothed: Vec<T> = (0..z.len()).map(|c| kept * y.of(c) + each).collect();
        let softmax = Softmax::new(z, gradient);
        Self::distribution(&softmax, z, &smoothed, w, loss, gradient);
    }

    /// Moves s of the loss above to all classes alike.
    fn smooth<T: Element>(
        &self,
        z: &[T],
        y: PixelTarget<'_, T>,
        w: PixelWeights<'_, T>,
        loss: &mut [T],
        gradient: &mut [T],
    ) {
        let (kept, share) = (T::of(1.0 - self.smoothing), T::of(self.smoothing));
        let each = share / T::of(z.len() as f64);
        let mut e = vec![T::zero(); z.len()];
        let softmax = Softmax::new(z, &mut e);
        let surprises = z.iter().fold(T::zero(), |sum, &z| sum + softmax.surprise(z));
        let mut total = T::zero();
        for (c, loss) in loss.iter_mut().enumerate() {
            // A class's share of the smoothing term is that of its pixels.
            *loss = kept * *loss + each * surprises * (w.loss[c] * y.of(c));
            total = total + w.gradient[c] * y.of(c);
        }
        for (g, &e) in gradient.iter_mut().zip(&e) {
            *g = kept * *g + total * (share * softmax.probability(e) - each);
        }
    }
}
