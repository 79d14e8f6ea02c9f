//! The losses, a file each: formula, value and gradient side by side.
//!
//! Symbols, here and in every file: z logits, z' shifted logits, p softmax, σ sigmoid, y target, w
//! weight, C classes; c and k run over classes. Each function computes one pixel; the sum over
//! pixels and its denominator are the same for all kinds and live in [`Loss`](crate::Loss).

pub mod binary_cross_entropy;
pub mod cross_entropy;
pub mod document_binary;
pub mod document_categorical;
pub mod document_sigmoid;

use crate::element::Element;

/// The target of one pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PixelTarget<'a, T> {
    /// The channel that is raised; for a single binary channel perhaps none.
    Index(Option<usize>),
    /// y_c for every class.
    Distribution(&'a [T]),
}

impl<T: Element> PixelTarget<'_, T> {
    /// y_c.
    fn of(&self, class: usize) -> T {
        match self {
            Self::Index(raised) if *raised == Some(class) => T::one(),
            Self::Index(_) => T::zero(),
            Self::Distribution(y) => y[class],
        }
    }
}

/// The weight columns of one pixel's scope, twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PixelWeights<'a, T> {
    /// For the loss: w.
    pub loss: &'a [T],
    /// For the gradient: w / denominator, divided in f64 and rounded once.
    pub gradient: &'a [T],
}

/// One pixel: what a kind reads of it, and what it writes. All but the weights have C entries.
#[derive(Debug)]
pub(crate) struct Pixel<'a, T> {
    /// The logits, shifted by the threshold.
    pub z: &'a [T],
    /// The target.
    pub y: PixelTarget<'a, T>,
    /// The weights of its scope.
    pub w: PixelWeights<'a, T>,
    /// Out: each class's share of the loss.
    pub loss: &'a mut [T],
    /// Out: d(Σ loss / denominator)/dz. May serve as scratch before.
    pub gradient: &'a mut [T],
}

/// A loss of one pixel.
pub(crate) trait PixelLoss<T: Element>: Sync {
    /// Overwrites the pixel's loss and gradient.
    fn pixel(&self, pixel: Pixel<'_, T>);
}
