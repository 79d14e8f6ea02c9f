//! Pictures of what the net saw and said.

use std::path::Path;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::classes::Classes;
use crate::decode::{Stored, StoredMask};
use crate::error::{Error, Result};
use crate::files;
use crate::pixels::{Image, Pixels};

/// Columns of white between two panels.
const GAP: usize = 4;
/// How much of a class's colour covers the image.
const OPACITY: f32 = 0.6;
/// Ignored pixels are dimmed to this part.
const DIMMED: f32 = 0.25;

/// The image, then one panel per map of labels with the classes' colours over the image, side by side.
/// Ignored pixels are dark.
pub fn panels(image: &Image, maps: &[&[u8]], classes: &Classes) -> Pixels {
    let (height, panel) = (image.height, image.width);
    let width = panel + maps.len() * (GAP + panel);
    let mut data = vec![u8::MAX; height * width * 3];
    let overlays = maps.iter().map(|map| overlay(image, map, classes));
    for (i, shown) in std::iter::once(image.shown().in_colour()).chain(overlays).enumerate() {
        let start = i * (panel + GAP) * 3;
        let rows = data.chunks_exact_mut((width * 3).max(1));
        for (to, from) in rows.zip(shown.data.chunks_exact((panel * 3).max(1))) {
            to[start..start + panel * 3].copy_from_slice(from);
        }
    }
    Pixels { height, width, channels: 3, data }
}

/// The classes' colours over the image; ignored pixels are dark.
pub fn overlay(image: &Image, labels: &[u8], classes: &Classes) -> Pixels {
    let rgb = image.shown().in_colour();
    let mut data = vec![0; rgb.data.len()];
    for ((to, from), &label) in data.chunks_exact_mut(3).zip(rgb.data.chunks_exact(3)).zip(labels) {
        paint(to, from, label, classes);
    }
    Pixels { data, ..rgb }
}

fn paint(to: &mut [u8], from: &[u8], label: u8, classes: &Classes) {
    let ignored = Some(label) == classes.ignore_index;
    let colour = classes.colours.get(usize::from(label)).filter(|_| !ignored);
    for (c, (to, &from)) in to.iter_mut().zip(from).enumerate() {
        let from = f32::from(from);
        *to = match colour {
            Some(colour) => (OPACITY * f32::from(colour[c]) + (1.0 - OPACITY) * from).round() as u8,
            None => (DIMMED * from).round() as u8,
        };
    }
}

/// Writes a grey or RGB picture as PNG.
///
/// # Errors
/// If it cannot be encoded or written.
pub fn write_png(path: &Path, pixels: &Pixels) -> Result<()> {
    let problem = |problem: String| Error::Encoding { what: path.display().to_string(), problem };
    files::write_atomic(path, &encode_png(pixels).map_err(problem)?)
}

/// A grey or RGB picture as the bytes of a PNG.
///
/// # Errors
/// What the encoder has against it.
pub fn encode_png(pixels: &Pixels) -> std::result::Result<Vec<u8>, String> {
    let colour = if pixels.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    encode(&pixels.data, (pixels.height, pixels.width), colour)
}

fn encode(
    bytes: &[u8],
    (height, width): (usize, usize),
    colour: ExtendedColorType,
) -> std::result::Result<Vec<u8>, String> {
    let side = |n: usize| u32::try_from(n).map_err(|_| format!("{n} pixels is too large"));
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(bytes, side(width)?, side(height)?, colour)
        .map_err(|error| error.to_string())?;
    Ok(png)
}

/// Writes a mask as PNG: grey of 8 bits, of 16 where a value needs them, or RGB.
///
/// # Errors
/// If it cannot be encoded or written.
pub fn write_mask(path: &Path, mask: &StoredMask) -> Result<()> {
    let (bytes, colour) = match &mask.values {
        Stored::Rgb(colours) => (colours.concat(), ExtendedColorType::Rgb8),
        Stored::Palette(indices, _) => (indices.clone(), ExtendedColorType::L8),
        Stored::Grey(values) => match values.iter().map(|&value| u8::try_from(value)).collect() {
            Ok(bytes) => (bytes, ExtendedColorType::L8),
            // The encoder takes the machine's own byte order.
            Err(_) => (values.iter().flat_map(|value| value.to_ne_bytes()).collect(), ExtendedColorType::L16),
        },
    };
    let problem = |problem: String| Error::Encoding { what: path.display().to_string(), problem };
    let png = encode(&bytes, (mask.height, mask.width), colour).map_err(problem)?;
    files::write_atomic(path, &png)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{decode_image, decode_mask};

    fn classes() -> Classes {
        Classes { colours: vec![[0, 0, 0], [255, 0, 0]], ..Classes::numbered(2, Some(7)) }
    }

    #[test]
    fn panels_stand_side_by_side() {
        let image = Pixels { height: 1, width: 3, channels: 1, data: vec![100, 100, 100] }.into();
        let picture = panels(&image, &[&[0, 1, 7], &[1, 1, 1]], &classes());
        assert_eq!((picture.height, picture.width), (1, 3 * 3 + 2 * GAP));
        let pixel = |x: usize| &picture.data[x * 3..x * 3 + 3];
        assert_eq!(pixel(0), [100, 100, 100]);
        assert_eq!(pixel(3), [255, 255, 255]);
        assert_eq!(pixel(3 + GAP), [40, 40, 40]);
        assert_eq!(pixel(4 + GAP), [193, 40, 40]);
        assert_eq!(pixel(5 + GAP), [25, 25, 25]);
        assert_eq!(pixel(6 + 2 * GAP), [193, 40, 40]);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.png");
        for values in [
            Stored::Grey(vec![0, 1, 2, 250, 4, 5]),
            Stored::Grey(vec![0, 1, 2, 256, 4, 65_535]),
            Stored::Rgb(vec![[1, 2, 3], [4, 5, 6], [0; 3], [9; 3], [255; 3], [7; 3]]),
        ] {
            let mask = StoredMask { height: 2, width: 3, values };
            write_mask(&path, &mask).unwrap();
            assert_eq!(decode_mask(&std::fs::read(&path).unwrap(), &path).unwrap(), mask);
        }
        let rgb = Pixels { height: 1, width: 2, channels: 3, data: vec![1, 2, 3, 4, 5, 6] };
        write_png(&path, &rgb).unwrap();
        assert_eq!(decode_image(&std::fs::read(&path).unwrap(), &path).unwrap(), rgb.into());
    }
}
