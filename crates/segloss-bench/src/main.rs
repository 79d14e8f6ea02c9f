//! Speed, and that nothing gets worse: `cargo xtask bench-report` and `cargo xtask gate`.
//!
//! A program of its own, so that the proof compiles nothing of it. Exit codes: 0 all held, 1 something fell short, 2 the
//! tool itself could not work.

mod commands;
mod error;
mod gate;
mod speed;

use clap::{Parser, Subcommand};
use commands::{bench_report, gate as gate_command};
use std::process::ExitCode;

/// Speed, and that nothing gets worse.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Time every loss, layout and operation, beside other frameworks if asked, and write a report of the ratios.
    ///
    /// Exits with 0 if every bar that could be measured is met, 1 if one is missed, 2 if the tool could not work.
    BenchReport(bench_report::Arguments),
    /// What CI runs: verify, and that nothing got worse since it was recorded in reports/baseline.
    ///
    /// Errors, instructions of a call (where valgrind is installed) and its allocations are compared with the baseline;
    /// time only on request. Exits with 0 if all held, 1 if something got worse, 2 if the tool could not work or could
    /// not tell.
    Gate(gate_command::Arguments),
}

fn main() -> ExitCode {
    let finished = match Arguments::parse().command {
        Command::BenchReport(arguments) => bench_report::run(&arguments),
        Command::Gate(arguments) => gate_command::run(&arguments),
    };
    match finished {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
