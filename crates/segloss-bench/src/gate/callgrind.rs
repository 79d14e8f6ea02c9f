//! Counting instructions with callgrind, which runs a program on a processor of its own making: slowly, and with the
//! same count every time.

use crate::error::Error;
use crate::speed::worker::Worker;
use segloss::InstructionSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The worker's function around one call. callgrind counts within it, and writes down its count whenever it returns.
const MEASURED: &str = "worker::measured_call";

/// Valgrind's version, if it is installed.
pub fn version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").stdin(Stdio::null()).output().ok()?;
    let told = String::from_utf8(output.stdout).ok()?;
    Some(told.trim().trim_start_matches("valgrind-").to_owned()).filter(|_| output.status.success())
}

/// The instructions of one call, which `planted` rounds of an idle loop make more. callgrind writes beside `out`.
///
/// A process of its own: what another workload left of memory would decide where this one's comes to lie, and with it how
/// much a growing array copies.
///
/// # Errors
/// [`Error::Worker`] if the worker or valgrind refuses, [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed) if there is no count.
pub fn count(
    worker: &Path,
    set: InstructionSet,
    planted: u64,
    workload: &str,
    out: &Path,
) -> Result<u64, Error> {
    // Of the first return of the function.
    let dump = PathBuf::from(format!("{}.1", out.display()));
    if dump.exists() {
        // A count of an earlier run must not pass for one of this.
        std::fs::remove_file(&dump).map_err(Error::file(&dump))?;
    }
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--dump-after={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(format!("--log-file={}.log", out.display()))
        .arg(worker)
        .args(["--instructions", set.name(), "--planted-rounds", &planted.to_string()]);
    Worker::start("worker under valgrind", &mut command)?.ask(&format!("count {workload}"))?;
    read(&dump)
}

fn read(path: &Path) -> Result<u64, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    total(&text).map_err(|what| Error::malformed(path, what))
}

/// The sum over a dump, which must be of instructions alone and have been written by [`MEASURED`]'s return.
fn total(dump: &str) -> Result<u64, String> {
    let field = |name: &str| {
        let mut lines = dump.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.next().map(str::trim).ok_or_else(|| format!("no line `{name}:`"))
    };
    let events = field("events")?;
    if events != "Ir" {
        return Err(format!("counts {events} instead of instructions, Ir"));
    }
    if !dump.contains(&format!("Trigger: --dump-after={MEASURED}")) {
        return Err(format!("was not written by the return of {MEASURED}"));
    }
    let total = field("totals")?;
    match total.parse() {
        Ok(0) => Err(format!("{MEASURED} took no instructions")),
        Ok(total) => Ok(total),
        Err(error) => Err(format!("totals: {total}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npid: 1\ncmd:  worker\npart: 3\n\n\
                        desc: Trigger: --dump-after=worker::measured_call\n\npositions: line\nevents: Ir\nsummary: 12\n\n\
                        ob=(1) worker\nfn=(1) worker::measured_call\n16 12\n\ntotals: 471132\n";

    #[test]
    fn a_dump_has_a_total() {
        assert_eq!(total(DUMP), Ok(471_132));
    }

    #[test]
    fn what_is_no_count_of_the_function_is_refused() {
        for (from, to, what) in [
            ("totals: 471132\n", "", "no line `totals:`"),
            ("471132", "0", "took no instructions"),
            ("471132", "12 34", "totals: 12 34"),
            ("471132", "-1", "totals: -1"),
            ("events: Ir", "events: Ir Dr", "Ir Dr instead"),
            ("events: Ir\n", "", "no line `events:`"),
            ("--dump-after=worker::measured_call", "Program termination", "not written by the return"),
        ] {
            let dump = DUMP.replace(from, to);
            assert!(total(&dump).is_err_and(|told| told.contains(what)), "{what}");
        }
    }
}
