//! The loops that decide how fast a loss is: many pixels side by side, once for every instruction set.
//!
//! A kernel is written once, in plain Rust over short arrays, and compiled once for each instruction set of
//! [`instructions`]: the compiler makes vectors of the arrays. Pixels come to it in blocks ([`block`]), the classes of
//! a block one after the other, whatever the layout was; [`functions`] are the exponential and the logarithm that a
//! vector can compute.
//!
//! A kernel computes what its kind's page in [`kinds`](crate::kinds) says; the scalar formula there is what everything
//! without a kernel takes: soft targets, label smoothing, rarer kinds.

pub(crate) mod block;
pub(crate) mod cross_entropy;
pub(crate) mod functions;
pub(crate) mod instructions;
