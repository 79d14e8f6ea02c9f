//! The proof of segloss: oracles, finite differences, fixtures, planted bugs, reports.
//!
//! An [`Implementation`](implementation::Implementation) computes losses; the [checks] judge it; [`run()`] runs them and
//! [`report`] writes down what came of it.
//!
//! ```text
//! fixtures/ ─────────┐                       planted  (an implementation with a bug)
//! textbook ──────────┤                          │
//! finite_difference ─┼─► checks ◄── implementation
//! segloss-cases, ────┘     │
//! operation, network       │
//!            tally, tolerance ─► run ─► report (JSON ─► CSV, Markdown, SVG)
//! ```
//!
//! What holds here:
//!
//! - The textbook of the losses shares no code with the library; the operations have theirs in `dfdx_conv::reference`,
//!   apart from the fast ones. Every bound stands in [`tolerance`], with its reason.
//! - A comparison passes only if `difference <= bound` is true: NaN never passes. Differences are
//!   relative, without an absolute allowance.
//! - Nothing compared, a missing fixture, a kind or operation without coverage: each is a failure.
//! - Identical inputs give identical reports: no time, no path, no hash order.

pub mod artifact;
pub mod check;
pub mod checks;
pub mod compare;
pub mod contrast;
pub mod drawing;
mod error;
pub mod exact;
pub mod finite_difference;
pub mod fixtures;
pub mod hard;
pub mod identify;
pub mod implementation;
pub mod library;
pub mod network;
pub mod number;
pub mod operation;
pub mod planted;
pub mod report;
mod run;
pub mod self_test;
pub mod spread;
pub mod sweep;
pub mod tally;
pub mod terminal;
pub mod textbook;
pub mod tolerance;

pub use error::HarnessError;
pub use run::{Options, Run, run};
pub use segloss_cases::Effort;
pub use tally::CheckResult;
