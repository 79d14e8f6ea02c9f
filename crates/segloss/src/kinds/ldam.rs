//! LDAM: cross-entropy of scaled logits in which the true class must win by a margin, a wider one the rarer
//! it is.
//!
//! ```text
//! value     L = Σ_c w_c·y_c·(−ln softmax_c(t)),    t_c = s·(z_c − y_c·Δ_c),    Δ_c = Δ·(n_min/n_c)^(1/4)
//! gradient  ∂L/∂z = s·∂L/∂t
//! ```
//!
//! - Shapes, targets, weights: as for [`cross_entropy`](super::cross_entropy). n: the counts of the
//!   [prior](crate::LossSpec::prior), n_min the smallest that is not 0; the paper's are the training set's,
//!   `prior.source = "dataset"`. A class that the prior has not seen has the whole margin Δ.
//! - Δ > 0 (0.5) is the margin of the rarest class, s > 0 (30) the scale. The paper applies them to cosines of
//!   normalised features, which lie in ±1; for the logits of a plain net s = 1 is cross-entropy with margins.
//! - Reduction: [`Mean`](crate::Reduction::Mean).
//! - Confidently wrong: the gradient tends to ±s·w; never zero.
//! - An absent class meets no pixel. All ignored: 0.
//!
//! Reference: Cao, Wei, Gaidon, Arechiga & Ma 2019, "Learning imbalanced datasets with label-distribution-aware
//! margin loss", eqs. 12 and 13.

use super::cross_entropy::PixelCrossEntropy;
use super::{Pixel, PixelLoss};
use crate::element::Element;
use crate::error::Error;
use crate::kind::{Info, LossKind, Reach};
use crate::spec::options::options;
use crate::spec::{LossSpec, number};

options! {
    /// The options of [`ldam`](self).
    #[derive(Copy)]
    pub struct Ldam {
        /// Δ > 0, the margin of the rarest class.
        pub margin: f64 = 0.5, samples [0.1, 1.0],
        /// s > 0, the factor of logits and margins.
        pub scale: f64 = 30.0, samples [1.0, 5.0],
    }
}

impl LossKind for Ldam {
    const INFO: Info = Info {
        summary: "LDAM: cross-entropy of scaled logits, with a larger margin for rarer classes.",
        formula: "cross-entropy of s·(z_c − y_c·Δ_c),  Δ_c = Δ·(n_min/n_c)^(1/4)",
        reference: "Cao et al. 2019, Learning imbalanced datasets with label-distribution-aware margin loss, eqs. 12 and 13",
        reads_prior: true,
        reach: Reach::Always(0.9 * 30.0),
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] =
        &["", "scale = 2.0\n[prior]\nsource = 'per_sample'\n[weights]\nsource = 'per_batch'"];

    fn validate(&self, _: &LossSpec) -> Result<(), Error> {
        number("margin", self.margin, self.margin > 0.0, "a finite number > 0")?;
        number("scale", self.scale, self.scale > 0.0, "a finite number > 0")
    }
}

impl<T: Element> PixelLoss<T> for Ldam {
    fn pixel(&self, Pixel { z, y, w, parameters, loss, gradient, scratch }: Pixel<'_, T>) {
        let (scale, margins) = (T::of(self.scale), parameters);
        let (t, scratch) = scratch.split_at_mut(z.len());
        // A softmax sees only differences: with the largest logit taken out first, a margin is not rounded away
        // beside large logits.
        let max = z.iter().fold(z[0], |max, &z| max.max(z));
        for (c, t) in t.iter_mut().enumerate() {
            *t = scale * ((z[c] - max) - y.of(c) * margins[c]);
        }
        PixelCrossEntropy::default().pixel(Pixel {
            z: t,
            y,
            w,
            parameters: &[],
            loss,
            gradient: &mut *gradient,
            scratch,
        });
        gradient.iter_mut().for_each(|g| *g = *g * scale);
    }
}
