//! Where a run took place, and what it timed.

use crate::error::Error;
use segloss::InstructionSet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A machine, a revision and its dependencies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many threads run at once.
    pub cores: usize,
    /// Operating system and architecture.
    pub system: String,
    /// The instruction set that is chosen here.
    pub instructions: String,
    /// What else the processor has that matters.
    pub features: Vec<String>,
    /// The compiler.
    pub compiler: String,
    /// The project's git revision, with `+` if the work tree differed from it.
    pub revision: String,
    /// Versions of what is compared and used.
    pub versions: BTreeMap<String, String>,
}

/// Dependencies that decide speed.
const OURS: [&str; 6] = ["criterion", "dfdx", "gemm", "ndarray", "rayon", "segloss"];
/// Those of the peers.
const PEERS: [&str; 2] = ["burn", "candle-core"];

impl Machine {
    /// This one, with the project of a folder.
    ///
    /// # Errors
    /// [`HarnessError::File`](segloss_verify::HarnessError::File) if the project has no lock file.
    pub fn here(root: &Path) -> Result<Self, Error> {
        let lock = root.join("Cargo.lock");
        let lock = std::fs::read_to_string(&lock).map_err(Error::file(lock))?;
        let mut versions = locked(&lock, &OURS);
        // Peers may be missing, and their lock file with them.
        if let Ok(lock) = std::fs::read_to_string(root.join("crates/segloss-bench/peers/Cargo.lock")) {
            versions.extend(locked(&lock, &PEERS));
        }
        let git = |arguments: &[&str]| said(Command::new("git").args(arguments).current_dir(root));
        let revision = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
        let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
        Ok(Self {
            cpu: cpu(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            instructions: InstructionSet::best().name().to_owned(),
            features: features(),
            compiler: said(Command::new("rustc").arg("-V").current_dir(root))
                .unwrap_or_else(|| "unknown".to_owned()),
            revision: format!("{revision}{}", if changed { "+" } else { "" }),
            versions,
        })
    }

    /// Whether times of both can be compared at all.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.cpu, self.cores, &self.system) == (&other.cpu, other.cores, &other.system)
    }
}

/// What a program prints; nothing if it fails.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The name in Linux's list of processors.
fn cpu(list: &str) -> String {
    let names = list.lines().filter_map(|line| line.split_once(':'));
    let name = names.filter(|(key, _)| key.trim() == "model name").map(|(_, name)| name.trim()).next();
    name.unwrap_or("unknown").to_owned()
}

/// Versions in the text of a `Cargo.lock`; of several of a name, the newest, which is the last.
fn locked(lock: &str, names: &[&str]) -> BTreeMap<String, String> {
    let quoted = |line: &str, key: &str| {
        line.strip_prefix(key).map(|value| value.trim_matches([' ', '=', '"']).to_owned())
    };
    let mut versions = BTreeMap::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        let Some(name) = quoted(line, "name = ").filter(|name| names.contains(&name.as_str())) else {
            continue;
        };
        if let Some(version) = lines.next().and_then(|line| quoted(line, "version = ")) {
            versions.insert(name, version);
        }
    }
    versions
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<String> {
    macro_rules! present {
        ($($feature:tt)*) => {
            [$(($feature, std::arch::is_x86_feature_detected!($feature))),*]
        };
    }
    let all = present!("sse4.2" "avx" "avx2" "fma" "avx512f" "avx512bw" "avx512dq" "avx512vl" "avx512bf16" "avx512fp16");
    all.into_iter().filter(|(_, present)| *present).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<String> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_have_names() {
        assert_eq!(
            cpu("processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nmodel name : B\n"),
            "A Processor @ 2 GHz"
        );
        assert_eq!(cpu(""), "unknown");
    }

    #[test]
    fn versions_are_read_from_lock_files() {
        let lock = "[[package]]\nname = \"gemm\"\nversion = \"0.15.5\"\n\n[[package]]\nname = \"gemm\"\nversion = \"0.19.0\"\n\n[[package]]\nname = \"gemm-common\"\nversion = \"0.1.0\"\n";
        let versions = locked(lock, &["gemm", "rayon"]);
        assert_eq!(versions.into_iter().collect::<Vec<_>>(), [("gemm".to_owned(), "0.19.0".to_owned())]);
    }

    #[test]
    fn the_project_is_found() {
        let here = Machine::here(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))).unwrap();
        assert!(here.cores > 0 && here.versions.contains_key("rayon") && here.is_like(&here));
        assert!(Machine::here(Path::new("/no/such/folder")).is_err());
    }
}
