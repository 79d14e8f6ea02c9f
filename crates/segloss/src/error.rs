//! What can be wrong with a loss's description or its input, said so that it can be mended.

use crate::layout::Layout;
use std::fmt::Write;

/// An error of this crate: which operation failed, and on what.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{operation}: {problem}")]
pub struct Error {
    /// The operation that refused: a loss kind's name, "loss specification", or what was to be combined.
    pub operation: &'static str,
    /// What it found.
    pub problem: Problem,
}

/// What was expected, what came, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text of a specification is not TOML or JSON, or has an unknown key or value.
    #[error("{message}")]
    Syntax {
        /// The parser's words, with line and column.
        message: String,
    },
    /// An option has a value that this kind of loss cannot use.
    #[error("`{key}` is {found}; expected {expected}")]
    Option {
        /// The option's key in the specification.
        key: &'static str,
        /// What it may be.
        expected: String,
        /// What it was.
        found: String,
    },
    /// An option that nothing reads: it would be ignored in silence.
    #[error("`{key}` has no effect {because}")]
    NoEffect {
        /// The option's key in the specification.
        key: &'static str,
        /// Why, and what would make it act.
        because: String,
    },
    /// Logits need an image and a class axis.
    #[error("logits have shape {found:?}; expected at least two axes, images and classes")]
    Rank {
        /// The shape that came.
        found: Vec<usize>,
    },
    /// An axis of length zero.
    #[error("logits have shape {found:?}; an axis of length 0 leaves nothing to compute")]
    Empty {
        /// The shape that came.
        found: Vec<usize>,
    },
    /// Two arrays that belong together do not fit.
    #[error("{operand} has shape {found:?}; expected {expected:?} beside these logits{}", or_layout(*fitting))]
    Shape {
        /// Which array.
        operand: &'static str,
        /// The shape it must have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
        /// The layout in which it would fit.
        fitting: Option<Layout>,
    },
    /// A softmax over one channel is 1 whatever the logit: no value, no gradient.
    #[error(
        "these logits have one channel, over which a softmax is always 1: nothing would be learned; for one class \
         against the rest use `kind = \"binary_cross_entropy\"`{}, or logits of two channels", or_sigmoid(*sigmoid)
    )]
    OneChannel {
        /// Whether this kind takes `activation = "sigmoid"`.
        sigmoid: bool,
    },
    /// A flat buffer has the wrong number of elements.
    #[error("{operand} holds {found} elements; expected {expected}")]
    Length {
        /// Which buffer.
        operand: &'static str,
        /// How many elements it must hold.
        expected: usize,
        /// How many it holds.
        found: usize,
    },
    /// An array view whose elements do not lie in row-major order without gaps.
    #[error("{operand} is not contiguous in row-major order; pass `.as_standard_layout()` of it")]
    NotContiguous {
        /// Which array.
        operand: &'static str,
    },
    /// A class index that names no class.
    #[error("target label {label} at {index:?} is no class: expected 0..={} {}", classes - 1, or_ignored(*ignore_index))]
    Label {
        /// The label that came.
        label: i64,
        /// How many labels there are.
        classes: usize,
        /// The label that would have been ignored.
        ignore_index: Option<i64>,
        /// Where: (image, spatial…).
        index: Vec<usize>,
    },
    /// An entry of a target distribution that is negative, NaN or infinite.
    #[error("target holds {value} for class {class} at {index:?}; expected a number from 0 to 1{}", or_divided(*value))]
    Distribution {
        /// The value that came.
        value: f64,
        /// The class it stands for.
        class: usize,
        /// Where: (image, spatial…).
        index: Vec<usize>,
    },
    /// A pixel whose classes do not share one whole between them.
    #[error("the target's classes at {index:?} sum to {sum}; expected 1{}", or_masked(*sum))]
    RowSum {
        /// What they sum to.
        sum: f64,
        /// Where: (image, spatial…).
        index: Vec<usize>,
    },
    /// A pixel that is shared by several classes, or in part by one, where the loss needs one class.
    #[error(
        "target holds {value} for class {class} at {index:?}; this kind sorts pixels or measures regions, and needs \
         one whole class a pixel: indices or one-hot rows"
    )]
    SoftTarget {
        /// The value that came.
        value: f64,
        /// The class it stands for.
        class: usize,
        /// Where: (image, spatial…).
        index: Vec<usize>,
    },
    /// A per-pixel weight that is negative, NaN or infinite.
    #[error("the weight map holds {value} at {index:?}; expected a finite number ≥ 0")]
    WeightMap {
        /// The value that came.
        value: f64,
        /// Where: (image, spatial…).
        index: Vec<usize>,
    },
    /// `source = "map"` without a map.
    #[error("`weights.source` is map, but no weight map came with the input")]
    NoWeightMap,
    /// `source = "dataset"` without the counts of a data set.
    #[error(
        "`{key}` is dataset, but the specification has no [dataset] counts; `segloss weights --data DIR --toml` \
         prints them"
    )]
    NoDataset {
        /// The option that asks for them.
        key: &'static str,
    },
    /// There is no loss of a single pixel.
    #[error("this loss is no sum over pixels, so that it has no map")]
    NoMap,
    /// A part's gradient depends on the other parts.
    #[error(
        "the gradient of a part needs the sums of all parts: use `Loss::part_gradient` once they are combined"
    )]
    NeedsTotals,
    /// A logit of a valid pixel that leaves the loss undefined.
    #[error(
        "logit of class {class} at {index:?} is {value}; ignored pixels may hold anything, valid ones must be finite"
    )]
    Logit {
        /// The value that came.
        value: f64,
        /// The class it stands for.
        class: usize,
        /// Where: (image, spatial…).
        index: Vec<usize>,
    },
    /// The loss of a pixel leaves the range of its number type although its logits are finite.
    #[error("the loss at {index:?} overflows {element}: its weights are too large for this number type")]
    Overflow {
        /// The number type.
        element: &'static str,
        /// Where: (image, spatial…).
        index: Vec<usize>,
    },
    /// The number of weights, thresholds or other per-class options differs from the number of classes.
    #[error("`{key}` has {found} entries; these logits need {expected}")]
    PerClass {
        /// The option's key in the specification.
        key: &'static str,
        /// How many are needed.
        expected: usize,
        /// How many came.
        found: usize,
    },
    /// Two things that belong together, of which one has more classes, images or terms than the other.
    #[error("{operand} has {found} {of}; expected {expected}")]
    Mismatch {
        /// Which of the two is refused.
        operand: &'static str,
        /// What it has: classes, images, regions or terms.
        of: &'static str,
        /// As many as the other has.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A plan or a part that was made by another loss.
    #[error(
        "{operand} is of another loss: each loss joins what it has made itself, or a loss of the same specification"
    )]
    OtherLoss {
        /// Which.
        operand: &'static str,
    },
    /// Parts that together are not what was counted.
    #[error(
        "the parts hold {found} valid pixels of image {image}, of which the plan counted {expected}: a part is missing, \
         came twice, or is of another image"
    )]
    Incomplete {
        /// Its number among all images.
        image: usize,
        /// Valid pixels that were counted.
        expected: u64,
        /// Those of all parts.
        found: u64,
    },
    /// Parts whose labels or weight maps are not those that were counted.
    #[error("the labels or pixel weights of image {image} are not those that the plan counted")]
    OtherLabels {
        /// Its number among all images.
        image: usize,
    },
    /// A tile without the distances of its image.
    #[error(
        "a tile of {tile} pixels of an image of {image}: distances to its borders are known of the whole image only; pass \
         its rows of `signed_distances` with `Input::with_distances`"
    )]
    NeedsDistances {
        /// Pixels of the tile.
        tile: usize,
        /// Pixels of the image.
        image: u64,
    },
    /// A value, or what its gradient is multiplied with, that the number type does not hold although f64 does.
    #[error(
        "{what} is {found:e}, which overflows {element}: weights or factors are too large for this number type"
    )]
    TooLarge {
        /// The value, or the scale of the gradient.
        what: &'static str,
        /// What it came to.
        found: f64,
        /// The number type.
        element: &'static str,
    },
    /// Weights so small that the number type rounds each pixel's loss to 0 or to a few digits, and their gradient not.
    #[error(
        "the valid pixels weigh {found:e} on average, which underflows {element}: scale the weights, which a mean divides \
         by their sum"
    )]
    TooSmall {
        /// The mean weight.
        found: f64,
        /// The number type.
        element: &'static str,
    },
    /// A value or a gradient that is no finite number although all logits are.
    #[error(
        "{what} is {found}: weights, factors, exponents or the weight map are too large or too small for the numbers it is \
         computed in"
    )]
    NotFinite {
        /// The value or the gradient.
        what: &'static str,
        /// What it came to; of a gradient its first such entry.
        found: f64,
    },
    /// Images that a plan does not cover.
    #[error("{start}..{end} are no images of a plan that covers {images}")]
    NoSuchImages {
        /// The first image that was asked for.
        start: usize,
        /// The one behind the last.
        end: usize,
        /// Images in the plan.
        images: usize,
    },
    /// Running counts that are not those of the loss.
    #[error(
        "{found} running counts came; this loss keeps {expected}: its own, and those of each of its terms"
    )]
    RunningCounts {
        /// How many it keeps.
        expected: usize,
        /// How many came.
        found: usize,
    },
    /// A plan made for other images than those of the part.
    #[error(
        "the plan covers {plan} images of {plan_classes} classes; this part has {part} of {part_classes}"
    )]
    Plan {
        /// Images in the plan.
        plan: usize,
        /// Classes in the plan.
        plan_classes: usize,
        /// Images in the part.
        part: usize,
        /// Classes in the part.
        part_classes: usize,
    },
}

impl Problem {
    /// [`Problem::Mismatch`] unless there are as many as expected.
    pub(crate) fn unless_equal(
        operand: &'static str,
        of: &'static str,
        expected: usize,
        found: usize,
    ) -> Result<(), Self> {
        match expected == found {
            true => Ok(()),
            false => Err(Self::Mismatch { operand, of, expected, found }),
        }
    }
}

fn or_divided(value: f64) -> &'static str {
    match value > 1.0 && value <= 255.0 && value.fract() == 0.0 {
        true => {
            "; a one-hot mask stored as 0 and 255 is to be divided by 255, and class indices have no class axis"
        }
        false => "",
    }
}

fn or_masked(sum: f64) -> &'static str {
    match sum == 0.0 {
        true => {
            ": a pixel of no class is left out with a mask; classes that may overlap, or be absent, are for sigmoid kinds"
        }
        false => {
            ": a softmax shares one whole between the classes; classes that may overlap are for sigmoid kinds"
        }
    }
}

fn or_layout(fitting: Option<Layout>) -> &'static str {
    match fitting {
        None => "",
        Some(Layout::ChannelsFirst) => "; it would fit `layout = \"channels_first\"`",
        Some(Layout::ChannelsLast) => "; it would fit `layout = \"channels_last\"`",
    }
}

fn or_sigmoid(sigmoid: bool) -> &'static str {
    if sigmoid { " or `activation = \"sigmoid\"`" } else { "" }
}

fn or_ignored(ignore_index: Option<i64>) -> String {
    let mut text = String::new();
    match ignore_index {
        Some(label) => _ = write!(text, "or the ignored {label}"),
        None => text.push_str("(no `ignore_index` is set)"),
    }
    text
}
