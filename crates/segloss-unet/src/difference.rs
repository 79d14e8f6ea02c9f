//! What two configurations say differently, key by key, and which keys may change within a run.

use std::collections::BTreeMap;

use toml::Value;

use crate::config::Config;
use crate::error::{Change, ConfigProblem, Error, Result};

/// The keys (or, with a final dot, the sections) that may change when a run goes on. Each acts from the next
/// step on, and the net, the data and the loss stay what they were: the number of epochs and the schedule,
/// which is a function of the step; what limits a step; where the same images lie; what is drawn.
const MAY_CHANGE: [&str; 7] = [
    "train.epochs",
    "train.patience",
    "train.overlays",
    "data.folder",
    "optimizer.learning_rate",
    "optimizer.clip_norm",
    "schedule.",
];

/// Refuses what a run that has begun cannot take over.
///
/// # Errors
/// [`ConfigProblem::Changed`] with every such key.
pub(crate) fn check(was: &Config, asked: &Config) -> Result<()> {
    let (was, asked) = (leaves(was)?, leaves(asked)?);
    let keys: std::collections::BTreeSet<&String> = was.keys().chain(asked.keys()).collect();
    let value = |leaves: &BTreeMap<String, String>, key: &String| {
        leaves.get(key).cloned().unwrap_or_else(|| "absent".to_owned())
    };
    // Another kind has other options: that goes without saying.
    let is_other_kind = was.get("loss.kind") != asked.get("loss.kind");
    let goes_along = |key: &String| {
        let is_in_both = was.contains_key(key) && asked.contains_key(key);
        is_other_kind && key.starts_with("loss.") && !is_in_both
    };
    let changes: Vec<Change> = keys
        .into_iter()
        .filter(|key| was.get(*key) != asked.get(*key) && !goes_along(key))
        .filter(|key| !MAY_CHANGE.iter().any(|may| *key == may || may.ends_with('.') && key.starts_with(may)))
        .map(|key| Change { key: key.clone(), was: value(&was, key), asked: value(&asked, key) })
        .collect();
    if changes.is_empty() { Ok(()) } else { Err(ConfigProblem::Changed(changes).into()) }
}

/// Every dotted key with its value as TOML.
pub(crate) fn leaves(config: &Config) -> Result<BTreeMap<String, String>> {
    let table = toml::Table::try_from(config).map_err(|error| {
        let problem = error.to_string();
        Error::from(ConfigProblem::Malformed { origin: "configuration".to_owned(), problem })
    })?;
    let mut found = BTreeMap::new();
    collect(None, Value::Table(table), &mut found);
    Ok(found)
}

fn collect(prefix: Option<&str>, value: Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let key = prefix.map_or_else(|| key.clone(), |prefix| format!("{prefix}.{key}"));
                collect(Some(&key), value, into);
            }
        }
        value => {
            into.insert(prefix.unwrap_or_default().to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_change_passes_and_the_rest_is_named() {
        let was = Config::default();
        let mut asked = was.clone();
        (asked.train.epochs, asked.train.overlays) = (99, 0);
        (asked.optimizer.learning_rate, asked.optimizer.clip_norm) = (0.5, 1.0);
        asked.schedule.warmup = 0.0;
        asked.data.folder = Some("moved".into());
        check(&was, &asked).unwrap();

        asked.train.batch_size = 7;
        asked.loss.weights.source = segloss::Source::PerSample;
        asked.data.ignore_index = Some(3);
        let text = check(&was, &asked).unwrap_err().to_string();
        for change in [
            "`data.ignore_index` is 3, was absent; ",
            "`loss.weights.source` is \"per_sample\", was \"none\"; ",
            "`train.batch_size` is 7, was 4: ",
        ] {
            assert!(text.contains(change), "{text}");
        }
        assert!(text.contains("--out") && text.contains("--restart"), "{text}");
    }
}
