//! What a sum is divided by.

use std::fmt;

/// What the sum over pixels is divided by. The words in brackets are older ones that are still read.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Reduction {
    /// Σ of the weights that multiply the pixels' targets: the weighted mean, as PyTorch's
    /// `reduction="mean"` for class indices. (For soft targets PyTorch divides by the pixels.) \[`weight_sum`\]
    #[cfg_attr(feature = "serde", serde(alias = "weight_sum"))]
    Mean,
    /// The number of pixels that are not ignored. \[`valid_pixels`\]
    #[cfg_attr(feature = "serde", serde(alias = "valid_pixels"))]
    MeanValid,
    /// Every entry of the loss map, ignored ones too: Keras' `sum_over_batch_size` (which, given an
    /// `ignore_class`, divides by the valid pixels instead). A map has one entry a pixel, or one per pixel
    /// and channel for the binary kinds. \[`elements`\]
    #[cfg_attr(feature = "serde", serde(alias = "elements"))]
    MeanAll,
    /// The number of images N. \[`images`\]
    #[cfg_attr(feature = "serde", serde(alias = "images"))]
    MeanImages,
    /// Nothing: the value is the sum, the gradient that of each pixel's own loss. \[`per_pixel`\]
    #[cfg_attr(feature = "serde", serde(alias = "per_pixel"))]
    Sum,
    /// A number that stays the same for every batch.
    Constant(f64),
}

impl fmt::Display for Reduction {
    /// The word in specifications.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean => f.write_str("mean"),
            Self::MeanValid => f.write_str("mean_valid"),
            Self::MeanAll => f.write_str("mean_all"),
            Self::MeanImages => f.write_str("mean_images"),
            Self::Sum => f.write_str("sum"),
            Self::Constant(x) => write!(f, "{{ constant = {x:?} }}"),
        }
    }
}
