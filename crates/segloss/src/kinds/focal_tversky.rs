//! Focal Tversky: the Tversky loss of each class to the power 1/γ.
//!
//! ```text
//! value     L_c = (1 − TI_c)^(1/γ),    TI_c = (TP + s)/(TP + α·FP + β·FN + s)
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! ```
//!
//! γ > 0 (4/3); γ = 1 is [`tversky`]. For γ > 1 the power lifts what classes cost that are nearly
//! right, and its slope at TI = 1 is infinite: there, and only there, the sub-gradient 0 is taken.
//!
//! The paper sums over the classes; `reduction = "sum"` does, the default is the mean. All else as for
//! [`tversky`].
//!
//! Reference: Abraham & Khan 2019, "A novel focal Tversky loss function with improved attention U-Net for lesion
//! segmentation", eq. 4.

use super::tversky;
use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::kernels::overlap::Form;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{
    Activation, Average, Classes, Region, SharedKeys, average_acts, number, options, smooth,
};
use crate::regions::overlap::Ratio;

options! {
    /// The options of [`focal_tversky`](self).
    pub struct FocalTversky {
        /// softmax, or sigmoid for classes that may overlap.
        pub activation: Activation = Activation::Softmax,
        /// price α of false positives.
        pub alpha: f64 = 0.3,
        /// price β of false negatives.
        pub beta: f64 = 0.7,
        /// focusing exponent γ > 0; 1 is tversky.
        pub gamma: f64 = 4.0 / 3.0, samples [0.5, 1.0, 2.0],
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

impl LossKind for FocalTversky {
    const INFO: Info = Info {
        summary: "Focal Tversky: the Tversky loss of each class to the power 1/γ.",
        formula: "mean_c w_c·(1 − TI_c)^(1/γ),  TI_c = (TP + s)/(TP + α·FP + β·FN + s)",
        reference: "Abraham & Khan 2019, A novel focal Tversky loss function with improved attention U-Net for lesion segmentation, eq. 4",
        structure: Structure::Overlap,
        activation: None,
        reach: Reach::WithSlope,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] =
        &["", "gamma = 0.75\nregion = 'image'", "activation = 'sigmoid'\nsmooth = 1.0"];

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        tversky::prices(self.alpha, self.beta)?;
        number("gamma", self.gamma, self.gamma > 0.0, "a finite number > 0")?;
        smooth(self.smooth)?;
        average_acts(self.average, self.region, self.classes, shared.weights)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, classes: usize) -> Option<Box<dyn Family<T>>> {
        let Self { alpha, beta, smooth, gamma, .. } = *self;
        let exponents = vec![1.0 / gamma; classes];
        let score = Ratio { alpha, beta, smooth, exponents, ..Ratio::new(classes) };
        Some(Box::new(Overlap { score, form: Form::Product, sigmoid: self.activation.is_sigmoid() }))
    }
}
