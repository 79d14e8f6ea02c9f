//! Tversky: an overlap in which false positives and false negatives have prices of their own.
//!
//! ```text
//! value     L_c = 1 − (TP + s)/(TP + α·FP + β·FN + s) = (α·FP + β·FN)/(TP + α·FP + β·FN + s)
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! ```
//!
//! α (0.3) is the price of what is taken for the class and is not, β (0.7) of what is missed. α = β = ½ is
//! [`dice`](super::dice) with half its s, α = β = 1 is [`jaccard`](super::jaccard).
//!
//! The ratio is taken class by class. Over all classes together Σ FP = Σ FN under softmax, and α and β would
//! be the same number.
//!
//! All else as for [`dice`](super::dice).
//!
//! Reference: Salehi, Erdogmus & Gholipour 2017, "Tversky loss function for image segmentation using 3D fully
//! convolutional deep networks", eq. 2.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::kernels::overlap::Form;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{
    Activation, Average, Classes, Region, SharedKeys, average_acts, number, option, options, smooth,
};
use crate::regions::overlap::Ratio;

options! {
    /// The options of [`tversky`](self).
    pub struct Tversky {
        /// softmax, or sigmoid for classes that may overlap.
        pub activation: Activation = Activation::Softmax,
        /// price α of false positives.
        pub alpha: f64 = 0.3,
        /// price β of false negatives.
        pub beta: f64 = 0.7,
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

impl LossKind for Tversky {
    const INFO: Info = Info {
        summary: "Tversky: an overlap in which false positives and false negatives have prices of their own.",
        formula: "mean_c w_c·(1 − (TP + s)/(TP + α·FP + β·FN + s))",
        reference: "Salehi et al. 2017, Tversky loss function for image segmentation using 3D fully convolutional deep networks, eq. 2",
        structure: Structure::Overlap,
        activation: None,
        reach: Reach::WithSlope,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] =
        &["", "alpha = 0.8\nbeta = 0.0\nclasses = 'present'", "activation = 'sigmoid'\nregion = 'image'"];

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        prices(self.alpha, self.beta)?;
        smooth(self.smooth)?;
        average_acts(self.average, self.region, self.classes, shared.weights)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, classes: usize) -> Option<Box<dyn Family<T>>> {
        let Self { alpha, beta, smooth, .. } = *self;
        let score = Ratio { alpha, beta, smooth, ..Ratio::new(classes) };
        Some(Box::new(Overlap { score, form: Form::Product, sigmoid: self.activation.is_sigmoid() }))
    }
}

/// Checks α and β.
pub(crate) fn prices(alpha: f64, beta: f64) -> Result<(), Error> {
    number("alpha", alpha, alpha >= 0.0, "a finite number ≥ 0")?;
    number("beta", beta, beta >= 0.0, "a finite number ≥ 0")?;
    match alpha + beta == 0.0 {
        true => Err(option("alpha", "above 0 beside beta = 0: nothing would be an error", alpha)),
        false => Ok(()),
    }
}
