//! From a deserialiser's words to a person's: the key, the value that stands there, and what would do.
//!
//! serde says `invalid type: string "many", expected usize`, `unknown field …, expected one of …` or
//! `unknown variant …`, and toml adds the path, "in `epochs`". Names of Rust types never reach a message.

use segloss::spelling::edit_distance;
use serde::de::DeserializeOwned;
use toml::Value;

use crate::decode::one_line;
use crate::error::ConfigProblem;

/// Why `value`, the section `name`, is not a `T`.
pub(crate) fn explain<T: DeserializeOwned>(
    name: &str,
    value: &Value,
    error: &toml::de::Error,
) -> ConfigProblem {
    let message = one_line(error.message());
    let display = error.to_string();
    // The path stands on a line of its own, as in "in `weights.source`".
    let path = display.lines().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
    let path: Vec<&str> = path.map_or_else(Vec::new, |path| path.split('.').collect());
    let key = std::iter::once(name).chain(path.iter().copied()).collect::<Vec<_>>().join(".");
    let found = path.iter().try_fold(value, |value, part| value.get(part));
    let shown = found.map_or_else(String::new, Value::to_string);
    // serde quotes what it met first, and then what it knows.
    let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);

    if message.starts_with("unknown field ") {
        let field = quoted.next().unwrap_or_default();
        return unknown(format!("{key}.{field}"), &field, &quoted.collect::<Vec<_>>());
    }
    if message.starts_with("unknown variant ") {
        let met = quoted.next().unwrap_or_default();
        let known: Vec<String> = quoted.collect();
        let suggestions = nearest(&met, &known);
        return ConfigProblem::UnknownValue { key, value: met, suggestions, known };
    }
    if message.starts_with("missing field ") {
        let field = quoted.next().unwrap_or_default();
        let expected = format!("the key `{field}` in it");
        return ConfigProblem::WrongType { key, value: shown, expected };
    }
    let Some((_, expected)) = message.split_once(", expected ") else {
        // "wanted exactly 1 element, …": a choice with none or several of its names.
        if message.starts_with("wanted exactly 1 element") {
            return ConfigProblem::WrongType { key, value: shown, expected: "one key".to_owned() };
        }
        return ConfigProblem::Malformed { origin: format!("`{key}`"), problem: message };
    };
    let expected = match expected {
        // A choice by name: the names are what it says to a name that it does not know.
        "string only" | "newtype variant" => {
            let mut names = value.clone();
            let place = path.iter().try_fold(&mut names, |value, part| value.get_mut(*part));
            let asked = place.map(|place| *place = Value::String(String::new()));
            let problem = asked.and_then(|()| T::deserialize(names.clone()).err());
            match problem.map(|problem| explain::<T>(name, &names, &problem)) {
                Some(ConfigProblem::UnknownValue { known, .. }) if expected == "string only" => {
                    format!("`{}`", known.join("`, `"))
                }
                _ => format!("a name with its value, as in {{ {} = … }}", shown.trim_matches('"')),
            }
        }
        expected => {
            let one = in_words(expected);
            if matches!(found, Some(Value::Array(_))) { format!("a list; each entry {one}") } else { one }
        }
    };
    ConfigProblem::WrongType { key, value: shown, expected }
}

/// A Rust type in a person's words.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "path string" => "a path",
        other if other.starts_with("struct ") || other == "a map" => "a section of keys",
        other => other,
    }
    .to_owned()
}

/// An unknown key, with the known keys that need the fewest changes.
pub(crate) fn unknown(key: String, field: &str, known: &[String]) -> ConfigProblem {
    ConfigProblem::UnknownKey { key, suggestions: nearest(field, known) }
}

/// The three known names that need the fewest changes, the nearest first.
fn nearest(name: &str, known: &[String]) -> Vec<String> {
    let mut ranked: Vec<_> = known.iter().map(|known| (edit_distance(name, known), known)).collect();
    ranked.sort();
    ranked.into_iter().take(3).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::Sources;

    fn problem(assignment: &str) -> String {
        let mut sources = Sources::default();
        sources.set(assignment).unwrap();
        sources.finish().unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_value_is_shown_with_what_would_do() {
        for (assignment, expected) in [
            ("train.epochs=many", "`train.epochs` is \"many\"; expected a whole number, 0 or more"),
            ("train.epochs=2.5", "`train.epochs` is 2.5; expected a whole number, 0 or more"),
            ("train.epochs=-3", "`train.epochs` is -3; expected a whole number, 0 or more"),
            ("data.ignore_index=300", "`data.ignore_index` is 300; expected a whole number from 0 to 255"),
            ("data.crop=8", "`data.crop` is 8; expected a list"),
            (
                "data.crop=[8,'x']",
                "`data.crop` is [8, \"x\"]; expected a list; each entry a whole number, 0 or more",
            ),
            ("data.folder=5", "`data.folder` is 5; expected a path"),
            ("model.bias=yes", "`model.bias` is \"yes\"; expected true or false"),
            ("optimizer.learning_rate=fast", "`optimizer.learning_rate` is \"fast\"; expected a number"),
            ("loss.gamma=true", "`loss.gamma` is true; expected a number"),
            ("loss.weights=5", "`loss.weights` is 5; expected a table such as { source = \"per_sample\" }"),
            ("train=5", "`train` is 5; expected a section of keys"),
            ("model=[]", "`model` is []; expected a section of keys"),
            ("optimizer.kind=5", "`optimizer.kind` is 5; expected `adam`, `adamw`, `sgd`"),
            (
                "loss.weights.scheme={power='x'}",
                "`loss.weights.scheme` is { power = \"x\" }; expected a number",
            ),
            ("loss.reduction={}", "`loss.reduction` is {}; expected one key"),
            (
                "loss.threshold=document",
                "`loss.threshold` is \"document\"; expected a name with its value, as in { document = … }",
            ),
            ("loss.terms=[{factor=1}]", "`loss.terms` is [{ factor = 1 }]; expected the key `loss` in it"),
        ] {
            assert_eq!(problem(assignment), expected);
        }
    }

    #[test]
    fn an_unknown_value_names_its_neighbours() {
        for (assignment, expected) in [
            (
                "optimizer.kind=adm",
                "`optimizer.kind` is \"adm\"; did you mean `adam`? It may be `adam`, `adamw`, `sgd`",
            ),
            ("model.norm=bach", "`model.norm` is \"bach\"; did you mean `batch`? It may be `batch`, `none`"),
            (
                "loss.kind=cross_entropie",
                "`loss.kind` is \"cross_entropie\"; did you mean `cross_entropy`? It may be `cross_entropy`, `binary_cross_entropy`, ",
            ),
            (
                "loss.terms=[{loss={kind='dyce'}}]",
                "`loss.terms.loss.kind` is \"dyce\"; did you mean `dice`? It may be ",
            ),
            (
                "loss.reduction={constat=5}",
                "`loss.reduction` is \"constat\"; did you mean `constant`? It may be ",
            ),
        ] {
            let text = problem(assignment);
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn no_message_holds_a_rust_type() {
        let keys = ["train.epochs", "data.crop", "data.channels", "optimizer", "loss.weights", "loss.terms"];
        let values = ["x", "5", "-5", "2.5", "true", "[]", "['x']", "{}", "{ a = 1 }", "1979-05-27", "[[1]]"];
        for (key, value) in keys.iter().flat_map(|key| values.map(|value| (key, value))) {
            let mut sources = Sources::default();
            sources.set(&format!("{key}={value}")).unwrap();
            let Err(error) = sources.finish() else { continue };
            let text = error.to_string();
            for rust in ["usize", "u8", "f64", "struct ", "Config", "variant", "sequence", "invalid type"] {
                assert!(!text.contains(rust), "{key}={value}: {text}");
            }
        }
    }
}
