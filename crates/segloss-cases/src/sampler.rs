//! Sampling options without replacement.
//!
//! The options of a kind have far more combinations than there is time for. Each option goes through its values in a random
//! order of its own, shuffled again whenever it has been through: every value comes up equally often, beside ever other
//! values of the others.

use crate::random::generator;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use segloss::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// The options of kinds in the order in which they are sampled. Whatever is not among them comes after them.
pub(crate) const FIRST: [&str; 20] = [
    "region",
    "classes",
    "squared",
    "asymmetric",
    "background",
    "gamma",
    "smooth",
    "keep",
    "epsilon",
    "margin",
    "scale",
    "mitigation",
    "compensation",
    "mix",
    "delta",
    "alpha",
    "label_smoothing",
    "smoothing_weight",
    "average",
    "confidence",
];

/// Those of them that draw from [`OptionSampler::rng_of_later`], as all do that are not among the first.
const LATER: [&str; 2] = ["smoothing_weight", "average"];

/// What is sampled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Choice {
    /// An option that is a kind's own, by key.
    Option(&'static str),
    /// Anything else.
    Other(&'static str),
}

/// Samples the values of options.
pub(crate) struct OptionSampler {
    rng: ChaCha8Rng,
    /// For options that came later: so they change no other option's values, and hard seeds stay hard.
    rng_of_later: ChaCha8Rng,
    /// For each choice the places of the values that are still to come, the next one last.
    remaining: BTreeMap<Choice, Vec<usize>>,
}

impl OptionSampler {
    /// For the kind, or the purpose, of this name.
    pub(crate) fn new(seed: u64, kind: &str) -> Self {
        Self {
            rng: generator(seed, &format!("options of {kind}")),
            rng_of_later: generator(seed, &format!("later options of {kind}")),
            remaining: BTreeMap::new(),
        }
    }

    /// The next value of a choice.
    pub(crate) fn sample<T: Clone>(&mut self, choice: &'static str, values: &[T]) -> T {
        self.next(Choice::Other(choice), values)
    }

    /// Nothing, or the next value of a choice.
    pub(crate) fn sample_or_none<T: Clone>(&mut self, choice: &'static str, values: &[T]) -> Option<T> {
        self.sample(choice, &or_none(values))
    }

    /// Nothing, or the next value of an option that is a kind's own.
    pub(crate) fn sample_option(&mut self, key: &'static str, values: &[Value]) -> Option<Value> {
        self.next(Choice::Option(key), &or_none(values))
    }

    /// Any number of a range.
    pub(crate) fn number(&mut self, range: Range<usize>) -> usize {
        self.rng.random_range(range)
    }

    fn next<T: Clone>(&mut self, choice: Choice, values: &[T]) -> T {
        let is_later = matches!(choice, Choice::Option(key) if LATER.contains(&key) || !FIRST.contains(&key));
        let remaining = self.remaining.entry(choice).or_default();
        // A choice may be between lists of several lengths: a term has other options than the next.
        remaining.retain(|&place| place < values.len());
        if remaining.is_empty() {
            remaining.extend(0..values.len());
            let rng = if is_later { &mut self.rng_of_later } else { &mut self.rng };
            for i in (1..remaining.len()).rev() {
                remaining.swap(i, rng.random_range(0..=i));
            }
        }
        values[remaining.pop().unwrap_or(0)].clone()
    }
}

/// The values, and none before them.
fn or_none<T: Clone>(values: &[T]) -> Vec<Option<T>> {
    std::iter::once(None).chain(values.iter().cloned().map(Some)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_up_equally_often() {
        let mut sampler = OptionSampler::new(1, "a kind");
        for _ in 0..4 {
            let mut values: Vec<u8> = (0..3).map(|_| sampler.sample("choice", &[1, 2, 3])).collect();
            values.sort_unstable();
            assert_eq!(values, [1, 2, 3]);
        }
    }

    #[test]
    fn a_later_option_changes_no_other() {
        let sampled = |with_later: bool| {
            let mut sampler = OptionSampler::new(1, "a kind");
            let one = |_| {
                if with_later {
                    sampler.sample_option("an option that nobody knew", &[1.0.into(), 2.0.into()]);
                }
                sampler.sample("choice", &[1, 2, 3])
            };
            (0..6).map(one).collect::<Vec<u8>>()
        };
        assert_eq!(sampled(true), sampled(false));
    }
}
