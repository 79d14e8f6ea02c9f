//! How good the net is on a set of images: forward, loss, count.

use rayon::prelude::*;

use crate::batch::{Batch, Batcher};
use crate::classes::Classes;
use crate::dataset::Normalisation;
use crate::error::Result;
use crate::metrics::image::{Counting, ImageResult, Pooled};
use crate::metrics::results::Origin;
use crate::metrics::{Decision, Results, Scores, Tally, decide};
use crate::objective::Objective;
use crate::real::Real;
use crate::sample::Sample;
use crate::unet::UNet;
use crate::view::{View, evaluation_views};

/// The outcome of an evaluation.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Assessment {
    /// Mean over the images of the loss of their batch; with batches of one image, of each image.
    pub loss: f64,
    /// The scores over all pixels of all images.
    #[serde(flatten)]
    pub scores: Scores,
}

/// Evaluates whole images, without their padding. `progress` is told how many images are done.
///
/// # Errors
/// If the net or the loss refuses a batch.
pub fn evaluate<E: Real>(
    net: &UNet<E>,
    objective: &Objective,
    classes: &Classes,
    normalisation: &Normalisation,
    samples: &[Sample],
    batch_size: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Assessment> {
    let batcher = Batcher { samples, normalisation, classes, multiple: net.multiple() };
    let mut tally = Tally::new(classes.count());
    let loss = each_batch(net, objective, &batcher, batch_size, progress, |_, logits, batch| {
        let tallies = tally_images(logits, &batch.labels, batch.shape, &batch.sizes, classes);
        tallies.iter().for_each(|image| tally.merge(image));
    })?;
    Ok(Assessment { loss, scores: tally.scores(classes) })
}

/// As [`evaluate`], with all that can be told of each image: outlines, bands and probabilities take longer than the net may.
///
/// # Errors
/// If the net or the loss refuses a batch.
pub fn examine<E: Real>(
    net: &UNet<E>,
    objective: &Objective,
    batcher: &Batcher<'_>,
    batch_size: usize,
    origin: Origin,
    progress: &mut dyn FnMut(usize),
) -> Result<Results> {
    let classes = batcher.classes;
    let counting = Counting { classes, rule: &origin.rule, measures: origin.measures };
    let mut pooled = Pooled::new(classes.count());
    let mut images = Vec::new();
    let loss = each_batch(net, objective, batcher, batch_size, progress, |views, logits, batch| {
        let (_, height, width, _) = batch.shape;
        let logits = logits.par_chunks((height * width * classes.count()).max(1));
        let labels = batch.labels.par_chunks((height * width).max(1));
        let inputs = logits.zip(labels).zip(views.par_iter().zip(&batch.sizes));
        let counted: Vec<(ImageResult, Pooled)> = inputs
            .map(|((logits, labels), (view, &size))| {
                counting.count(&batcher.samples[view.sample].name, logits, labels, width, size)
            })
            .collect();
        for (image, of_image) in counted {
            pooled.merge(&of_image);
            images.push(image);
        }
    })?;
    Ok(Results::new(origin, classes, loss, &pooled, images))
}

/// Gives `count` the views, the logits and the labels of each batch; its own value is the mean over the images of the loss of their batch.
fn each_batch<E: Real>(
    net: &UNet<E>,
    objective: &Objective,
    batcher: &Batcher<'_>,
    batch_size: usize,
    progress: &mut dyn FnMut(usize),
    mut count: impl FnMut(&[View], &[E], &Batch<E>),
) -> Result<f64> {
    let (mut loss, mut images) = (0.0, 0);
    for views in evaluation_views(batcher.samples, batch_size) {
        let mut batch: Batch<E> = batcher.build(&views);
        let values = std::mem::take(&mut batch.images);
        let logits = net.evaluate(net.tensor(values, batch.shape)?)?;
        count(&views, dfdx_conv::data(&logits)?, &batch);
        let (_, evaluation) = objective.apply(logits, &batch.labels, &batch.weights)?;
        loss += evaluation.value * views.len() as f64;
        images += views.len();
        progress(images);
    }
    Ok(loss / images.max(1) as f64)
}

/// One tally per image: its pixels that are neither padding nor ignored.
fn tally_images<E: Real>(
    logits: &[E],
    labels: &[u8],
    (_, height, width, _): (usize, usize, usize, usize),
    sizes: &[(usize, usize)],
    classes: &Classes,
) -> Vec<Tally> {
    let count = classes.count();
    let scored = classes.scored();
    let logits = logits.par_chunks((height * width * count).max(1));
    let labels = labels.par_chunks((height * width).max(1));
    let images = logits.zip(labels).zip(sizes);
    images
        .map(|((logits, labels), &(rows, columns))| {
            let mut tally = Tally::new(count);
            for y in 0..rows {
                for x in 0..columns {
                    let at = y * width + x;
                    let truth = usize::from(labels[at]);
                    if truth < count && scored[truth] {
                        tally.add(truth, decide(&logits[at * count..(at + 1) * count], &scored));
                    }
                }
            }
            tally
        })
        .collect()
}

/// The class of every pixel of one image, cropped to `size` out of logits (1, H, `width`, C).
pub fn classify<E: Real>(logits: &[E], width: usize, size: (usize, usize), classes: &Classes) -> Vec<u8> {
    let count = classes.count();
    let scored = classes.scored();
    let (rows, columns) = size;
    let mut indices = vec![0; rows * columns];
    indices.par_chunks_mut(columns.max(1)).enumerate().for_each(|(y, row)| {
        for (x, index) in row.iter_mut().enumerate() {
            let at = (y * width + x) * count;
            let Decision { class, .. } = decide(&logits[at..at + count], &scored);
            // At most 255 classes.
            *index = class as u8;
        }
    });
    indices
}
