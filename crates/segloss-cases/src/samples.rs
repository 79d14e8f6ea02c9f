//! Every kind of the registry with options that reach all of its branches, as its own file says: what the laws of `segloss`
//! are tried on. A kind without samples does not compile, and one that the laws never saw fails them.

use crate::spec::IGNORED;
use segloss::{Kind, LossSpec};

/// What a kind is tested with, as far as the number of classes leaves it free: no option has an entry per class.
fn of(kind: Kind) -> Vec<LossSpec> {
    let spec = |options: &&str| {
        let text = format!("kind = '{}'\nignore_index = {IGNORED}\n{options}", kind.name());
        LossSpec::from_toml(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
    };
    kind.samples().iter().map(spec).collect()
}

/// The samples of every kind.
pub fn all() -> Vec<LossSpec> {
    Kind::ALL.into_iter().flat_map(of).collect()
}
