//! What each batch of a probe asks, and what its answer counts for. `batches.py` makes them.

/// What an answer counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A loss must explain it.
    Must,
    /// Losses do not agree here: one is not given up for it, but of two the one that explains it goes first.
    Edge,
    /// It shows how a loss behaves far out, and is not fitted.
    Shows,
}

const QUESTIONS: [(&str, Role, &str); 18] = [
    ("base", Role::Must, "images of different balance"),
    ("again", Role::Shows, "the same again"),
    ("image", Role::Edge, "the same without the first image"),
    ("four", Role::Must, "twice as many images"),
    ("shifted", Role::Must, "all logits of a pixel shifted by one number"),
    ("relabelled", Role::Must, "the classes in another order"),
    ("absent", Role::Edge, "no pixel of the last class"),
    ("absent_in_one", Role::Edge, "no pixel of the last class in the first image"),
    ("sure", Role::Edge, "confidently right, and confidently wrong"),
    ("saturated", Role::Shows, "logits of 500 and more"),
    ("large", Role::Must, "one image of 144 pixels, few of them of the last class"),
    ("pixel", Role::Edge, "one pixel"),
    ("ignored", Role::Edge, "some pixels ignored"),
    ("ignored_changed", Role::Edge, "the same with other logits at the ignored pixels"),
    ("soft", Role::Edge, "soft labels"),
    ("forward", Role::Shows, "a step along a direction"),
    ("backward", Role::Shows, "a step against it"),
    ("", Role::Must, ""),
];

/// What the answer to a batch of this name counts for.
pub fn role(name: &str) -> Role {
    QUESTIONS.iter().find(|question| question.0 == name).map_or(Role::Must, |question| question.1)
}

/// What a batch of this name asks, in words.
pub fn question(name: &str) -> &'static str {
    QUESTIONS.iter().find(|question| question.0 == name).map_or("", |question| question.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_of_the_script_has_a_question() {
        let script = include_str!("batches.py");
        let asked = script.lines().filter_map(|line| line.trim().strip_prefix("yield \"")?.split('"').next());
        let named: Vec<&str> = asked.collect();
        assert!(named.len() > 10);
        for name in named {
            assert!(!question(name).is_empty(), "{name}");
        }
    }
}
