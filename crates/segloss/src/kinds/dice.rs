//! Soft Dice: one minus the Dice coefficient of each class, averaged over the classes.
//!
//! ```text
//! value     L_c = 1 − (2·Σ m·p·y + s)/(Σ m·p + Σ m·y + s) = (FP + FN)/(2·TP + FP + FN + s)
//! squared   L_c = Σ m·(p − y)²/(Σ m·p² + Σ m·y² + s)
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! ```
//!
//! The gradient is that of its family: TP, FP and FN are summed over the region, and the error is never taken
//! as 1 − overlap.
//!
//! - Shapes: logits (N, C, spatial…) or (N, spatial…, C); targets are indices or distributions. `activation`:
//!   softmax (default), or sigmoid for classes that may overlap.
//! - `region`: sums over the batch (default), or over each image, whose losses are averaged: over all (image, class)
//!   pairs, or with `average = "images"` over the images, of the weighted mean over each one's classes.
//! - Reduction: [`Mean`](crate::Reduction::Mean), divided by Σ of the weights of the classes and regions that
//!   count, so that the value is a mean over them.
//! - Absent classes: with `classes = "all"` (default) L_c = FP/(FP + s), which is 1 or nearly so wherever s is
//!   small against what is predicted, with hardly a slope; `"present"` leaves the class out of the mean.
//!   Something between: a larger s (`smooth`, 1e-5).
//! - `classes = "foreground"` leaves class 0 out of the mean, as `include_background=False` elsewhere.
//! - Nothing there, nothing predicted, s = 0: 0/0 is no error, 0.
//! - Ignored pixels are in no sum; an image of ignored pixels is no region.
//! - Confidently wrong: L depends on p alone, whose slope by z is p·(1 − p): at saturated logits the
//!   gradient vanishes by the definition, also where wrong. Cross-entropy's does not ([`combined`](super::combined)).
//!
//! Reference: Milletari, Navab & Ahmadi 2016, "V-Net", section 3 (squared); Drozdzal, Vorontsov, Chartrand, Kadoury
//! & Pal 2016, "The importance of skip connections in biomedical image segmentation", eq. 1.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::kernels::overlap::Form;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{Activation, Average, Classes, Region, SharedKeys, average_acts, options, smooth};
use crate::regions::overlap::Ratio;

options! {
    /// The options of [`dice`](self).
    pub struct Dice {
        /// softmax, or sigmoid for classes that may overlap.
        pub activation: Activation = Activation::Softmax,
        /// sums of p² and y² in the denominator, as in V-Net.
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

impl LossKind for Dice {
    const INFO: Info = Info {
        summary: "Soft Dice: one minus the overlap of each class, averaged over the classes.",
        formula: "mean_c w_c·(1 − (2·Σpy + s)/(Σp + Σy + s))",
        reference: "Milletari et al. 2016, V-Net, section 3 (squared); Drozdzal et al. 2016",
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
        let score = Ratio { intersection: 2.0, smooth: self.smooth, ..Ratio::new(classes) };
        Some(Box::new(Overlap { score, form: form(self.squared), sigmoid: self.activation.is_sigmoid() }))
    }
}

/// Of squares or not.
pub(crate) fn form(squared: bool) -> Form {
    if squared { Form::Squared } else { Form::Product }
}
