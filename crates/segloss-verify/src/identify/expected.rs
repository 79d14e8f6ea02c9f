//! What a loss is meant to be, as a user says it.

use segloss::kinds::Combined;
use segloss::{Kind, LossSpec, Options, Term};

/// What a loss is meant to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// It.
    pub spec: LossSpec,
    /// The keys that were said; the others are as they are by default, and mean nothing.
    pub said: Vec<String>,
}

/// What a loss is meant to be: kinds with `+` between them, or a specification in TOML or JSON.
///
/// # Errors
/// In words, where it is neither.
pub fn expected(text: &str) -> Result<Expected, String> {
    let only = |spec| Expected { spec, said: Vec::new() };
    let kinds: Option<Vec<Kind>> = text.split('+').map(|name| Kind::named(name.trim())).collect();
    match kinds.as_deref() {
        Some([kind]) => Ok(only(LossSpec::new(*kind))),
        Some(kinds) => {
            let term = |&kind: &Kind| Term { factor: 1.0, loss: LossSpec::new(kind) };
            Ok(only(Combined::new(kinds.iter().map(term).collect())))
        }
        None if text.contains(['=', '{']) => {
            let spec = LossSpec::from_text(text).map_err(|error| error.to_string())?;
            if matches!(spec.options, Options::Combined(_)) && spec.terms().is_empty() {
                return Err("a sum without terms; write them as [[terms]]".to_owned());
            }
            Ok(Expected { spec, said: keys(text) })
        }
        None => Err("neither a kind (`segloss losses` lists them) nor a specification".to_owned()),
    }
}

/// The keys of a specification, in TOML or JSON; of a table also its own, as in `weights.scheme`.
fn keys(text: &str) -> Vec<String> {
    let table = text.parse::<toml::Table>().or_else(|_| serde_json::from_str(text)).unwrap_or_default();
    let own = |(key, value): (&String, &toml::Value)| {
        let inner = value.as_table().into_iter().flat_map(toml::Table::keys);
        inner.map(|inner| format!("{key}.{inner}")).chain([key.clone()]).collect::<Vec<_>>()
    };
    table.iter().flat_map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_told_from_what_is_by_default() {
        let of = |text: &str| expected(text).map(|found| (found.spec.kind(), found.said));
        let said = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<String>>();
        assert_eq!(of("tversky"), Ok((Kind::Tversky, said(&[]))));
        assert_eq!(of("kind = 'tversky'\nalpha = 0.3"), Ok((Kind::Tversky, said(&["alpha", "kind"]))));
        assert_eq!(of("{\"kind\": \"tversky\"}"), Ok((Kind::Tversky, said(&["kind"]))));
        let weighted = "kind = 'cross_entropy'\nweights = { source = 'per_batch' }";
        assert_eq!(of(weighted), Ok((Kind::CrossEntropy, said(&["kind", "weights.source", "weights"]))));
        assert!(of("alpha").is_err() && of("kind = 'combined'").is_err());
    }
}
