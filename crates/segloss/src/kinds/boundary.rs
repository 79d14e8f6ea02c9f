//! Boundary loss: probability far outside of a class's true region costs its distance from there.
//!
//! ```text
//! value     L = Σ_c w_c·φ_c·p_c
//! gradient  ∂L/∂z_k = p_k·(g_k − Σ_c p_c·g_c),    g_c = w_c·φ_c
//! ```
//!
//! φ_c(x) is the signed exact Euclidean distance, in pixels, of x in its image from class c: outside, the
//! distance to the nearest pixel of c; inside, −(the distance to the nearest valid pixel of another class − 1)
//! ([`signed_distances`](crate::signed_distances)).
//!
//! - Shapes: as for [`cross_entropy`](super::cross_entropy), with one, two, three or more spatial axes, which
//!   is where distances are measured. Targets: indices or one-hot rows.
//! - Ignored pixels are neither inside nor outside: no distance is measured to them. They are not removed: the
//!   pixels around them keep their places.
//! - A class that is absent from an image, or alone in it, has no boundary there: φ = 0.
//! - The distances are of whole images. For a tile hand in its share
//!   ([`Input::with_distances`](crate::Input::with_distances)).
//! - Reduction: [`Mean`](crate::Reduction::Mean), divided by Σ over the valid pixels of Σ_c w_c, as every class
//!   has its part in every pixel: with weights 0 and 1 the mean over the chosen classes' maps.
//! - The value may be negative: it is smallest, not 0, where all is right.
//! - Confidently wrong: L is linear in p, so that its gradient vanishes with p_k at saturated logits, by the
//!   definition. The paper adds it to an overlap loss ([`combined`](super::combined)); add cross-entropy.
//!
//! Reference: Kervadec, Bouchtiba, Desrosiers, Granger, Dolz & Ben Ayed 2019, "Boundary loss for highly unbalanced
//! segmentation", eq. 5; the inside's − 1 is that of the authors' code.

use crate::element::Element;
use crate::families::Family;
use crate::families::boundary::Linear;
use crate::kind::{Info, LossKind, Reach};
use crate::options::{SharedKeys, options};

options! {
    /// The options of [`boundary`](self).
    pub struct Boundary {
    }
}

impl LossKind for Boundary {
    const INFO: Info = Info {
        summary: "Boundary loss: what is predicted far outside of a class's true region costs its distance.",
        formula: "Σ_c w_c·φ_c·p_c,  φ_c the signed Euclidean distance to the boundary of class c, negative inside",
        reference: "Kervadec et al. 2019, Boundary loss for highly unbalanced segmentation, eq. 5",
        hard_labels: true,
        reach: Reach::WithSlope,
        has_distances: true,
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &["", "[weights]\nsource = 'per_sample'"];

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Linear))
    }
}
