//! The loops that decide how fast a loss is: many pixels side by side, once for every instruction set.
//!
//! A kernel is written once, over [`Vector`](vector::Vector), and compiled once for each instruction set of
//! [`instructions`]. Pixels come to it in blocks ([`block`]), the classes of a block one after the other, whatever the
//! layout was.
//!
//! A kernel computes what its kind's page in [`kinds`](crate::kinds) says; the scalar formula there is what everything
//! without a kernel takes: soft targets, label smoothing, rarer kinds.

pub(crate) mod binary;
pub(crate) mod block;
pub(crate) mod cross_entropy;
pub(crate) mod few;
mod functions;
mod gradient;
pub(crate) mod instructions;
pub(crate) mod lines;
pub(crate) mod lovasz;
pub(crate) mod overlap;
mod portable;
pub(crate) mod power;
pub(crate) mod real;
pub(crate) mod room;
pub(crate) mod run;
mod softmax;
pub(crate) mod stream;
pub(crate) mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;
