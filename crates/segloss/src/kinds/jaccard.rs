//! Soft Jaccard: one minus intersection over union (IoU) of each class, averaged over the classes.
//!
//! ```text
//! value     L_c = 1 − (Σ m·p·y + s)/(Σ m·p + Σ m·y − Σ m·p·y + s) = (FP + FN)/(TP + FP + FN + s)
//! squared   L_c = Σ m·(p − y)²/(Σ m·p² + Σ m·y² − Σ m·p·y + s)
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! ```
//!
//! All else as for [`dice`](super::dice), of which it is a function: J = 2·D/(1 + D).
//!
//! Reference: Rahman & Wang 2016, "Optimizing intersection-over-union in deep neural networks for image
//! segmentation", eq. 3.

use super::dice::form;
use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{Activation, Average, Classes, Region, SharedKeys, average_acts, options, smooth};
use crate::regions::overlap::Ratio;

options! {
    /// The options of [`jaccard`](self).
    pub struct Jaccard {
        /// softmax, or sigmoid for classes that may overlap.
        pub activation: Activation = Activation::Softmax,
        /// sums of p² and y² in the union.
        pub squared: bool = false, samples [false, true],
        /// s ≥ 0.
        pub smooth: f64 = 1e-5, samples [0.0, 0.1, 1.0],
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
        /// beside region = image: over all (image, class) pairs, or over images, of the means over their classes.
        pub average: Option<Average> = None, samples [Average::Pairs, Average::Images],
        /// all, present, or foreground: which classes of a region count.
        pub classes: Classes = Classes::All, samples [Classes::All, Classes::Present],
    }
}

impl LossKind for Jaccard {
    const INFO: Info = Info {
        summary: "Soft Jaccard (IoU): one minus intersection over union of each class.",
        formula: "mean_c w_c·(1 − (Σpy + s)/(Σp + Σy − Σpy + s))",
        reference: "Rahman & Wang 2016, Optimizing intersection-over-union in deep neural networks, eq. 3",
        structure: Structure::Overlap,
        activation: None,
        reach: Reach::WithSlope,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "squared = true\nsmooth = 1.0",
        "activation = 'sigmoid'\nregion = 'image'",
        "classes = 'present'\nregion = 'image'\n[weights]\nsource = 'per_sample'",
        "classes = 'present'\nregion = 'image'\naverage = 'images'",
        "threshold = { logit_adjustment = 1.0 }",
    ];

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        smooth(self.smooth)?;
        average_acts(self.average, self.region, self.classes, shared.weights)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, classes: usize) -> Option<Box<dyn Family<T>>> {
        let score = Ratio { smooth: self.smooth, ..Ratio::new(classes) };
        Some(Box::new(Overlap { score, form: form(self.squared), sigmoid: self.activation.is_sigmoid() }))
    }
}
