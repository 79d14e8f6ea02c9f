//! What a loss is meant to be, as a user says it.

use segloss::kinds::Combined;
use segloss::{Kind, LossSpec, Term};

/// What a loss is meant to be: kinds with `+` between them, or a specification in TOML or JSON.
///
/// # Errors
/// In words, where it is neither.
pub fn expected(text: &str) -> Result<LossSpec, String> {
    let kinds: Option<Vec<Kind>> = text.split('+').map(|name| Kind::named(name.trim())).collect();
    match kinds.as_deref() {
        Some([kind]) => Ok(LossSpec::new(*kind)),
        Some(kinds) => {
            let term = |&kind: &Kind| Term { factor: 1.0, loss: LossSpec::new(kind) };
            Ok(Combined::new(kinds.iter().map(term).collect()))
        }
        None if text.contains(['=', '{']) => LossSpec::from_text(text).map_err(|error| error.to_string()),
        None => Err("neither a kind (`segloss losses` lists them) nor a specification".to_owned()),
    }
}
