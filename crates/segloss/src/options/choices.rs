//! The choices that many kinds offer: a word each.

use super::value::words;

/// What makes probabilities of logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Activation {
    /// p = softmax(z): each pixel has one class.
    #[default]
    Softmax,
    /// p = σ(z): every channel is a problem of its own, and classes may overlap.
    Sigmoid,
}

impl Activation {
    /// Whether every channel is a binary problem of its own.
    pub(crate) fn is_sigmoid(self) -> bool {
        self == Self::Sigmoid
    }
}

/// Over which pixels a kind sums, or sorts, before it divides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Region {
    /// Over all images together.
    #[default]
    Batch,
    /// Over each image by itself; images without a valid pixel are left out, the others averaged.
    Image,
}

/// Which classes of a region count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Classes {
    /// All of them; what is predicted of an absent class is its false positives.
    #[default]
    All,
    /// Those with a target in the region.
    Present,
    /// All but class 0, where that is the background.
    Foreground,
}

/// Which class weight the smoothed part of a label has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum SmoothingWeight {
    /// That of the pixel's own label: a pixel of a common class never weighs more for a rare one.
    #[default]
    Label,
    /// That of each class its share goes to, as in PyTorch's `cross_entropy(weight=, label_smoothing=)`.
    Class,
}

/// Over what the losses of classes and images are averaged, where each image is a region of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Average {
    /// Over all (image, class) pairs that count: an image with more classes has more weight.
    #[default]
    Pairs,
    /// Over the classes of each image, then over the images: `per_image` of the Lovász authors' code.
    Images,
}

words! { Activation { Softmax = "softmax", Sigmoid = "sigmoid" } }
words! { Region { Batch = "batch", Image = "image" } }
words! { Classes { All = "all", Present = "present", Foreground = "foreground" } }
words! { SmoothingWeight { Label = "label", Class = "class" } }
words! { Average { Pairs = "pairs", Images = "images" } }
