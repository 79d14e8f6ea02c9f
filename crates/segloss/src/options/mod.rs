//! What a specification says of a loss, key by key: values, words, weights and shifts, and what is refused of them.

pub(crate) mod checks;
mod choices;
mod reduction;
mod shared;
pub(crate) mod table;
mod threshold;
pub(crate) mod value;
mod weights;
#[cfg(feature = "serde")]
mod written;

pub(crate) use checks::{acts, average_acts, number, option, smooth, smoothing, smoothing_acts};
pub use choices::{Activation, Average, Classes, Region, SmoothingWeight};
pub use reduction::Reduction;
pub(crate) use shared::SharedKeys;
pub use table::OptionInfo;
pub(crate) use table::{OptionTable, options};
pub use threshold::Threshold;
pub use value::Value;
pub(crate) use value::{OptionValue, words};
pub use weights::{Absent, Normalise, PriorSpec, Scheme, Source, WeightSpec};
pub(crate) use weights::{DEFAULT_PRIOR, SOURCES};
