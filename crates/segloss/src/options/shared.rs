//! The keys beside a kind's own options, as far as kinds read them.

use super::threshold::Threshold;
use super::weights::WeightSpec;

/// What a kind sees of the rest of its specification.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedKeys<'a> {
    pub threshold: Option<&'a Threshold>,
    pub weights: &'a WeightSpec,
    /// How many losses the specification is a sum of.
    pub terms: usize,
}
