//! Project tasks: `cargo xtask verify`, `gate`, `bench-report`, `fixtures`, `check-report`.
//!
//! Parses, matches, calls; each command is a file of its own. Exit codes: 0 all held, 1 something fell
//! short, 2 the tool itself could not work.

mod bench;
mod check;
mod fixtures;
mod verify;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::process::ExitCode;

/// Project tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prove the losses: golden numbers, finite differences, laws, a short training.
    ///
    /// Prints a line for each check and writes a report. Exits with 0 if all held, 1 if something fell
    /// short, 2 if the tool could not work.
    Verify(verify::Arguments),
    /// Time every loss, layout and operation, beside other frameworks if asked, and write a report of the ratios.
    ///
    /// Exits with 0 if every bar that could be measured is met, 1 if one is missed, 2 if the tool could not work.
    #[command(disable_help_flag = true)]
    BenchReport(bench::Arguments),
    /// What CI runs: verify, and that nothing got worse since it was recorded in reports/baseline.
    ///
    /// Errors, instructions of a call (where valgrind is installed) and its allocations are compared with the baseline;
    /// time only on request. Exits with 0 if all held, 1 if something got worse, 2 if the tool could not work or could
    /// not tell.
    #[command(disable_help_flag = true)]
    Gate(bench::Arguments),
    /// Write fixtures/exact: drawn cases of every kind with the textbook's answers, worked out in 320 bits.
    ///
    /// The tests of segloss compare with them, so that they need nothing of the harness.
    Fixtures(fixtures::Arguments),
    /// Judge other people's losses, right ones and wrong ones, as `segloss check` does, and print how often it is right.
    ///
    /// The answers of the losses lie in reports/check. Exits with 0 if no right loss is called wrong.
    CheckReport(check::Arguments),
}

fn main() -> ExitCode {
    let finished: Result<bool, Box<dyn Error>> = match Arguments::parse().command {
        Command::Verify(arguments) => verify::run(&arguments).map_err(Into::into),
        Command::BenchReport(arguments) => return bench::run("bench-report", &arguments),
        Command::Gate(arguments) => return bench::run("gate", &arguments),
        Command::Fixtures(arguments) => fixtures::run(&arguments).map_err(Into::into),
        Command::CheckReport(arguments) => check::run(&arguments),
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
