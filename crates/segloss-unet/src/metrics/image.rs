//! One image: the counts and sums of each class that it holds or is predicted to hold.

use serde::{Deserialize, Serialize};

use super::band::{self, Band};
use super::bins::Bins;
use super::decision::Rule;
use super::overlap::Overlap;
use super::surface::{Surface, UNKNOWN};
use crate::classes::Classes;
use crate::real::Real;

/// What is fixed before anything is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// How far apart outlines may be to be the same for surface Dice, in pixels.
    pub tolerance: f64,
    /// The width of the boundary IoU's band, as a part of the image's diagonal.
    pub band_ratio: f64,
}

impl Default for Measures {
    /// 2 pixels; 0.02 as in Cheng 2021.
    fn default() -> Self {
        Self { tolerance: 2.0, band_ratio: 0.02 }
    }
}

/// An image of which something is known.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageResult {
    /// The image's path below its folder, without the extension.
    pub name: String,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Of the classes that are in its truth or in its prediction, in the order of the labels.
    pub classes: Vec<ClassResult>,
}

impl ImageResult {
    /// Pixels that are not ignored.
    pub fn valid_pixels(&self) -> u64 {
        self.classes.iter().map(|class| class.overlap.truth()).sum()
    }
}

/// Of one class in one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassResult {
    /// In the masks.
    pub label: u8,
    /// TP, FP, FN.
    pub overlap: Overlap,
    /// Outlines.
    pub surface: Surface,
    /// Bands.
    pub band: Band,
    /// Σ Σ_k (p_k − y_k)² over the pixels whose truth is the class.
    pub brier: f64,
    /// Σ −ln p_truth over the same, in nats.
    pub surprise: f64,
}

/// What is not kept image by image, of any number of images.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// Of the predicted class's probability.
    pub decided: Bins,
    /// Of each output's probability at every pixel.
    pub classes: Vec<Bins>,
    /// Pixels by their true and their predicted output.
    pub confusion: Vec<Vec<u64>>,
}

impl Pooled {
    /// Nothing counted yet.
    pub fn new(outputs: usize) -> Self {
        Self {
            decided: Bins::default(),
            classes: vec![Bins::default(); outputs],
            confusion: vec![vec![0; outputs]; outputs],
        }
    }

    /// Adds another's pixels.
    pub fn merge(&mut self, other: &Self) {
        self.decided.merge(&other.decided);
        self.classes.iter_mut().zip(&other.classes).for_each(|(a, b)| a.merge(b));
        let counts = self.confusion.iter_mut().flatten().zip(other.confusion.iter().flatten());
        counts.for_each(|(a, b)| *a += b);
    }
}

/// How images are counted.
#[derive(Debug, Clone, Copy)]
pub struct Counting<'a> {
    /// The outputs, and which of them is ignored.
    pub classes: &'a Classes,
    /// From logits to a class.
    pub rule: &'a Rule,
    /// Tolerances.
    pub measures: Measures,
}

impl Counting<'_> {
    /// Counts one image of (rows, columns), whose logits (H, W, C) and labels (H, W) are `width` pixels wide.
    pub fn count<E: Real>(
        &self,
        name: &str,
        logits: &[E],
        labels: &[u8],
        width: usize,
        size: (usize, usize),
    ) -> (ImageResult, Pooled) {
        let outputs = self.classes.count();
        let scored = self.classes.scored();
        let (rows, columns) = size;
        let mut pooled = Pooled::new(outputs);
        let mut sums = vec![(Overlap::default(), 0.0, 0.0); outputs];
        let (mut truths, mut predictions) = (vec![UNKNOWN; rows * columns], vec![UNKNOWN; rows * columns]);
        let mut probabilities = vec![0.0; outputs];
        for y in 0..rows {
            for x in 0..columns {
                let at = y * width + x;
                let truth = usize::from(labels[at]);
                if truth >= outputs || !scored[truth] {
                    continue;
                }
                let logits = &logits[at * outputs..(at + 1) * outputs];
                let judged = self.rule.judge(logits, &scored, truth, &mut probabilities);
                let class = judged.class;
                pooled.decided.add(probabilities[class], class == truth);
                let mut brier = 0.0;
                for (c, &p) in probabilities.iter().enumerate().filter(|&(c, _)| scored[c]) {
                    pooled.classes[c].add(p, c == truth);
                    let error = if c == truth { 1.0 - p } else { p };
                    brier += error * error;
                }
                sums[truth].1 += brier;
                sums[truth].2 += judged.surprise;
                pooled.confusion[truth][class] += 1;
                if class == truth {
                    sums[truth].0.found += 1;
                } else {
                    sums[truth].0.missed += 1;
                    sums[class].0.claimed += 1;
                }
                // At most 255 classes.
                (truths[y * columns + x], predictions[y * columns + x]) = (truth as u8, class as u8);
            }
        }
        let band_width = band::width(size, self.measures.band_ratio);
        let concerned = |(overlap, ..): &(Overlap, f64, f64)| *overlap != Overlap::default();
        let classes = sums.into_iter().enumerate().filter(|(_, sums)| concerned(sums));
        let classes = classes
            .map(|(class, (overlap, brier, surprise))| {
                let label = class as u8;
                let tolerance = self.measures.tolerance;
                let mut surface = Surface::measure(&truths, &predictions, size, label, tolerance);
                surface.hd95 = surface.hd95.map(nine_digits);
                let band = Band::measure(&truths, &predictions, size, label, band_width);
                let (brier, surprise) = (nine_digits(brier), nine_digits(surprise));
                ClassResult { label, overlap, surface, band, brier, surprise }
            })
            .collect();
        (ImageResult { name: name.to_owned(), height: rows, width: columns, classes }, pooled)
    }
}

/// The nearest number of nine significant digits: what is written is what was counted, and files stay small. Relative
/// error at most 5·10⁻⁹.
fn nine_digits(x: f64) -> f64 {
    // Rust writes no number that it cannot read.
    format!("{x:.8e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(
        classes: &Classes,
        logits: &[f64],
        labels: &[u8],
        size: (usize, usize),
    ) -> (ImageResult, Pooled) {
        let rule = Rule::default();
        Counting { classes, rule: &rule, measures: Measures::default() }
            .count("a", logits, labels, size.1, size)
    }

    #[test]
    fn classes_in_neither_are_left_out_and_those_in_one_are_not() {
        // Truth 0 0 1, predicted 0 2 2; class 3 is in neither.
        let logit = |class: usize| (0..4).map(move |c| if c == class { 800.0 } else { 0.0 });
        let logits: Vec<f64> = [0, 2, 2].into_iter().flat_map(logit).collect();
        let (image, pooled) = count(&Classes::numbered(4, None), &logits, &[0, 0, 1], (1, 3));
        let rows: Vec<(u8, u64, u64, u64)> = image
            .classes
            .iter()
            .map(|class| (class.label, class.overlap.found, class.overlap.claimed, class.overlap.missed))
            .collect();
        assert_eq!(rows, [(0, 1, 0, 1), (1, 0, 0, 1), (2, 0, 2, 0)]);
        assert_eq!(image.valid_pixels(), 3);
        assert_eq!((pooled.confusion[0][2], pooled.confusion[1][2], pooled.confusion[1][1]), (1, 1, 0));
        // Sure and wrong: 1² + 1², and 800 nats.
        assert_eq!((image.classes[1].brier, image.classes[1].surprise), (2.0, 800.0));
        assert_eq!((image.classes[2].brier, image.classes[2].surprise), (0.0, 0.0));
        assert_eq!(pooled.classes[3].sums()[0].pixels, 3);
    }

    #[test]
    fn padding_and_ignored_pixels_count_for_nothing() {
        let classes = Classes::numbered(2, Some(9));
        let logits = [5.0, 0.0].repeat(6);
        let rule = Rule::default();
        let counting = Counting { classes: &classes, rule: &rule, measures: Measures::default() };
        // Two rows of two pixels in rows of three; one pixel is ignored.
        let (image, pooled) = counting.count("a", &logits, &[0, 9, 1, 0, 0, 1], 3, (2, 2));
        assert_eq!(image.valid_pixels(), 3);
        assert_eq!(image.classes.len(), 1);
        assert_eq!(pooled.decided.sums().iter().map(|bin| bin.pixels).sum::<u64>(), 3);
        let (nothing, _) = count(&classes, &logits[..4], &[9, 9], (1, 2));
        assert!(nothing.classes.is_empty());
    }

    #[test]
    fn nine_digits_are_kept() {
        for (x, kept) in [(0.1 + 0.2, 0.3), (0.0, 0.0), (3.0_f64.sqrt(), 1.73205081), (1.5e300, 1.5e300)] {
            assert_eq!(nine_digits(x), kept);
        }
    }
}
