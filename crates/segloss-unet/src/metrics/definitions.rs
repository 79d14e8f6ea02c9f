//! Every score: its name, formula, rule for absent classes, and source. What is printed, written and explained is made of
//! these tables; a score is one entry.

use super::bins::calibration_error;
use super::overlap::{mean, ratio};
use super::sums::{ClassSums, Settings, Sums, mean_of, worst_tenth};

/// How a score is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A part of 1, as a percentage.
    Part,
    /// A distance in pixels.
    Pixels,
    /// A number of its own; NLL is in nats.
    Plain,
}

/// What a score is.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// In JSON and CSV.
    pub name: &'static str,
    /// In tables.
    pub title: &'static str,
    /// How it is shown.
    pub unit: Unit,
    /// Whether less is better.
    pub is_error: bool,
    /// Over pixels, or over the images whose truth holds the class.
    pub formula: &'static str,
    /// Where there is nothing to score, or nothing was predicted.
    pub absent: &'static str,
    /// Who defined it.
    pub source: &'static str,
}

/// A score of one class.
#[derive(Debug, Clone, Copy)]
pub struct ClassMetric {
    /// What it is.
    pub definition: Definition,
    /// The name of its mean over the classes.
    pub mean: &'static str,
    /// Shown without being asked for.
    pub usual: bool,
    pub(super) of: fn(&ClassSums, Settings) -> Option<f64>,
}

/// A score of all images that is no mean over classes.
#[derive(Debug, Clone, Copy)]
pub struct RunMetric {
    /// What it is.
    pub definition: Definition,
    pub(super) of: fn(&Sums) -> Option<f64>,
}

/// The scores of a class, in the order of the columns.
pub const CLASS_METRICS: [ClassMetric; 14] = [
    ClassMetric {
        definition: Definition {
            name: "iou",
            title: "IoU",
            unit: Unit::Part,
            is_error: false,
            formula: "TP / (TP + FP + FN), pixels of all images together",
            absent: "missed: 0",
            source: "Jaccard 1912; its mean is the mIoU of PASCAL VOC",
        },
        mean: "mean_iou",
        usual: true,
        of: |sums, _| sums.overlap.iou(),
    },
    ClassMetric {
        definition: Definition {
            name: "dice",
            title: "Dice",
            unit: Unit::Part,
            is_error: false,
            formula: "2·TP / (2·TP + FP + FN), pixels of all images together",
            absent: "missed: 0",
            source: "Dice 1945; F_1",
        },
        mean: "mean_dice",
        usual: true,
        of: |sums, _| sums.overlap.dice(),
    },
    ClassMetric {
        definition: Definition {
            name: "precision",
            title: "precision",
            unit: Unit::Part,
            is_error: false,
            formula: "TP / (TP + FP)",
            absent: "never predicted: none",
            source: "van Rijsbergen 1979",
        },
        mean: "mean_precision",
        usual: true,
        of: |sums, _| sums.overlap.precision(),
    },
    ClassMetric {
        definition: Definition {
            name: "recall",
            title: "recall",
            unit: Unit::Part,
            is_error: false,
            formula: "TP / (TP + FN); its mean is the class average",
            absent: "missed: 0",
            source: "van Rijsbergen 1979",
        },
        mean: "class_average",
        usual: true,
        of: |sums, _| sums.overlap.recall(),
    },
    ClassMetric {
        definition: Definition {
            name: "f_beta",
            title: "F_β",
            unit: Unit::Part,
            is_error: false,
            formula: "(1 + β²)·TP / ((1 + β²)·TP + FP + β²·FN); β is 2 unless --beta says otherwise",
            absent: "missed: 0",
            source: "van Rijsbergen 1979",
        },
        mean: "mean_f_beta",
        usual: false,
        of: |sums, settings| sums.overlap.f_beta(settings.beta),
    },
    ClassMetric {
        definition: Definition {
            name: "image_iou",
            title: "image IoU",
            unit: Unit::Part,
            is_error: false,
            formula: "mean of the IoU in each image whose truth holds the class; its mean over classes is mIoU^C",
            absent: "missed in an image: 0; claimed in an image: not counted, see claimed_images",
            source: "Wang 2023",
        },
        mean: "mean_image_iou",
        usual: true,
        of: |sums, _| mean_of(&sums.ious),
    },
    ClassMetric {
        definition: Definition {
            name: "image_iou_worst",
            title: "worst 10 %",
            unit: Unit::Part,
            is_error: false,
            formula: "the same over the max(1, ⌊n/10⌋) worst of these n images",
            absent: "as image_iou",
            source: "Wang 2023",
        },
        mean: "mean_image_iou_worst",
        usual: false,
        of: |sums, _| worst_tenth(&sums.ious),
    },
    ClassMetric {
        definition: Definition {
            name: "boundary_iou",
            title: "boundary IoU",
            unit: Unit::Part,
            is_error: false,
            formula: "IoU of the pixels of the class at most d inside of its outline, all images together; \
                      d = max(1, round(0.02·diagonal)), erosions by 3×3; --band sets the 0.02",
            absent: "missed: 0",
            source: "Cheng 2021",
        },
        mean: "mean_boundary_iou",
        usual: false,
        // A class whose truth is enclosed by ignored pixels has no band.
        of: |sums, _| ratio(sums.band.both, sums.band.either).filter(|_| sums.overlap.truth() > 0),
    },
    ClassMetric {
        definition: Definition {
            name: "surface_dice",
            title: "NSD",
            unit: Unit::Part,
            is_error: false,
            formula: "outline pixels of truth and prediction within τ of the other's outline, of all of them; mean over \
                      the images whose truth holds the class; τ is 2 pixels unless --tolerance says otherwise",
            absent: "missed in an image: 0; without any outline: not counted",
            source: "Nikolov 2018, as in MONAI without sub-voxels",
        },
        mean: "mean_surface_dice",
        usual: true,
        of: |sums, _| mean_of(&sums.surface_dice),
    },
    ClassMetric {
        definition: Definition {
            name: "hd95",
            title: "HD95",
            unit: Unit::Pixels,
            is_error: true,
            formula: "the larger of the two directed 95th percentiles of the distances between outlines; mean over the \
                      images with both",
            absent: "missed in an image: not counted, see missed_images",
            source: "Huttenlocher 1993, as in MONAI",
        },
        mean: "mean_hd95",
        usual: false,
        of: |sums, _| mean_of(&sums.hd95).filter(|_| sums.overlap.truth() > 0),
    },
    ClassMetric {
        definition: Definition {
            name: "calibration_error",
            title: "ECE",
            unit: Unit::Part,
            is_error: true,
            formula: "Σ_b n_b/n·|part of bin b that is of the class − mean p_class|, 15 bins of p_class over all pixels",
            absent: "not in the truth: none, and its mean does not count it (Kull 2019 counts it)",
            source: "Kull 2019; Nixon 2019",
        },
        mean: "classwise_calibration_error",
        usual: false,
        of: |sums, _| calibration_error(&sums.bins).filter(|_| sums.overlap.truth() > 0),
    },
    ClassMetric {
        definition: Definition {
            name: "brier",
            title: "Brier",
            unit: Unit::Plain,
            is_error: true,
            formula: "mean over the class's pixels of Σ_k (p_k − y_k)²: 0 to 2",
            absent: "not in the truth: none",
            source: "Brier 1950",
        },
        mean: "mean_class_brier",
        usual: false,
        of: |sums, _| per_pixel(sums.brier, sums.overlap.truth()),
    },
    ClassMetric {
        definition: Definition {
            name: "nll",
            title: "NLL",
            unit: Unit::Plain,
            is_error: true,
            formula: "mean over the class's pixels of −ln p_truth, in nats",
            absent: "not in the truth: none",
            source: "the unweighted cross-entropy",
        },
        mean: "mean_class_nll",
        usual: false,
        of: |sums, _| per_pixel(sums.surprise, sums.overlap.truth()),
    },
    ClassMetric {
        definition: Definition {
            name: "claimed_where_absent",
            title: "claimed",
            unit: Unit::Part,
            is_error: true,
            formula: "of the images whose truth does not hold the class, the part in which it was predicted",
            absent: "in the truth of every image: none",
            source: "told apart from mIoU^I and mIoU^C, which do not see it",
        },
        mean: "mean_claimed_where_absent",
        usual: false,
        of: |sums, _| ratio(sums.claimed_images as u64, sums.absent_images as u64),
    },
];

/// The scores of all images.
pub const RUN_METRICS: [RunMetric; 6] = [
    RunMetric {
        definition: Definition {
            name: "accuracy",
            title: "accuracy",
            unit: Unit::Part,
            is_error: false,
            formula: "Σ TP / valid pixels",
            absent: "no valid pixel: none",
            source: "global accuracy",
        },
        of: |sums| ratio(sums.classes.iter().map(|class| class.overlap.found).sum(), sums.valid_pixels),
    },
    RunMetric {
        definition: Definition {
            name: "iou_of_images",
            title: "mIoU^I",
            unit: Unit::Part,
            is_error: false,
            formula: "mean over images of the mean IoU of the classes in their truth",
            absent: "missed in an image: 0; claimed in an image: not counted; an image without a valid pixel: not counted",
            source: "Wang 2023",
        },
        of: |sums| mean_of(&sums.image_ious),
    },
    RunMetric {
        definition: Definition {
            name: "iou_of_images_worst",
            title: "worst 10 % of images",
            unit: Unit::Part,
            is_error: false,
            formula: "the same over the max(1, ⌊n/10⌋) worst images",
            absent: "as iou_of_images",
            source: "Wang 2023",
        },
        of: |sums| worst_tenth(&sums.image_ious),
    },
    RunMetric {
        definition: Definition {
            name: "calibration_error",
            title: "ECE",
            unit: Unit::Part,
            is_error: true,
            formula: "Σ_b n_b/n·|accuracy − mean confidence| of 15 bins of the predicted class's probability",
            absent: "no valid pixel: none",
            source: "Guo 2017",
        },
        of: |sums| calibration_error(&sums.decided),
    },
    RunMetric {
        definition: Definition {
            name: "brier",
            title: "Brier",
            unit: Unit::Plain,
            is_error: true,
            formula: "mean over valid pixels of Σ_k (p_k − y_k)²: 0 to 2",
            absent: "no valid pixel: none",
            source: "Brier 1950",
        },
        of: |sums| per_pixel(sums.classes.iter().map(|class| class.brier).sum(), sums.valid_pixels),
    },
    RunMetric {
        definition: Definition {
            name: "nll",
            title: "NLL",
            unit: Unit::Plain,
            is_error: true,
            formula: "mean over valid pixels of −ln p_truth, in nats",
            absent: "no valid pixel: none",
            source: "the unweighted cross-entropy",
        },
        of: |sums| per_pixel(sums.classes.iter().map(|class| class.surprise).sum(), sums.valid_pixels),
    },
];

/// A score of all images, or the mean of a score over classes, by its name.
pub fn definition(name: &str) -> Option<&'static Definition> {
    let of_run = RUN_METRICS.iter().find(|metric| metric.definition.name == name).map(|m| &m.definition);
    let of_class = || CLASS_METRICS.iter().find(|metric| metric.mean == name).map(|m| &m.definition);
    of_run.or_else(of_class)
}

/// The names that [`definition`] knows, in the order of the tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    let of_run = RUN_METRICS.iter().map(|metric| metric.definition.name);
    CLASS_METRICS.iter().map(|metric| metric.mean).chain(of_run)
}

/// The value of a score that [`definition`] knows; none if there is no such score, either.
pub fn value(sums: &Sums, settings: Settings, name: &str) -> Option<f64> {
    if let Some(metric) = RUN_METRICS.iter().find(|metric| metric.definition.name == name) {
        return (metric.of)(sums);
    }
    let metric = CLASS_METRICS.iter().find(|metric| metric.mean == name)?;
    mean(sums.classes.iter().map(|class| (metric.of)(class, settings)))
}

fn per_pixel(sum: f64, pixels: u64) -> Option<f64> {
    (pixels > 0).then(|| sum / pixels as f64)
}

/// Every definition, as a Markdown table for each of the two kinds.
pub fn markdown() -> String {
    let row = |d: &Definition, name: &str| {
        let Definition { title, formula, absent, source, .. } = d;
        let cells =
            [&format!("`{name}`"), *title, *formula, *absent, *source].map(|cell| cell.replace('|', "\\|"));
        format!("| {} |\n", cells.join(" | "))
    };
    let head = |of: &str| format!("| {of} | shown as | formula | absent | source |\n|---|---|---|---|---|\n");
    let classes = CLASS_METRICS.iter().map(|metric| {
        let ClassMetric { definition, mean, .. } = metric;
        row(definition, &format!("{}` → `{mean}", definition.name))
    });
    let runs = RUN_METRICS.iter().map(|metric| row(&metric.definition, metric.definition.name));
    format!(
        "{}{}\n{}{}",
        head("of a class → its mean"),
        classes.collect::<String>(),
        head("of all images"),
        runs.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let of_class = CLASS_METRICS.iter().map(|metric| metric.definition.name);
        let mut names: Vec<&str> = of_class.collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CLASS_METRICS.len());
        let of_run = RUN_METRICS.iter().map(|metric| metric.definition.name);
        let mut names: Vec<&str> = of_run.chain(CLASS_METRICS.iter().map(|metric| metric.mean)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CLASS_METRICS.len() + RUN_METRICS.len());
    }

    #[test]
    fn the_page_says_what_the_program_does() {
        let page = include_str!("../../../../docs/metrics.md");
        assert!(page.contains(&markdown()), "docs/metrics.md lacks:\n{}", markdown());
    }
}
