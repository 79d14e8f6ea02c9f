//! A program that computes workloads on request, line by line: ours of any revision, or a peer's.
//!
//! The protocol is that of `crates/segloss/examples/worker.rs`: a request is a line, its answer one line, an error a line
//! that begins with `error:`.

use crate::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running program. It ends with its owner.
#[derive(Debug)]
pub struct Worker {
    name: String,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts it; what it writes to stderr is shown.
    ///
    /// # Errors
    /// [`Error::Worker`] if it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self, Error> {
        let trouble = |what: String| Error::Worker { name: name.to_owned(), what };
        let mut child = (command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn())
            .map_err(|error| trouble(format!("{}: {error}", command.get_program().display())))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => {
                Ok(Self { name: name.to_owned(), child, stdin, stdout: BufReader::new(stdout) })
            }
            _ => Err(trouble("has no standard input or output".to_owned())),
        }
    }

    /// As reports call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a line and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Worker`] with what it answered, or that it ended.
    pub fn ask(&mut self, request: &str) -> Result<String, Error> {
        let trouble = |what: String| Error::Worker { name: self.name.clone(), what };
        let mut answer = String::new();
        let asked = writeln!(self.stdin, "{request}").and_then(|()| self.stdin.flush());
        let read = asked.and_then(|()| self.stdout.read_line(&mut answer));
        match (read, answer.trim()) {
            (Err(error), _) => Err(trouble(format!("{request}: {error}"))),
            (Ok(0), _) => Err(trouble(format!("{request}: it ended without an answer"))),
            (Ok(_), answer) => match answer.strip_prefix("error:") {
                Some(error) => Err(trouble(format!("{request}: {}", error.trim()))),
                None => Ok(answer.to_owned()),
            },
        }
    }

    /// Seconds of each of some calls of a workload.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), and for an answer that is no list of as many durations.
    pub fn time(&mut self, workload: &str, calls: usize) -> Result<Vec<f64>, Error> {
        let answer = self.ask(&format!("time {workload} {calls}"))?;
        let seconds: Option<Vec<f64>> =
            answer.split_whitespace().map(|ns| ns.parse::<u64>().ok().map(|ns| ns as f64 / 1e9)).collect();
        seconds.filter(|seconds| seconds.len() == calls).ok_or_else(|| Error::Worker {
            name: self.name.clone(),
            what: format!("time {workload}: `{answer}` is not {calls} durations"),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A program that has ended already cannot be killed: nothing is lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The middle one; of an even number, the mean of the two in the middle. NaN of none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Worker {
        Worker::start("shell", Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn durations_are_seconds() {
        let mut worker = shell("while read line; do echo 1000000 2000000; done");
        assert_eq!(worker.time("anything", 2).unwrap(), [1e-3, 2e-3]);
        assert!(worker.time("anything", 3).unwrap_err().to_string().contains("not 3 durations"));
    }

    #[test]
    fn errors_and_endings_are_told() {
        let refused = shell("read line; echo error: no such kind").ask("time x 1").unwrap_err().to_string();
        assert!(refused.contains("shell") && refused.contains("no such kind"), "{refused}");
        let ended = shell("read line").ask("time x 1").unwrap_err().to_string();
        assert!(ended.contains("ended"), "{ended}");
        assert!(Worker::start("nobody", &mut Command::new("/no/such/program")).is_err());
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
