//! What is known of a capture beside its numbers.

use segloss::Layout;

/// What is known of a capture beside its numbers. Whatever is not, is found out or guessed, and said.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct About {
    /// As MODULE:FUNCTION.
    pub function: Option<String>,
    /// torch, keras, jax, numpy.
    pub framework: Option<String>,
    /// Where the classes lie.
    pub layout: Option<Layout>,
    /// The number of channels.
    pub classes: Option<usize>,
    /// The label of pixels that do not count.
    pub ignore_index: Option<i64>,
    /// In which order it takes prediction and target.
    pub order: Option<String>,
    /// Which arguments the function changes in place.
    pub changes: Option<String>,
    /// Whether the prediction is probabilities.
    pub probabilities: Option<bool>,
}

impl About {
    /// These, and where they say nothing, what the other says.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            function: self.function.or(other.function),
            framework: self.framework.or(other.framework),
            layout: self.layout.or(other.layout),
            classes: self.classes.or(other.classes),
            ignore_index: self.ignore_index.or(other.ignore_index),
            order: self.order.or(other.order),
            changes: self.changes.or(other.changes),
            probabilities: self.probabilities.or(other.probabilities),
        }
    }
}
