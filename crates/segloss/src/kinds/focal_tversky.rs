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
//! The paper sums over the classes; `denominator = "per_pixel"` does, the default is the mean. All else as for
//! [`tversky`].
//!
//! Reference: Abraham & Khan 2019, "A novel focal Tversky loss function with improved attention U-Net for lesion
//! segmentation", eq. 4.

use super::tversky;
use crate::families::overlap::{Overlap, Ratio};
use crate::spec::{LossSpec, Number};

pub(crate) fn family(spec: &LossSpec, classes: usize) -> Overlap<Ratio> {
    let tversky = tversky::family(spec, classes);
    let exponents = vec![1.0 / spec.number(Number::Gamma); classes];
    Overlap { score: Ratio { exponents, ..tversky.score }, ..tversky }
}
