//! The losses, a page each: formula, source, and value and gradient side by side.
//!
//! Symbols, here and on every page: z logits, after any shift by `threshold`; p softmax, σ sigmoid; y target,
//! m the weight of a pixel in the map, w the weight of a class; s smoothing, C classes; c and k run over
//! classes. Sums are over the valid pixels.
//!
//! A kind names its family, which computes it, and states its own arithmetic: the cost of a pixel and its slope, or the
//! score of a region's sums and theirs. The pass over the pixels, the sums and their denominator are the same for all.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::kind::{Component, Info, LossKind};
use crate::options::{OptionTable, SharedKeys};

/// Makes the list of kinds: a module and the struct of options in it, for each. The module's name is the name in
/// specifications, that of the struct the variant.
macro_rules! kinds {
    ($($module:ident::$Kind:ident,)+) => {
        $(pub mod $module;)+
        $(pub use $module::$Kind;)+

        /// A kind of loss. Each has a file of its own under [`kinds`](crate::kinds), with value, gradient and source.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
        pub enum Kind {
            $(
                #[doc = concat!("[`", stringify!($module), "`](crate::kinds::", stringify!($module), ").")]
                $Kind,
            )+
        }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const ALL: [Self; [$(Self::$Kind),+].len()] = [$(Self::$Kind),+];

            /// The name in specifications.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$Kind => stringify!($module),)+
                }
            }

            /// The options that it has by default.
            pub fn options(self) -> Options {
                match self {
                    $(Self::$Kind => Options::$Kind($Kind::default()),)+
                }
            }

            /// See [`LossKind::SAMPLES`].
            #[doc(hidden)]
            pub fn samples(self) -> &'static [&'static str] {
                match self {
                    $(Self::$Kind => $Kind::SAMPLES,)+
                }
            }

            pub(crate) fn entry(self) -> &'static Info {
                match self {
                    $(Self::$Kind => &$Kind::INFO,)+
                }
            }
        }

        /// A kind with the options of its own.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Options {
            $(
                #[doc = concat!("Those of [`", stringify!($module), "`](crate::kinds::", stringify!($module), ").")]
                $Kind($Kind),
            )+
        }

        $(
            impl From<$Kind> for Options {
                fn from(options: $Kind) -> Self {
                    Self::$Kind(options)
                }
            }
        )+

        impl Options {
            /// The kind whose options these are.
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$Kind(_) => Kind::$Kind,)+
                }
            }

            pub(crate) fn table(&self) -> &dyn OptionTable {
                match self {
                    $(Self::$Kind(options) => options,)+
                }
            }

            pub(crate) fn table_mut(&mut self) -> &mut dyn OptionTable {
                match self {
                    $(Self::$Kind(options) => options,)+
                }
            }

            pub(crate) fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
                match self {
                    $(Self::$Kind(options) => options.validate(shared),)+
                }
            }

            pub(crate) fn components(&self) -> Vec<Component> {
                match self {
                    $(Self::$Kind(options) => options.components(),)+
                }
            }

            pub(crate) fn component_weights(
                &self,
                component: usize,
                classes: usize,
            ) -> Result<Option<Vec<f64>>, (&'static str, String, String)> {
                match self {
                    $(Self::$Kind(options) => options.component_weights(component, classes),)+
                }
            }

            pub(crate) fn parameters(&self, prior: &[f64], seen: &[bool]) -> Vec<f64> {
                match self {
                    $(Self::$Kind(options) => options.parameters(prior, seen),)+
                }
            }

            pub(crate) fn family<T: Element>(
                &self,
                shared: &SharedKeys<'_>,
                component: usize,
                classes: usize,
            ) -> Option<Box<dyn Family<T>>> {
                match self {
                    $(Self::$Kind(options) => options.family(shared, component, classes),)+
                }
            }
        }
    };
}

/// Hands the list of kinds to a macro. A kind is a file beside this one and a line here.
macro_rules! each_kind {
    ($make:ident) => {
        $make! {
            cross_entropy::CrossEntropy,
            binary_cross_entropy::BinaryCrossEntropy,
            document_binary::DocumentBinary,
            document_sigmoid::DocumentSigmoid,
            document_categorical::DocumentCategorical,
            focal::Focal,
            poly1_cross_entropy::Poly1CrossEntropy,
            seesaw::Seesaw,
            ldam::Ldam,
            recall_cross_entropy::RecallCrossEntropy,
            top_k_cross_entropy::TopKCrossEntropy,
            dice::Dice,
            jaccard::Jaccard,
            generalized_dice::GeneralizedDice,
            tversky::Tversky,
            focal_tversky::FocalTversky,
            unified_focal::UnifiedFocal,
            jaccard_metric::JaccardMetric,
            dice_semimetric::DiceSemimetric,
            mcc::Mcc,
            exponential_logarithmic::ExponentialLogarithmic,
            lovasz_softmax::LovaszSoftmax,
            lovasz_hinge::LovaszHinge,
            boundary::Boundary,
            combined::Combined,
        }
    };
}
pub(crate) use each_kind;

each_kind!(kinds);

#[allow(clippy::derivable_impls, reason = "the enum is made of a list")]
impl Default for Kind {
    fn default() -> Self {
        Self::CrossEntropy
    }
}

impl Default for Options {
    fn default() -> Self {
        Kind::default().options()
    }
}
