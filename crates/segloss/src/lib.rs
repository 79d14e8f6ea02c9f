//! Losses for imbalanced semantic segmentation: value and gradient, proven.
