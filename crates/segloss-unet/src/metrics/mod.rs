//! How good a segmentation is: counts first, scores from the counts.
//!
//! | file | what |
//! |---|---|
//! | [`decision`] | the class that a pixel is given, and the net's probabilities |
//! | [`overlap`] | TP, FP, FN and the ratios of them: IoU, Dice, precision, recall, F_β |
//! | [`bins`] | confidences in bins: calibration |
//! | [`tally`] | counts over all pixels and the usual scores of them: what training looks at after each epoch |
//! | [`surface`] | distances between the outlines of truth and prediction: surface Dice (NSD), HD95 |
//! | [`band`] | overlap of the outlines' inner bands: boundary IoU |
//! | [`image`](mod@image) | one image: all counts and sums of each class |
//! | [`results`] | all images of an evaluation, and the file that keeps them |
//! | [`sums`] | the same, class by class |
//! | [`definitions`] | every score: name, formula, rule for absent classes, source |
//! | [`report`] | all of them, made of [`Results`] alone |
//!
//! **What counts.** Pixels with the ignored label are neither counted nor is anything known of them: an outline between
//! a class and ignored pixels is no outline, in the truth and in the prediction alike. The border of the image is one:
//! a region that the image cuts off ends there, as it does in MONAI, in DeepMind's `surface-distance` and in the boundary IoU's own
//! code.
//!
//! **Absent classes.** A class may be, of one image or of all together,
//!
//! - in neither truth nor prediction: it has no score, and no mean counts it;
//! - in the truth alone (missed): IoU, Dice, recall, F_β, boundary IoU and surface Dice are 0, precision does not
//!   exist, nor does HD95, so that the images which missed a class are told beside it;
//! - in the prediction alone (claimed): it has no score either, and no mean counts it. The claim costs the
//!   classes that are there their recall; how many images and pixels claimed a class that was absent is told apart. This is the
//!   rule of Wang 2023 and of PASCAL VOC's per-image scores; torchmetrics and MONAI score such a class 0.
//!
//! **Sums.** Counts are integers. Sums over the pixels of an image are added in the order of the pixels, sums over images in the
//! order of the images: threads and batches change no bit.

pub mod band;
pub mod bins;
pub mod decision;
pub mod definitions;
pub mod image;
pub mod overlap;
pub mod report;
pub mod results;
mod results_file;
pub mod sums;
pub mod surface;
pub mod tally;

pub use decision::{Decision, Rule, decide};
pub use overlap::Overlap;
pub use report::Report;
pub use results::Results;
pub use tally::{ClassScores, Scores, Tally};
