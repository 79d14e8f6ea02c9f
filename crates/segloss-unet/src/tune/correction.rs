//! The class weights that a net was trained with, taken out of its probabilities.
//!
//! Cross-entropy with weights w_c is least where q_c ∝ w_c·p_c: what a weighted net believes is p times the weights. Adding
//! b_c = −ln w_c to its logits gives p back (Saerens, Latinne & Decaestecker 2002, eq. 4, with w_c the ratio of the priors). A net
//! that was trained with logits z + t·ln π (logit adjustment) believes p/πᵗ, and gets b_c = t·ln π_c.
//!
//! Weights that change from image to image are taken at those of the whole training set: an approximation.

use segloss::{ClassCounts, LossSpec, Source, Threshold};

use crate::error::{ConfigProblem, Result};

/// b_c for each output.
///
/// # Errors
/// [`ConfigProblem::Contradiction`] if the loss has neither class weights nor a logit adjustment.
pub fn correction(spec: &LossSpec, counts: &ClassCounts) -> Result<Vec<f64>> {
    let Some(leaf) = weighted(spec) else {
        let text = "the net was trained without class weights and without logit adjustment: there is nothing to take out";
        return Err(ConfigProblem::Contradiction(text.to_owned()).into());
    };
    let weights =
        if is_weighted(leaf) { leaf.weights.of_counts(counts) } else { vec![1.0; counts.classes()] };
    let strength = match leaf.threshold {
        Some(Threshold::LogitAdjustment(t)) => t,
        _ => 0.0,
    };
    // A class that cost nothing, or has no training pixel, stays as it is.
    let term = |(w, p): (&f64, f64)| {
        let weight = if *w > 0.0 { -w.ln() } else { 0.0 };
        weight + if p > 0.0 { strength * p.ln() } else { 0.0 }
    };
    Ok(weights.iter().zip(counts.frequencies()).map(term).collect())
}

/// Whether the loss shifts a net's decisions, by weights or a logit adjustment: whether there is something to take out.
pub fn is_needed(spec: &LossSpec) -> bool {
    weighted(spec).is_some()
}

fn is_weighted(spec: &LossSpec) -> bool {
    !matches!(spec.weights.source, Source::None | Source::Map)
}

/// The first loss of a sum that has weights or an adjustment.
fn weighted(spec: &LossSpec) -> Option<&LossSpec> {
    let acts = is_weighted(spec) || matches!(spec.threshold, Some(Threshold::LogitAdjustment(_)));
    if acts { Some(spec) } else { spec.terms().iter().find_map(|term| weighted(&term.loss)) }
}
