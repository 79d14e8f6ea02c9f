//! Results that are right but rarely what somebody meant.

use crate::sums::NonFinite;
use std::fmt;

/// Something the caller should know about a value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Every pixel is ignored: value 0, gradient 0.
    AllIgnored,
    /// There are valid pixels, but their weights sum to zero: value 0, gradient 0.
    NoWeight,
    /// Classes that have pixels here and none in the counts that the weights come from: they weigh nothing.
    UncountedClasses {
        /// Which.
        classes: Vec<usize>,
    },
    /// Every valid pixel is of one class: there is nothing to tell apart.
    OneClass {
        /// Which.
        class: usize,
    },
    /// The scheme gives every class the same weight, however often it occurs.
    ConstantScheme,
    /// Classes without a pixel that an overlap loss counts nevertheless: they cost about 1 each, with hardly a
    /// slope.
    AbsentCounted {
        /// Which.
        classes: Vec<usize>,
    },
    /// The [document](crate::source_document)'s S1 left the range in which it is defined.
    NonFinite(NonFinite),
    /// The [document](crate::source_document)'s S3 weight is the same for every class.
    ConstantWeight {
        /// The weight.
        weight: f64,
        /// C.
        classes: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllIgnored => f.write_str("every pixel is ignored: the value and its gradient are 0"),
            Self::NoWeight => {
                f.write_str("the valid pixels' weights sum to 0: the value and its gradient are 0")
            }
            Self::UncountedClasses { classes } => write!(
                f,
                "pixels of class {} weigh nothing: the counts that the weights come from have none of them; count all \
                 training images, or give absent classes a weight with `weights.absent`",
                numbers(classes)
            ),
            Self::OneClass { class } => {
                write!(
                    f,
                    "every valid pixel is of class {class}: any prediction of that class alone is perfect"
                )
            }
            Self::ConstantScheme => f.write_str(
                "`weights.scheme` gives every class the same weight, however often it occurs: it scales the loss and \
                 balances nothing; \"inverse_frequency\" does",
            ),
            Self::AbsentCounted { classes } => write!(
                f,
                "no pixel of the batch is of class {}, which costs about 1 with hardly a slope: \
                 `classes = \"present\"` leaves such classes out, a larger `smooth` softens them",
                numbers(classes)
            ),
            Self::NonFinite(NonFinite { count, first }) => write!(
                f,
                "{count} loss entries are NaN or infinite, the first at {first:?}: there the threshold \
                 pushes σ(z) + 0.5 − th out of (0, 1); binary_cross_entropy with threshold.logit_shift is \
                 the sound form"
            ),
            Self::ConstantWeight { weight, classes } => write!(
                f,
                "the weight is {weight} for each of the {classes} classes: it scales the loss and balances \
                 nothing; cross_entropy with weights.source = \"per_sample\" does"
            ),
        }
    }
}

fn numbers(classes: &[usize]) -> String {
    classes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(feature = "serde")]
impl serde::Serialize for Warning {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
