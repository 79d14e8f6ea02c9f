//! `cargo xtask fixtures`.

use segloss::LossSpec;
use segloss_cases::Labels;
use segloss_unet::files;
use segloss_verify::exact::{Exact, ExactCases};
use segloss_verify::{Effort, HarnessError};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::Path;

const SEED: u64 = 1;
const NAME: &str = "exact/cases.jsonl";

#[derive(clap::Args)]
pub struct Arguments {}

/// A line of the file; arrays as they lie in memory.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    spec: &'a LossSpec,
    shape: Vec<usize>,
    /// Drawn as `f32`, which is half as long to write.
    logits: Vec<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a [i64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<&'a [f64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_map: Option<&'a [f64]>,
    value: f64,
    numerator: f64,
    denominator: f64,
    magnitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<&'a [f64]>,
    /// A single row where all images have the same.
    weights: &'a [Vec<f64>],
    gradient: &'a [f64],
}

/// Writes the exact answers, and their checksum into the list that the harness audits.
pub fn run(_: &Arguments) -> Result<bool, HarnessError> {
    let root = segloss_verify::fixtures::default_root();
    let mut text = String::new();
    for exact in ExactCases::new(SEED, Effort::Quick, None).get() {
        let malformed =
            |error: serde_json::Error| HarnessError::Malformed { path: NAME.into(), what: error.to_string() };
        text += &serde_json::to_string(&line(exact)).map_err(malformed)?;
        text.push('\n');
    }
    write(&root.join(NAME), &text)?;
    list(&root, text.as_bytes())?;
    eprintln!("fixtures/{NAME}: {} cases, {} kB", text.lines().count(), text.len() / 1000);
    Ok(true)
}

fn line(exact: &Exact) -> Line<'_> {
    let Exact { case, answer, gradient, .. } = exact;
    let (labels, distribution) = match &case.target {
        Labels::Indices(labels) => (Some(labels.as_slice()), None),
        Labels::Distribution(y) => (None, Some(y.as_slice())),
    };
    let rows = answer.weights.as_slice();
    let alike = rows.windows(2).all(|two| two[0] == two[1]);
    Line {
        name: &case.name,
        spec: &case.spec,
        shape: case.shape(),
        logits: case.logits.iter().map(|&z| z as f32).collect(),
        labels,
        distribution,
        weight_map: case.weight_map.as_deref(),
        value: answer.value,
        numerator: answer.numerator,
        denominator: answer.denominator,
        magnitude: answer.magnitude,
        map: answer.map.as_deref(),
        weights: if alike { rows.get(..1).unwrap_or_default() } else { rows },
        gradient,
    }
}

/// Puts the file's checksum among those of all fixtures.
fn list(root: &Path, bytes: &[u8]) -> Result<(), HarnessError> {
    let path = root.join("losses/SHA256SUMS");
    let old =
        std::fs::read_to_string(&path).map_err(|source| HarnessError::File { path: path.clone(), source })?;
    let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = |line: &str| line.split_once("  ").map(|(_, name)| name.to_owned());
    let mut lines: Vec<String> =
        old.lines().filter(|line| name(line).as_deref() != Some(NAME)).map(str::to_owned).collect();
    lines.push(format!("{sum}  {NAME}"));
    lines.sort_by_key(|line| name(line));
    write(&path, &(lines.join("\n") + "\n"))
}

fn write(path: &Path, text: &str) -> Result<(), HarnessError> {
    files::write_atomic(path, text.as_bytes()).map_err(|error| HarnessError::File {
        path: path.to_path_buf(),
        source: std::io::Error::other(error),
    })
}
