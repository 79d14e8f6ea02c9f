//! The program as a user meets it, a module a command: one program of tests, which is built and linked once.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, as tests do")]

mod border_map;
mod check;
mod compare;
mod explain;
mod inspect;
mod interruption;
mod losses;
mod reports;
mod trainer;
mod tune;
mod weights;
