//! Whose function a loss is: what is known of libraries is data.

use super::explain::Explanation;
use super::identified::{Identified, ValueFit};
use super::observation::Observation;
use segloss::Source;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::LazyLock;

/// A function of a library that is a loss with a name here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// As people call it.
    pub library: String,
    /// Of which the benchmark was made.
    pub version: String,
    /// Of the probe that asks it; none where none does.
    #[serde(skip_serializing)]
    framework: Option<String>,
    /// The function with the arguments that matter.
    pub call: String,
    /// The name that it has here.
    #[serde(skip_serializing)]
    found: String,
    /// `logits` or `probabilities`.
    #[serde(skip_serializing, default = "logits")]
    input: String,
    /// The case of the benchmark that shows it.
    #[serde(skip_serializing)]
    case: String,
    /// What a reader of its documentation would not expect.
    pub quirk: Option<String>,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.library, self.version, self.call)?;
        self.quirk.as_ref().map_or(Ok(()), |quirk| write!(f, ": {quirk}"))
    }
}

#[derive(Deserialize)]
struct Table {
    function: Vec<Dialect>,
}

fn logits() -> String {
    "logits".to_owned()
}

/// As many as a reader looks at.
const SHOWN: usize = 3;

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let table = toml::from_str::<Table>(include_str!("dialects.toml"));
    // A test reads the table.
    table.map(|table| table.function).unwrap_or_default()
});

/// The functions of libraries, of the framework if it is known, that a loss may be; one of each library.
pub fn known_as(found: &Identified, o: &Observation, framework: Option<&str>) -> Vec<Dialect> {
    // Weights that are made of the labels are nobody's default.
    let computed =
        |explanation: &Explanation| !matches!(explanation.spec.weights.source, Source::None | Source::Fixed);
    let own = found.terms.iter().any(|term| term.explanation.as_ref().is_none_or(computed));
    let halved = matches!(found.value, ValueFit::Offset(_)) && !found.is_exact();
    if own || halved || !found.reading().is_plain() {
        return Vec::new();
    }
    let input = if o.from_probabilities { "probabilities" } else { "logits" };
    let name = found.name();
    let fits = |dialect: &&Dialect| {
        let asked = framework.is_none() || dialect.framework.as_deref() == framework;
        asked && dialect.found == name && dialect.input == input
    };
    let mut known: Vec<Dialect> = Vec::new();
    for dialect in DIALECTS.iter().filter(fits) {
        if known.len() < SHOWN && known.iter().all(|other| other.library != dialect.library) {
            known.push(dialect.clone());
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Every function is shown by a case of the benchmark that has this name there, as of this version of its library.
    #[test]
    fn every_function_is_shown_by_the_benchmark() {
        assert!(DIALECTS.len() > 40, "{:?}", toml::from_str::<Table>(include_str!("dialects.toml")).err());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/check");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let rows = |name: &str| -> Vec<BTreeMap<String, String>> {
            csv::Reader::from_reader(read(name).as_bytes()).deserialize().map(|row| row.unwrap()).collect()
        };
        let (results, cases, versions) = (rows("results.csv"), rows("cases.csv"), read("versions.txt"));
        for dialect in DIALECTS.iter() {
            let of = |row: &&BTreeMap<String, String>| row["case"] == dialect.case;
            let result = results.iter().filter(of).find(|row| row["mode"] == "answers").unwrap();
            let case = cases.iter().find(of).unwrap();
            assert_eq!((&result["name"], &case["input"]), (&dialect.found, &dialect.input), "{dialect:?}");
            let rebuilt = dialect.version.contains("rebuilt");
            assert_eq!(rebuilt, case["dialect"].contains("rebuilt"), "{dialect:?}");
            assert!(rebuilt || versions.contains(&format!(" {}\n", dialect.version)), "{dialect:?}");
            if let Some(framework) = &dialect.framework {
                assert_eq!(framework, &case["framework"], "{dialect:?}");
            }
        }
    }
}
