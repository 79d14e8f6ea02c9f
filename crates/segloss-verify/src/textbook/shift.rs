//! What is taken from every logit before a formula sees it: z' = z − shift.

use super::counts;
use crate::number::Number;
use segloss::Threshold;
use segloss_cases::{Case, is_sigmoid};

/// A row for each image, a column for each class.
///
/// A logit shift takes ln τ_c off, logit adjustment (Menon et al. 2021, eq. 10) adds t·ln π_c; a channel that
/// is a problem of its own has the odds th/(1 − th) in place of τ, and π/(1 − π) in place of π.
pub fn rows<T: Number>(case: &Case) -> Vec<Vec<T>> {
    let logarithm = |x: T| match is_sigmoid(&case.spec) {
        true => (x.clone() / (T::one() - x)).ln(),
        false => x.ln(),
    };
    match &case.spec.threshold {
        None | Some(Threshold::Document(_)) => {
            vec![vec![T::zero(); case.grid.classes]; case.grid.images]
        }
        Some(Threshold::LogitShift(thresholds)) => {
            let row = thresholds.iter().map(|&t| logarithm(T::from_f64(t))).collect();
            vec![row; case.grid.images]
        }
        Some(Threshold::LogitAdjustment(t)) => counts::priors::<T>(case)
            .into_iter()
            .map(|row| row.into_iter().map(|prior| -(T::from_f64(*t) * logarithm(prior))).collect())
            .collect(),
    }
}
