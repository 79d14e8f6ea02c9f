//! How losses are computed: five ways from pixels to a value and back to a gradient.
//!
//! ```text
//! pixels    Σ over pixels                       value and gradient in one pass
//! recall    pass: misses per class   → weights  → pass: cross-entropy's gradient
//! overlap   pass: sums per class     → ratios   → pass: gradient
//! lovasz    pass: errors per class   → sort     → pass: gradient
//! top_k     pass: loss of each pixel → sort     → pass: gradient of the hardest
//! ```

pub(crate) mod blocks;
pub(crate) mod few;
pub(crate) mod lovasz;
pub(crate) mod overlap;
pub(crate) mod pixels;
pub(crate) mod recall;
pub(crate) mod top_k;
