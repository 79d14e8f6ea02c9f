//! Generalised Dice: the overlaps of all classes pooled, each weighted by the inverse square of its size.
//!
//! ```text
//! value     L = 1 − (2·Σ_c w_c·Σ m·p·y + s)/(Σ_c w_c·(Σ m·p + Σ m·y) + s)
//!             = Σ_c w_c·(FP_c + FN_c)/(Σ_c w_c·(2·TP_c + FP_c + FN_c) + s)
//!           w_c = 1/(Σ m·y_c)²      over the region, unless `weights.source` says otherwise
//! ```
//!
//! - Shapes, targets, activation, regions: as for [`dice`](super::dice). A region is one ratio, and the value is
//!   the mean over the regions.
//! - **Absent classes.** 1/0² is no weight. `weights.absent` says what stands for it: 0 (default) leaves the
//!   class out; `"largest_present"` gives it the largest finite weight, `{ cap = x }` this one. Implementations
//!   that let 1/(0 + ε)² stand give an absent class all of the sum: the loss is then 1 whatever is predicted.
//! - `smooth` is 0: w is as small as 1/(pixels of a class)², so that the usual 1e-5 would outweigh the sums.
//! - Reduction: [`Mean`](crate::Reduction::Mean) is the number of regions in which a class has weight.
//! - Confidently wrong: as for [`dice`](super::dice), the gradient vanishes with p·(1 − p) by the definition.
//!
//! Reference: Sudre, Li, Vercauteren, Ourselin & Cardoso 2017, "Generalised Dice overlap as a deep learning loss
//! function for highly unbalanced segmentations", section 2.1.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::kernels::overlap::Form;
use crate::kind::{Info, LossKind, OwnWeights, Reach, Structure};
use crate::options::{Activation, Region, SharedKeys, options, smooth};
use crate::regions::overlap::Ratio;

options! {
    /// The options of [`generalized_dice`](self).
    pub struct GeneralizedDice {
        /// softmax, or sigmoid for classes that may overlap.
        pub activation: Activation = Activation::Softmax,
        /// s ≥ 0.
        pub smooth: f64 = 0.0, samples [0.0, 0.1, 1.0],
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
    }
}

impl LossKind for GeneralizedDice {
    const INFO: Info = Info {
        summary: "Generalised Dice: the overlaps of all classes pooled, each weighted by 1/(pixels of the class)².",
        formula: "1 − (2·Σ_c w_c·Σpy + s)/(Σ_c w_c·(Σp + Σy) + s),  w_c = 1/(Σy)² unless [weights] says otherwise",
        reference: "Sudre et al. 2017, Generalised Dice overlap as a deep learning loss function, section 2.1",
        structure: Structure::Overlap,
        activation: None,
        own_weights: OwnWeights::BySize,
        reach: Reach::WithSlope,
        is_pooled: true,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "region = 'image'\nsmooth = 0.5\n[weights]\nabsent = 'largest_present'",
        "activation = 'sigmoid'\n[weights]\nabsent = { cap = 0.5 }",
        "[weights]\nsource = 'per_batch'",
    ];

    fn validate(&self, _: &SharedKeys<'_>) -> Result<(), Error> {
        smooth(self.smooth)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, classes: usize) -> Option<Box<dyn Family<T>>> {
        let score = Ratio { intersection: 2.0, smooth: self.smooth, pooled: true, ..Ratio::new(classes) };
        Some(Box::new(Overlap { score, form: Form::Product, sigmoid: self.activation.is_sigmoid() }))
    }
}
