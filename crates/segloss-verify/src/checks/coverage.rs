//! Every kind in the library's registry is judged by every check that speaks of all kinds.

use super::{Check, Context, Judges};
use crate::tally::Tally;
use crate::trouble::Trouble;
use segloss::Kind;

pub(super) const CHECK: Check = Check {
    name: "coverage",
    claim: "every kind of the registry went through values, gradients, laws, threads and a framework's fixture",
    judges: Judges::Run,
    drawn: false,
    run,
};

/// Checks that must have seen every kind.
const OF_ALL_KINDS: [&str; 13] = [
    "values_f64",
    "values_f32",
    "gradients",
    "exact_gradients",
    "confidently_wrong",
    "limits",
    "layouts",
    "one_hot",
    "symmetry",
    "ignored",
    "all_ignored",
    "partition",
    "threads",
];

fn run(context: &Context<'_>) -> Result<Tally, Trouble> {
    let mut tally = Tally::default();
    for name in OF_ALL_KINDS {
        let check = context.before.iter().find(|result| result.name == name);
        for kind in Kind::ALL {
            let covered = check.is_some_and(|result| result.tally.kinds.contains(&kind));
            tally.require(covered, name, || format!("`{}` was not judged", kind.name()));
        }
    }
    for kind in Kind::ALL {
        let golden = context.before.iter().filter(|result| result.name.starts_with("fixtures_"));
        let covered = golden.into_iter().any(|result| result.tally.kinds.contains(&kind));
        tally.require(covered, "fixtures", || format!("no framework's numbers for `{}`", kind.name()));
    }
    Ok(tally)
}
