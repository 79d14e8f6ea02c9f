//! From an image to a class for each of its pixels.

use std::path::Path;

use crate::batch::single;
use crate::checkpoint::Checkpoint;
use crate::classes::Classes;
use crate::dataset::Normalisation;
use crate::decode::decode_image;
use crate::error::Result;
use crate::evaluate::classify;
use crate::files;
use crate::pixels::Image;
use crate::unet::UNet;

/// A net with what it needs to judge an image from anywhere.
#[derive(Debug, Clone)]
pub struct Predictor {
    net: UNet<f32>,
    classes: Classes,
    channels: usize,
    normalisation: Normalisation,
}

impl Predictor {
    /// The net of a checkpoint.
    pub fn new(checkpoint: Checkpoint) -> Self {
        let Checkpoint { net, meta, .. } = checkpoint;
        Self { net, classes: meta.classes, channels: meta.channels, normalisation: meta.normalisation }
    }

    /// What the indices mean.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Reads a PNG, JPEG, TIFF or BMP.
    ///
    /// # Errors
    /// If it cannot be read or decoded, or has another depth than the training images.
    pub fn read(&self, path: &Path) -> Result<Image> {
        let image = decode_image(&files::read(path)?, path)?;
        self.normalisation.check_depth(&image, path)?;
        Ok(image)
    }

    /// The class of each pixel, row by row. Grey and RGB are converted to what the net was trained on.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn predict(&self, image: &Image) -> Result<Vec<u8>> {
        let image = image.clone().with_channels(self.channels);
        predict(&self.net, &self.classes, &self.normalisation, &image)
    }
}

/// The class of each pixel of an image that has the net's channels.
///
/// # Errors
/// If a tensor operation fails.
pub fn predict(
    net: &UNet<f32>,
    classes: &Classes,
    normalisation: &Normalisation,
    image: &Image,
) -> Result<Vec<u8>> {
    let batch = single(image, normalisation, net.multiple());
    let logits = net.evaluate(net.tensor(batch.images, batch.shape)?)?;
    Ok(classify(dfdx_conv::data(&logits)?, batch.shape.2, (image.height, image.width), classes))
}
