//! Divides a data set into train, val and test: by groups, at random, and the same way every time.

use std::collections::{BTreeMap, BTreeSet};

use crate::description::{Group, SplitDescription};
use crate::folder::Split;
use crate::random::{Purpose, Stream};

/// Which image goes where.
#[derive(Debug, Clone, PartialEq)]
pub struct Division {
    of: BTreeMap<String, Split>,
    group: Group,
    groups: usize,
    guessed: bool,
    shares: SplitDescription,
}

impl Division {
    /// The split of an image.
    pub fn split_of(&self, name: &str) -> Option<Split> {
        self.of.get(name).copied()
    }

    /// As `dataset.toml` would ask for it.
    pub fn described(&self) -> SplitDescription {
        SplitDescription { group: Some(self.group.clone()), ..self.shares.clone() }
    }

    /// What was done, in words.
    pub fn sentence(&self, asked: bool) -> String {
        let count = |split| self.of.values().filter(|of| **of == split).count();
        let [train, val, test] = Split::ALL.map(count);
        let test = if self.shares.test > 0.0 { format!(" and {test} to test") } else { String::new() };
        let group = match (&self.group, self.guessed) {
            (Group::None, _) => String::new(),
            (group, guessed) => {
                let seem = if guessed { ", as their names suggest" } else { "" };
                format!(", {} groups kept together {}{seem}", self.groups, group.describe())
            }
        };
        let overrule = if asked { "" } else { "; [split] in dataset.toml can say otherwise" };
        format!(
            "{} images are divided at random (seed {}): {train} to train, {val} to validate{test}{group}{overrule}",
            self.of.len(),
            self.shares.seed,
        )
    }
}

/// Divides images by their names. Whole groups are dealt in a random order: to `test` until it has its share of
/// the images, to `val` until it has its own, and the rest to `train`.
///
/// # Errors
/// Why some split would be empty, in words.
pub fn divide<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    shares: &SplitDescription,
) -> Result<Division, String> {
    let guessed = shares.group.is_none();
    let group = shares.group.clone().unwrap_or_else(|| guess(names.clone()));
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names.clone() {
        groups.entry(group.of(name)).or_default().push(name);
    }
    let images = names.count();
    let splits: &[(Split, f64)] = &[(Split::Test, shares.test), (Split::Val, shares.val)];
    let wanted = 1 + splits.iter().filter(|(_, share)| *share > 0.0).count();
    if groups.len() < wanted {
        let what = if group == Group::None { "images" } else { "groups of images" };
        return Err(format!(
            "{} {what} cannot be divided into {wanted} splits ({}); give the folders train, val and test, or \
             another [split] in dataset.toml",
            groups.len(),
            group.describe(),
        ));
    }
    let mut order: Vec<Vec<&str>> = groups.into_values().collect();
    let count = order.len();
    Stream::new(shares.seed, Purpose::Split, 0).shuffle(&mut order);
    let mut of = BTreeMap::new();
    let mut left = order.into_iter().peekable();
    let mut splits_left = wanted;
    for &(split, share) in splits.iter().filter(|(_, share)| *share > 0.0) {
        let (mut have, want) = (0, share * images as f64);
        splits_left -= 1;
        // At least one group, and at least one for each split that comes later.
        while left.len() > splits_left && (have == 0 || (have as f64) < want) {
            let Some(group) = left.next() else { break };
            have += group.len();
            of.extend(group.into_iter().map(|name| (name.to_owned(), split)));
        }
    }
    of.extend(left.flatten().map(|name| (name.to_owned(), Split::Train)));
    Ok(Division { of, group, groups: count, guessed, shares: shares.clone() })
}

/// Fewer groups than this make splits of very unequal content.
const FEWEST_GROUPS: usize = 6;

/// Which images seem to belong together: those of a folder, or those whose names end in a number after a
/// separator and are the same before it. There must be several groups, and most must have more than one image.
fn guess<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Group {
    let names: Vec<&str> = names.collect();
    let is_number = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    suggested(&names, is_number, |groups, images| (FEWEST_GROUPS..=images / 2).contains(&groups))
}

/// The grouping that names suggest: by folder, or by what stands before the last separator where all that stands after it
/// `is_frame`; none where so many groups of so many images do not fit.
pub(crate) fn suggested(
    names: &[&str],
    is_frame: impl Fn(&str) -> bool,
    fits: impl Fn(usize, usize) -> bool,
) -> Group {
    let groups = |group: &Group| names.iter().map(|name| group.of(name)).collect::<BTreeSet<_>>().len();
    let fits = |group: &Group| fits(groups(group), names.len());
    if names.iter().all(|name| name.contains('/')) && fits(&Group::Folder) {
        return Group::Folder;
    }
    for separator in ["_", "-"] {
        let group = Group::BeforeLast(separator.to_owned());
        let ends = |name: &&str| name.rsplit_once(separator).is_some_and(|(_, end)| is_frame(end));
        if names.iter().all(ends) && fits(&group) {
            return group;
        }
    }
    Group::None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(division: &Division) -> [usize; 3] {
        Split::ALL.map(|split| division.of.values().filter(|of| **of == split).count())
    }

    #[test]
    fn shares_are_kept_and_repeat() {
        let names: Vec<String> = (0..100).map(|i| format!("im{i:03}")).collect();
        let with = |seed| {
            let shares = SplitDescription { seed, ..SplitDescription::default() };
            divide(names.iter().map(String::as_str), &shares).unwrap()
        };
        assert_eq!(count(&with(0)), [70, 15, 15]);
        assert_eq!(with(0), with(0));
        assert_ne!(with(0).of, with(1).of);
    }

    #[test]
    fn frames_of_a_sequence_stay_together() {
        let names: Vec<String> =
            (0..10).flat_map(|s| (0..5).map(move |i| format!("seq{s}_{i:04}"))).collect();
        let division = divide(names.iter().map(String::as_str), &SplitDescription::default()).unwrap();
        assert_eq!((&division.group, division.groups), (&Group::BeforeLast("_".into()), 10));
        for names in names.chunks(5) {
            let splits: BTreeSet<_> = names.iter().map(|name| division.split_of(name)).collect();
            assert_eq!(splits.len(), 1);
        }
        let [train, val, test] = count(&division);
        assert!(train >= 30 && val >= 5 && test >= 5, "{train} {val} {test}");
        assert!(division.sentence(false).contains("10 groups kept together by the name before the last `_`"));
    }

    #[test]
    fn no_group_is_guessed_from_mere_numbers() {
        for names in [vec!["im0", "im1", "im2"], vec!["a_1", "a_2", "b_1", "b_2"]] {
            assert_eq!(guess(names.into_iter()), Group::None);
        }
        let folders: Vec<String> = (0..12).map(|i| format!("p{}/{i}", i / 2)).collect();
        assert_eq!(guess(folders.iter().map(String::as_str)), Group::Folder);
    }

    #[test]
    fn every_split_gets_something_or_there_is_an_error() {
        let shares = SplitDescription::default();
        assert_eq!(count(&divide(["a", "b", "c"].into_iter(), &shares).unwrap()), [1, 1, 1]);
        let text = divide(["a", "b"].into_iter(), &shares).unwrap_err();
        assert!(text.starts_with("2 images cannot be divided into 3 splits"), "{text}");
        let none = SplitDescription { test: 0.0, ..shares };
        let two = divide(["a", "b"].into_iter(), &none).unwrap();
        assert_eq!(count(&two), [1, 1, 0]);
        assert!(
            two.sentence(false).contains("1 to train, 1 to validate; [split]"),
            "{}",
            two.sentence(false)
        );
    }
}
