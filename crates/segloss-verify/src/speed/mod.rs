//! How long things take, as ratios: contestants in one run, in turn, each a program of its own.

pub mod worker;
