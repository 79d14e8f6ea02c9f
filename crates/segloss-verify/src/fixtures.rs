//! Reads the golden numbers under `fixtures/`.

use crate::error::HarnessError;
use crate::implementation::Precision;
use ndarray::ArrayD;
use ndarray_npy::{ReadableElement, read_npy};
use segloss::LossSpec;
use segloss_cases::{Case, Grid, Labels};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the fixtures in the project that this crate was built from.
pub fn default_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// Where fixtures come from, by folder: frameworks, and from the sixth on the code that papers' authors published.
pub const FRAMEWORKS: [&str; 8] =
    ["tensorflow", "torch", "monai", "optax", "keras", "papers", "nnunet", "confusion"];

/// The fixtures of a checkout.
#[derive(Clone, Debug)]
pub struct Fixtures {
    root: PathBuf,
}

/// A case and what a framework made of it.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The input.
    pub case: Case,
    /// In which precision the framework computed.
    pub precision: Precision,
    /// The framework's value.
    pub value: f64,
    /// Its gradient, laid out like the logits.
    pub gradient: Vec<f64>,
    /// Its loss map, where there is one; with f64 only.
    pub map: Option<Vec<f64>>,
}

#[derive(serde::Deserialize)]
struct Row {
    case: String,
    precision: String,
    value: f64,
}

/// A formula or call that is in use and wrong on a case's input.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct KnownWrong {
    /// On which input.
    pub case: String,
    /// Which formula or call.
    pub call: String,
    /// What it gives.
    pub value: f64,
    /// Why that is wrong.
    pub why: String,
}

impl Fixtures {
    /// Opens the fixtures under `root`.
    ///
    /// # Errors
    /// [`HarnessError::NoFixtures`] if there are none.
    pub fn open(root: &Path) -> Result<Self, HarnessError> {
        let root = root.to_path_buf();
        if !root.join("losses/SHA256SUMS").is_file() {
            return Err(HarnessError::NoFixtures(root));
        }
        Ok(Self { root: root.canonicalize().map_err(HarnessError::file(root))? })
    }

    /// Compares every file with `SHA256SUMS`: (files listed, what is wrong with each that is).
    ///
    /// # Errors
    /// If the list itself cannot be read.
    pub fn audit(&self) -> Result<(usize, Vec<String>), HarnessError> {
        let path = self.root.join("losses/SHA256SUMS");
        let list = fs::read_to_string(&path).map_err(HarnessError::file(&path))?;
        let mut wrong = Vec::new();
        for line in list.lines() {
            let (sum, name) = line
                .split_once("  ")
                .ok_or_else(|| HarnessError::malformed(&path, format!("no checksum: {line}")))?;
            match fs::read(self.root.join(name)) {
                Err(error) => wrong.push(format!("{name}: {error}")),
                Ok(bytes) if hex(&Sha256::digest(&bytes)) != sum => {
                    wrong.push(format!("{name}: not the file that was hashed"));
                }
                Ok(_) => {}
            }
        }
        Ok((list.lines().count(), wrong))
    }

    /// Every case of a framework, in both precisions.
    ///
    /// # Errors
    /// If a file is missing or malformed.
    pub fn golden(&self, framework: &str) -> Result<Vec<Golden>, HarnessError> {
        let rows: Vec<Row> = self.table(&format!("losses/{framework}/cases.csv"))?;
        rows.iter().map(|row| self.golden_row(framework, row)).collect()
    }

    /// What is known to be wrong on a framework's cases.
    ///
    /// # Errors
    /// If the table is missing or malformed.
    pub fn known_wrong(&self, framework: &str) -> Result<Vec<KnownWrong>, HarnessError> {
        self.table(&format!("losses/{framework}/known_wrong.csv"))
    }

    /// A case from a folder with `logits.npy`; the specification and the target by file name.
    ///
    /// # Errors
    /// If a file is missing or malformed.
    pub fn case(&self, folder: &str, spec: &str, target: &str) -> Result<Case, HarnessError> {
        let path = named(&format!("{folder}/{spec}"));
        let text =
            fs::read_to_string(self.root.join(folder).join(spec)).map_err(HarnessError::file(&path))?;
        let spec = LossSpec::from_toml(&text).map_err(|error| HarnessError::malformed(&path, error))?;
        let logits = self.array::<f32>(&format!("{folder}/logits.npy"))?;
        let grid = Grid::from_shape(logits.shape(), spec.layout);
        let target = format!("{folder}/{target}");
        let labels = match self.array::<u8>(&target) {
            Ok(labels) => Labels::Indices(labels.iter().map(|&label| i64::from(label)).collect()),
            Err(HarnessError::Malformed { .. }) => {
                Labels::Distribution(self.array::<f32>(&target)?.iter().map(|&y| f64::from(y)).collect())
            }
            Err(other) => return Err(other),
        };
        let logits = logits.iter().map(|&z| f64::from(z)).collect();
        let weight_map = self.wide_if_there::<f32>(&format!("{folder}/weight_map.npy"))?;
        Ok(Case { weight_map, ..Case::new(folder, spec, grid, logits, labels) })
    }

    /// An array, widened to `f64` by the caller.
    ///
    /// # Errors
    /// [`HarnessError::File`] if it is missing, [`HarnessError::Malformed`] if it holds another type.
    pub fn array<T: ReadableElement + Clone>(&self, name: &str) -> Result<ArrayD<T>, HarnessError> {
        let (file, path) = (self.root.join(name), named(name));
        fs::metadata(&file).map_err(HarnessError::file(&path))?;
        let array: ArrayD<T> = read_npy(&file).map_err(|error| HarnessError::malformed(&path, error))?;
        Ok(array.as_standard_layout().into_owned())
    }

    /// A CSV file, row by row.
    ///
    /// # Errors
    /// If it is missing or malformed.
    pub fn table<R: DeserializeOwned>(&self, name: &str) -> Result<Vec<R>, HarnessError> {
        let path = named(name);
        let file = fs::File::open(self.root.join(name)).map_err(HarnessError::file(&path))?;
        let mut reader = csv::Reader::from_reader(file);
        reader.deserialize().collect::<Result<_, _>>().map_err(|error| HarnessError::malformed(&path, error))
    }

    fn golden_row(&self, framework: &str, row: &Row) -> Result<Golden, HarnessError> {
        let folder = format!("losses/{framework}/{}", row.case);
        let case = self.case(&folder, "spec.toml", "target.npy")?;
        let (precision, gradient, map) = match row.precision.as_str() {
            "f32" => (Precision::F32, self.wide::<f32>(&format!("{folder}/gradient_f32.npy"))?, None),
            "f64" => {
                // Softmax kinds: the frameworks drop the class axis from the map, as segloss does.
                let map = self.wide_if_there::<f64>(&format!("{folder}/map_f64.npy"))?;
                (Precision::F64, self.wide::<f64>(&format!("{folder}/gradient_f64.npy"))?, map)
            }
            other => {
                return Err(HarnessError::malformed(named(&folder), format!("unknown precision {other}")));
            }
        };
        Ok(Golden { case, precision, value: row.value, gradient, map })
    }

    fn wide<T: ReadableElement + Copy + Into<f64>>(&self, name: &str) -> Result<Vec<f64>, HarnessError> {
        Ok(self.array::<T>(name)?.iter().map(|&x| x.into()).collect())
    }

    /// The same of a file that not every case has. `SHA256SUMS` knows whether it should be there.
    fn wide_if_there<T: ReadableElement + Copy + Into<f64>>(
        &self,
        name: &str,
    ) -> Result<Option<Vec<f64>>, HarnessError> {
        if self.root.join(name).exists() { self.wide::<T>(name).map(Some) } else { Ok(None) }
    }
}

/// How a fixture is called in a report: the same on every machine.
fn named(name: &str) -> PathBuf {
    Path::new("fixtures").join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fixtures_are_trouble_not_a_pass() {
        let nowhere = tempfile::tempdir().unwrap();
        assert!(matches!(Fixtures::open(nowhere.path()), Err(HarnessError::NoFixtures(_))));
    }

    #[test]
    fn the_audit_sees_a_changed_and_a_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let losses = folder.path().join("losses");
        fs::create_dir(&losses).unwrap();
        fs::write(losses.join("a.npy"), b"abc").unwrap();
        // SHA-256 of "abc", from FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        fs::write(losses.join("SHA256SUMS"), format!("{abc}  losses/a.npy\n{abc}  losses/b.npy\n")).unwrap();
        let fixtures = Fixtures::open(folder.path()).unwrap();
        let (listed, wrong) = fixtures.audit().unwrap();
        assert_eq!((listed, wrong.len()), (2, 1));
        assert!(wrong[0].starts_with("losses/b.npy"));
        fs::write(losses.join("a.npy"), b"abd").unwrap();
        assert_eq!(fixtures.audit().unwrap().1.len(), 2);
    }
}
