//! The scores of each group of the judged images apart: a sequence that continues one of train says something else than a new
//! one.
//!
//! A group's scores are those of its pixels, over the classes that its truth holds; of every seed by itself, then the mean.

use serde::Serialize;

use super::statistics::mean;
use super::tables::{shown, title};
use crate::blocks::{Grouping, groups};
use crate::error::Result;
use crate::metrics::Results;
use crate::metrics::definitions::value;
use crate::metrics::sums::{Settings, Sums};
use crate::table::csv_text;

/// More groups are a matter of `groups.csv` alone.
const MOST_SHOWN: usize = 10;

/// An arm on the images of a group: a row of `groups.csv`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupScores {
    /// The group.
    pub group: String,
    /// Its judged images.
    pub images: usize,
    /// The classes that their truth holds.
    pub classes: usize,
    /// The arm.
    pub arm: String,
    /// So many seeds.
    pub seeds: usize,
    /// Global accuracy, the mean over the seeds.
    pub accuracy: Option<f64>,
    /// Mean recall of the classes, the mean over the seeds.
    pub class_average: Option<f64>,
    /// The mean over the seeds.
    pub mean_iou: Option<f64>,
}

/// Every arm on every group; nothing where the images are of one group, or each stands for itself. `arms` are names with the
/// results of their seeds, all of the images `names`.
pub(super) fn scores(
    arms: &[(&str, Vec<&Results>)],
    names: &[&str],
    grouping: &Grouping,
) -> Vec<GroupScores> {
    let groups = groups(names, grouping);
    if groups.len() < 2 {
        return Vec::new();
    }
    let of_group = |(group, images): (String, Vec<usize>)| {
        arms.iter().filter(|(_, runs)| !runs.is_empty()).map(move |(arm, runs)| {
            let sums: Vec<Sums> =
                runs.iter().map(|run| Sums::of_images(run, images.iter().copied())).collect();
            let score = |metric: &str| {
                let of_seeds = sums.iter().map(|sums| value(sums, Settings::default(), metric));
                of_seeds.collect::<Option<Vec<f64>>>().map(|seeds| mean(&seeds))
            };
            GroupScores {
                group: group.clone(),
                images: images.len(),
                classes: sums[0].classes.iter().filter(|class| class.overlap.truth() > 0).count(),
                arm: (*arm).to_owned(),
                seeds: runs.len(),
                accuracy: score("accuracy"),
                class_average: score("class_average"),
                mean_iou: score("mean_iou"),
            }
        })
    };
    groups.into_iter().flat_map(of_group).collect()
}

/// A head and a row for each arm and group, as text; nothing of many groups.
pub(super) fn rows(scores: &[GroupScores]) -> Option<Vec<Vec<String>>> {
    let groups = scores.chunk_by(|a, b| a.group == b.group).count();
    if !(2..=MOST_SHOWN).contains(&groups) {
        return None;
    }
    let [accuracy, average, iou] = ["accuracy", "class_average", "mean_iou"].map(title);
    let head =
        ["group, images, classes".to_owned(), "arm".to_owned(), "seeds".to_owned(), accuracy, average, iou];
    let row = |row: &GroupScores| {
        let score = |metric, score: Option<f64>| score.map_or("–".to_owned(), |score| shown(metric, score));
        vec![
            format!("{}, {}, {}", row.group, row.images, row.classes),
            row.arm.clone(),
            row.seeds.to_string(),
            score("accuracy", row.accuracy),
            score("class_average", row.class_average),
            score("mean_iou", row.mean_iou),
        ]
    };
    Some(std::iter::once(head.to_vec()).chain(scores.iter().map(row)).collect())
}

/// Every arm on every group: parts of 1 in full precision, empty where there is none.
///
/// # Errors
/// If the table cannot be encoded.
pub fn csv(scores: &[GroupScores]) -> Result<String> {
    csv_text("groups.csv", |writer| scores.iter().try_for_each(|row| writer.serialize(row)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::comparison::tests::results;
    use crate::description::Group;

    const NAMES: [&str; 3] = ["s1_0001", "s2_0001", "s1_0002"];

    fn of(group: Group) -> Vec<GroupScores> {
        // Of each image a tenth is of the rare class; so much of it is found.
        let runs = [[0.5, 0.2, 1.0], [0.7, 0.2, 1.0]].map(|found| results(&found, &[0.1; 3]));
        let arms = [("a", runs.iter().collect()), ("none is done", Vec::new()), ("b", vec![&runs[0]])];
        scores(&arms, &NAMES, &Grouping { group, guessed: false })
    }

    /// By hand, of 10 000 pixels an image: `s1` under the first seed has 18 000 + 1 500 right and 500 missed, under the second 300
    /// missed; `s2` has 9 000 + 200 right and 800 missed.
    #[test]
    fn each_group_has_its_own_images() {
        let scores = of(Group::BeforeLast("_".to_owned()));
        let rows: Vec<_> =
            scores.iter().map(|s| (&*s.group, s.images, s.classes, &*s.arm, s.seeds)).collect();
        assert_eq!(
            rows,
            [("s1", 2, 2, "a", 2), ("s1", 2, 2, "b", 1), ("s2", 1, 2, "a", 2), ("s2", 1, 2, "b", 1)]
        );
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
        };
        near(scores[1].accuracy, 0.975);
        near(scores[1].class_average, (1.0 + 0.75) / 2.0);
        near(scores[1].mean_iou, (18_000.0 / 18_500.0 + 0.75) / 2.0);
        near(scores[0].accuracy, (0.975 + 0.985) / 2.0);
        near(scores[2].accuracy, 0.92);
        near(scores[2].mean_iou, (9_000.0 / 9_800.0 + 0.2) / 2.0);

        let csv = csv(&scores).unwrap();
        assert!(
            csv.starts_with(
                "group,images,classes,arm,seeds,accuracy,class_average,mean_iou\ns1,2,2,a,2,0.98"
            ),
            "{csv}"
        );
        assert_eq!(super::rows(&scores).unwrap()[2], ["s1, 2, 2", "b", "1", "97.5", "87.5", "86.1"]);
    }

    /// One group, or none, says what the whole says.
    #[test]
    fn no_two_groups_no_table() {
        assert_eq!(of(Group::None), []);
        assert_eq!(of(Group::Characters(1)), []);
        assert_eq!(of(Group::Characters(2)).len(), 4);
        assert_eq!(rows(&[]), None);
        let many =
            |group: usize| GroupScores { group: group.to_string(), ..of(Group::Characters(2))[0].clone() };
        assert!(rows(&(0..MOST_SHOWN).map(many).collect::<Vec<_>>()).is_some());
        assert!(rows(&(0..=MOST_SHOWN).map(many).collect::<Vec<_>>()).is_none());
    }
}
