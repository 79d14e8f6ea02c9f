//! The score that a rule is chosen by.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::metrics::{Overlap, Rule};
use crate::tune::gather::Known;

/// A score of the pixels of all images together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Mean IoU.
    #[default]
    MeanIou,
    /// Mean Dice.
    MeanDice,
    /// Mean recall.
    ClassAverage,
    /// Global accuracy.
    Accuracy,
    /// F_β of one class: recall counts β times as much as precision.
    FBeta {
        /// Its label.
        class: u8,
        /// β.
        beta: f64,
    },
}

impl Goal {
    /// Of the overlaps of every output; 0 where there is nothing to score.
    pub fn of(self, overlaps: &[Overlap]) -> f64 {
        let mean = |score: fn(&Overlap) -> Option<f64>| {
            let scores: Vec<f64> = overlaps.iter().filter_map(score).collect();
            scores.iter().sum::<f64>() / scores.len().max(1) as f64
        };
        match self {
            Self::MeanIou => mean(Overlap::iou),
            Self::MeanDice => mean(Overlap::dice),
            Self::ClassAverage => mean(Overlap::recall),
            Self::Accuracy => {
                let sum = |count: fn(&Overlap) -> u64| overlaps.iter().map(count).sum::<u64>() as f64;
                sum(|overlap| overlap.found) / sum(Overlap::truth).max(1.0)
            }
            Self::FBeta { class, beta } => {
                overlaps.get(usize::from(class)).and_then(|overlap| overlap.f_beta(beta)).unwrap_or(0.0)
            }
        }
    }

    /// Whether it is a score of these classes: F_β has a class that is scored, and β from 0 to 1000.
    pub fn fits(self, classes: &Classes) -> bool {
        match self {
            Self::FBeta { class, beta } => {
                let class = usize::from(class);
                class < classes.count() && classes.is_scored(class) && (0.0..=1000.0).contains(&beta)
            }
            _ => true,
        }
    }

    /// As a score is called in JSON and CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::MeanIou => "mean_iou",
            Self::MeanDice => "mean_dice",
            Self::ClassAverage => "class_average",
            Self::Accuracy => "accuracy",
            Self::FBeta { .. } => "f_beta",
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MeanIou => f.write_str("mean IoU"),
            Self::MeanDice => f.write_str("mean Dice"),
            Self::ClassAverage => f.write_str("class average"),
            Self::Accuracy => f.write_str("accuracy"),
            Self::FBeta { class, beta } => write!(f, "F_{beta} of label {class}"),
        }
    }
}

/// What a rule makes of one image, for each output.
pub fn count(image: &Known, rule: &Rule, scored: &[bool]) -> Vec<Overlap> {
    let mut overlaps = vec![Overlap::default(); scored.len()];
    for (logits, truth) in image.pixels() {
        add(&mut overlaps, truth, rule.class(logits, scored));
    }
    overlaps
}

/// Counts one pixel.
pub(super) fn add(overlaps: &mut [Overlap], truth: usize, class: usize) {
    if truth == class {
        overlaps[truth].found += 1;
    } else {
        overlaps[truth].missed += 1;
        overlaps[class].claimed += 1;
    }
}

/// The overlaps of several images together.
pub(super) fn sum<'a>(images: impl IntoIterator<Item = &'a Vec<Overlap>>, outputs: usize) -> Vec<Overlap> {
    let mut all = vec![Overlap::default(); outputs];
    for image in images {
        all.iter_mut().zip(image).for_each(|(all, here)| all.add(here));
    }
    all
}
