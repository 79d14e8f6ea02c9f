//! The command line of segloss: parses, calls, prints. One file per command.
//!
//! Standard output is data; messages and progress go to standard error.

mod border_map;
mod check;
mod compare;
mod eval;
mod evaluate;
mod exit;
mod explain;
mod export;
mod inspect;
mod losses;
mod options;
mod predict;
mod progress;
mod replay;
mod train;
mod tune;
mod weights;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Training allocates the same large blocks in every step; up to 4 GiB of them are kept. A prediction and
/// a check promise to need less, and go over arrays of many sizes.
#[global_allocator]
static ALLOCATOR: segloss_unet::KeepLarge = segloss_unet::KeepLarge::new(4 << 30);

/// Losses for imbalanced semantic segmentation: proven, fast, and chosen by evidence.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Start here:
  segloss compare --out cmp                  which loss helps? on the embedded microscope tiles, minutes
  segloss check answers.npz                  is the loss that I wrote right, and if not, what is it?
  segloss explain a.toml b.toml              why do two losses differ?
  segloss inspect --data DIR                 what does my data folder hold?
  segloss train --out run                    train on the embedded microscope tiles
  segloss evaluate --run run --split test    how good is it, class by class?

Exit codes: 0 done, 1 the input was judged and found wrong, 2 the program could not work."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compare(compare::CompareArgs),
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Losses(losses::LossesArgs),
    Eval(eval::EvalArgs),
    Inspect(inspect::InspectArgs),
    Train(train::TrainArgs),
    Evaluate(evaluate::EvaluateArgs),
    Tune(tune::TuneArgs),
    Predict(predict::PredictArgs),
    Export(export::ExportArgs),
    Weights(weights::WeightsArgs),
    BorderMap(border_map::BorderMapArgs),
    Replay(replay::ReplayArgs),
}

fn main() -> ExitCode {
    exit::code(run(&Cli::parse().command))
}

fn run(command: &Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Compare(args) => args.run()?,
        Command::Check(args) => {
            ALLOCATOR.set_limit(160 << 20);
            args.run()?;
        }
        Command::Explain(args) => args.run()?,
        Command::Losses(args) => args.run()?,
        Command::Eval(args) => args.run()?,
        Command::Inspect(args) => args.run()?,
        Command::Train(args) => args.run()?,
        Command::Evaluate(args) => args.run()?,
        Command::Tune(args) => args.run()?,
        Command::Predict(args) => {
            ALLOCATOR.set_limit(512 << 20);
            args.run()?;
        }
        Command::Export(args) => args.run()?,
        Command::Weights(args) => args.run()?,
        Command::BorderMap(args) => args.run()?,
        Command::Replay(args) => args.run()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// What is broken by hand is not broken again where a terminal is 100 columns wide.
    #[test]
    fn lines_of_help_are_short() {
        for command in Cli::command().get_subcommands() {
            let text = command.get_after_help().map_or_else(String::new, ToString::to_string);
            let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
            assert!(long.is_empty(), "{}: {long:#?}", command.get_name());
        }
    }
}
