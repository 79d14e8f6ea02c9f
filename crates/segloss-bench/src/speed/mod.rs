//! How long things take, as ratios: contestants in one run, in turn, each a program of its own.
//!
//! ```text
//! worker ─► contest ◄── plan (who computes what beside whom)
//!              │
//! criterion ─► results ◄── machine
//!              │
//!    bars, growth, history ─► page, plots
//! ```

pub mod bars;
pub mod contest;
pub mod criterion;
pub mod growth;
pub mod history;
pub mod machine;
pub mod page;
pub mod plan;
mod plots;
pub mod results;
pub mod worker;
pub mod workload;
