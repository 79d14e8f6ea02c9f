//! `cargo xtask gate` and `bench-report`: handed on to segloss-bench, which is built when it is asked for.

use std::path::Path;
use std::process::{Command, ExitCode};

#[derive(clap::Args)]
pub struct Arguments {
    /// As `--help` says.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// What the command exits with.
pub fn run(command: &str, arguments: &Arguments) -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut program = Command::new(cargo);
    program.args(["run", "--package", "segloss-bench", "--manifest-path"]).arg(root.join("Cargo.toml"));
    program.args(["--", command]).args(&arguments.arguments);
    match program.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)),
        Err(error) => {
            eprintln!("error: cargo: {error}");
            ExitCode::from(2)
        }
    }
}
