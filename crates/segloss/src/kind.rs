//! The registry: every kind of loss with its formula, options and reference.

use crate::spec::Denominator;
use serde::{Deserialize, Serialize};

/// A kind of loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Softmax cross-entropy; see [`kinds::cross_entropy`](crate::kinds::cross_entropy).
    #[default]
    CrossEntropy,
    /// Sigmoid cross-entropy, binary or multi-label; see
    /// [`kinds::binary_cross_entropy`](crate::kinds::binary_cross_entropy).
    BinaryCrossEntropy,
    /// The source document's binary loss S1, to the letter; see
    /// [`kinds::document_binary`](crate::kinds::document_binary).
    DocumentBinary,
    /// The source document's S2, −y·ln σ(z); see [`kinds::document_sigmoid`](crate::kinds::document_sigmoid).
    DocumentSigmoid,
    /// The source document's S3, w·softmax cross-entropy with one scalar w; see
    /// [`kinds::document_categorical`](crate::kinds::document_categorical).
    DocumentCategorical,
}

/// What the registry knows about a kind, for people and for `segloss losses --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindInfo {
    /// The name in specifications.
    pub name: &'static str,
    /// One line on what it is and when to use it.
    pub summary: &'static str,
    /// The loss of a pixel; symbols as in the crate's documentation.
    pub formula: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// The options that it takes besides `layout`, `ignore_index` and `denominator`.
    pub options: &'static [&'static str],
    /// What the sum is divided by unless the specification says otherwise.
    pub default_denominator: Denominator,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::CrossEntropy,
        Self::BinaryCrossEntropy,
        Self::DocumentBinary,
        Self::DocumentSigmoid,
        Self::DocumentCategorical,
    ];

    /// The name in specifications.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// What [`LossSpec`](crate::LossSpec) divides by when it names no denominator: the weighted mean, and
    /// the plain mean for the document's kinds, as Keras takes it.
    pub fn default_denominator(self) -> Denominator {
        self.info().default_denominator
    }

    /// The kind's entry in the registry.
    pub fn info(self) -> KindInfo {
        match self {
            Self::CrossEntropy => KindInfo {
                name: "cross_entropy",
                summary: "Softmax cross-entropy with class weights: the default for exclusive classes.",
                formula: "Σ_c w_c·y_c·(ln Σ_j exp z'_j − z'_c),  z'_c = z_c − ln τ_c",
                reference: "Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.108; \
                            per-sample weights: the source document, S5",
                options: &["threshold.logit_shift", "weights"],
                default_denominator: Denominator::WeightSum,
            },
            Self::BinaryCrossEntropy => KindInfo {
                name: "binary_cross_entropy",
                summary: "Sigmoid cross-entropy, one problem per channel: one class, or classes that may overlap.",
                formula: "Σ_c w⁺_c·y_c·softplus(−z'_c) + w⁻_c·(1 − y_c)·softplus(z'_c),  \
                          z'_c = z_c − ln(th_c/(1 − th_c))",
                reference: "Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.90",
                options: &["threshold.logit_shift", "weights"],
                default_denominator: Denominator::WeightSum,
            },
            Self::DocumentBinary => KindInfo {
                name: "document_binary",
                summary: "The document's S1 to the letter, to reproduce and to see fail: NaN once a pixel saturates.",
                formula: "(1 − w)·y·(−ln u) + (1 − y)·w·(−ln(1 − u)),  u = max(0, σ(z) + 0.5 − th),  \
                          w = Σy/size(y)",
                reference: "the source document, S1",
                options: &["threshold.document", "weights.source"],
                default_denominator: Denominator::Elements,
            },
            Self::DocumentSigmoid => KindInfo {
                name: "document_sigmoid",
                summary: "The document's S2, without its overflow. Channels without a target are never pushed down.",
                formula: "Σ_c y_c·softplus(−z_c)",
                reference: "the source document, S2",
                options: &[],
                default_denominator: Denominator::Elements,
            },
            Self::DocumentCategorical => KindInfo {
                name: "document_categorical",
                summary: "The document's S3: its scalar weight is exactly 1/C for one-hot labels and balances nothing.",
                formula: "w·Σ_c y_c·(ln Σ_j exp z_j − z_c),  w = Σy/size(y)",
                reference: "the source document, S3",
                options: &["weights.source"],
                default_denominator: Denominator::Elements,
            },
        }
    }

    /// Whether every channel is a binary problem of its own, so that the loss map has an entry for each.
    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Self::BinaryCrossEntropy | Self::DocumentBinary | Self::DocumentSigmoid)
    }

    /// Whether the document fixes the weight, so that `weights` cannot.
    pub(crate) fn owns_its_weight(self) -> bool {
        matches!(self, Self::DocumentBinary | Self::DocumentSigmoid | Self::DocumentCategorical)
    }

    /// Whether the document's own weight is Σy/size(y) over a scope (S1, S3).
    pub(crate) fn weight_is_scoped(self) -> bool {
        matches!(self, Self::DocumentBinary | Self::DocumentCategorical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_specifications() {
        for kind in Kind::ALL {
            let quoted = serde_json::to_string(&kind).unwrap();
            assert_eq!(quoted, format!("\"{}\"", kind.name()));
        }
    }
}
