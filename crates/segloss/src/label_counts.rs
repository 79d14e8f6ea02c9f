//! One pass over the labels: how much of each class every image holds.
//!
//! Weights and denominators depend on the labels alone, so this pass comes first, and its results add
//! up: over the tiles of an image, over the images of a batch, over the batches of a data set.

use crate::counts::{ClassCounts, ImageCounts};
use crate::element::Element;
use crate::error::{Error, Problem};
use crate::geometry::Geometry;
use crate::input::{Input, PixelLabel};
use crate::kernels::block::{Block, no_class};
use crate::kernels::plane::{PIXELS, SumsByClass};
use crate::kernels::staging::Place;
use crate::kernels::target::ShareRules;
use crate::simd::{InstructionSet, Kernel, Simd};
use crate::target::{Labels, Values};
use crate::tiles;

/// Class counts, image by image.
///
/// For index targets the counts are whole numbers and therefore exact in any order of addition.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelCounts {
    classes: usize,
    images: Vec<ImageCounts>,
}

impl LabelCounts {
    pub(crate) fn images(&self) -> &[ImageCounts] {
        &self.images
    }

    pub(crate) fn into_images(self) -> Vec<ImageCounts> {
        self.images
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
        (0..self.classes).map(|class| self.mass_of(class)).collect()
    }

    /// That of one class.
    pub(crate) fn mass_of(&self, class: usize) -> f64 {
        self.images.iter().map(|image| image.mass[class]).sum()
    }

    /// What class weights are made of.
    pub fn counts(&self) -> ClassCounts {
        ClassCounts::of(&self.images, self.classes)
    }

    /// Adds another tile of the same images.
    ///
    /// # Errors
    /// [`Problem::Mismatch`] for other classes or another number of images; these counts are left as they were.
    pub fn join_tiles(&mut self, tiles: Self) -> Result<(), Error> {
        self.demand("classes", self.classes, tiles.classes)?;
        self.demand("images", self.len(), tiles.len())?;
        self.images.iter_mut().zip(&tiles.images).for_each(|(image, tile)| image.add(tile));
        Ok(())
    }

    /// Appends the images of another batch.
    ///
    /// # Errors
    /// [`Problem::Mismatch`] for other classes; these counts are left as they were.
    pub fn join_images(&mut self, others: Self) -> Result<(), Error> {
        self.demand("classes", self.classes, others.classes)?;
        self.images.extend(others.images);
        Ok(())
    }

    fn demand(&self, of: &'static str, expected: usize, found: usize) -> Result<(), Error> {
        let error = |problem| Error { operation: "label counts", problem };
        Problem::unless_equal("the other part", of, expected, found).map_err(error)
    }
}

/// Pixels per task. Fixed, so that sums of soft targets do not depend on the number of threads.
const CHUNK: usize = 1 << 15;

/// How far from 1 the classes of a pixel may sum. Soft labels are often stored in 8 bits or in 16-bit floats: 21 of
/// them, each rounded to 1/255, are typically off by 0.005. What is wrong in kind is off by far more.
const SUM_TOLERANCE: f64 = 0.01;

/// What a loss asks of its labels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub operation: &'static str,
    pub ignore_index: Option<i64>,
    /// The classes of a pixel share one whole: some term is a softmax.
    pub softmax: bool,
    /// A single channel tells two labels apart: every term takes it for a problem of its own.
    pub sigmoid: bool,
    /// A pixel has one whole class (of softmax kinds), or each channel all or nothing of it.
    pub hard: bool,
    pub exclusive: bool,
    /// For counting; the counts are the same with any.
    pub instructions: InstructionSet,
}

/// Counts and checks the target of `input`.
pub(crate) fn of_input<T: Element>(
    input: &Input<'_, T>,
    geometry: &Geometry,
    rules: &Rules,
) -> Result<LabelCounts, Error> {
    let chunks = geometry.pixels.div_ceil(CHUNK);
    let counted = tiles::each(geometry, vec![(); geometry.images * chunks], |(task, ())| {
        let (image, start) = (task / chunks, task % chunks * CHUNK);
        let end = geometry.pixels.min(start + CHUNK);
        count(input, geometry, rules, image, start..end)
    });
    // Added up, and errors reported, in the order of the pixels.
    let mut images: Vec<ImageCounts> = Vec::with_capacity(geometry.images);
    for (task, chunk) in counted.into_iter().enumerate() {
        let chunk = chunk?;
        match images.get_mut(task / chunks) {
            None => images.push(chunk),
            Some(image) => image.add(&chunk),
        }
    }
    Ok(LabelCounts { classes: geometry.classes, images })
}

fn count<T: Element>(
    input: &Input<'_, T>,
    geometry: &Geometry,
    rules: &Rules,
    image: usize,
    pixels: std::ops::Range<usize>,
) -> Result<ImageCounts, Error> {
    let Rules { operation, ignore_index, softmax, sigmoid, hard, exclusive, .. } = *rules;
    let at_once = count_bytes(input, geometry, rules, image, pixels.clone());
    if let Some(counted) = at_once.or_else(|| count_shares(input, geometry, rules, image, pixels.clone())) {
        return Ok(counted);
    }
    let refuse = |problem| Err(Error { operation, problem });
    let mut counted = ImageCounts { pixels: pixels.len() as u64, ..ImageCounts::empty(geometry.classes) };
    let (class_stride, _) = geometry.strides();
    for pixel in pixels {
        let flat = image * geometry.pixels + pixel;
        let label = input.label(flat, ignore_index);
        if matches!(label, PixelLabel::Ignored) {
            continue;
        }
        let m = match input.weight(flat) {
            None => 1.0,
            Some(m) if m.wide() >= 0.0 && m.is_finite() => m.wide(),
            Some(m) => {
                return refuse(Problem::WeightMap { value: m.wide(), index: geometry.locate(image, pixel) });
            }
        };
        match label {
            PixelLabel::Ignored => {}
            PixelLabel::Index(label) => match positive_class(label, geometry.classes, sigmoid) {
                Some(Some(class)) => {
                    counted.mass[class] += 1.0;
                    counted.mapped_mass[class] += m;
                }
                Some(None) => {}
                None => {
                    let index = geometry.locate(image, pixel);
                    let classes = labels(geometry.classes, sigmoid);
                    return refuse(Problem::Label { label, classes, ignore_index, index });
                }
            },
            PixelLabel::Distribution(rows) => {
                let offset = geometry.offset(image, pixel);
                let (mut raised, mut sum) = (0, 0.0);
                for class in 0..geometry.classes {
                    let value = rows[offset + class * class_stride].wide();
                    if !(0.0..=1.0).contains(&value) {
                        let index = geometry.locate(image, pixel);
                        return refuse(Problem::Distribution { value, class, index });
                    }
                    sum += value;
                    raised += usize::from(value > 0.0);
                    if hard && (value != 0.0 && value != 1.0 || raised > 1 && exclusive) {
                        let index = geometry.locate(image, pixel);
                        return refuse(Problem::SoftTarget { value, class, index });
                    }
                    counted.mass[class] += value;
                    counted.mapped_mass[class] += m * value;
                }
                if softmax && !((sum - 1.0).abs() <= SUM_TOLERANCE) {
                    return refuse(Problem::RowSum { sum, index: geometry.locate(image, pixel) });
                }
            }
        }
        counted.valid += 1;
        counted.mapped_valid += m;
    }
    Ok(counted)
}

/// The same of bytes, without mask or map: a histogram. `None` where it is something else, or a label names no class:
/// pixel by pixel it is found out which.
fn count_bytes<T: Element>(
    input: &Input<'_, T>,
    geometry: &Geometry,
    rules: &Rules,
    image: usize,
    pixels: std::ops::Range<usize>,
) -> Option<ImageCounts> {
    let Values::Indices(Labels::U8(labels)) = input.target.values else { return None };
    if input.mask.is_some() || input.weight_map.is_some() {
        return None;
    }
    let start = image * geometry.pixels;
    let counts = histogram(&labels[start + pixels.start..start + pixels.end], rules.instructions);

    let mut counted = ImageCounts { pixels: pixels.len() as u64, ..ImageCounts::empty(geometry.classes) };
    for label in 0..=255_u8 {
        let count = counts[usize::from(label)];
        if count == 0 || Some(i64::from(label)) == rules.ignore_index {
            continue;
        }
        if let Some(class) = positive_class(i64::from(label), geometry.classes, rules.sigmoid)? {
            counted.mass[class] = f64::from(count);
        }
        counted.valid += u64::from(count);
    }
    counted.mapped_mass.clone_from(&counted.mass);
    counted.mapped_valid = counted.valid as f64;
    Some(counted)
}

/// The same of a distribution, without map, by registers. `None` where it is something else, or a share breaks a rule,
/// perhaps by its rounding: pixel by pixel it is found out which.
fn count_shares<T: Element>(
    input: &Input<'_, T>,
    geometry: &Geometry,
    rules: &Rules,
    image: usize,
    pixels: std::ops::Range<usize>,
) -> Option<ImageCounts> {
    let Values::Distribution(shares) = input.target.values else { return None };
    if input.weight_map.is_some() {
        return None;
    }
    let classes = geometry.classes;
    let share_rules = ShareRules {
        sum: rules.softmax.then_some(0.99 * SUM_TOLERANCE),
        hard: rules.hard,
        exclusive: rules.exclusive,
    };
    let set = rules.instructions.available();
    let (mut block, mut sums) = (Block::new(set, classes), SumsByClass::zeros(classes));
    let mut counted = ImageCounts { pixels: pixels.len() as u64, ..ImageCounts::empty(classes) };
    let none = T::of_class(no_class(classes));
    for first in pixels.clone().step_by(PIXELS) {
        let here = PIXELS.min(pixels.end - first);
        block.label[here..].fill(none);
        let labels = &mut block.label[..here];
        input.read_labels(set, image * geometry.pixels + first, rules.ignore_index, classes, labels);
        counted.valid += labels.iter().filter(|&&label| label != none).count() as u64;
        let offset = geometry.offset(image, first);
        let place = Place { geometry, image, first, offset, pixels: here };
        block.load_shares(shares, place);
        if !block.add_shares(share_rules, &mut sums) {
            return None;
        }
    }
    counted.mass = sums.totals().collect();
    counted.mapped_mass.clone_from(&counted.mass);
    counted.mapped_valid = counted.valid as f64;
    Some(counted)
}

/// How often each byte occurs. Not generic, so that it is compiled once.
fn histogram(bytes: &[u8], instructions: InstructionSet) -> [u32; 256] {
    instructions.available().run::<f32, _>(Histogram(bytes))
}

/// See [`histogram`].
struct Histogram<'a>(&'a [u8]);

/// The labels up to which most images go.
const COMMON: u8 = 24;

impl Kernel<f32> for Histogram<'_> {
    type Output = [u32; 256];

    /// Compares many bytes at once with one label after the other, until all are found; what is rarer is counted one by one.
    #[inline(always)]
    fn run<S: Simd<Real = f32>>(self, _: S) -> [u32; 256] {
        let mut counts = [0; 256];
        // As many lines as a byte can count.
        for chunk in self.0.chunks(64 * 255) {
            let (lines, rest) = chunk.as_chunks::<64>();
            let mut left = 64 * lines.len();
            // What is ignored is mostly 255: found first, the search ends at the last class that there is.
            for label in [255].into_iter().chain(0..COMMON) {
                if left == 0 {
                    break;
                }
                let mut found = [0_u8; 64];
                for line in lines {
                    found.iter_mut().zip(line).for_each(|(found, &byte)| *found += u8::from(byte == label));
                }
                let found: u32 = found.iter().map(|&found| u32::from(found)).sum();
                counts[usize::from(label)] += found;
                left -= found as usize;
            }
            if left > 0 {
                let is_rare = |byte: &&u8| (COMMON..255).contains(*byte);
                lines.as_flattened().iter().filter(is_rare).for_each(|&byte| counts[usize::from(byte)] += 1);
            }
            rest.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        }
        counts
    }
}

/// The channel that a label raises: its own, or for a single sigmoid channel none for 0 and
/// that one for 1. Outer `None`: the label names no class.
pub(crate) fn positive_class(label: i64, classes: usize, sigmoid: bool) -> Option<Option<usize>> {
    let label = usize::try_from(label).ok()?;
    if label >= labels(classes, sigmoid) {
        return None;
    }
    match classes {
        1 if sigmoid => Some((label == 1).then_some(0)),
        _ => Some(Some(label)),
    }
}

/// How many labels there are. A single sigmoid channel tells two apart, absent and present.
fn labels(classes: usize, sigmoid: bool) -> usize {
    if sigmoid { classes.max(2) } else { classes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_counted_by_every_instruction_set() {
        let common = (0..40_000_u32).map(|i| (i * i % 23) as u8);
        let all = (0..17_000_u32).map(|i| (i * 7 % 256) as u8);
        for bytes in [common.collect::<Vec<u8>>(), all.collect(), vec![255; 64 * 255], Vec::new()] {
            let mut counts = [0; 256];
            bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
            for set in InstructionSet::ALL {
                assert_eq!(histogram(&bytes, set), counts, "{set:?}");
            }
        }
    }
}
