//! Every score of an evaluation, made of its [`Results`] alone.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::definitions::{CLASS_METRICS, ClassMetric, RUN_METRICS, RunMetric, value};
use super::image::Measures;
use super::overlap::mean;
use super::results::{Origin, Results};
use super::sums::{ClassSums, Settings, Sums};

/// The scores of an evaluation. `None` where there was nothing to score.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What was evaluated, and how.
    pub origin: Origin,
    /// Mean over the images of the loss of their batch.
    pub loss: f64,
    /// Images that were counted.
    pub images: usize,
    /// What the scores are made of.
    pub sums: Sums,
    settings: Settings,
}

impl Report {
    /// Of consistent results.
    pub fn new(results: &Results, settings: Settings) -> Self {
        let Results { origin, loss, images, .. } = results;
        Self { origin: origin.clone(), loss: *loss, images: images.len(), sums: Sums::of(results), settings }
    }

    /// The tolerances that were measured with.
    pub fn measures(&self) -> Measures {
        self.origin.measures
    }

    /// β of F_β.
    pub fn beta(&self) -> f64 {
        self.settings.beta
    }

    /// A score of a class.
    pub fn of_class(&self, metric: &ClassMetric, class: &ClassSums) -> Option<f64> {
        (metric.of)(class, self.settings)
    }

    /// The mean of a score over the classes that have one.
    pub fn mean(&self, metric: &ClassMetric) -> Option<f64> {
        mean(self.sums.classes.iter().map(|class| self.of_class(metric, class)))
    }

    /// A score of all images.
    pub fn of_run(&self, metric: &RunMetric) -> Option<f64> {
        (metric.of)(&self.sums)
    }

    /// A score of all images, or a mean over classes, by its name; none if there is no such score, either.
    pub fn value(&self, name: &str) -> Option<f64> {
        value(&self.sums, self.settings, name)
    }
}

impl Serialize for Report {
    /// Flat: every score by its name, then the classes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Origin { config, checkpoint, epoch, data, split, rule, measures } = &self.origin;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("epoch", epoch)?;
        map.serialize_entry("split", split)?;
        map.serialize_entry("checkpoint", checkpoint)?;
        map.serialize_entry("config", config)?;
        map.serialize_entry("data", data)?;
        map.serialize_entry("rule", rule)?;
        map.serialize_entry("tolerance", &measures.tolerance)?;
        map.serialize_entry("band_ratio", &measures.band_ratio)?;
        map.serialize_entry("beta", &self.settings.beta)?;
        map.serialize_entry("images", &self.images)?;
        map.serialize_entry("valid_pixels", &self.sums.valid_pixels)?;
        map.serialize_entry("loss", &self.loss)?;
        for metric in &RUN_METRICS {
            map.serialize_entry(metric.definition.name, &self.of_run(metric))?;
        }
        for metric in &CLASS_METRICS {
            map.serialize_entry(metric.mean, &self.mean(metric))?;
        }
        let classes: Vec<Row<'_>> =
            self.sums.classes.iter().map(|class| Row { report: self, class }).collect();
        map.serialize_entry("classes", &classes)?;
        map.end()
    }
}

/// A class of a report.
struct Row<'a> {
    report: &'a Report,
    class: &'a ClassSums,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, class } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("label", &class.class.label)?;
        map.serialize_entry("name", &class.class.name)?;
        for (name, count) in counts(class) {
            map.serialize_entry(name, &count)?;
        }
        for metric in &CLASS_METRICS {
            map.serialize_entry(metric.definition.name, &report.of_class(metric, class))?;
        }
        map.end()
    }
}

/// The counts of a class that are shown beside its scores.
pub fn counts(class: &ClassSums) -> [(&'static str, u64); 7] {
    [
        ("pixels", class.overlap.truth()),
        ("predicted", class.overlap.predicted()),
        ("images", class.ious.len() as u64),
        ("missed_images", class.missed_images as u64),
        ("absent_images", class.absent_images as u64),
        ("claimed_images", class.claimed_images as u64),
        ("claimed_pixels", class.claimed_pixels),
    ]
}
