//! Dice semimetric loss: the Dice loss that is right for soft labels, too.
//!
//! ```text
//! value     L_c = E/(2·TP + E + s),    TP = Σ m·min(p, y),    E = Σ m·|p − y|
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! ```
//!
//! On labels it is [`dice`](super::dice), to the bit; on distributions it is 0 at p = y and nowhere else, as
//! [`jaccard_metric`](super::jaccard_metric), whose slopes it has.
//!
//! All else as for [`dice`](super::dice).
//!
//! Reference: Wang, Popordanoska, Bertels, Lemmens & Blaschko 2023, "Dice semimetric losses: optimizing the Dice score
//! with soft labels", eq. 7.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::kernels::overlap::Form;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{Activation, Average, Classes, Region, SharedKeys, average_acts, options, smooth};
use crate::regions::overlap::Ratio;

options! {
    /// The options of [`dice_semimetric`](self).
    pub struct DiceSemimetric {
        /// softmax, or sigmoid for classes that may overlap.
        pub activation: Activation = Activation::Softmax,
        /// s ≥ 0.
        pub smooth: f64 = 1e-5, samples [0.0, 0.1, 1.0],
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
        /// beside region = image: over all (image, class) pairs, or over images, of the means over their classes.
        pub average: Option<Average> = None, samples [Average::Pairs, Average::Images],
        /// all, present, or foreground: which classes of a region count.
        pub classes: Classes = Classes::All, samples [Classes::All, Classes::Present, Classes::Foreground],
    }
}

impl LossKind for DiceSemimetric {
    const INFO: Info = Info {
        summary: "Dice semimetric loss: Dice on labels, and right on soft labels, where Dice is not.",
        formula: "mean_c w_c·(1 − (Σp + Σy − Σ|p − y| + s)/(Σp + Σy + s))",
        reference: "Wang et al. 2023, Dice semimetric losses: optimizing the Dice score with soft labels, eq. 7",
        structure: Structure::Overlap,
        activation: None,
        reach: Reach::WithSlope,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "activation = 'sigmoid'\nregion = 'image'",
        "classes = 'present'\nregion = 'image'\naverage = 'images'",
        "classes = 'foreground'",
        "smooth = 1.0\n[weights]\nsource = 'per_batch'",
    ];

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        smooth(self.smooth)?;
        average_acts(self.average, self.region, self.classes, shared.weights)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, classes: usize) -> Option<Box<dyn Family<T>>> {
        let score = Ratio { intersection: 2.0, smooth: self.smooth, ..Ratio::new(classes) };
        Some(Box::new(Overlap { score, form: Form::Metric, sigmoid: self.activation.is_sigmoid() }))
    }
}
