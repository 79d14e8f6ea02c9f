//! Other programs that the gate runs: cargo, git, and whoever tells a version.

use crate::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a program writes to its standard output; trouble with what it writes to the other if it fails.
///
/// # Errors
/// [`Error::Command`].
pub fn output(command: &mut Command) -> Result<String, Error> {
    let typed = typed(command);
    let trouble = |what: String| Error::Command { command: typed.clone(), what };
    let output = command.stdin(Stdio::null()).output().map_err(|error| trouble(error.to_string()))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(trouble(format!("{}: {}", output.status, told.trim())));
    }
    String::from_utf8(output.stdout).map_err(|error| trouble(error.to_string()))
}

/// As one would type it, without the path of the program.
fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Builds the worker of the project at `root` as whoever uses segloss would, optimised. Returns the program.
///
/// # Errors
/// [`Error::Command`] if it does not build.
pub fn build_worker(root: &Path, target: Option<&Path>) -> Result<PathBuf, Error> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root)
        .args(["build", "--release", "--package", "segloss", "--example", "worker"])
        .arg("--message-format=json-render-diagnostics");
    if let Some(target) = target {
        cargo.arg("--target-dir").arg(target);
    }
    // How the build goes on is for whoever waits for it.
    let messages = output(cargo.stderr(Stdio::inherit()))?;
    executable(&messages).ok_or_else(|| Error::Command {
        command: typed(&cargo),
        what: "built no program `worker`".to_owned(),
    })
}

/// The program that cargo says it has made.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut made = messages.filter(|message| message["target"]["name"] == "worker");
    made.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_tell_the_command_and_what_it_said() {
        let mut shell = Command::new("/bin/sh");
        assert_eq!(output(shell.args(["-c", "echo out; echo err >&2"])).unwrap(), "out\n");
        let told = output(Command::new("/bin/sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert_eq!(told.to_string(), "sh -c echo why >&2; exit 3: exit status: 3: why");
        assert!(output(&mut Command::new("/no/such/program")).is_err());
    }

    #[test]
    fn the_program_is_the_one_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"segloss"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"worker"},"executable":"/t/release/examples/worker"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/release/examples/worker")));
        assert_eq!(executable(r#"{"target":{"name":"worker"},"executable":null}"#), None);
        assert_eq!(executable(""), None);
    }
}
