//! Jaccard metric loss: the Jaccard loss that is right for soft labels, too.
//!
//! ```text
//! value     L_c = E/(TP + E + s),    TP = Σ m·min(p, y),    E = Σ m·|p − y|
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! gradient  ∂TP/∂p = m where p < y;  ∂E/∂p = m where p > y, −m where p < y;  0 where p = y
//! ```
//!
//! On labels it is [`jaccard`](super::jaccard), to the bit. On distributions that one is not smallest at p = y: with
//! products p·y it pulls every p to 0 or 1. This one is 0 at p = y and nowhere else.
//!
//! All else as for [`dice`](super::dice).
//!
//! Reference: Wang, Ning & Blaschko 2023, "Jaccard metric losses: optimizing the Jaccard index with soft labels", eq. 6.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::overlap::Overlap;
use crate::kernels::overlap::Form;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{Activation, Average, Classes, Region, SharedKeys, average_acts, options, smooth};
use crate::regions::overlap::Ratio;

options! {
    /// The options of [`jaccard_metric`](self).
    pub struct JaccardMetric {
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

impl LossKind for JaccardMetric {
    const INFO: Info = Info {
        summary: "Jaccard metric loss: Jaccard on labels, and right on soft labels, where Jaccard is not.",
        formula: "mean_c w_c·(1 − (Σp + Σy − Σ|p − y| + s')/(Σp + Σy + Σ|p − y| + s')),  s' = 2·s",
        reference: "Wang et al. 2023, Jaccard metric losses: optimizing the Jaccard index with soft labels, eq. 6",
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
        let score = Ratio { smooth: self.smooth, ..Ratio::new(classes) };
        Some(Box::new(Overlap { score, form: Form::Metric, sigmoid: self.activation.is_sigmoid() }))
    }
}
