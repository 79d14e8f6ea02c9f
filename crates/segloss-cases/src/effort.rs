//! How much to try.

use segloss::Kind;

/// How much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// A second or two: one of many seeds.
    Sweep,
    /// Seconds: a self-test, or a look before a commit.
    Quick,
    /// What is worth a minute or two.
    Default,
    /// All that there is time for.
    Full,
}

impl Effort {
    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        }
    }

    /// What asks for it on the command line, behind a space.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Sweep => " --seeds 1",
            Self::Quick => " --quick",
            Self::Default => "",
            Self::Full => " --full",
        }
    }

    /// How many, in the order of the efforts.
    pub fn of<T>(self, [sweep, quick, default, full]: [T; 4]) -> T {
        match self {
            Self::Sweep => sweep,
            Self::Quick => quick,
            Self::Default => default,
            Self::Full => full,
        }
    }

    /// The kinds for a check that costs much for each: all, and of a sweep those whose turn it is.
    pub fn kinds(self, seed: u64) -> impl Iterator<Item = Kind> {
        let is_next = move |i: u64| self != Self::Sweep || (i + seed).is_multiple_of(7);
        (0..).zip(Kind::ALL).filter(move |&(i, _)| is_next(i)).map(|(_, kind)| kind)
    }
}
