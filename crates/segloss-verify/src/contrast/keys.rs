//! The keys in which two specifications differ, and each of them alone.

use segloss::LossSpec;
use serde::Serialize;
use toml::Value;

/// A key that two specifications give different values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyDifference {
    /// As in `weights.scheme`.
    pub key: String,
    /// Its value in the first; none where that kind has no such key.
    pub a: Option<String>,
    /// And in the second.
    pub b: Option<String>,
    /// How far the gradient moves where the first specification gets this one key of the second, relative to its largest entry;
    /// none where there is no such loss, or the kinds differ.
    pub alone: Option<f64>,
}

/// Every key that differs, with the first specification changed in this one key; none where that is no specification. Of
/// different kinds, without keys that one has by default and the other has not.
pub fn differences(a: &LossSpec, b: &LossSpec) -> Vec<(KeyDifference, Option<LossSpec>)> {
    let (from, to) = (table(a), table(b));
    let defaults = [a, b].map(|spec| table(&LossSpec::new(spec.kind())));
    let (mut paths, mut theirs) = (Vec::new(), Vec::new());
    leaves(&from, &to, &mut Vec::new(), &mut paths);
    leaves(&to, &from, &mut Vec::new(), &mut theirs);
    theirs.retain(|path| !paths.contains(path));
    paths.extend(theirs);
    let same_kind = a.kind() == b.kind();
    let has_by_default = |path: &Vec<String>| {
        let [a, b] = [at(&from, path), at(&to, path)];
        a.is_none() && b == at(&defaults[1], path) || b.is_none() && a == at(&defaults[0], path)
    };
    paths.retain(|path| same_kind || !has_by_default(path));
    let shown = |table: &Value, path: &[String]| at(table, path).map(in_a_word);
    paths
        .into_iter()
        .map(|path| {
            let [a, b] = [shown(&from, &path), shown(&to, &path)];
            let changed = same_kind.then(|| {
                let mut changed = from.clone();
                set(&mut changed, &path, at(&to, &path).cloned());
                toml::to_string(&changed).ok().and_then(|text| LossSpec::from_toml(&text).ok())
            });
            (KeyDifference { key: path.join("."), a, b, alone: None }, changed.flatten())
        })
        .collect()
}

fn in_a_word(value: &Value) -> String {
    match value {
        Value::Array(terms) if terms.iter().any(Value::is_table) => format!("{} terms", terms.len()),
        Value::Table(table) => table.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        Value::Float(x) => x.to_string(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// All keys, the reduction that a kind has by default among them. The layout is no part of a loss.
fn table(spec: &LossSpec) -> Value {
    let mut spec = LossSpec { layout: segloss::Layout::default(), ..spec.clone() };
    if spec.kind().info().takes("reduction") {
        spec.reduction = spec.reduction.or(Some(spec.kind().default_reduction()));
    }
    toml::from_str(&spec.to_toml()).unwrap_or(Value::Table(toml::Table::new()))
}

/// The paths of what `of` has otherwise than `beside`, as deep as both have tables, or as many terms.
fn leaves(of: &Value, beside: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let entries: Vec<(String, &Value)> = match of {
        Value::Table(of) => of.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(of) => of.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => return,
    };
    for (key, value) in entries {
        path.push(key.clone());
        let other = child(beside, &key);
        match (value, other) {
            (_, Some(other)) if other == value => {}
            (Value::Table(_), Some(other @ Value::Table(_))) => leaves(value, other, path, found),
            (Value::Array(a), Some(other @ Value::Array(b)))
                if a.len() == b.len() && a.iter().all(Value::is_table) =>
            {
                leaves(value, other, path, found);
            }
            _ => found.push(path.clone()),
        }
        path.pop();
    }
}

fn child<'a>(of: &'a Value, key: &str) -> Option<&'a Value> {
    match of {
        Value::Array(terms) => terms.get(key.parse::<usize>().ok()?),
        of => of.get(key),
    }
}

fn at<'a>(table: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(table, |value, key| child(value, key))
}

fn set(table: &mut Value, path: &[String], value: Option<Value>) {
    let Some((last, above)) = path.split_last() else { return };
    let found = above.iter().try_fold(table, |of, key| match of {
        Value::Array(terms) => terms.get_mut(key.parse::<usize>().ok()?),
        of => of.get_mut(key),
    });
    if let Some(Value::Table(table)) = found {
        match value {
            Some(value) => drop(table.insert(last.clone(), value)),
            None => drop(table.remove(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_are_named_with_their_values() {
        let spec = |text: &str| LossSpec::from_toml(text).unwrap_or_default();
        let a = spec("kind = 'dice'\n[weights]\nsource = 'per_batch'");
        let b =
            spec("kind = 'dice'\nsmooth = 1.0\nlayout = 'channels_last'\n[weights]\nsource = 'per_sample'");
        let found = differences(&a, &b);
        let keys: Vec<&str> = found.iter().map(|(key, _)| key.key.as_str()).collect();
        assert_eq!(keys, ["smooth", "weights.source"]);
        assert_eq!(found[0].0.b.as_deref(), Some("1"));
        assert_eq!(found[0].1.as_ref().map(|spec| spec.weights.source), Some(a.weights.source));
    }

    #[test]
    fn terms_of_sums_are_compared_one_by_one() {
        let sum = |factor: f64| {
            let term = "\n[[terms]]\nloss = { kind = 'dice' }";
            LossSpec::from_toml(&format!("kind = 'combined'{term}{term}\nfactor = {factor:?}"))
                .unwrap_or_default()
        };
        let found = differences(&sum(1.0), &sum(3.0));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0.key, "terms.1.factor");
        assert_eq!(found[0].1.as_ref().map(|spec| spec.terms[1].factor), Some(3.0));
    }

    #[test]
    fn of_different_kinds_only_what_was_set_is_named() {
        let spec = |text: &str| LossSpec::from_toml(text).unwrap_or_default();
        let found = differences(&spec("kind = 'cross_entropy'"), &spec("kind = 'dice'\nsquared = true"));
        let keys: Vec<&str> = found.iter().map(|(key, _)| key.key.as_str()).collect();
        assert_eq!(keys, ["kind", "squared"]);
    }
}
