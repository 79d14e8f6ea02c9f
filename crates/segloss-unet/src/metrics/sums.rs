//! The images of an evaluation, class by class: what every score is made of.
//!
//! **Scores per image** are those of Wang et al. 2023, *Revisiting Evaluation Metrics for Semantic Segmentation: Optimization and
//! Evaluation of Fine-grained Intersection over Union*. With IoU_{i,c} of class c in image i, where c is in the image's truth:
//!
//! ```text
//! mIoU^I = mean over images of the mean over their classes of IoU_{i,c}
//! mIoU^C = mean over classes of the mean over their images of IoU_{i,c}
//! ```
//!
//! and the worst tenth of each: the mean of the lowest max(1, ⌊n/10⌋) of the n images, in mIoU^C of each class's own. The authors'
//! code treats two classes as foreground and background; here they are two classes.

use super::band::Band;
use super::bins::Bin;
use super::image::ClassResult;
use super::overlap::{Overlap, mean};
use super::results::{Results, ScoredClass};

/// What is chosen when scores are made, and not when images are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// β of F_β.
    pub beta: f64,
}

impl Default for Settings {
    /// Recall counts twice as much as precision.
    fn default() -> Self {
        Self { beta: 2.0 }
    }
}

/// One class over all images.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSums {
    /// Label and name.
    pub class: ScoredClass,
    /// TP, FP, FN over all images.
    pub overlap: Overlap,
    /// IoU in each image whose truth holds the class, in the order of the images.
    pub ious: Vec<f64>,
    /// Images whose truth holds the class, and in which no pixel was predicted to be of it.
    pub missed_images: usize,
    /// Images whose truth does not hold the class, and which have a valid pixel.
    pub absent_images: usize,
    /// Those of them in which it was predicted all the same.
    pub claimed_images: usize,
    /// The pixels of those claims.
    pub claimed_pixels: u64,
    /// Surface Dice of each image whose truth holds the class.
    pub surface_dice: Vec<f64>,
    /// HD95 of each image with both outlines, in pixels.
    pub hd95: Vec<f64>,
    /// Bands over all images.
    pub band: Band,
    /// Brier scores of the class's pixels, added.
    pub brier: f64,
    /// Their −ln p, added.
    pub surprise: f64,
    /// The class's probability at every pixel.
    pub bins: Vec<Bin>,
}

/// All classes over all images.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// In the order of the labels.
    pub classes: Vec<ClassSums>,
    /// Pixels that are not ignored.
    pub valid_pixels: u64,
    /// Mean IoU of the classes of each image that has a valid pixel.
    pub image_ious: Vec<f64>,
    /// Confidences of the predicted classes.
    pub decided: Vec<Bin>,
}

impl Sums {
    /// Adds up. The results are taken to be [consistent](Results::check).
    pub fn of(results: &Results) -> Self {
        Self::of_images(results, 0..results.images.len())
    }

    /// Adds up some of the images, each as often as it is named. The bins, which are not kept image by image, stay those of all.
    pub fn of_images(results: &Results, images: impl IntoIterator<Item = usize>) -> Self {
        let mut position = [None; 256];
        let mut classes: Vec<ClassSums> = Vec::with_capacity(results.classes.len());
        for (class, bins) in results.classes.iter().zip(&results.class_bins) {
            position[usize::from(class.label)] = Some(classes.len());
            classes.push(ClassSums::nothing(class, bins));
        }
        let (mut valid_images, mut valid_pixels, mut image_ious) = (0, 0, Vec::new());
        for image in images.into_iter().map(|at| &results.images[at]) {
            let pixels = image.valid_pixels();
            if pixels == 0 {
                continue;
            }
            (valid_images, valid_pixels) = (valid_images + 1, valid_pixels + pixels);
            for row in &image.classes {
                if let Some(at) = position[usize::from(row.label)] {
                    classes[at].add(row);
                }
            }
            image_ious.extend(mean(image.classes.iter().map(|row| row.overlap.iou())));
        }
        // Those that hold a class have told its IoU.
        classes.iter_mut().for_each(|class| class.absent_images = valid_images - class.ious.len());
        Self { classes, valid_pixels, image_ious, decided: results.decided.clone() }
    }
}

impl ClassSums {
    fn nothing(class: &ScoredClass, bins: &[Bin]) -> Self {
        Self {
            class: class.clone(),
            overlap: Overlap::default(),
            ious: Vec::new(),
            missed_images: 0,
            absent_images: 0,
            claimed_images: 0,
            claimed_pixels: 0,
            surface_dice: Vec::new(),
            hd95: Vec::new(),
            band: Band::default(),
            brier: 0.0,
            surprise: 0.0,
            bins: bins.to_vec(),
        }
    }

    fn add(&mut self, row: &ClassResult) {
        self.overlap.add(&row.overlap);
        self.band.both += row.band.both;
        self.band.either += row.band.either;
        self.brier += row.brier;
        self.surprise += row.surprise;
        let Some(iou) = row.overlap.iou() else {
            self.claimed_images += 1;
            self.claimed_pixels += row.overlap.claimed;
            return;
        };
        self.missed_images += usize::from(row.overlap.predicted() == 0);
        self.ious.push(iou);
        self.surface_dice.extend(row.surface.dice());
        self.hd95.extend(row.surface.hd95);
    }
}

/// None of nothing.
pub(super) fn mean_of(scores: &[f64]) -> Option<f64> {
    mean(scores.iter().copied().map(Some))
}

/// The mean of the lowest tenth, and of one at least.
pub(super) fn worst_tenth(scores: &[f64]) -> Option<f64> {
    let mut scores = scores.to_vec();
    scores.sort_by(f64::total_cmp);
    scores.truncate((scores.len() / 10).max(1));
    mean_of(&scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_tenth_is_rounded_down_and_never_empty() {
        let of = |n: usize| worst_tenth(&(0..n).rev().map(|i| i as f64).collect::<Vec<_>>());
        assert_eq!(
            [0, 1, 9, 19, 20, 30].map(of),
            [None, Some(0.0), Some(0.0), Some(0.0), Some(0.5), Some(1.0)]
        );
    }
}
