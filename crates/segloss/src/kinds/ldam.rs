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

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::pointwise::{Adjusted, Pointwise};
use crate::kernels::pointwise::Plain;
use crate::kind::{Info, LossKind, Reach};
use crate::options::{SharedKeys, number, options};

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

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        number("margin", self.margin, self.margin > 0.0, "a finite number > 0")?;
        number("scale", self.scale, self.scale > 0.0, "a finite number > 0")
    }

    fn parameters(&self, prior: &[f64], seen: &[bool]) -> Vec<f64> {
        let counted = prior.iter().zip(seen).filter(|(_, seen)| **seen).map(|(pi, _)| *pi);
        let rarest = counted.fold(f64::INFINITY, f64::min);
        // What the prior has not seen is rarer than all it has.
        let ratio = |(pi, seen): (&f64, &bool)| if *seen { rarest / pi } else { 1.0 };
        prior.iter().zip(seen).map(|class| self.margin * ratio(class).sqrt().sqrt()).collect()
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        let adjusted = Adjusted::Margin { scale: self.scale };
        Some(Box::new(Pointwise { adjusted, ..Pointwise::new(Plain) }))
    }
}
