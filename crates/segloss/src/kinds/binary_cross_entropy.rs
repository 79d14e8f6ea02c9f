//! Sigmoid cross-entropy: one binary problem per channel, for one class or classes that may overlap.
//!
//! ```text
//! value     L = Σ_c w⁺_c·y_c·softplus(−z_c) + w⁻_c·(1 − y_c)·softplus(z_c)
//! gradient  ∂L/∂z_c = w⁻_c·(1 − y_c)·σ(z_c) − w⁺_c·y_c·σ(−z_c)
//! ```
//!
//! With `label_smoothing` s every entry gives s of its mass to both sides alike and keeps its own weight
//! ω = w⁺·y + w⁻·(1 − y):
//!
//! ```text
//! value     (1 − s)·L + s/2·ω·(softplus(−z) + softplus(z))
//! gradient  (1 − s)·∂L/∂z + s/2·ω·(σ(z) − σ(−z))
//! ```
//!
//! softplus(−z) = −ln σ(z) and softplus(z) = −ln(1 − σ(z)), without the overflow of either logarithm.
//!
//! - Shapes: logits (N, C, spatial…) or (N, spatial…, C). With C = 1 index targets are 0 and 1; with
//!   more channels an index stands for its one-hot vector (one against the rest). Distributions hold
//!   each channel's own y in [0, 1].
//! - Weights: a pair (w⁻, w⁺) per channel, from that channel's own share of positives. `complement` per
//!   sample is the document's S1 rule, w⁺ = 1 − f and w⁻ = f, without its threshold.
//! - Reduction: [`WeightSum`](crate::Reduction::Mean), divided by Σ of the weights of all entries, so that
//!   without weights it is the plain mean over valid pixels and channels.
//! - Confidently wrong: the loss grows like |z|, the gradient tends to ±w; never zero.
//! - Absent positives: under `complement` w⁻ = f = 0, so that an image without positives teaches nothing;
//!   under `inverse_frequency` its negatives weigh ½ each.
//!
//! Reference: Bishop 2006, *Pattern Recognition and Machine Learning*, eq. 4.90 and 4.91.

use super::{Pixel, PixelLoss};
use crate::element::Element;
use crate::error::Error;
use crate::families::blocks::BlockLoss;
use crate::kernels::power::Power;
use crate::kind::{Info, LossKind};
use crate::spec::options::options;
use crate::spec::{Activation, LossSpec, smoothing};
use crate::stable::Logistic;

options! {
    /// The options of [`binary_cross_entropy`](self).
    #[derive(Copy)]
    pub struct BinaryCrossEntropy {
        /// share of each label that goes to all classes alike.
        pub label_smoothing: f64 = 0.0, samples [0.0, 0.1, 0.4],
    }
}

impl LossKind for BinaryCrossEntropy {
    const INFO: Info = Info {
        summary: "Sigmoid cross-entropy, one problem per channel: one class, or classes that may overlap.",
        formula: "Σ_c w⁺_c·y_c·softplus(−z_c) + w⁻_c·(1 − y_c)·softplus(z_c)",
        reference: "Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.90",
        activation: Some(Activation::Sigmoid),
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "label_smoothing = 0.1",
        "threshold = { logit_adjustment = 0.5 }",
        "[weights]\nsource = 'per_batch'\nscheme = 'inverse_sqrt'\nabsent = 'prior'",
        "label_smoothing = 0.2\n[weights]\nsource = 'per_sample'\nscheme = { effective_number = 0.9 }",
    ];

    fn validate(&self, _: &LossSpec) -> Result<(), Error> {
        smoothing(self.label_smoothing)
    }
}

impl<T: Element> PixelLoss<T> for BinaryCrossEntropy {
    fn kernel(&self) -> Option<BlockLoss> {
        let power = Power::new(0.0)?;
        (self.label_smoothing == 0.0).then_some(BlockLoss::Sigmoid { power })
    }

    fn pixel(&self, Pixel { z, y, w, loss, gradient, .. }: Pixel<'_, T>) {
        for c in 0..z.len() {
            let at = Logistic::new(z[c]);
            let (positive, negative) = (y.of(c), T::one() - y.of(c));
            let (w_negative, w_positive) = (w.loss[2 * c], w.loss[2 * c + 1]);
            loss[c] = w_positive * positive * at.softplus_negated + w_negative * negative * at.softplus;

            let (w_negative, w_positive) = (w.gradient[2 * c], w.gradient[2 * c + 1]);
            gradient[c] = w_negative * negative * at.sigmoid - w_positive * positive * at.sigmoid_negated;

            if self.label_smoothing > 0.0 {
                let (kept, half) = (T::of(1.0 - self.label_smoothing), T::of(self.label_smoothing / 2.0));
                let both = at.softplus + at.softplus_negated;
                let of = |w: &[T]| w[2 * c] * negative + w[2 * c + 1] * positive;
                loss[c] = kept * loss[c] + half * of(w.loss) * both;
                let slope = at.sigmoid - at.sigmoid_negated;
                gradient[c] = kept * gradient[c] + half * of(w.gradient) * slope;
            }
        }
    }
}
