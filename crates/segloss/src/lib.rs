//! Losses for imbalanced semantic segmentation: value and gradient, proven.
//!
//! A [`LossSpec`], read from a text or made by a [`LossBuilder`], names a loss with all its options; a [`Loss`]
//! computes it on an [`Input`] of logits and a [`Target`], and writes the gradient into a buffer that the caller
//! keeps. Nothing here knows a framework: the gradient fits any of them. Texts are read with the feature `serde`,
//! which is on by default.
//!
//! ```
//! use ndarray::array;
//! use segloss::{Input, Layout, Loss, Target};
//!
//! // The document's own formula (S3) on its worked example, channels-last. As a text it is
//! // "kind = 'document_categorical'\nlayout = 'channels_last'".
//! let loss = Loss::document_categorical().layout(Layout::ChannelsLast).build()?;
//! let logits = array![[[[0.5_f32, 0.3, 0.7], [0.6, 0.3, 0.2]], [[0.7, 0.9, 0.6], [0.3, 0.9, 0.3]]]];
//! let labels = array![[[1_u8, 0], [0, 1]]];
//! let input = Input::new(logits.view(), Target::indices(labels.view()))?;
//! let result = loss.value(&input)?;
//! assert_eq!(result.value as f32, 0.33938637);
//! println!("{}", result.warnings[0]); // its weight is 1/3 for every class and balances nothing
//! # Ok::<(), segloss::Error>(())
//! ```
//!
//! # Symbols
//!
//! N images, C classes, P pixels; z logits, p softmax, σ sigmoid; y target, w weight, m the weight of a
//! pixel in a map; f_c the share of class c among the valid pixels, π_c its prior. [`Layout`] says where the
//! class axis lies; both give the same values. Spatial axes may be any number.
//!
//! # Which loss
//!
//! [`Kind`] lists them all, [`kinds`] has a page for each with formula and source, and `segloss losses` prints what they
//! are for. They are sums over pixels (cross-entropy and its kin), ratios of overlaps (Dice and its kin), sorted errors
//! (Lovász), and sums of these, some of which have a name:
//!
//! ```
//! use segloss::{Loss, Preset, kinds::Combined};
//!
//! let loss = Loss::of(Combined { preset: Some(Preset::NnunetCeDice) }).build()?;
//! # Ok::<(), segloss::Error>(())
//! ```
//!
//! The kinds are a closed set, as each is proven: a loss of one's own is a file beside them (ARCHITECTURE.md).
//! "The document", and S1 to S10 in it, is the forum thread whose formulas this project began with: see
//! [`source_document`].
//!
//! # What holds for every kind
//!
//! - The value is numerator / denominator; the [`Reduction`] that makes the latter is named, never implied. Parts
//!   of a batch, tiles or images, combine to the whole ([`Loss::part`], [`Part::combine`],
//!   [`Loss::part_gradient`]), value and gradient. A tile of a boundary loss needs the distances of its whole image
//!   ([`Input::with_distances`]).
//! - Ignored pixels contribute nothing, even where their logits are NaN or ±∞: they are left out before
//!   anything is summed or sorted. With every pixel ignored the value is 0, the gradient is 0, and
//!   [`Warning::AllIgnored`] says so.
//! - [Weights](WeightSpec) and [priors](PriorSpec) come from the labels alone and are constants for the
//!   gradient.
//! - Results are bit-identical for any number of threads.
//! - A bad label, shape, weight or logit is an [`Error`] that names what was expected, what came and where.
//!
//! Beside the losses: [`border`] makes the U-Net's weight maps, [`signed_distances`] the level sets of the boundary
//! loss, [`squared_distances`] those to any pixels, [`class_prediction`] the document's S4.

#[doc = include_str!("../../../docs/source-document.md")]
pub mod source_document {}

pub mod border;
mod builder;
mod class_prediction;
mod counts;
mod description;
mod distance;
mod element;
mod error;
mod evaluation;
mod families;
mod geometry;
mod input;
mod kernels;
mod kind;
pub mod kinds;
mod label_counts;
mod layout;
mod loss;
mod options;
mod outcome;
mod part;
mod pass;
mod plan;
mod regions;
mod registry;
mod simd;
mod spec;
#[doc(hidden)]
pub mod spelling;
mod steps;
mod sums;
mod target;
mod tiles;
mod warning;
mod weights;

pub use builder::LossBuilder;
pub use class_prediction::class_prediction;
pub use counts::ClassCounts;
pub use distance::{signed_distances, squared_distances};
pub use element::Element;
pub use error::{Error, Problem};
pub use evaluation::Evaluation;
pub use input::Input;
#[doc(hidden)]
pub use kind::Reach;
pub use kinds::combined::Preset;
pub use kinds::{Kind, Options};
pub use label_counts::LabelCounts;
pub use layout::Layout;
pub use loss::Loss;
/// Arrays come in and go out as this version's.
pub use ndarray;
pub use options::{
    Absent, Activation, Average, Classes, Normalise, OptionInfo, PriorSpec, Reduction, Region, Scheme,
    SmoothingWeight, Source, Threshold, Value, WeightSpec,
};
pub use part::Part;
pub use plan::Plan;
pub use registry::KindInfo;
pub use simd::InstructionSet;
pub use spec::{LossSpec, Term};
pub use sums::{ClassSums, NonFinite, Sums};
pub use target::{Label, Target};
pub use warning::Warning;
