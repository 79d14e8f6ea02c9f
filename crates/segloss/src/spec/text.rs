//! Specifications as texts: TOML and JSON, with the place of what cannot be read.

use super::{LossSpec, reading};
use crate::error::{Error, Problem};
use crate::options::checks::OPERATION;
use crate::spelling;
use serde::de::DeserializeSeed;

impl LossSpec {
    /// Reads the text of a specification file: JSON if it begins with `{`, else TOML; a byte order mark is skipped.
    ///
    /// # Errors
    /// [`Problem::Syntax`] as below, and for a text without a single key: it is likely to be another file.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let spec =
            if text.trim_start().starts_with('{') { Self::from_json(text) } else { Self::from_toml(text) }?;
        let has_key = |line: &str| !matches!(line.trim().chars().next(), None | Some('#'));
        let empty_json = text.trim_start().strip_prefix('{').is_some_and(|rest| rest.trim() == "}");
        if empty_json || !text.lines().any(has_key) {
            return Err(syntax(
                "holds no key; the smallest specification is kind = \"cross_entropy\"".to_owned(),
            ));
        }
        Ok(spec)
    }

    /// Reads a specification in TOML. Options are checked by [`Loss::new`](crate::Loss::new).
    ///
    /// # Errors
    /// [`Problem::Syntax`] with the line and the keys that are known there.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let read = || {
            let kind = reading::kind_of(toml::Deserializer::parse(text)?);
            reading::OfSpec { kind }.deserialize(toml::Deserializer::parse(text)?)
        };
        read().map_err(|error: toml::de::Error| {
            let line =
                error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            syntax(format!("line {line}: {}", spelling::explain(error.message())))
        })
    }

    /// Reads a specification in JSON.
    ///
    /// # Errors
    /// [`Problem::Syntax`] with line and column.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let read = || {
            let kind = reading::kind_of(&mut serde_json::Deserializer::from_str(text));
            let mut deserializer = serde_json::Deserializer::from_str(text);
            let spec = reading::OfSpec { kind }.deserialize(&mut deserializer)?;
            deserializer.end().map(|()| spec)
        };
        read().map_err(|error: serde_json::Error| {
            // Its text ends with the place.
            let (line, column) = (error.line(), error.column());
            let text = error.to_string();
            let message = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
            syntax(format!("line {line}, column {column}: {}", spelling::explain(message)))
        })
    }

    /// The specification as TOML, defaults written out.
    pub fn to_toml(&self) -> String {
        // Only maps with non-string keys or failing writers make these serialisers fail; a
        // specification has neither.
        toml::to_string(self).expect("a specification is plain data")
    }

    /// The specification as JSON, defaults written out.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a specification is plain data")
    }
}

fn syntax(message: String) -> Error {
    Error { operation: OPERATION, problem: Problem::Syntax { message: message.trim_end().to_owned() } }
}
