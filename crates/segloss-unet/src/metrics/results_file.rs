//! The file of an evaluation: JSON, one line for each image.
//!
//! ```text
//! {"format":1,
//! "origin":{"config":"9d5f…","checkpoint":"best","epoch":12,"data":"camvid","split":"test","rule":{…},"measures":{…}},
//! "outputs":11,"loss":0.53,
//! "classes":[{"label":0,"name":"sky"},…],
//! "decided":[[pixels,came true,Σ confidence],… 15 bins],
//! "class_bins":[[… 15 bins],… a row for each class],
//! "confusion":[[pixels predicted to be the first class, the second, …],… a row for each true class],
//! "columns":["label","tp","fp","fn","outline_truth","outline_truth_near",…],
//! "images":[
//! {"name":"a","height":180,"width":240,"classes":[[0,8123,92,40,…],…]},
//! …
//! ]}
//! ```
//!
//! A row of `classes` has the numbers that `columns` names; a class that is in neither truth nor prediction has no row. Counts
//! are in pixels, distances too; `brier` and `nll` are sums over the pixels whose truth is the class, to nine digits.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::band::Band;
use super::bins::Bin;
use super::image::{ClassResult, ImageResult};
use super::overlap::Overlap;
use super::results::{Origin, Results, ScoredClass};
use super::surface::Surface;
use crate::decode::one_line;
use crate::error::{Error, Result, ResultsProblem};
use crate::files;

/// The layout of the file; it changes whenever an older program could misread a newer file.
pub const FORMAT: u32 = 1;

/// A larger file is no result: a thousand images of twelve classes take less than a megabyte.
const LARGEST: u64 = 256 << 20;

/// What the numbers of a class's row are.
const COLUMNS: [&str; 13] = [
    "label",
    "tp",
    "fp",
    "fn",
    "outline_truth",
    "outline_truth_near",
    "outline_predicted",
    "outline_predicted_near",
    "hd95",
    "band_both",
    "band_either",
    "brier",
    "nll",
];

#[derive(Serialize, Deserialize)]
struct Row(u8, u64, u64, u64, u64, u64, u64, u64, Option<f64>, u64, u64, f64, f64);

impl From<&ClassResult> for Row {
    fn from(class: &ClassResult) -> Self {
        let ClassResult { label, overlap, surface, band, brier, surprise } = *class;
        let Overlap { found, claimed, missed } = overlap;
        let Surface { truth, truth_near, predicted, predicted_near, hd95 } = surface;
        let Band { both, either } = band;
        Self(
            label,
            found,
            claimed,
            missed,
            truth,
            truth_near,
            predicted,
            predicted_near,
            hd95,
            both,
            either,
            brier,
            surprise,
        )
    }
}

impl From<Row> for ClassResult {
    fn from(row: Row) -> Self {
        let Row(
            label,
            found,
            claimed,
            missed,
            truth,
            truth_near,
            predicted,
            predicted_near,
            hd95,
            both,
            either,
            brier,
            surprise,
        ) = row;
        Self {
            label,
            overlap: Overlap { found, claimed, missed },
            surface: Surface { truth, truth_near, predicted, predicted_near, hd95 },
            band: Band { both, either },
            brier,
            surprise,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageLine {
    name: String,
    height: usize,
    width: usize,
    classes: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(rename = "format")]
    _format: u32,
    origin: Origin,
    outputs: usize,
    loss: f64,
    classes: Vec<ScoredClass>,
    decided: Vec<Bin>,
    class_bins: Vec<Vec<Bin>>,
    confusion: Vec<Vec<u64>>,
    columns: Vec<String>,
    images: Vec<ImageLine>,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Results {
    /// Writes the file: whole, or not at all.
    ///
    /// # Errors
    /// [`Error::Results`] if the numbers contradict each other or are not finite, [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let refused = |problem| Error::Results { path: path.to_path_buf(), problem };
        self.check().map_err(|problem| refused(ResultsProblem::Inconsistent(problem)))?;
        let text = self.text().map_err(|error| refused(ResultsProblem::Malformed(error.to_string())))?;
        files::write_atomic(path, text.as_bytes())
    }

    fn text(&self) -> serde_json::Result<String> {
        use serde_json::to_string as json;
        let Self { origin, outputs, classes, loss, decided, class_bins, confusion, images } = self;
        let line = |image: &ImageResult| {
            let classes = image.classes.iter().map(Row::from).collect();
            let ImageResult { name, height, width, .. } = image;
            json(&ImageLine { name: name.clone(), height: *height, width: *width, classes })
        };
        let lines: Vec<String> = images.iter().map(line).collect::<serde_json::Result<_>>()?;
        Ok(format!(
            "{{\"format\":{FORMAT},\n\"origin\":{},\n\"outputs\":{outputs},\"loss\":{},\n\"classes\":{},\n\"decided\":{},\n\
             \"class_bins\":{},\n\"confusion\":{},\n\"columns\":{},\n\"images\":[\n{}\n]}}\n",
            json(origin)?,
            json(loss)?,
            json(classes)?,
            json(decided)?,
            json(class_bins)?,
            json(confusion)?,
            json(&COLUMNS)?,
            lines.join(",\n"),
        ))
    }

    /// Reads a file and checks everything in it.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Results`] with what is wrong.
    pub fn load(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(Error::io("read", path))?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        Self::read(&bytes).map_err(|problem| Error::Results { path: path.to_path_buf(), problem })
    }

    /// As [`Results::load`], of bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(bytes: &[u8]) -> std::result::Result<Self, ResultsProblem> {
        if bytes.len() as u64 > LARGEST {
            return Err(ResultsProblem::TooLarge { megabytes: LARGEST >> 20 });
        }
        let malformed = |error: serde_json::Error| ResultsProblem::Malformed(one_line(&error.to_string()));
        // The version comes first: another version's file may have other keys.
        let Version { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        if format != FORMAT {
            return Err(ResultsProblem::Version { found: format, expected: FORMAT });
        }
        let content: Content = serde_json::from_slice(bytes).map_err(malformed)?;
        let Content {
            origin, outputs, loss, classes, decided, class_bins, confusion, columns, images, ..
        } = content;
        if columns != COLUMNS {
            return Err(ResultsProblem::Malformed(format!("its columns are not {}", COLUMNS.join(", "))));
        }
        let image = |ImageLine { name, height, width, classes }| ImageResult {
            name,
            height,
            width,
            classes: classes.into_iter().map(ClassResult::from).collect(),
        };
        let images = images.into_iter().map(image).collect();
        let results = Self { origin, outputs, classes, loss, decided, class_bins, confusion, images };
        results.check().map_err(ResultsProblem::Inconsistent)?;
        Ok(results)
    }
}
