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
//! Sums that are known by name are one line, `preset = "nnunet_ce_dice"`:
//!
//! | | |
//! |---|---|
//! | `nnunet_ce_dice` | cross-entropy + Dice over the batch, of the foreground classes: nnU-Net's default. Its Dice term is −D, not 1 − D: its value is lower by 1, its gradient the same |
//! | `nnunet_top_k_dice` | the hardest tenth of the pixels' cross-entropy + the same Dice |
//! | `dice_focal` | Dice of each image + sigmoid focal loss (γ = 2), the mean over pixels and channels: MONAI's `DiceFocalLoss(softmax=True)` |
//!
//! - Each term has options, weights and a reduction of its own; `layout` and `ignore_index` are those of the
//!   combined loss. Terms may be combined losses.
//! - The result has the terms' results in `terms`; numerator and value are the same.
//!
//! Reference: for its terms, see their pages. Dice with cross-entropy: Isensee et al. 2021, "nnU-Net".

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::kind::{Info, LossKind, Reach, Shared, Structure};
use crate::options::{Reduction, SharedKeys, Value, option, options, words};

options! {
    /// The options of [`combined`](self); the terms stand in [`LossSpec::terms`](crate::LossSpec::terms).
    pub struct Combined {
        /// nnunet_ce_dice, nnunet_top_k_dice or dice_focal: a sum that is known by name, instead of `terms`.
        pub preset: Option<Preset> = None,
    }
}

impl LossKind for Combined {
    const INFO: Info = Info {
        summary: "A weighted sum of any of the other losses.",
        formula: "Σ_t factor_t·L_t",
        reference: "the losses' own",
        structure: Structure::Terms,
        shared: &[Shared::Terms],
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

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        if self.preset.is_some() {
            return Err(option("preset", "absent beside `terms`: a preset is all of them", "set"));
        }
        if shared.terms == 0 {
            let expected = "at least one [[terms]] with `factor` and [terms.loss], or a `preset`";
            return Err(option("terms", expected, "empty"));
        }
        Ok(())
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        None
    }
}

/// A sum of losses that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// nnU-Net's default: cross-entropy + batch Dice of the foreground.
    NnunetCeDice,
    /// nnU-Net's hardest tenth of the pixels + the same Dice.
    NnunetTopKDice,
    /// MONAI's `DiceFocalLoss(softmax=True)`.
    DiceFocal,
}

words! { Preset { NnunetCeDice = "nnunet_ce_dice", NnunetTopKDice = "nnunet_top_k_dice", DiceFocal = "dice_focal" }, unset Value::None }
