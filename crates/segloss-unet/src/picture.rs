//! Pictures of what the net saw and said.

use std::path::Path;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::classes::Classes;
use crate::error::{Error, Result};
use crate::files;
use crate::sample::Pixels;

/// Columns of white between two panels.
const GAP: usize = 4;
/// How much of a class's colour covers the image.
const OPACITY: f32 = 0.6;
/// Ignored pixels are dimmed to this part.
const DIMMED: f32 = 0.25;

/// The image, then one panel per map of labels with the classes' colours over the image, side by side.
/// Ignored pixels are dark.
pub fn panels(image: &Pixels, maps: &[&[u8]], classes: &Classes) -> Pixels {
    let rgb = image.clone().with_channels(3);
    let (height, panel) = (image.height, image.width);
    let width = panel + maps.len() * (GAP + panel);
    let mut data = vec![u8::MAX; height * width * 3];
    for (y, row) in data.chunks_exact_mut((width * 3).max(1)).enumerate() {
        let from = &rgb.data[y * panel * 3..(y + 1) * panel * 3];
        row[..panel * 3].copy_from_slice(from);
        for (i, map) in maps.iter().enumerate() {
            let start = (i + 1) * (panel + GAP) * 3;
            let to = &mut row[start..start + panel * 3];
            let labels = &map[y * panel..(y + 1) * panel];
            for ((to, from), &label) in to.chunks_exact_mut(3).zip(from.chunks_exact(3)).zip(labels) {
                paint(to, from, label, classes);
            }
        }
    }
    Pixels { height, width, channels: 3, data }
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
    let problem = |problem: String| Error::Picture { what: path.display().to_string(), problem };
    files::write_atomic(path, &encode_png(pixels).map_err(problem)?)
}

/// A grey or RGB picture as the bytes of a PNG.
///
/// # Errors
/// What the encoder has against it.
pub fn encode_png(pixels: &Pixels) -> std::result::Result<Vec<u8>, String> {
    let colour = if pixels.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    let side = |n: usize| u32::try_from(n).map_err(|_| format!("{n} pixels is too large"));
    let (width, height) = (side(pixels.width)?, side(pixels.height)?);
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&pixels.data, width, height, colour)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Writes a map of class indices as an 8-bit grey PNG: what a mask is.
///
/// # Errors
/// If it cannot be encoded or written.
pub fn write_indices(path: &Path, indices: Vec<u8>, width: usize) -> Result<()> {
    let height = indices.len() / width.max(1);
    write_png(path, &Pixels { height, width, channels: 1, data: indices })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{decode_image, decode_mask};

    fn classes() -> Classes {
        let names = vec!["a".into(), "b".into()];
        Classes { names, colours: vec![[0, 0, 0], [255, 0, 0]], ignore_index: Some(7) }
    }

    #[test]
    fn panels_stand_side_by_side() {
        let image = Pixels { height: 1, width: 3, channels: 1, data: vec![100, 100, 100] };
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
        write_indices(&path, vec![0, 1, 2, 250, 4, 5], 3).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mask = decode_mask(&bytes, &path).unwrap();
        assert_eq!((mask.height, mask.width, &mask.data[..]), (2, 3, &[0, 1, 2, 250, 4, 5][..]));
        let rgb = Pixels { height: 1, width: 2, channels: 3, data: vec![1, 2, 3, 4, 5, 6] };
        write_png(&path, &rgb).unwrap();
        assert_eq!(decode_image(&std::fs::read(&path).unwrap(), &path).unwrap(), rgb);
    }
}
