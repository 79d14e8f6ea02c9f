//! The order of the axes.

/// The order of the axes of logits, gradients and distributions.
///
/// The spatial axes may be any number: none (plain classification), one, two (H, W), three (D, H, W)…
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Layout {
    /// (N, C, spatial…), PyTorch's default.
    #[default]
    ChannelsFirst,
    /// (N, spatial…, C), TensorFlow's default.
    ChannelsLast,
}
