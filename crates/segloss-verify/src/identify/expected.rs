//! What a loss is meant to be, as a user says it.

use segloss::kinds::Combined;
use segloss::{Kind, LossSpec, Options, Term, spelling};

/// What a loss is meant to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// It.
    pub spec: LossSpec,
    /// The keys that were said; the others are as they are by default, and mean nothing.
    pub said: Vec<String>,
}

/// What a loss is meant to be: kinds with `+` between them and, if they matter, factors, as in `0.3*cross_entropy + 0.7*dice`; or a
/// specification in TOML or JSON.
///
/// # Errors
/// In words, where it is neither.
pub fn expected(text: &str) -> Result<Expected, String> {
    if text.contains(['=', '{']) {
        let spec = LossSpec::from_text(text).map_err(|error| error.to_string())?;
        if matches!(spec.options, Options::Combined(_)) && spec.terms().is_empty() {
            return Err("a sum without terms; write them as [[terms]]".to_owned());
        }
        return Ok(Expected { spec, said: keys(text) });
    }
    if let Some((first, _)) = text.trim().split_once('\n') {
        let first: String = first.chars().take(40).collect();
        return Err(format!("neither a kind nor a specification, but `{first}…`"));
    }
    let terms: Vec<Term> = text.split('+').map(term).collect::<Result<_, _>>()?;
    let said = if text.contains('*') { vec![FACTORS.to_owned()] } else { Vec::new() };
    match <[Term; 1]>::try_from(terms) {
        Ok([_]) if !said.is_empty() => {
            Err("a factor of one loss alone is not compared; of a sum, the ratio of the factors is"
                .to_owned())
        }
        Ok([term]) => Ok(Expected { spec: term.loss, said: Vec::new() }),
        Err(terms) => Ok(Expected { spec: Combined::new(terms), said }),
    }
}

/// What [`Expected::said`] holds where the factors of a sum were said.
pub const FACTORS: &str = "terms";

/// A kind, with a factor before it or without.
fn term(text: &str) -> Result<Term, String> {
    let (factor, name) = match text.split_once('*') {
        Some((factor, name)) => {
            let number = factor.trim().parse::<f64>().ok().filter(|x| x.is_finite() && *x > 0.0);
            (
                number.ok_or_else(|| format!("`{}` is no factor; write a number > 0", factor.trim()))?,
                name.trim(),
            )
        }
        None => (1.0, text.trim()),
    };
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    match Kind::named(name) {
        Some(kind) => Ok(Term { factor, loss: LossSpec::new(kind) }),
        None if name.is_empty() => {
            Err("write a kind, as in dice (`segloss losses` lists them), a sum of some, or a specification"
                .to_owned())
        }
        None => {
            let meant = spelling::nearest(name, &known).map(|kind| format!("; did you mean `{kind}`?"));
            let shown: String = name.chars().take(40).collect();
            Err(format!(
                "no kind `{shown}`{}",
                meant.unwrap_or_else(|| "; `segloss losses` lists them".to_owned())
            ))
        }
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
        assert_eq!(of("0.3 * cross_entropy + dice"), Ok((Kind::Combined, said(&["terms"]))));
        let refused = |text: &str| of(text).unwrap_err();
        assert_eq!(refused("cross_entropy + dicee"), "no kind `dicee`; did you mean `dice`?");
        assert!(refused("").starts_with("write a kind") && refused("x*dice").contains("`x` is no factor"));
        assert!(refused("2*dice").contains("of one loss alone"));
        assert!(of("alpha").is_err() && of("kind = 'combined'").is_err());
    }
}
