//! On which processor a program runs: two that are to be told apart must share one.
//!
//! The processors of a shared machine are not equally fast: one may have a busy neighbour that the other has not, and a
//! process tends to stay where it was first put. That made of one and the same program two, one half as fast again as the
//! other.

use std::process::{Command, Stdio};

/// The processors that this process may run on, where it can choose one for another program: where there is `taskset`.
pub fn choice() -> Vec<usize> {
    let has_taskset = Command::new("taskset").arg("--version").stdin(Stdio::null()).output().is_ok();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.filter(|_| has_taskset).and_then(parse).unwrap_or_default()
}

/// A program that will run on this processor, or anywhere.
pub fn command(program: &std::path::Path, processor: Option<usize>) -> Command {
    match processor {
        None => Command::new(program),
        Some(processor) => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", &processor.to_string()]).arg(program);
            command
        }
    }
}

/// `0-2,5`.
fn parse(list: &str) -> Option<Vec<usize>> {
    let mut processors = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        processors.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(processors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_of_numbers_and_ranges() {
        assert_eq!(parse("\t0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!((parse("7"), parse(""), parse("0-"), parse("a")), (Some(vec![7]), None, None, None));
    }

    #[test]
    fn a_program_is_the_same_wherever_it_runs() {
        let anywhere = choice().first().copied();
        for processor in [None, anywhere] {
            let output = command("echo".as_ref(), processor).arg("here").output().unwrap();
            assert_eq!(output.stdout, b"here\n");
        }
    }
}
