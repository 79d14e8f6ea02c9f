//! Which images may be resampled one by one, and which only together: neighbours of a sequence are no independent images.
//!
//! Images belong to groups (a sequence, a patient) by their names. Ten groups or more are resampled as wholes; within fewer,
//! runs of ⌈√n⌉ neighbours of a group's n images are: a block bootstrap (Künsch 1989). The lengths that are best for n → ∞
//! grow more slowly (Hall, Horowitz & Jing 1995), so these err towards wide intervals. An image without a group stands for
//! itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::description::Group;
use crate::split::suggested;

/// So many groups are resampled as wholes.
const MANY_GROUPS: usize = 10;
/// Fewer images a group, on average over the data set, are no sequence.
const FEWEST_IMAGES: usize = 3;

/// Which images of a data set belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// By their names.
    pub group: Group,
    /// Whether that was guessed.
    #[serde(default)]
    pub guessed: bool,
}

impl Grouping {
    /// As the data set says, or as the names of all its images suggest.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>, said: Option<&Group>) -> Self {
        match said {
            Some(group) => Self { group: group.clone(), guessed: false },
            None => {
                let names: Vec<&str> = names.into_iter().collect();
                let group = suggested(&names, is_frame, |groups, images| groups * FEWEST_IMAGES <= images);
                Self { group, guessed: true }
            }
        }
    }

    /// Each image for itself.
    pub fn none() -> Self {
        Self { group: Group::None, guessed: false }
    }
}

/// The positions of the images of each group; no group where each image stands for itself.
pub fn groups(names: &[&str], grouping: &Grouping) -> BTreeMap<String, Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    if grouping.group == Group::None {
        return groups;
    }
    for (at, name) in names.iter().enumerate() {
        groups.entry(grouping.group.of(name)).or_default().push(at);
    }
    groups
}

/// The images of an evaluation, in blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// Positions of images; each image is in one block.
    pub blocks: Vec<Vec<usize>>,
    /// How many groups there are; as many as images where each stands for itself.
    pub groups: usize,
    /// In words.
    pub description: String,
}

impl Blocks {
    /// Of images with these names, which are in their order.
    pub fn of(names: &[&str], grouping: &Grouping) -> Self {
        let Grouping { group, guessed } = grouping;
        let each = |at| vec![at];
        if *group == Group::None {
            let blocks: Vec<Vec<usize>> = (0..names.len()).map(each).collect();
            let description = format!("{} images, each for itself", names.len());
            return Self { groups: blocks.len(), blocks, description };
        }
        let groups = groups(names, grouping);
        let count = groups.len();
        let seem = if *guessed { ", as their names suggest" } else { "" };
        if count >= MANY_GROUPS {
            let blocks = groups.into_values().collect();
            let description = format!("{count} groups {}{seem}", group.describe());
            return Self { blocks, groups: count, description };
        }
        let runs = |images: Vec<usize>| {
            let length = (images.len() as f64).sqrt().ceil() as usize;
            // As equal as can be: the last of them would else be a remnant.
            let runs = images.len().div_ceil(length);
            (0..runs)
                .map(|i| images[i * images.len() / runs..(i + 1) * images.len() / runs].to_vec())
                .collect::<Vec<_>>()
        };
        let blocks: Vec<Vec<usize>> = groups.into_values().flat_map(runs).collect();
        let description = format!(
            "{} blocks of neighbouring images within {count} {} {}{seem}",
            blocks.len(),
            if count == 1 { "group" } else { "groups" },
            group.describe()
        );
        Self { blocks, groups: count, description }
    }

    /// The blocks in `folds` parts of neighbours, for cross-fitting: the images of each; fewer where there are fewer blocks.
    pub fn folds(&self, folds: usize) -> Vec<Vec<usize>> {
        let (blocks, folds) = (self.blocks.len(), folds.min(self.blocks.len()));
        (0..folds).map(|i| self.blocks[i * blocks / folds..(i + 1) * blocks / folds].concat()).collect()
    }
}

/// Warns of groups whose images stand in several splits, a sentence for each pair of splits: what is learned from one frame of a
/// sequence is known of the next.
pub fn spanning(splits: &[(&str, Vec<String>)], grouping: &Grouping) -> Vec<String> {
    let group = &grouping.group;
    if *group == Group::None {
        return Vec::new();
    }
    let of = |names: &Vec<String>| names.iter().map(|name| group.of(name)).collect::<BTreeSet<_>>();
    let mut warnings = Vec::new();
    for (i, (first, names)) in splits.iter().enumerate() {
        for (second, others) in &splits[i + 1..] {
            let both: Vec<String> = of(names).intersection(&of(others)).cloned().collect();
            if let Some(one) = both.first() {
                let more =
                    if both.len() > 1 { format!(" and {} others", both.len() - 1) } else { String::new() };
                warnings.push(format!(
                    "`{one}`{more} {} in {first} and in {second} (groups {}): scores on {second} are too good",
                    if both.len() > 1 { "are" } else { "is" },
                    group.describe()
                ));
            }
        }
    }
    warnings
}

/// Whether the end of a name is a frame's number: `008550` of `0001TP_008550`, `f00390` of `Seq05VD_f00390`.
fn is_frame(end: &str) -> bool {
    let digits = end.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    end.len() - digits.len() <= 2 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(names: &[String], group: Option<&Group>) -> Blocks {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Blocks::of(&names, &Grouping::of(names.iter().copied(), group))
    }

    fn sizes(blocks: &Blocks) -> Vec<usize> {
        blocks.blocks.iter().map(Vec::len).collect()
    }

    #[test]
    fn neighbours_of_a_sequence_stay_together() {
        let names: Vec<String> = [("a", 25), ("b", 10)]
            .iter()
            .flat_map(|(s, n)| (0..*n).map(move |i| format!("{s}_{i:04}")))
            .collect();
        let found = blocks(&names, None);
        assert_eq!(sizes(&found), [5, 5, 5, 5, 5, 3, 3, 4]);
        assert_eq!((found.groups, &found.blocks[5]), (2, &vec![25, 26, 27]));
        assert!(
            found.description.starts_with("8 blocks of neighbouring images within 2 groups"),
            "{}",
            found.description
        );
        // Folds are neighbours, too, and miss nothing.
        let folds = found.folds(5);
        assert_eq!(folds.concat(), (0..35).collect::<Vec<_>>());
        assert_eq!((folds.len(), &folds[0]), (5, &(0..5).collect()));
        assert_eq!(found.folds(99).len(), 8);
    }

    #[test]
    fn sequences_in_two_splits_are_told() {
        let names = |sequence: &str, frames: std::ops::Range<usize>| -> Vec<String> {
            frames.map(|i| format!("{sequence}_{i:04}")).collect()
        };
        assert!(is_frame("f00390") && is_frame("7"));
        assert!(!is_frame("mask") && !is_frame("img7") && !is_frame("7b") && !is_frame(""));
        let (train, val) = ([names("a", 0..20), names("b", 0..20)].concat(), names("a", 20..40));
        let all = [train.clone(), val.clone()].concat();
        let grouping = Grouping::of(all.iter().map(String::as_str), None);
        let warnings =
            spanning(&[("train", train.clone()), ("val", val), ("test", names("c", 0..9))], &grouping);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].starts_with("`a` is in train and in val (groups by the name before"),
            "{warnings:?}"
        );
        assert!(spanning(&[("train", train.clone()), ("val", train)], &Grouping::none()).is_empty());
    }

    #[test]
    fn many_groups_are_wholes_and_single_images_stand_for_themselves() {
        let names: Vec<String> = (0..120).map(|i| format!("p{}/{i}", i / 10)).collect();
        assert_eq!(sizes(&blocks(&names, None)), [10; 12]);
        for names in [vec!["r3c0", "r3c1", "r3c2"], vec!["a_1", "a_2", "b_1"]] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            assert_eq!(sizes(&blocks(&names, None)), vec![1; names.len()]);
        }
        // What the data set says goes before what names suggest.
        let names: Vec<String> = (0..16).map(|i| format!("a_{i:04}")).collect();
        assert_eq!(sizes(&blocks(&names, Some(&Group::None))), [1; 16]);
        assert_eq!(sizes(&blocks(&names, Some(&Group::Characters(1)))), [4; 4]);
    }
}
