//! Convolution, pooling, up-sampling and batch norm for dfdx on stable Rust.
