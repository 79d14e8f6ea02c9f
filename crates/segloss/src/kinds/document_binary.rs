//! The source document's binary loss (S1), to the letter.
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

use super::{Pixel, PixelLoss};
use crate::element::Element;
use crate::kind::{Info, LossKind, OwnWeights, Reach, Shared};
use crate::spec::options::options;
use crate::spec::{Activation, Reduction};
use crate::stable::Logistic;

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
}

pub(crate) struct PixelDocumentBinary {
    /// The activation threshold th.
    pub threshold: f64,
}

impl<T: Element> PixelLoss<T> for PixelDocumentBinary {
    fn pixel(&self, Pixel { z, y, w, loss, gradient, .. }: Pixel<'_, T>) {
        let shift = T::of(0.5 - self.threshold);
        for c in 0..z.len() {
            let at = Logistic::new(z[c]);
            let shifted = at.sigmoid + shift;
            let u = shifted.max(T::zero());
            let (positive, negative) = (y.of(c), T::one() - y.of(c));

            // The columns hold (w, 1 − w). Nothing guards the logarithms: 0·∞ and ln of a negative
            // number are NaN here as they are in the document.
            let (w_negative, w_positive) = (w.loss[2 * c], w.loss[2 * c + 1]);
            loss[c] = w_positive * positive * -u.ln() + negative * w_negative * -(T::one() - u).ln();

            let (w_negative, w_positive) = (w.gradient[2 * c], w.gradient[2 * c + 1]);
            gradient[c] = match shifted > T::zero() {
                true => {
                    (negative * w_negative / (T::one() - u) - w_positive * positive / u)
                        * (at.sigmoid * at.sigmoid_negated)
                }
                // max(0, ·) is flat: no gradient reaches z, which is the other way in which S1 fails.
                false => T::zero(),
            };
        }
    }
}
