//! Generalised Dice: the overlaps of all classes pooled, each weighted by the inverse square of its size.
//!
//! ```text
//! value     L = 1 − (2·Σ_c w_c·Σ m·p·y + s)/(Σ_c w_c·(Σ m·p + Σ m·y) + s)
//!             = Σ_c w_c·(FP_c + FN_c)/(Σ_c w_c·(2·TP_c + FP_c + FN_c) + s)
//!           w_c = 1/(Σ m·y_c)²      over the region, unless `weights.source` says otherwise
//! ```
//!
//! - Shapes, targets, activation, regions: as for [`dice`]. A region is one ratio, and the value is
//!   the mean over the regions.
//! - **Absent classes.** 1/0² is no weight. `weights.absent` says what stands for it: 0 (default) leaves the
//!   class out; `"largest_present"` gives it the largest finite weight, `{ cap = x }` this one. Implementations
//!   that let 1/(0 + ε)² stand give an absent class all of the sum: the loss is then 1 whatever is predicted.
//! - `smooth` is 0: w is as small as 1/(pixels of a class)², so that the usual 1e-5 would outweigh the sums.
//! - Denominator: [`WeightSum`](crate::Denominator::WeightSum) is the number of regions in which a class has weight.
//! - Confidently wrong: as for [`dice`], the gradient vanishes with p·(1 − p) by the definition.
//!
//! Reference: Sudre, Li, Vercauteren, Ourselin & Cardoso 2017, "Generalised Dice overlap as a deep learning loss
//! function for highly unbalanced segmentations", section 2.1.

use super::dice;
use crate::families::overlap::{Overlap, Ratio};
use crate::spec::LossSpec;

pub(crate) fn family(spec: &LossSpec, classes: usize) -> Overlap<Ratio> {
    let dice = dice::family(spec, classes);
    Overlap { score: Ratio { pooled: true, ..dice.score }, ..dice }
}
