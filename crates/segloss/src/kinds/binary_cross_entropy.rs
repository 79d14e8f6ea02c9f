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
//!   sample is the [document](crate::source_document)'s S1 rule, w⁺ = 1 − f and w⁻ = f, without its threshold.
//! - Reduction: [`Mean`](crate::Reduction::Mean), divided by Σ of the weights of all entries, so that
//!   without weights it is the plain mean over valid pixels and channels.
//! - Confidently wrong: the loss grows like |z|, the gradient tends to ±w; never zero.
//! - Absent positives: under `complement` w⁻ = f = 0, so that an image without positives teaches nothing;
//!   under `inverse_frequency` its negatives weigh ½ each.
//!
//! Reference: Bishop 2006, *Pattern Recognition and Machine Learning*, eq. 4.90 and 4.91.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::channels::Channels;
use crate::kernels::channels::{ChannelCost, Logistic};
use crate::kind::{Info, LossKind};
use crate::options::{Activation, SharedKeys, options, smoothing};
use crate::simd::Vector;

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

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        smoothing(self.label_smoothing)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Channels { smoothing: self.label_smoothing, ..Channels::new(*self) }))
    }
}

impl ChannelCost for BinaryCrossEntropy {
    #[inline(always)]
    fn costs_and_slopes<V: Vector>(self, at: Logistic<V>) -> [(V, V); 2] {
        [(at.softplus, at.sigmoid), (at.softplus_negated, at.sigmoid_negated.neg())]
    }
}
