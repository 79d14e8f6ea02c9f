//! How good the net is on a set of images: forward, loss, count.

use dfdx_conv::Image;
use rayon::prelude::*;

use crate::batch::{Batch, Batcher};
use crate::checkpoint::Checkpoint;
use crate::classes::Classes;
use crate::dataset::Normalisation;
use crate::error::Result;
use crate::folder::{Source, Split};
use crate::loss_schedule::LossSchedule;
use crate::metrics::image::{Counting, ImageResult, Measures, Pooled};
use crate::metrics::results::Origin;
use crate::metrics::{Results, Rule, Scores, Tally, decide};
use crate::objective::Objective;
use crate::real::Real;
use crate::run::Which;
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
    let mut loss = MeanLoss::default();
    each_batch(net, &batcher, batch_size, progress, |_, logits, batch| {
        let values = dfdx_conv::data(&logits)?;
        let tallies = tally_images(values, &batch.labels, batch.shape, &batch.sizes, classes);
        tallies.iter().for_each(|image| tally.merge(image));
        loss.add(objective, logits, batch)
    })?;
    Ok(Assessment { loss: loss.mean(), scores: tally.scores(classes) })
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
    let (mut images, mut loss) = (Vec::new(), MeanLoss::default());
    each_batch(net, batcher, batch_size, progress, |views, logits, batch| {
        let (_, height, width, _) = batch.shape;
        let values = dfdx_conv::data(&logits)?.par_chunks((height * width * classes.count()).max(1));
        let labels = batch.labels.par_chunks((height * width).max(1));
        let inputs = values.zip(labels).zip(views.par_iter().zip(&batch.sizes));
        let counted: Vec<(ImageResult, Pooled)> = inputs
            .map(|((logits, labels), (view, &size))| {
                counting.count(&batcher.samples[view.sample].name, logits, labels, width, size)
            })
            .collect();
        for (image, of_image) in counted {
            pooled.merge(&of_image);
            images.push(image);
        }
        loss.add(objective, logits, batch)
    })?;
    Ok(Results::new(origin, classes, loss.mean(), &pooled, images))
}

/// A net of a run, and images to examine it by.
pub struct Examination<'a> {
    /// The net and all that is known of it.
    pub checkpoint: &'a Checkpoint,
    /// Which of its run's it is.
    pub which: Which,
    /// Where the images come from.
    pub source: &'a Source,
    /// Which of them.
    pub split: Split,
    /// What their labels mean.
    pub classes: &'a Classes,
    /// They themselves.
    pub samples: &'a [Sample],
    /// Tolerances.
    pub measures: Measures,
}

impl Examination<'_> {
    /// Counts everything under a rule; see [`examine`].
    ///
    /// # Errors
    /// If the loss of the run, or a batch, is refused.
    pub fn under(&self, rule: Rule, progress: &mut dyn FnMut(usize)) -> Result<Results> {
        let Checkpoint { net, meta, .. } = self.checkpoint;
        let mut losses = LossSchedule::new(&meta.config, self.classes, None, true)?;
        losses.restore_running_counts(&meta.loss_history)?;
        let batcher = Batcher {
            samples: self.samples,
            normalisation: &meta.normalisation,
            classes: self.classes,
            multiple: net.multiple(),
        };
        let origin = Origin {
            config: meta.config.fingerprint()?,
            checkpoint: self.which.name().to_owned(),
            epoch: meta.epoch,
            data: self.source.name(),
            split: self.split.name().to_owned(),
            rule,
            measures: self.measures,
        };
        examine(net, losses.at(meta.epoch), &batcher, meta.config.train.batch_size, origin, progress)
    }
}

/// The mean over images of the loss of their batch.
#[derive(Default)]
struct MeanLoss {
    sum: f64,
    images: usize,
}

impl MeanLoss {
    fn add<E: Real>(&mut self, objective: &Objective, logits: Image<E>, batch: &Batch<E>) -> Result<()> {
        let (_, evaluation) = objective.apply(logits, &batch.labels, &batch.weights)?;
        self.sum += evaluation.value * batch.sizes.len() as f64;
        self.images += batch.sizes.len();
        Ok(())
    }

    fn mean(&self) -> f64 {
        self.sum / self.images.max(1) as f64
    }
}

/// Gives `count` the views, the logits and the labels of each batch. `progress` is told how many images are done.
pub(crate) fn each_batch<E: Real>(
    net: &UNet<E>,
    batcher: &Batcher<'_>,
    batch_size: usize,
    progress: &mut dyn FnMut(usize),
    mut count: impl FnMut(&[View], Image<E>, &Batch<E>) -> Result<()>,
) -> Result<()> {
    let mut images = 0;
    for views in evaluation_views(batcher.samples, batch_size) {
        let mut batch: Batch<E> = batcher.build(&views);
        let values = std::mem::take(&mut batch.images);
        let logits = net.evaluate(net.tensor(values, batch.shape)?)?;
        count(&views, logits, &batch)?;
        images += views.len();
        progress(images);
    }
    Ok(())
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
pub fn classify<E: Real>(
    logits: &[E],
    width: usize,
    size: (usize, usize),
    classes: &Classes,
    rule: &Rule,
) -> Vec<u8> {
    let count = classes.count();
    let scored = classes.scored();
    let (rows, columns) = size;
    let mut indices = vec![0; rows * columns];
    indices.par_chunks_mut(columns.max(1)).enumerate().for_each(|(y, row)| {
        for (x, index) in row.iter_mut().enumerate() {
            let at = (y * width + x) * count;
            // At most 255 classes.
            *index = rule.class(&logits[at..at + count], &scored) as u8;
        }
    });
    indices
}
