//! What can be wrong with a configuration.

/// A key whose value is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As in `train.batch_size`.
    pub key: String,
    /// What the run was begun with; `absent` if nothing.
    pub was: String,
    /// What is asked for.
    pub asked: String,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// A key that does not exist.
    #[error("unknown key `{key}`{}", nearest(.suggestions))]
    UnknownKey {
        /// The full key, as in `train.epoch`.
        key: String,
        /// Known keys that look like it, nearest first.
        suggestions: Vec<String>,
    },
    /// `--set` without `=`, or with an empty key.
    #[error("`{0}` is not of the form key=value, as in train.epochs=5")]
    NotAnAssignment(String),
    /// A value that is none of the names a key may have.
    #[error("`{key}` is \"{value}\"{} It may be `{}`", nearest(&suggestions[..suggestions.len().min(1)]), known.join("`, `"))]
    UnknownValue {
        /// The full key, as in `optimizer.kind`.
        key: String,
        /// What came.
        value: String,
        /// Names that look like it, nearest first.
        suggestions: Vec<String>,
        /// Every name that would do.
        known: Vec<String>,
    },
    /// A value of another type than the key's.
    #[error("`{key}` is {value}; expected {expected}")]
    WrongType {
        /// The full key.
        key: String,
        /// What came, as TOML.
        value: String,
        /// What would do.
        expected: String,
    },
    /// A key that was set although the chosen kind does not read it.
    #[error("`{key}` is {value}, but `{}` is {}, which does not read it ({readers} would); leave the key out", kind.0, kind.1)]
    Idle {
        /// The full key.
        key: &'static str,
        /// What came.
        value: String,
        /// The key of the choice, and what was chosen.
        kind: (&'static str, &'static str),
        /// What reads the key.
        readers: &'static str,
    },
    /// A run that goes on was asked for another configuration than it was begun with.
    #[error(
        "{}: a run goes on with what it was begun with, but for train.epochs, train.patience, train.overlays, data.folder, \
         optimizer.learning_rate, optimizer.clip_norm and [schedule]; begin another run (--out), or this one anew (--restart)",
        changes(.0)
    )]
    Changed(Vec<Change>),
    /// The text is neither TOML nor JSON.
    #[error("{origin}: {problem}")]
    Malformed {
        /// The file or the assignment.
        origin: String,
        /// The parser's words, on one line.
        problem: String,
    },
    /// A value outside of its range.
    #[error("`{key}` is {value}, expected {expected}")]
    OutOfRange {
        /// The full key.
        key: &'static str,
        /// What came.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// Loss and gradient of a whole epoch are exactly 0.
    #[error(
        "epoch {epoch}: loss and gradient are 0 in every step, so that nothing is learned; are all weights 0 \
         (loss.weights, maps/), or all pixels of the training masks ignored?"
    )]
    NothingToLearn {
        /// Counted from 1.
        epoch: usize,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

fn nearest(suggestions: &[String]) -> String {
    match suggestions {
        [] => String::new(),
        list => format!("; did you mean `{}`?", list.join("` or `")),
    }
}

fn changes(changes: &[Change]) -> String {
    let one = |Change { key, was, asked }: &Change| format!("`{key}` is {asked}, was {was}");
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}
