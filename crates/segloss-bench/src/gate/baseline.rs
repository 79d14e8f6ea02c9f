//! The committed baseline: what was measured once, and is compared with ever after.
//!
//! ```text
//! reports/baseline/environment.toml    with what it was measured
//!                  errors.csv          the worst error of every check, bound and kind
//!                  instructions.csv    of one call, by instruction set
//!                  allocations.csv     of one call
//!                  time.toml           the revision whose build is timed against
//!                  changes.toml        what was allowed to get worse, when, and why
//! ```

use super::allocations::Allocations;
use super::environment::Environment;
use super::errors::Worst;
use super::instructions::Instructions;
use super::table;
use crate::error::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What is measured in every run of the gate.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// With what.
    pub environment: Environment,
    /// The worst errors.
    pub errors: Vec<Worst>,
    /// Instructions of a call.
    pub instructions: Vec<Instructions>,
    /// Allocations of a call.
    pub allocations: Vec<Allocations>,
}

/// The revision against whose build time is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedAgainst {
    /// A commit's full hash.
    pub revision: String,
    /// When it was recorded.
    pub date: String,
}

/// Everything that was ever allowed to get worse, the latest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// One for each recording that cost something.
    #[serde(default, rename = "change")]
    pub changes: Vec<AllowedChange>,
}

/// What a recording allowed to get worse, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedChange {
    /// Year-month-day.
    pub date: String,
    /// Of the code that was measured.
    pub revision: String,
    /// In the words of whoever recorded it.
    pub reason: String,
    /// What got worse, and by how much.
    pub worse: Vec<String>,
}

const ENVIRONMENT: &str = "environment.toml";
const TIME: &str = "time.toml";
const CHANGES: &str = "changes.toml";

impl Baseline {
    /// Reads it from its folder.
    ///
    /// # Errors
    /// [`Error::NoBaseline`] if a file is missing, [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed) if one is not as it was written.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            environment: read_toml(&folder.join(ENVIRONMENT))?,
            errors: table::read(folder)?,
            instructions: table::read(folder)?,
            allocations: table::read(folder)?,
        })
    }

    /// Writes it; each file appears whole or not at all.
    ///
    /// # Errors
    /// [`HarnessError::Report`](segloss_verify::HarnessError::Report) or [`HarnessError::File`](segloss_verify::HarnessError::File).
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let tables = [
            table::write(&self.errors)?,
            table::write(&self.instructions)?,
            table::write(&self.allocations)?,
        ];
        write_toml(
            folder,
            ENVIRONMENT,
            "What instructions were counted and errors measured with.",
            &self.environment,
        )?;
        tables.into_iter().try_for_each(|(name, bytes)| write(folder, &name, &bytes))
    }
}

impl TimedAgainst {
    /// Reads it from the baseline's folder.
    ///
    /// # Errors
    /// As [`Baseline::read`], and [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed) for a revision that is no full hash.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(TIME);
        let read: Self = read_toml(&path)?;
        let is_hash = read.revision.len() >= 40 && read.revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        // It becomes an argument of git's: nothing else may get there.
        if is_hash {
            Ok(read)
        } else {
            Err(Error::malformed(path, format!("{}: not a full hash", read.revision)))
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`HarnessError::Report`](segloss_verify::HarnessError::Report) or [`HarnessError::File`](segloss_verify::HarnessError::File).
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        write_toml(
            folder,
            TIME,
            "The revision that `cargo xtask gate --time` builds, to time the code against it.",
            self,
        )
    }
}

impl Changes {
    /// Reads them from the baseline's folder; none where nothing was ever allowed.
    ///
    /// # Errors
    /// [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed).
    pub fn read(folder: &Path) -> Result<Self, Error> {
        match read_toml(&folder.join(CHANGES)) {
            Err(Error::NoBaseline(_)) => Ok(Self::default()),
            changes => changes,
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// [`HarnessError::Report`](segloss_verify::HarnessError::Report) or [`HarnessError::File`](segloss_verify::HarnessError::File).
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        write_toml(folder, CHANGES, "What was allowed to get worse, when, and why.", self)
    }
}

/// The text of a file of the baseline.
pub(super) fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::NoBaseline(path.to_owned()),
        _ => Error::file(path)(error),
    })
}

fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    toml::from_str(&read_text(path)?).map_err(|error| Error::malformed(path, error))
}

fn write_toml(folder: &Path, name: &'static str, what: &str, contents: &impl Serialize) -> Result<(), Error> {
    let text = toml::to_string_pretty(contents).map_err(|error| Error::report(name, error))?;
    write(folder, name, format!("# {what} Written by `cargo xtask gate --record`.\n{text}").as_bytes())
}

/// A file of the baseline or of the gate's report: whole, or not at all.
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let path: PathBuf = folder.join(name);
    segloss_unet::files::write_atomic(&path, bytes)
        .map_err(|error| Error::file(path)(std::io::Error::other(error)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use segloss_verify::HarnessError;

    pub(in crate::gate) fn sample() -> Baseline {
        let worst =
            Worst { check: "values".into(), bound: "value_f64".into(), of: "dice".into(), worst: 1e-15 };
        let instructions = Instructions { set: "avx2".into(), workload: "w".into(), instructions: 7 };
        Baseline {
            environment: Environment {
                rustc: "1.95.0".into(),
                target: "x86_64-unknown-linux-gnu".into(),
                libc: "2.36".into(),
                valgrind: Some("3.19.0".into()),
                arithmetic: "fused".into(),
            },
            errors: vec![worst],
            instructions: vec![instructions],
            allocations: vec![Allocations { workload: "w".into(), allocations: 3, bytes: 96 }],
        }
    }

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let written = sample();
        written.write(folder.path()).unwrap();
        let read = Baseline::read(folder.path()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        let four = ["allocations.csv", "environment.toml", "errors.csv", "instructions.csv"];
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, four);
        for name in four {
            let path = folder.path().join(name);
            let text = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            assert!(
                matches!(Baseline::read(folder.path()), Err(Error::NoBaseline(missing)) if missing == path)
            );
            std::fs::write(&path, "nonsense").unwrap();
            assert!(
                matches!(Baseline::read(folder.path()), Err(Error::Harness(HarnessError::Malformed { path: bad, .. })) if bad == path)
            );
            std::fs::write(&path, text).unwrap();
        }
    }

    #[test]
    fn a_revision_is_a_full_hash() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(TimedAgainst::read(folder.path()), Err(Error::NoBaseline(_))));
        let of = |revision: &str| TimedAgainst { revision: revision.into(), date: "2026-11-24".into() };
        let good = of("72c595473b0b12457b2d52ef704f41444ac51a98");
        good.write(folder.path()).unwrap();
        assert_eq!(TimedAgainst::read(folder.path()).unwrap(), good);
        for bad in ["", "HEAD", "72c5954", "--upload-pack=x23456789012345678901234567890"] {
            of(bad).write(folder.path()).unwrap();
            assert!(
                matches!(
                    TimedAgainst::read(folder.path()),
                    Err(Error::Harness(HarnessError::Malformed { .. }))
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn no_changes_are_none_and_those_there_are_come_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Changes::read(folder.path()).unwrap(), Changes::default());
        let change = AllowedChange {
            date: "2026-11-24".into(),
            revision: "72c5954".into(),
            reason: "exact where \"two\" ties\nmeet".into(),
            worse: vec!["errors: a".into(), "allocations: b".into()],
        };
        let written = Changes { changes: vec![change.clone(), change] };
        written.write(folder.path()).unwrap();
        assert_eq!(Changes::read(folder.path()).unwrap(), written);
        std::fs::write(folder.path().join(CHANGES), "[[change]]\ndate = 3").unwrap();
        assert!(matches!(Changes::read(folder.path()), Err(Error::Harness(HarnessError::Malformed { .. }))));
    }
}
