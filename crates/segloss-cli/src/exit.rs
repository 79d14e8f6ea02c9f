//! How the program ends: the one place where errors become words and exit codes.
//!
//! 0: done. 1: the input was judged and found wrong. 2: the program could not work.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use crate::progress::say;

/// The input was judged and found wrong.
const WRONG: u8 = 1;
/// The program could not work.
const BROKEN: u8 = 2;

/// The input was judged and found wrong: how, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FoundWrong(pub String);

/// Prints `error:` and the error with its causes on one line of stderr.
pub fn code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has had enough, as `head` does.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", line(&*error)));
            ExitCode::from(if error.is::<FoundWrong>() { WRONG } else { BROKEN })
        }
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn line(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        // Some errors repeat their cause in their own text.
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(cause.trim_end());
    }
    text
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    // serde_json keeps the error of the stream to itself.
    let kind = |cause: &(dyn Error + 'static)| {
        let json = || cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        cause.downcast_ref::<io::Error>().map(io::Error::kind).or_else(json)
    };
    causes(error).any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read x")]
    struct Outer(#[source] io::Error);

    #[test]
    fn causes_follow_on_the_same_line() {
        assert_eq!(line(&Outer(io::Error::other("no disk"))), "cannot read x: no disk");
    }

    #[test]
    fn a_broken_pipe_is_found_at_any_depth() {
        let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&pipe()) && is_broken_pipe(&Outer(pipe())));
        assert!(!is_broken_pipe(&Outer(io::Error::other("x"))));
        struct Closed;
        impl io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(is_broken_pipe(&serde_json::to_writer(Closed, "x").unwrap_err()));
        assert!(!is_broken_pipe(&serde_json::from_str::<u8>("x").unwrap_err()));
    }
}
