//! What counts depend on beside the code: they can be compared only where it is the same.

use super::{callgrind, command};
use crate::error::Error;
use segloss::InstructionSet;
use serde::{Deserialize, Serialize};
use std::process::Command;

/// Compiler, C library and tools of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The compiler's version.
    pub rustc: String,
    /// What it compiles for.
    pub target: String,
    /// The C library: its `memcpy`, `exp` and `ln` are counted, too.
    pub libc: String,
    /// Valgrind's version; none if it is not installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valgrind: Option<String>,
    /// Whether the errors are those of `fused` multiply-add, AVX2's and AVX-512's alike, or of `portable` instructions.
    pub arithmetic: String,
}

impl Environment {
    /// This machine's.
    ///
    /// # Errors
    /// [`Error::Command`] if the compiler does not tell its version.
    pub fn here() -> Result<Self, Error> {
        let told = command::output(Command::new("rustc").arg("-vV"))?;
        let field = |name: &str| {
            let mut lines = told.lines().filter_map(|line| line.strip_prefix(name));
            lines.next().unwrap_or("unknown").to_owned()
        };
        let fused = InstructionSet::best() != InstructionSet::Portable;
        Ok(Self {
            rustc: field("release: "),
            target: field("host: "),
            // GNU's says so in its first line's last word; another C library's `ldd` fails or says something else.
            libc: command::output(Command::new("ldd").arg("--version"))
                .ok()
                .and_then(|told| Some(told.lines().next()?.split(' ').next_back()?.to_owned()))
                .unwrap_or_else(|| "unknown".to_owned()),
            valgrind: callgrind::version(),
            arithmetic: if fused { "fused" } else { "portable" }.to_owned(),
        })
    }

    /// In words.
    pub fn words(&self) -> String {
        let valgrind = self.valgrind.as_deref().unwrap_or("none");
        format!("rustc {} for {}, C library {}, valgrind {valgrind}", self.rustc, self.target, self.libc)
    }

    /// Why a count of instructions here says nothing about one that was recorded there; nothing if it does.
    pub fn apart(&self, recorded: &Self) -> Option<String> {
        let valgrind = |environment: &Self| environment.valgrind.clone().unwrap_or_else(|| "none".to_owned());
        let apart: Vec<String> = [
            ("rustc", self.rustc.clone(), recorded.rustc.clone()),
            ("target", self.target.clone(), recorded.target.clone()),
            ("C library", self.libc.clone(), recorded.libc.clone()),
            ("valgrind", valgrind(self), valgrind(recorded)),
        ]
        .into_iter()
        .filter(|(_, here, there)| here != there)
        .map(|(what, here, there)| format!("{what} {here}, recorded with {there}"))
        .collect();
        (!apart.is_empty()).then(|| apart.join("; "))
    }
}

/// This machine's processor and how many threads it runs at once.
pub fn machine() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("a processor without a name", |(_, model)| model.trim());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {threads} threads, {}", InstructionSet::best().name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_not_apart_from_itself_and_from_another_by_name() {
        let here = Environment::here().unwrap();
        assert_eq!(here.apart(&here), None);
        assert!(here.rustc.starts_with("1.") && here.target.contains('-'), "{here:?}");
        let there = Environment { libc: "2.0".into(), valgrind: Some("1.0".into()), ..here.clone() };
        let told = here.apart(&there).unwrap();
        assert!(told.contains("C library") && told.contains("recorded with 1.0") && !told.contains("rustc"));
        // The arithmetic is the errors' affair.
        assert_eq!(here.apart(&Environment { arithmetic: "other".into(), ..here.clone() }), None);
    }
}
