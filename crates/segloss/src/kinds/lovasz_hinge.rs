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
//! - Ties, regions, denominator, maps: as for [`lovasz_softmax`](super::lovasz_softmax). At e = 0 the slope is 0.
//! - Confidently wrong: the errors grow like |z|, and the slope is their step in J, whatever z is. The J of many
//!   mistakes is spread among them: it is small for each, but never zero for a positive.
//! - All ignored: 0.
//!
//! Reference: Berman, Rannen Triki & Blaschko 2018, "The Lovász-softmax loss", eqs. 6 and 7; Yu & Blaschko 2015,
//! "Learning submodular losses with the Lovász hinge".

use crate::families::lovasz::Lovasz;
use crate::kernels::lovasz::ErrorForm;

pub(crate) fn family() -> Lovasz {
    Lovasz { form: ErrorForm::Hinge }
}
