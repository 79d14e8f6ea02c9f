//! Lovász hinge: the convex extension of the Jaccard loss on hinge errors, for one class or classes that may
//! overlap.
//!
//! ```text
//! value     L_c = Σ_i max(0, e_(i))·(J_i − J_(i−1)),    e = 1 − z where y = 1, 1 + z where y = 0, in falling order
//!           J_i = the Jaccard loss 1 − IoU of the channel if the first i were mistaken
//!           L = Σ_regions Σ_c w_c·L_c / Σ_regions Σ_c w_c
//! gradient  ∂L_c/∂z = ∓(J_i − J_(i−1)) where e > 0, else 0; ties share
//! ```
//!
//! - Shapes: as for [`binary_cross_entropy`](super::binary_cross_entropy); a channel is a problem of its own.
//!   Targets: indices, or rows of zeros and ones.
//! - `classes = "all"` (default): a channel without positives pays for its largest error. `"present"` leaves it
//!   out.
//! - Ties, regions, reduction, maps: as for [`lovasz_softmax`](super::lovasz_softmax). At e = 0 the slope is 0.
//! - Confidently wrong: the errors grow like |z|, and the slope is their step in J, whatever z is. The J of many
//!   mistakes is spread among them: it is small for each, but never zero for a positive.
//! - All ignored: 0.
//!
//! Reference: Berman, Rannen Triki & Blaschko 2018, "The Lovász-softmax loss", eqs. 6 and 7; Yu & Blaschko 2015,
//! "Learning submodular losses with the Lovász hinge".

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::lovasz::Lovasz;
use crate::kernels::lovasz::ErrorForm;
use crate::kind::{Info, LossKind, Reach, Structure};
use crate::options::{Activation, Average, Classes, Region, SharedKeys, average_acts, options};

options! {
    /// The options of [`lovasz_hinge`](self).
    pub struct LovaszHinge {
        /// batch or image: over which pixels the loss sums or sorts.
        pub region: Region = Region::Batch, samples [Region::Batch, Region::Image],
        /// beside region = image: over all (image, class) pairs, or over images, of the means over their classes.
        pub average: Option<Average> = None, samples [Average::Pairs, Average::Images],
        /// all, present, or foreground: which classes of a region count.
        pub classes: Classes = Classes::All, samples [Classes::All, Classes::Present],
    }
}

impl LossKind for LovaszHinge {
    const INFO: Info = Info {
        summary: "Lovász hinge: the convex surrogate of IoU for one class, or classes that may overlap.",
        formula: "mean_c w_c·Σ_i max(0, e_(i))·(J_i − J_(i−1)),  e = 1 − z where y = 1, 1 + z where y = 0",
        reference: "Berman et al. 2018, The Lovász-Softmax loss, eqs. 6 and 7; Yu & Blaschko 2015",
        structure: Structure::Lovasz,
        hard_labels: true,
        activation: Some(Activation::Sigmoid),
        // The step in J of one mistake among the two pixels of a class, over the classes.
        reach: Reach::Always(0.9 / 2.0 / 3.0),
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] =
        &["", "classes = 'present'\nregion = 'image'", "[weights]\nsource = 'per_batch'"];

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        average_acts(self.average, self.region, self.classes, shared.weights)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Lovasz { form: ErrorForm::Hinge }))
    }
}
