//! A weighted sum of losses.
//!
//! ```text
//! value     L = Σ_t factor_t·L_t
//! gradient  ∂L/∂z = Σ_t factor_t·∂L_t/∂z
//! ```
//!
//! ```toml
//! kind = "combined"
//! [[terms]]
//! loss = { kind = "cross_entropy" }
//! [[terms]]
//! factor = 0.5
//! loss = { kind = "dice", region = "image" }
//! ```
//!
//! - Each term has options, weights and a reduction of its own; `layout` and `ignore_index` are those of the
//!   combined loss. Terms may be combined losses.
//! - The result has the terms' results in `terms`; numerator and value are the same.
//!
//! Reference: for its terms, see their pages. Dice with cross-entropy: Isensee et al. 2021, "nnU-Net".

use crate::element::Element;
use crate::families::Family;
use crate::error::Error;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::spec::options::options;
use crate::spec::{LossSpec, Reduction, Term, number, option};

options! {
    /// The options of [`combined`](self).
    pub struct Combined {
        /// `[[terms]]` with `factor` (1) and `[terms.loss]`, a specification of its own.
        pub terms: Vec<Term> = Vec::new(),
    }
}

impl LossKind for Combined {
    const INFO: Info = Info {
        summary: "A weighted sum of any of the other losses.",
        formula: "Σ_t factor_t·L_t",
        reference: "the losses' own",
        structure: Structure::Terms,
        shared: &[],
        // The terms have divided already.
        reduction: Reduction::Sum,
        // Of Dice and cross-entropy, the latter a mean over the pixels.
        reach: Reach::Always(0.9 / 6.0),
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "[[terms]]\nloss = { kind = 'cross_entropy', weights = { source = 'per_sample' } }\n\
             [[terms]]\nfactor = 0.5\nloss = { kind = 'dice' }",
        "[[terms]]\nfactor = 2.0\nloss = { kind = 'lovasz_softmax' }\n[[terms]]\nloss = { kind = 'unified_focal' }\n\
             [[terms]]\nloss = { kind = 'combined', terms = [{ factor = 0.5, loss = { kind = 'top_k_cross_entropy' } }] }",
    ];

    fn validate(&self, _: &LossSpec) -> Result<(), Error> {
        if self.terms.is_empty() {
            return Err(option("terms", "at least one [[terms]] with `factor` and [terms.loss]", "empty"));
        }
        for term in &self.terms {
            number("terms.factor", term.factor, term.factor >= 0.0, "a finite number ≥ 0")?;
            let inherited = LossSpec { layout: Default::default(), ignore_index: None, ..term.loss.clone() };
            if inherited != term.loss {
                let expected =
                    "without `layout` and `ignore_index`: those of the combined loss hold for all its terms";
                return Err(option("terms.loss", expected, "set"));
            }
            term.loss.validate()?;
        }
        Ok(())
    }

    fn family<T: Element>(&self, _: &LossSpec, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        None
    }
}
