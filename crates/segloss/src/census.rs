//! One pass over the labels: how much of each class every image holds.
//!
//! Weights and denominators depend on the labels alone, so this pass comes first, and its results add
//! up: over the tiles of an image, over the images of a batch, over the batches of a data set.

use crate::element::Element;
use crate::error::{Error, Problem};
use crate::input::{Input, PixelLabel};
use crate::layout::Geometry;
use crate::spec::LossSpec;
use rayon::prelude::*;

/// Class counts, image by image.
///
/// For index targets the counts are whole numbers and therefore exact in any order of addition.
#[derive(Clone, Debug, PartialEq)]
pub struct Census {
    classes: usize,
    images: Vec<ImageCensus>,
}

/// The counts of one image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImageCensus {
    /// Σ y_c over the valid pixels, per class.
    pub mass: Vec<f64>,
    /// Pixels that are not ignored.
    pub valid: u64,
    /// All pixels.
    pub pixels: u64,
}

impl Census {
    pub(crate) fn images(&self) -> &[ImageCensus] {
        &self.images
    }

    /// How many classes are counted.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many images are counted.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether no image is counted.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Pixels that are not ignored, over all images.
    pub fn valid_pixels(&self) -> u64 {
        self.images.iter().map(|image| image.valid).sum()
    }

    /// Σ y_c over the valid pixels of all images, per class.
    pub fn mass(&self) -> Vec<f64> {
        let mut total = vec![0.0; self.classes];
        for image in &self.images {
            total.iter_mut().zip(&image.mass).for_each(|(sum, mass)| *sum += mass);
        }
        total
    }

    /// Joins another tile of the same images.
    ///
    /// # Panics
    /// If the other census counts other classes or another number of images.
    #[must_use]
    pub fn join_tiles(mut self, tiles: &Self) -> Self {
        assert_eq!((self.classes, self.len()), (tiles.classes, tiles.len()), "tiles of the same images");
        for (image, tile) in self.images.iter_mut().zip(&tiles.images) {
            image.mass.iter_mut().zip(&tile.mass).for_each(|(sum, mass)| *sum += mass);
            image.valid += tile.valid;
            image.pixels += tile.pixels;
        }
        self
    }

    /// Appends the images of another batch.
    ///
    /// # Panics
    /// If the other census counts other classes.
    #[must_use]
    pub fn join_images(mut self, others: &Self) -> Self {
        assert_eq!(self.classes, others.classes, "censuses of the same classes");
        self.images.extend_from_slice(&others.images);
        self
    }
}

/// Pixels per task. Fixed, so that sums of soft targets do not depend on the number of threads.
const CHUNK: usize = 1 << 15;

/// Counts and checks the target of `input`.
pub(crate) fn take<T: Element>(
    input: &Input<'_, T>,
    geometry: &Geometry,
    spec: &LossSpec,
) -> Result<Census, Error> {
    let chunks = geometry.pixels.div_ceil(CHUNK);
    let counted: Vec<_> = (0..geometry.images * chunks)
        .into_par_iter()
        .map(|task| {
            let (image, start) = (task / chunks, task % chunks * CHUNK);
            let end = geometry.pixels.min(start + CHUNK);
            count(input, geometry, spec, image, start..end)
        })
        .collect();
    // Added up, and errors reported, in the order of the pixels.
    let mut images: Vec<ImageCensus> = Vec::with_capacity(geometry.images);
    for (task, chunk) in counted.into_iter().enumerate() {
        let chunk = chunk?;
        match images.get_mut(task / chunks) {
            None => images.push(chunk),
            Some(image) => {
                image.mass.iter_mut().zip(&chunk.mass).for_each(|(sum, mass)| *sum += mass);
                image.valid += chunk.valid;
                image.pixels += chunk.pixels;
            }
        }
    }
    Ok(Census { classes: geometry.classes, images })
}

fn count<T: Element>(
    input: &Input<'_, T>,
    geometry: &Geometry,
    spec: &LossSpec,
    image: usize,
    pixels: std::ops::Range<usize>,
) -> Result<ImageCensus, Error> {
    let (operation, ignore_index) = (spec.kind.name(), spec.ignore_index);
    // A binary problem needs 1 − y as well, which must not be negative.
    let binary = spec.kind.is_binary();
    let limit = if binary { 1.0 } else { f64::MAX };
    let mut mass = vec![0.0; geometry.classes];
    let mut valid = 0;
    let all = pixels.len() as u64;
    let (class_stride, _) = geometry.strides();
    for pixel in pixels {
        let flat = image * geometry.pixels + pixel;
        match input.label(flat, ignore_index) {
            PixelLabel::Ignored => continue,
            PixelLabel::Index(label) => match positive_class(label, geometry.classes, binary) {
                Some(Some(class)) => mass[class] += 1.0,
                Some(None) => {}
                None => {
                    let index = geometry.locate(image, pixel);
                    let classes = labels(geometry.classes, binary);
                    let problem = Problem::Label { label, classes, ignore_index, index };
                    return Err(Error { operation, problem });
                }
            },
            PixelLabel::Distribution(rows) => {
                let offset = geometry.offset(image, pixel);
                for (class, sum) in mass.iter_mut().enumerate() {
                    let value = rows[offset + class * class_stride].wide();
                    if !(value >= 0.0 && value <= limit) {
                        let index = geometry.locate(image, pixel);
                        let problem = Problem::Distribution { value, class, limit, index };
                        return Err(Error { operation, problem });
                    }
                    *sum += value;
                }
            }
        }
        valid += 1;
    }
    Ok(ImageCensus { mass, valid, pixels: all })
}

/// The channel that a label raises: its own, or for a binary problem of a single channel none for 0 and
/// that one for 1. Outer `None`: the label names no class.
pub(crate) fn positive_class(label: i64, classes: usize, binary: bool) -> Option<Option<usize>> {
    let label = usize::try_from(label).ok()?;
    if label >= labels(classes, binary) {
        return None;
    }
    match classes {
        1 if binary => Some((label == 1).then_some(0)),
        _ => Some(Some(label)),
    }
}

/// How many labels there are. A single binary channel tells two apart, absent and present.
fn labels(classes: usize, binary: bool) -> usize {
    if binary { classes.max(2) } else { classes }
}
