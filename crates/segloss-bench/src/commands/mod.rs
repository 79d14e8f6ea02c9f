//! Each command is a file: parses, calls, prints.

pub mod bench_report;
pub mod gate;
