//! The arithmetic of the losses on blocks of 64 pixels, stage by stage.
//!
//! ```text
//! prefetch    memory that the block after the next one needs
//! staging     logits → planes, one per class           planes → gradient
//! target      shares of the classes, and labels of one-hot ones
//! softmax     exponentials, probabilities, and the way back from ∂L/∂p to ∂L/∂z
//! adjust      logits that depend on the label: LDAM, seesaw
//! pointwise   sums over pixels of a softmax        channels   the same of sigmoids
//! few_classes all of it at once, of 2 to 4 classes
//! overlap     TP, FP and FN by class               lovasz     errors to be sorted
//! ```
//!
//! A stage is a loop over the planes of a [`Block`](block::Block), compiled once for each instruction set
//! ([`simd`](crate::simd)); stages are joined at run time, so that a new loss compiles only its own arithmetic.

pub(crate) mod adjust;
pub(crate) mod block;
pub(crate) mod channels;
pub(crate) mod few_classes;
pub(crate) mod lovasz;
pub(crate) mod overlap;
pub(crate) mod plane;
pub(crate) mod pointwise;
pub(crate) mod power;
pub(crate) mod prefetch;
pub(crate) mod softmax;
pub(crate) mod staging;
pub(crate) mod target;
