//! What a definition makes of a batch.

use crate::number::Number;

/// A loss by its definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// numerator / denominator, or 0 where nothing counts.
    pub value: T,
    /// Σ of the weighted losses.
    pub numerator: T,
    /// What it is divided by.
    pub denominator: T,
    /// The value if no two terms of the sum had cancelled: what its rounding is relative to. It differs from
    /// the value only where a loss may be negative.
    pub magnitude: T,
    /// The weighted loss of each pixel, (N, P), or of each pixel and class, laid out like the logits. None of
    /// a loss that is no sum over pixels.
    pub map: Option<Vec<T>>,
    /// The weights, a row for each image. None of a sum of losses.
    pub weights: Vec<Vec<T>>,
}

impl<T: Number> Answer<T> {
    /// Every number of it as the nearest `f64`.
    pub fn rounded(&self) -> Answer<f64> {
        let all = |numbers: &Vec<T>| numbers.iter().map(T::to_f64).collect();
        Answer {
            value: self.value.to_f64(),
            numerator: self.numerator.to_f64(),
            denominator: self.denominator.to_f64(),
            magnitude: self.magnitude.to_f64(),
            map: self.map.as_ref().map(all),
            weights: self.weights.iter().map(all).collect(),
        }
    }
}
