//! Shifts of the logits.

/// The threshold of the [source document](crate::source_document) (S1), or its sound form in logit space.
///
/// Every shift stands wherever a formula says z.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Threshold {
    /// S1 to the letter: u = max(0, σ(z) + 0.5 − th). Not a loss once u ≥ 1; only for `document_binary`.
    Document(f64),
    /// z'_c = z_c − ln τ_c, so that arg max z' = arg max p/τ. For sigmoid channels each has a threshold th in
    /// (0, 1) and z' = z − ln(th/(1 − th)), so that z' > 0 is σ(z) > th exactly.
    LogitShift(Vec<f64>),
    /// z'_c = z_c + t·ln π_c with the priors π of [`LossSpec::prior`](crate::LossSpec::prior): trains towards the
    /// balanced error (Menon et al. 2021, "Long-tail learning via logit adjustment", eq. 10). t = 1 is balanced softmax (Ren
    /// et al. 2020, eq. 4). For sigmoid channels z' = z + t·ln(π/(1 − π)).
    LogitAdjustment(f64),
}
