//! Small pictures for the page: an image, and what is where in it.

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::thumbnail;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use crate::classes::Classes;
use crate::error::{Error, Result};
use crate::files;
use crate::picture;
use crate::pixels::Image;
use crate::sample::Sample;

/// So many images are shown.
const EXAMPLES: usize = 4;
/// No wider, in pixels.
const WIDTH: u32 = 320;
const QUALITY: u8 = 88;

/// An image that is shown.
pub struct Example<'a> {
    /// It.
    pub sample: &'a Sample,
    /// Its name as a file's.
    pub name: String,
}

/// Some images, spread evenly.
pub fn examples(samples: &[Sample]) -> impl Iterator<Item = Example<'_>> {
    let count = EXAMPLES.min(samples.len());
    (0..count).map(move |i| {
        let sample = &samples[i * samples.len() / count];
        Example { sample, name: sample.name.replace(['/', '\\'], "_") }
    })
}

/// Writes an image, with labels in their colours over it, as JPEG.
///
/// # Errors
/// [`Error::Encoding`] or [`Error::Io`].
pub fn write(path: &Path, image: &Image, labels: Option<&[u8]>, classes: &Classes) -> Result<()> {
    let failed =
        |problem: &str| Error::Encoding { what: path.display().to_string(), problem: problem.to_owned() };
    let pixels = match labels {
        Some(labels) => picture::overlay(image, labels, classes),
        None => image.shown().in_colour(),
    };
    let side = |n: usize| u32::try_from(n).map_err(|_| failed("it is too large"));
    let (width, height) = (side(pixels.width)?, side(pixels.height)?);
    let mut rgb =
        RgbImage::from_raw(width, height, pixels.data).ok_or(Error::Fault("pixels of another size"))?;
    if width > WIDTH {
        let height = (u64::from(height) * u64::from(WIDTH) / u64::from(width)).max(1);
        rgb = thumbnail(&rgb, WIDTH, side(height as usize)?);
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .write_image(&rgb, rgb.width(), rgb.height(), ExtendedColorType::Rgb8)
        .map_err(|error| failed(&error.to_string()))?;
    files::write_atomic(path, &bytes)
}
