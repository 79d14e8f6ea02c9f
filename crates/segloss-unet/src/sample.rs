//! One image and the label of each of its pixels.

use std::path::PathBuf;

use crate::pixels::Image;

/// An image and the label of each of its pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The image's path below its folder, without the extension.
    pub name: String,
    /// Grey or RGB.
    pub image: Image,
    /// One label per pixel, row by row.
    pub labels: Vec<u8>,
    /// A weight for each pixel, row by row, where the data set has some and they are asked for.
    pub weights: Option<Vec<f32>>,
    /// Where the mask came from, for messages.
    pub origin: PathBuf,
}

impl Sample {
    /// Number of rows.
    pub fn height(&self) -> usize {
        self.image.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.image.width
    }
}
