//! The result of a loss over all its pixels.

use crate::sums::Sums;
use crate::warning::Warning;
use ndarray::Array2;

/// The result of a loss over the whole of its scope.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Evaluation {
    /// numerator / denominator; 0 where there is nothing to divide by. NaN or ∞ only from
    /// `document_binary`, and then [`Warning::NonFinite`] says where.
    pub value: f64,
    /// The sums behind it, in total and class by class.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub sums: Sums,
    /// The weights in force, one row per scope: see [`Plan::effective_weights`](crate::Plan::effective_weights).
    #[cfg_attr(feature = "serde", serde(serialize_with = "rows"))]
    pub effective_weights: Array2<f64>,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
    /// The terms of a combined loss, before their factors.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub terms: Vec<Self>,
}

#[cfg(feature = "serde")]
fn rows<S: serde::Serializer>(table: &Array2<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(table.rows().into_iter().map(|row| row.to_vec()))
}
