//! Reads what criterion leaves behind: `*/new/estimates.json` in its folder, and the names beside them.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A benchmark, in seconds of an iteration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Group, function, parameter.
    pub name: String,
    /// The median of the samples.
    pub median: f64,
    /// The median's 95 % confidence interval begins here.
    pub low: f64,
    /// And ends here.
    pub high: f64,
    /// The mean of the samples.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
}

/// `benchmark.json`.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

/// `estimates.json`, in nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    median: Statistic,
    mean: Statistic,
    std_dev: Statistic,
}

#[derive(Deserialize)]
struct Statistic {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// Every benchmark in a folder of criterion's, by name.
///
/// # Errors
/// [`HarnessError::File`](segloss_verify::HarnessError::File) or [`HarnessError::Malformed`](segloss_verify::HarnessError::Malformed).
pub fn read(folder: &Path) -> Result<Vec<Estimate>, Error> {
    let mut found = Vec::new();
    collect(folder, &mut found)?;
    found.sort_by(|a: &Estimate, b| a.name.cmp(&b.name));
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<Estimate>) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        if path.is_dir() {
            match path.ends_with("new") {
                true => found.push(estimate(&path)?),
                false => collect(&path, found)?,
            }
        }
    }
    Ok(())
}

fn estimate(folder: &Path) -> Result<Estimate, Error> {
    let Benchmark { full_id } = parse(&folder.join("benchmark.json"))?;
    let Estimates { median, mean, std_dev } = parse(&folder.join("estimates.json"))?;
    let seconds = |nanoseconds: f64| nanoseconds / 1e9;
    Ok(Estimate {
        name: full_id,
        median: seconds(median.point_estimate),
        low: seconds(median.confidence_interval.lower_bound),
        high: seconds(median.confidence_interval.upper_bound),
        mean: seconds(mean.point_estimate),
        deviation: seconds(std_dev.point_estimate),
    })
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    serde_json::from_str(&text).map_err(|error| Error::malformed(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As criterion 0.8 writes them, shortened by what is not read.
    const BENCHMARK: &str = r#"{"group_id":"kinds","function_id":"dice/channels_last","value_str":"f32","throughput":{"Bytes":1},"full_id":"kinds/dice/channels_last/f32","directory_name":"kinds/dice_channels_last/f32","title":""}"#;
    const ESTIMATES: &str = r#"{"mean":{"confidence_interval":{"confidence_level":0.95,"lower_bound":900.0,"upper_bound":1100.0},"point_estimate":1000.0,"standard_error":1.0},"median":{"confidence_interval":{"confidence_level":0.95,"lower_bound":1500.0,"upper_bound":2500.0},"point_estimate":2000.0,"standard_error":1.0},"std_dev":{"confidence_interval":{"confidence_level":0.95,"lower_bound":1.0,"upper_bound":3.0},"point_estimate":500.0,"standard_error":1.0},"slope":null}"#;

    #[test]
    fn estimates_are_read_in_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("kinds/dice_channels_last/f32/new");
        std::fs::create_dir_all(&new).unwrap();
        // What an earlier run left is not read.
        std::fs::create_dir_all(new.with_file_name("base")).unwrap();
        std::fs::write(new.join("benchmark.json"), BENCHMARK).unwrap();
        assert!(read(folder.path()).is_err(), "no estimates");
        std::fs::write(new.join("estimates.json"), ESTIMATES).unwrap();
        let read = read(folder.path()).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].name, "kinds/dice/channels_last/f32");
        let expected = [2e-6, 1.5e-6, 2.5e-6, 1e-6, 5e-7];
        let Estimate { median, low, high, mean, deviation, .. } = read[0];
        for (found, expected) in [median, low, high, mean, deviation].into_iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-9 * expected);
        }
    }
}
