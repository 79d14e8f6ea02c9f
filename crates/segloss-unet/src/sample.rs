//! One image and its mask, decoded and checked.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use crate::error::{DataProblem, Error, Result};

/// The largest image that is read, in pixels: 8192 × 8192. A hostile header cannot ask for more memory.
pub const MAX_PIXELS: u64 = 8192 * 8192;

/// A picture of 8 bits or another number type, rows from the top, channels last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels<T = u8> {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// 1 (grey or class indices) or 3 (RGB).
    pub channels: usize,
    /// `height · width · channels` values.
    pub data: Vec<T>,
}

impl Pixels {
    /// Grey as RGB with three equal channels, RGB as grey by its luma (Rec. 709 weights, 8-bit), or as it is.
    pub fn with_channels(self, channels: usize) -> Self {
        let data = match (self.channels, channels) {
            (1, 3) => self.data.iter().flat_map(|&value| [value; 3]).collect(),
            (3, 1) => self.data.chunks_exact(3).map(luma).collect(),
            _ => return self,
        };
        Self { channels, data, ..self }
    }
}

fn luma(rgb: &[u8]) -> u8 {
    // Weights in 1/10000; the sum of three bytes times 10000 fits a u32.
    let [r, g, b] = [0, 1, 2].map(|i| u32::from(rgb[i]));
    ((2126 * r + 7152 * g + 722 * b + 5000) / 10_000) as u8
}

/// An image and the label of each of its pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The file stem.
    pub name: String,
    /// Grey or RGB.
    pub image: Pixels,
    /// One label per pixel, row by row: the mask's value, verbatim.
    pub labels: Vec<u8>,
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

    /// Decodes a pair of files; the paths are for messages.
    ///
    /// # Errors
    /// [`Error::Data`] naming the file that cannot be decoded, or the mask if the sizes differ.
    pub fn decode(name: &str, image: (&Path, &[u8]), mask: (&Path, &[u8])) -> Result<Self> {
        let pixels = decode_image(image.1, image.0)?;
        let indices = decode_mask(mask.1, mask.0)?;
        if (pixels.width, pixels.height) != (indices.width, indices.height) {
            let problem = DataProblem::SizeMismatch {
                mask_width: indices.width,
                mask_height: indices.height,
                image_width: pixels.width,
                image_height: pixels.height,
            };
            return Err(Error::data(mask.0, problem));
        }
        Ok(Self { name: name.to_owned(), image: pixels, labels: indices.data, origin: mask.0.to_path_buf() })
    }
}

/// Decodes a PNG or JPEG to 8-bit grey, or to RGB if it has colour. Transparency is dropped; 16 bits per
/// channel are reduced to 8.
///
/// # Errors
/// [`Error::Data`] naming `path` if it is not a whole picture, or larger than [`MAX_PIXELS`].
pub fn decode_image(bytes: &[u8], path: &Path) -> Result<Pixels> {
    let broken = |problem: String| Error::data(path, DataProblem::Decode(one_line(&problem)));
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| broken(error.to_string()))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| broken(error.to_string()))?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, path)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| broken(error.to_string()))?;
    let (channels, data) = if picture.color().has_color() {
        (3, picture.into_rgb8().into_raw())
    } else {
        (1, picture.into_luma8().into_raw())
    };
    Ok(Pixels { height: height as usize, width: width as usize, channels, data })
}

/// Decodes a mask: a PNG whose grey value (1, 2, 4 or 8 bits) or palette index is the label, verbatim.
///
/// # Errors
/// [`Error::Data`] naming `path` if it is not a whole PNG, has colours instead of indices, or is larger
/// than [`MAX_PIXELS`].
pub fn decode_mask(bytes: &[u8], path: &Path) -> Result<Pixels> {
    let not_a_mask = |colour| DataProblem::NotAnIndexPicture { colour };
    let packed = Packed::decode(bytes, path, png::BitDepth::Eight, not_a_mask)?;
    let (height, width) = (packed.height, packed.width);
    Ok(Pixels { height, width, channels: 1, data: packed.unpack() })
}

/// Decodes a picture of cells: a PNG whose grey value (up to 16 bits) or palette index is the number of
/// the cell that a pixel belongs to, verbatim.
///
/// # Errors
/// Those of [`decode_mask`].
pub fn decode_cells(bytes: &[u8], path: &Path) -> Result<Pixels<u16>> {
    let not_cells = |colour| DataProblem::NotACellPicture { colour };
    let packed = Packed::decode(bytes, path, png::BitDepth::Sixteen, not_cells)?;
    let (height, width) = (packed.height, packed.width);
    let data = match packed.depth {
        png::BitDepth::Sixteen => {
            packed.bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        }
        _ => packed.unpack().into_iter().map(u16::from).collect(),
    };
    Ok(Pixels { height, width, channels: 1, data })
}

/// The grey values or palette indices of a PNG as they are stored.
struct Packed {
    height: usize,
    width: usize,
    depth: png::BitDepth,
    /// Bytes per row.
    line: usize,
    bytes: Vec<u8>,
}

impl Packed {
    fn decode(
        bytes: &[u8],
        path: &Path,
        deepest: png::BitDepth,
        refusal: impl FnOnce(String) -> DataProblem,
    ) -> Result<Self> {
        let broken =
            |error: png::DecodingError| Error::data(path, DataProblem::Decode(one_line(&error.to_string())));
        // The decoder is left to its default: no expansion of palettes, no scaling of few-bit greys.
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        let header = decoder.read_header_info().map_err(broken)?;
        let (width, height) = (header.width, header.height);
        let (colour, depth) = (header.color_type, header.bit_depth);
        check_size(width, height, path)?;
        let indexed = matches!(colour, png::ColorType::Grayscale | png::ColorType::Indexed);
        if !indexed || depth as u8 > deepest as u8 {
            return Err(Error::data(path, refusal(format!("{}-bit {colour:?}", depth as u8))));
        }
        let mut reader = decoder.read_info().map_err(broken)?;
        let line = reader.output_line_size(width).unwrap_or(width as usize);
        let (width, height) = (width as usize, height as usize);
        let mut bytes = vec![0; line * height];
        reader.next_frame(&mut bytes).map_err(broken)?;
        reader.finish().map_err(broken)?;
        Ok(Self { height, width, depth, line, bytes })
    }

    /// One value per byte, of up to 8 bits.
    fn unpack(self) -> Vec<u8> {
        let Self { width, depth, line, bytes, .. } = self;
        let bits = depth as usize;
        if bits >= 8 {
            return bytes;
        }
        // Several pixels per byte, the first in the high bits; every row begins a new byte.
        let mask = (1_u8 << bits) - 1;
        let per_byte = 8 / bits;
        bytes
            .chunks_exact(line)
            .flat_map(|row| {
                (0..width).map(move |x| row[x / per_byte] >> (8 - bits - x % per_byte * bits) & mask)
            })
            .collect()
    }
}

fn check_size(width: u32, height: u32, path: &Path) -> Result<()> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Error::data(path, DataProblem::TooLarge { width, height, limit: MAX_PIXELS }));
    }
    Ok(())
}

/// A decoder's words on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_bytes(
        width: u32,
        height: u32,
        colour: png::ColorType,
        depth: png::BitDepth,
        data: &[u8],
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == png::ColorType::Indexed {
            encoder.set_palette(vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    }

    fn problem<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn grey_values_and_palette_indices_are_labels_verbatim() {
        let path = Path::new("m.png");
        let grey = png_bytes(3, 1, png::ColorType::Grayscale, png::BitDepth::Eight, &[0, 11, 255]);
        assert_eq!(decode_mask(&grey, path).unwrap().data, [0, 11, 255]);
        let palette = png_bytes(3, 1, png::ColorType::Indexed, png::BitDepth::Eight, &[2, 0, 3]);
        assert_eq!(decode_mask(&palette, path).unwrap().data, [2, 0, 3]);
    }

    #[test]
    fn few_bit_masks_are_unpacked_and_not_scaled() {
        let path = Path::new("m.png");
        // Five pixels of 2 bits: 0 1 2 3 | 1, per row.
        let data = [0b00_01_10_11, 0b01_00_00_00, 0b11_10_01_00, 0b10_00_00_00];
        for colour in [png::ColorType::Grayscale, png::ColorType::Indexed] {
            let bytes = png_bytes(5, 2, colour, png::BitDepth::Two, &data);
            assert_eq!(decode_mask(&bytes, path).unwrap().data, [0, 1, 2, 3, 1, 3, 2, 1, 0, 2]);
        }
        let bits = png_bytes(3, 1, png::ColorType::Grayscale, png::BitDepth::One, &[0b1010_0000]);
        assert_eq!(decode_mask(&bits, path).unwrap().data, [1, 0, 1]);
    }

    #[test]
    fn a_coloured_mask_says_what_to_do() {
        let rgb = png_bytes(1, 1, png::ColorType::Rgb, png::BitDepth::Eight, &[1, 2, 3]);
        let text = problem(decode_mask(&rgb, Path::new("d/m.png")));
        assert!(text.starts_with("d/m.png: a mask must be an 8-bit grey or palette PNG"), "{text}");
        assert!(text.contains("8-bit Rgb") && text.contains("convert it"), "{text}");
    }

    #[test]
    fn numbers_of_cells_have_up_to_16_bits() {
        let path = Path::new("d/c.png");
        let deep =
            png_bytes(3, 1, png::ColorType::Grayscale, png::BitDepth::Sixteen, &[0, 7, 1, 0, 255, 255]);
        assert_eq!(decode_cells(&deep, path).unwrap().data, [7, 256, 65_535]);
        assert!(
            problem(decode_mask(&deep, path)).contains("8-bit grey or palette PNG whose value is the class")
        );
        let bits = png_bytes(3, 1, png::ColorType::Grayscale, png::BitDepth::Four, &[0x3f, 0x10]);
        assert_eq!(decode_cells(&bits, path).unwrap().data, [3, 15, 1]);
        let rgb = png_bytes(1, 1, png::ColorType::Rgb, png::BitDepth::Eight, &[1, 2, 3]);
        let text = problem(decode_cells(&rgb, path));
        assert!(text.contains("value is the number of its cell, this one is 8-bit Rgb"), "{text}");
    }

    #[test]
    fn truncated_and_hostile_files_are_one_line() {
        let path = Path::new("d/x.png");
        let noise: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let whole = png_bytes(64, 64, png::ColorType::Grayscale, png::BitDepth::Eight, &noise);
        for length in [0, 4, 20, 40, whole.len() / 2, whole.len() - 13] {
            for text in
                [problem(decode_mask(&whole[..length], path)), problem(decode_image(&whole[..length], path))]
            {
                assert!(text.starts_with("d/x.png: cannot be decoded: "), "{length}: {text}");
                assert!(!text.contains('\n'), "{text}");
            }
        }
        // The header of a picture of 4 · 10⁹ × 4 · 10⁹ pixels.
        let mut hostile = whole;
        hostile[16..24].copy_from_slice(&[0x7f; 8]);
        let crc = crc32(&hostile[12..29]);
        hostile[29..33].copy_from_slice(&crc.to_be_bytes());
        let text = problem(decode_mask(&hostile, path));
        assert!(text.contains("at most 67108864 pixels"), "{text}");
        let text = problem(decode_image(&hostile, path));
        assert!(text.contains("d/x.png: "), "{text}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 })
        })
    }

    #[test]
    fn sizes_must_agree() {
        let image = png_bytes(2, 2, png::ColorType::Grayscale, png::BitDepth::Eight, &[0; 4]);
        let mask = png_bytes(1, 2, png::ColorType::Grayscale, png::BitDepth::Eight, &[0; 2]);
        let error = Sample::decode("a", (Path::new("i/a.png"), &image), (Path::new("m/a.png"), &mask));
        assert_eq!(error.unwrap_err().to_string(), "m/a.png: is 1x2 pixels, its image 2x2");
    }

    #[test]
    fn channels_convert() {
        let grey = Pixels { height: 1, width: 2, channels: 1, data: vec![0, 200] };
        let rgb = grey.clone().with_channels(3);
        assert_eq!(rgb.data, [0, 0, 0, 200, 200, 200]);
        assert_eq!(rgb.with_channels(1), grey);
    }
}
