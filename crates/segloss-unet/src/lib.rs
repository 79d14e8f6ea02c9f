//! A U-Net trained on stable Rust: data folders, training, metrics, checkpoints.
