//! Which loss is it? From what somebody's function answers to the loss that explains the answers.
//!
//! ```text
//! capture ─► observation ─► reading × shapes ─► fit, near ─► judge ─► diagnosis ─► report, page
//! (arrays)   (one form)     (hypotheses)        (factors,    (explain: (what is
//!                                                numbers)     weights)  wrong)
//! ```
//!
//! A hypothesis is a reading of the arguments and a loss of the registry; a kind that is new there is known here.

mod about;
mod answer;
mod behaviour;
pub mod benchmark;
mod capture;
mod cause;
mod diagnosis;
mod dialect;
mod error;
mod expectations;
mod expected;
mod explain;
mod finding;
mod fit;
mod focal_of_weighted;
mod heat;
mod identified;
mod judge;
mod layouts;
mod logit_shift;
mod misreadings;
mod near;
mod numbers;
mod observation;
mod own_class;
mod page;
pub mod probe;
pub mod random;
mod reading;
mod remarks;
mod report;
mod sample;
mod search;
mod several;
mod shapes;
mod sums;
mod swapped;
mod symptoms;
mod unusual;
mod weighted_sums;
mod whole;

pub use about::About;
pub use capture::Capture;
pub use cause::Cause;
pub use dialect::Dialect;
pub use error::CheckError;
pub use expected::{Expected, expected};
pub use explain::{Explanation, weights_in_words};
pub use finding::Finding;
pub use identified::{Identified, ValueFit, name};
pub use layouts::judge;
pub use observation::Observation;
pub use page::page;
pub use report::{Report, Verdict};
pub use search::{Found, Nearest, search};
