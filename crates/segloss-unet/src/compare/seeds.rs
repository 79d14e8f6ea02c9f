//! Which seeds an arm asks for, where it does not take the comparison's: `seeds = 6`, or `seeds = [0, 1, 7]`.

use toml::Value;

/// More are a slip.
const MOST: usize = 1000;

/// What an arm's file says of its seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeds {
    /// So many, from the comparison's first seed on.
    Count(u64),
    /// These.
    List(Vec<u64>),
}

impl Seeds {
    /// Reads a file's value.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without its subject's file.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let seed = |value: &Value| u64::try_from(value.as_integer()?).ok();
        let refused = || {
            format!("`seeds` is {value}; expected a number from 1 to {MOST}, or a list of seeds from 0 on")
        };
        let Value::Array(values) = value else {
            let within = |&count: &u64| (1..=MOST as u64).contains(&count);
            return seed(value).filter(within).map(Self::Count).ok_or_else(refused);
        };
        let seeds: Vec<u64> = values.iter().map(seed).collect::<Option<_>>().ok_or_else(refused)?;
        check(&seeds)?;
        Ok(Self::List(seeds))
    }

    /// The seeds, in a comparison whose own begin with `first`.
    pub(super) fn from(&self, first: u64) -> Vec<u64> {
        match self {
            Self::Count(count) => (first..first.saturating_add(*count)).collect(),
            Self::List(seeds) => seeds.clone(),
        }
    }
}

/// Checks a list of seeds: some, and each once.
pub(super) fn check(seeds: &[u64]) -> Result<(), String> {
    if seeds.is_empty() || seeds.len() > MOST {
        return Err(format!("`seeds` holds {} seeds; expected 1 to {MOST}", seeds.len()));
    }
    match seeds.iter().enumerate().find(|(at, seed)| seeds[..*at].contains(seed)) {
        Some((_, seed)) => Err(format!("`seeds` holds {seed} twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Seeds, String> {
        Seeds::read(&toml::from_str::<toml::Table>(&format!("seeds = {text}")).unwrap()["seeds"])
    }

    #[test]
    fn a_number_counts_from_the_first_and_a_list_is_itself() {
        assert_eq!(read("3").unwrap().from(4), [4, 5, 6]);
        assert_eq!(read("[7, 0]").unwrap().from(4), [7, 0]);
    }

    #[test]
    fn what_is_no_seeds_is_refused() {
        for (text, why) in [
            ("0", "`seeds` is 0; expected a number from 1 to 1000"),
            ("1001", "`seeds` is 1001"),
            ("-1", "`seeds` is -1"),
            ("1.5", "`seeds` is 1.5"),
            ("'all'", "`seeds` is \"all\""),
            ("[1, -1]", "`seeds` is [1, -1]"),
            ("[]", "`seeds` holds 0 seeds"),
            ("[1, 2, 1]", "`seeds` holds 1 twice"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }
}
