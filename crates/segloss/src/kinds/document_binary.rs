//! The [source document](crate::source_document)'s binary loss (S1), to the letter.
//!
//! ```text
//! w = Σy / size(y)                        over the batch, or over each image
//! u = max(0, σ(z) + 0.5 − th)             th: the "activation threshold", default 1/nClasses
//! value     L = (1 − w)·y·(−ln u) + (1 − y)·w·(−ln(1 − u))
//! gradient  ∂L/∂z = [(1 − y)·w/(1 − u) − (1 − w)·y/u]·σ(z)·(1 − σ(z))    where σ(z) + 0.5 − th > 0, else 0
//! ```
//!
//! **This is not a usable loss**, which is why the result says how many entries it broke. Unless th = ½,
//! u leaves (0, 1) for saturated pixels: with th = 1/3, z = 2 gives u = 1.05, the logarithm of a negative
//! number, and 0·NaN makes NaN of a *positive* pixel as well; with th = 0.7, z = −4 gives u = 0, a loss of
//! +∞ and a gradient of zero just where the prediction is confidently wrong. At th = ½ the same happens
//! once σ rounds to 1 (z = 17 in f32, 37 in f64). The gradient stays finite where the value is NaN, with
//! the wrong sign for a negative: training goes on and nothing shows. The sound form shifts the logit: [`binary_cross_entropy`](super::binary_cross_entropy) with `threshold.logit_shift = [th]` and
//! `weights.scheme = "complement"`.
//!
//! Everything is computed the way the document's TensorFlow code computes it, in its order, without
//! stabilisation: the same NaN and ∞ come out at the same pixels.
//!
//! - Shapes, targets: as for [`binary_cross_entropy`](super::binary_cross_entropy).
//! - nClasses is the number of channels, but 2 for a single one.
//! - Reduction: [`MeanAll`](crate::Reduction::MeanAll), the mean that Keras takes.
//!
//! Reference: the source document, S1.

use crate::element::Element;
use crate::families::Family;
use crate::families::channels::Channels;
use crate::kernels::channels::{ChannelCost, Logistic};
use crate::kind::{Info, LossKind, OwnWeights, Reach, Shared};
use crate::options::{Activation, Reduction, SharedKeys, Threshold, options};
use crate::simd::{Simd, Vector};

options! {
    /// The options of [`document_binary`](self).
    pub struct DocumentBinary {
    }
}

impl LossKind for DocumentBinary {
    const INFO: Info = Info {
        summary: "The document's S1 to the letter, to reproduce and to see fail: NaN once a pixel saturates.",
        formula: "(1 − w)·y·(−ln u) + (1 − y)·w·(−ln(1 − u)),  u = max(0, σ(z) + 0.5 − th),  w = Σy/size(y)",
        reference: "the source document, S1",
        activation: Some(Activation::Sigmoid),
        shared: &[Shared::DocumentThreshold, Shared::DocumentWeights, Shared::Reduction],
        reduction: Reduction::MeanAll,
        own_weights: OwnWeights::Document { scoped: true },
        reach: Reach::Undefined,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &["", "[weights]\nsource = 'per_sample'"];

    fn family<T: Element>(
        &self,
        shared: &SharedKeys<'_>,
        _: usize,
        classes: usize,
    ) -> Option<Box<dyn Family<T>>> {
        let threshold = match shared.threshold {
            Some(Threshold::Document(th)) => *th,
            // The document: "default 1/nClasses"; a single channel tells two classes apart.
            _ => 1.0 / classes.max(2) as f64,
        };
        Some(Box::new(Channels { may_break: true, ..Channels::new(Shifted { threshold }) }))
    }
}

/// −ln u and −ln(1 − u).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shifted {
    /// The activation threshold th.
    threshold: f64,
}

impl ChannelCost for Shifted {
    #[inline(always)]
    fn costs_and_slopes<V: Vector>(self, at: Logistic<V>) -> [(V, V); 2] {
        let simd = at.sigmoid.simd();
        let (zero, one) = (simd.constant(0.0), simd.constant(1.0));
        let shifted = at.sigmoid + simd.constant(0.5 - self.threshold);
        let u = shifted.max(zero);
        // Nothing guards the logarithms: 0·∞ and ln of a negative number are NaN here as they are in the document.
        let minus_ln = |x: V| x.lanewise(|x| -num_traits::Float::ln(x));
        // max(0, ·) is flat: no gradient reaches z, which is the other way in which S1 fails.
        let slope = at.sigmoid * at.sigmoid_negated;
        let where_it_rises = |slope: V| V::select(zero.less(shifted), slope, zero);
        [
            (minus_ln(one - u), where_it_rises(slope / (one - u))),
            (minus_ln(u), where_it_rises((slope / u).neg())),
        ]
    }
}
