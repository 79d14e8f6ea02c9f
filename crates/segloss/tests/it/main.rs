//! The tests of the crate from outside, a module a topic: one program, which is built and linked once.

#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, as tests do")]

mod document;
mod errors;
mod exact;
mod extremes;
mod laws;
mod options;
mod sizes;
mod sums;
mod workloads;
