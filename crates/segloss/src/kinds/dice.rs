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
//! - Denominator: [`WeightSum`](crate::Denominator::WeightSum) = Σ of the weights of the classes and regions that
//!   count, so that the value is a mean over them.
//! - Absent classes: with `classes = "all"` (default) L_c = FP/(FP + s), which is 1 or nearly so wherever s is
//!   small against what is predicted, with hardly a slope; `"present"` leaves the class out of the mean.
//!   Something between: a larger s (`smooth`, 1e-5).
//! - Nothing there, nothing predicted, s = 0: 0/0 is no error, 0.
//! - Ignored pixels are in no sum; an image of ignored pixels is no region.
//! - Confidently wrong: L depends on p alone, whose slope by z is p·(1 − p): at saturated logits the
//!   gradient vanishes by the definition, also where wrong. Cross-entropy's does not ([`combined`](super::combined)).
//!
//! Reference: Milletari, Navab & Ahmadi 2016, "V-Net", section 3 (squared); Drozdzal, Vorontsov, Chartrand, Kadoury
//! & Pal 2016, "The importance of skip connections in biomedical image segmentation", eq. 1.

use crate::families::overlap::{Overlap, Ratio};
use crate::kernels::overlap::Form;
use crate::spec::{LossSpec, Number};

pub(crate) fn family(spec: &LossSpec, classes: usize) -> Overlap<Ratio> {
    Overlap {
        score: Ratio {
            intersection: 2.0,
            alpha: 1.0,
            beta: 1.0,
            smooth: spec.number(Number::Smooth),
            exponents: vec![1.0; classes],
            pooled: false,
        },
        form: if spec.squared.unwrap_or(false) { Form::Squared } else { Form::Product },
        sigmoid: spec.is_sigmoid(),
    }
}
