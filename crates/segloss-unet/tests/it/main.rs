//! The tests of the crate from outside, a module a topic: one program, which is built and linked once.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, as tests do")]

mod checkpoint;
mod common;
mod data_folder;
mod metrics;
mod onnx;
mod results;
mod torch_weights;
mod training;
mod training_options;
mod unet;
