//! The tests of the crate from outside, a module a topic: one program, which is built and linked once.

mod coverage;
mod planted_bugs;
