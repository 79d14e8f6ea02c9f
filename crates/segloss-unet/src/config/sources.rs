//! Where a configuration comes from: files in TOML or JSON, and assignments on the command line.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::sections::Config;
use crate::decode::one_line;
use crate::error::{ConfigProblem, Error, Result};
use crate::explain::{explain, unknown};
use crate::files;
use crate::fingerprint::Fingerprint;

impl Config {
    /// The whole configuration as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| malformed("configuration", &error.to_string()))
    }

    /// 16 hexadecimal digits that differ where two configurations do, wherever the images lie and whatever is drawn.
    ///
    /// # Errors
    /// As [`Config::to_toml`].
    pub fn fingerprint(&self) -> Result<String> {
        let mut config = self.clone();
        config.data.folder = None;
        config.train.overlays = 0;
        let mut fingerprint = Fingerprint::default();
        fingerprint.add(config.to_toml()?.as_bytes());
        Ok(fingerprint.text())
    }

    /// Reads a whole configuration.
    ///
    /// # Errors
    /// [`ConfigProblem`]; `origin` names the text in messages.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        let mut sources = Sources::default();
        sources.toml(text, origin)?;
        sources.finish()
    }
}

/// Collects what files and the command line say, later over earlier, and makes a [`Config`] of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sources {
    table: Table,
}

impl Sources {
    /// Adds a configuration file, in TOML or JSON.
    ///
    /// # Errors
    /// [`Error::Io`], or [`ConfigProblem::Malformed`], also if it holds no key.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        merge(&mut self.table, read(path)?);
        Ok(())
    }

    /// Adds the text of a configuration; `origin` names it in messages. It is JSON if `origin` ends in `.json`
    /// or the text begins with `{`, and TOML otherwise.
    ///
    /// # Errors
    /// [`ConfigProblem::Malformed`] if it is neither.
    pub fn toml(&mut self, text: &str, origin: &str) -> Result<()> {
        merge(&mut self.table, parse(text, origin)?);
        Ok(())
    }

    /// Replaces `[loss]` by a whole loss specification from a file, in TOML or JSON.
    ///
    /// # Errors
    /// [`Error::Io`], or [`ConfigProblem::Malformed`], also if it holds no key.
    pub fn loss_file(&mut self, path: &Path) -> Result<()> {
        self.replace_loss(read(path)?);
        Ok(())
    }

    /// Sets `train.weights`, whatever characters the path is made of.
    ///
    /// # Errors
    /// [`ConfigProblem::Malformed`] if the path is no UTF-8, which config.toml is.
    pub fn weights(&mut self, path: &Path) -> Result<()> {
        self.path("train", "weights", path)
    }

    /// Sets `data.folder`, as [`Sources::weights`] does its key.
    ///
    /// # Errors
    /// As there.
    pub fn data_folder(&mut self, path: &Path) -> Result<()> {
        self.path("data", "folder", path)
    }

    fn path(&mut self, section: &str, key: &str, path: &Path) -> Result<()> {
        let origin = path.display().to_string();
        let text = path.to_str().ok_or_else(|| malformed(&origin, "the path is no UTF-8"))?;
        let keys = Table::from_iter([(key.to_owned(), Value::String(text.to_owned()))]);
        merge(&mut self.table, Table::from_iter([(section.to_owned(), Value::Table(keys))]));
        Ok(())
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether anything was said of the loss.
    pub fn has_loss(&self) -> bool {
        self.table.contains_key("loss") || self.table.contains_key("added_loss")
    }

    /// Sets one key, as in `train.epochs=5` or `data.crop=[128, 128]`. What is not a TOML value is taken
    /// as a string, so that `model.norm=none` needs no quotes.
    ///
    /// # Errors
    /// [`ConfigProblem::NotAnAssignment`].
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let bad = || ConfigProblem::NotAnAssignment(assignment.to_owned());
        let (key, text) = assignment.split_once('=').ok_or_else(bad)?;
        let (key, text) = (key.trim(), text.trim());
        let value = toml::from_str::<Table>(&format!("value = {text}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(text.to_owned()));
        let mut path: Vec<&str> = key.split('.').collect();
        let last = path.pop().filter(|last| !last.is_empty() && !path.contains(&"")).ok_or_else(bad)?;
        let mut table = &mut self.table;
        for part in path {
            let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            if !entry.is_table() {
                *entry = Value::Table(Table::new());
            }
            let Value::Table(inner) = entry else { return Err(bad().into()) };
            table = inner;
        }
        table.insert(last.to_owned(), value);
        Ok(())
    }

    /// The text that a key of a section was given.
    pub fn text(&self, section: &str, key: &str) -> Option<&str> {
        self.table.get(section)?.get(key)?.as_str()
    }

    /// The configuration, with defaults for what was not said, checked.
    ///
    /// # Errors
    /// [`ConfigProblem`] with the first key at fault.
    pub fn finish(mut self) -> Result<Config> {
        let mut config = Config {
            data: self.section("data")?,
            model: self.section("model")?,
            optimizer: self.section("optimizer")?,
            schedule: self.section("schedule")?,
            train: self.section("train")?,
            augment: self.section("augment")?,
            loss: self.section("loss")?,
            added_loss: self.optional("added_loss")?,
        };
        if let Some(key) = self.table.keys().next() {
            let known = ["data", "augment", "model", "optimizer", "schedule", "train", "loss", "added_loss"];
            return Err(unknown(key.clone(), key, &known.map(str::to_owned)).into());
        }
        let added = config.added_loss.as_ref().is_some_and(|added| added.loss.needs_weight_map());
        config.data.maps |= config.loss.needs_weight_map() || added;
        config.validate()?;
        Ok(config)
    }

    fn section<T: DeserializeOwned + Default>(&mut self, name: &str) -> Result<T> {
        Ok(self.optional(name)?.unwrap_or_default())
    }

    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        self.table.remove(name).map(|value| section(name, value)).transpose()
    }

    /// Adds keys, later over earlier.
    pub(crate) fn add(&mut self, keys: Table) {
        merge(&mut self.table, keys);
    }

    /// Puts a whole loss in place of what was said of it.
    pub(crate) fn replace_loss(&mut self, loss: Table) {
        self.table.insert("loss".to_owned(), Value::Table(loss));
    }
}

/// A section of a configuration.
pub(crate) fn section<T: DeserializeOwned>(name: &str, value: Value) -> Result<T> {
    // A list would be taken for the section's values in their order.
    if !value.is_table() {
        let expected = "a section of keys".to_owned();
        return Err(
            ConfigProblem::WrongType { key: name.to_owned(), value: value.to_string(), expected }.into()
        );
    }
    T::deserialize(value.clone()).map_err(|error| explain::<T>(name, &value, &error).into())
}

/// A file of keys; one without any would be given in vain.
pub(crate) fn read(path: &Path) -> Result<Table> {
    let origin = path.display().to_string();
    let table = parse(&files::read_text(path)?, &origin)?;
    if table.is_empty() { Err(malformed(&origin, "holds no key")) } else { Ok(table) }
}

pub(crate) fn parse(text: &str, origin: &str) -> Result<Table> {
    // Editors on Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at = |line: usize, problem: &str| malformed(&format!("{origin}, line {line}"), problem);
    if origin.to_ascii_lowercase().ends_with(".json") || text.trim_start().starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            let words = error.to_string();
            at(error.line(), words.split(" at line ").next().unwrap_or(&words))
        })?;
        return match from_json(value) {
            Some(Value::Table(table)) => Ok(table),
            _ => Err(malformed(origin, "is not a table of keys")),
        };
    }
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let before = error.span().map_or(0, |span| span.start.min(text.len()));
        at(text[..before].matches('\n').count() + 1, error.message())
    })
}

/// JSON as TOML: a key that is null is absent.
fn from_json(value: serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(value) => Value::Boolean(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(number.as_f64()?),
        },
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(list) => Value::Array(list.into_iter().filter_map(from_json).collect()),
        serde_json::Value::Object(keys) => {
            let kept = keys.into_iter().filter_map(|(key, value)| Some((key, from_json(value)?)));
            Value::Table(kept.collect())
        }
    })
}

fn malformed(origin: &str, problem: &str) -> Error {
    ConfigProblem::Malformed { origin: origin.to_owned(), problem: one_line(problem) }.into()
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sections::{Norm, OptimizerKind};
    use super::*;

    fn with(assignments: &[&str]) -> Result<Config> {
        let mut sources = Sources::default();
        for assignment in assignments {
            sources.set(assignment)?;
        }
        sources.finish()
    }

    fn problem(assignment: &str) -> String {
        with(&[assignment]).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut config = Config::default();
        config.data.ignore_index = Some(11);
        config.data.folder = Some("a b/\"c\"".into());
        config.data.crop = vec![64, 32];
        config.optimizer.learning_rate = 0.1 + 0.2;
        config.train.seed = i64::MAX as u64;
        config.loss.weights.source = segloss::Source::PerSample;
        let adam = config.clone();
        config.optimizer.kind = OptimizerKind::Sgd;
        (config.optimizer.momentum, config.optimizer.nesterov) = (0.5, true);
        for config in [adam, config] {
            let text = config.to_toml().unwrap();
            assert_eq!(Config::from_toml(&text, "x").unwrap(), config);
        }
    }

    #[test]
    fn assignments_need_no_quotes() {
        let config = with(&[
            "model.norm=none",
            "data.crop=[8, 8]",
            "data.folder=a/b c",
            "loss.weights.source = per_sample",
            "optimizer.learning_rate=1e-4",
        ])
        .unwrap();
        assert_eq!(config.model.norm, Norm::None);
        assert_eq!(config.data.crop, [8, 8]);
        assert_eq!(config.data.folder.unwrap(), Path::new("a/b c"));
        assert_eq!(config.optimizer.learning_rate, 1e-4);
    }

    #[test]
    fn later_sources_win_key_by_key() {
        let mut sources = Sources::default();
        sources.toml("[train]\nepochs = 3\nseed = 5", "a").unwrap();
        sources.toml("[train]\nepochs = 4", "b").unwrap();
        let config = sources.finish().unwrap();
        assert_eq!((config.train.epochs, config.train.seed), (4, 5));
    }

    #[test]
    fn unknown_keys_name_their_neighbours() {
        let text = problem("train.epoch=5");
        assert!(text.starts_with("unknown key `train.epoch`; did you mean `epochs`"), "{text}");
        assert!(problem("trian.epochs=5").starts_with("unknown key `trian`; did you mean `train`"));
        let text = problem("loss.weights.sorce=none");
        assert!(text.starts_with("unknown key `loss.weights.sorce`; did you mean `source`"), "{text}");
    }

    #[test]
    fn wrong_ranges_name_the_key() {
        assert_eq!(problem("train.batch_size=0"), "`train.batch_size` is 0, expected at least 1");
        assert!(problem("optimizer.learning_rate=nan").contains("`optimizer.learning_rate` is NaN"));
        assert!(problem("optimizer.beta1=1.0").contains("`optimizer.beta1`"));
        assert!(problem("data.crop=[8]").contains("`data.crop`"));
    }

    #[test]
    fn keys_that_the_chosen_kind_does_not_read_are_refused() {
        for (kind, key, acts) in [
            ("optimizer.kind=sgd", "optimizer.beta1=0.8", false),
            ("optimizer.kind=sgd", "optimizer.beta2=0.8", false),
            ("optimizer.kind=sgd", "optimizer.epsilon=0.1", false),
            ("optimizer.kind=sgd", "optimizer.momentum=0.8", true),
            ("optimizer.kind=sgd", "optimizer.nesterov=true", true),
            ("optimizer.kind=adam", "optimizer.momentum=0.8", false),
            ("optimizer.kind=adamw", "optimizer.nesterov=true", false),
            ("optimizer.kind=adam", "optimizer.beta1=0.8", true),
            ("schedule.kind=constant", "schedule.warmup=0.1", false),
            ("schedule.kind=step", "schedule.warmup=0.1", false),
            ("schedule.kind=cosine", "schedule.warmup=0.1", true),
            ("schedule.kind=cosine", "schedule.start_divisor=2.0", false),
            ("schedule.kind=one_cycle", "schedule.start_divisor=2.0", true),
            ("schedule.kind=step", "schedule.final_factor=0.5", false),
            ("schedule.kind=cosine", "schedule.final_factor=0.5", true),
            ("schedule.kind=one_cycle", "schedule.every=2", false),
            ("schedule.kind=step", "schedule.every=2", true),
            ("schedule.kind=cosine", "schedule.factor=0.5", false),
            ("schedule.kind=step", "schedule.factor=0.5", true),
            ("data.crop=[]", "augment.rare_share=0.5", false),
            ("data.crop=[8, 8]", "augment.rare_share=0.5", true),
            ("model.depth=2", "model.deep_supervision=true", false),
            ("model.depth=3", "model.deep_supervision=true", true),
        ] {
            let result = with(&[kind, key]);
            assert_eq!(result.is_ok(), acts, "{kind} {key}");
            let Err(error) = result else { continue };
            let (name, value) = key.split_once('=').unwrap();
            let expected = format!("`{name}` is {value}, but `{}` is ", kind.split_once('=').unwrap().0);
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        // At its default a key does no harm, so that a whole config.toml is read whatever its kinds are.
        with(&["optimizer.kind=sgd", "optimizer.beta1=0.9", "schedule.kind=constant", "schedule.every=10"])
            .unwrap();
        let text = with(&["optimizer.kind=sgd", "optimizer.nesterov=true", "optimizer.momentum=0"]);
        assert!(text.unwrap_err().to_string().contains("above 0 with `optimizer.nesterov`"));
    }

    #[test]
    fn json_and_byte_order_marks_are_read() {
        let json = "{\"train\": {\"epochs\": 3, \"seed\": 5}, \"data\": {\"crop\": [8, 8], \"ignore_index\": null}, \
                    \"optimizer\": {\"learning_rate\": 1e-3}, \"model\": {\"bias\": false}}";
        let toml = "[train]\nepochs = 3\nseed = 5\n[data]\ncrop = [8, 8]\n[optimizer]\nlearning_rate = 1e-3\n\
                    [model]\nbias = false";
        let expected = Config::from_toml(toml, "a.toml").unwrap();
        for (text, origin) in [
            (json.to_owned(), "a.json"),
            (json.to_owned(), "a"),
            (format!("\u{feff}{json}"), "a.toml"),
            (format!("\u{feff}{toml}"), "a.toml"),
        ] {
            assert_eq!(Config::from_toml(&text, origin).unwrap(), expected, "{text}");
        }
        let text = Config::from_toml("{\n\"train\": 5,}", "a.json").unwrap_err().to_string();
        assert!(text.starts_with("a.json, line 2: ") && !text.contains("column"), "{text}");
        let text = Config::from_toml("[1]", "a.json").unwrap_err().to_string();
        assert_eq!(text, "a.json: is not a table of keys");
    }

    #[test]
    fn a_file_without_a_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l.toml");
        std::fs::write(&path, "\u{feff}# nothing\n").unwrap();
        for result in [Sources::default().loss_file(&path), Sources::default().file(&path)] {
            let text = result.unwrap_err().to_string();
            assert!(text.ends_with("l.toml: holds no key"), "{text}");
        }
    }

    #[test]
    fn malformed_sources_are_located() {
        let text = Config::from_toml("[train]\nepochs = = 3", "my.toml").unwrap_err().to_string();
        assert!(text.starts_with("my.toml, line 2: "), "{text}");
        for bad in ["train.epochs", "=5", "train.=5"] {
            assert!(problem(bad).contains("not of the form key=value"), "{bad}");
        }
    }
}
