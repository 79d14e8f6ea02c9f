//! From the bytes of a file to a picture: faithfully, or not at all.
//!
//! | format | images | masks |
//! |---|---|---|
//! | PNG | 8 and 16 bits, grey, RGB, palette | 1 to 16 bits, grey value, palette index or RGB colour |
//! | TIFF | 8 and 16 bits, float; grey, RGB | the same; float where every value is whole |
//! | BMP | 8 bits | grey value or RGB colour |
//! | JPEG | 8 bits | refused: its compression changes labels |
//!
//! An image keeps the range that it was stored in. Its EXIF orientation is applied, as every viewer does;
//! transparency is dropped. A file that ends too early is refused in every format.

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use tiff::ColorType;
use tiff::decoder::DecodingResult;
use tiff::tags::Tag;

use crate::colour::is_grey;
use crate::error::{DataProblem, Error, Result};
use crate::pixels::{Image, Pixels, Values};

/// The largest image that is read, in pixels: 8192 × 8192. A hostile header cannot ask for more memory.
pub const MAX_PIXELS: u64 = 8192 * 8192;

/// What a mask holds for each of its pixels, before anybody says what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A whole number.
    Grey(Vec<u16>),
    /// A position in a palette of colours.
    Palette(Vec<u8>, Vec<[u8; 3]>),
    /// A colour.
    Rgb(Vec<[u8; 3]>),
}

/// A mask as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMask {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// A value for each pixel, row by row.
    pub values: Stored,
}

impl StoredMask {
    /// One whole number for each pixel: the grey value, the position in the palette, or the value of a colour
    /// whose three channels are equal.
    ///
    /// # Errors
    /// The first pixel that has a colour, and which.
    pub fn numbers(self) -> std::result::Result<Pixels<u16>, (usize, [u8; 3])> {
        let Self { height, width, values } = self;
        let data = match values {
            Stored::Grey(values) => values,
            Stored::Palette(indices, _) => indices.into_iter().map(u16::from).collect(),
            Stored::Rgb(colours) => {
                if let Some(at) = colours.iter().position(|&colour| !is_grey(colour)) {
                    return Err((at, colours[at]));
                }
                colours.into_iter().map(|colour| u16::from(colour[0])).collect()
            }
        };
        Ok(Pixels { height, width, channels: 1, data })
    }
}

/// The format that the first bytes tell.
fn format(bytes: &[u8], path: &Path) -> Result<ImageFormat> {
    // BigTIFF, with offsets of 64 bits, which is not guessed.
    if bytes.starts_with(b"II\x2b\0") || bytes.starts_with(b"MM\0\x2b") {
        return Ok(ImageFormat::Tiff);
    }
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| broken(path, &error.to_string()))?;
    reader.format().ok_or_else(|| broken(path, "its first bytes are those of no known format"))
}

fn broken(path: &Path, problem: &str) -> Error {
    Error::data(path, DataProblem::Decode(one_line(problem)))
}

/// Decodes a PNG, JPEG, TIFF or BMP to grey, or to RGB if it has colour.
///
/// # Errors
/// [`Error::Data`] naming `path` if it is not a whole picture, holds a number that is not finite, or is larger
/// than [`MAX_PIXELS`].
pub fn decode_image(bytes: &[u8], path: &Path) -> Result<Image> {
    let image = match format(bytes, path)? {
        ImageFormat::Tiff => tiff_image(bytes, path)?,
        format => picture(bytes, format, path)?,
    };
    if let Values::Float(values) = &image.values
        && let Some(at) = values.iter().position(|value| !value.is_finite())
    {
        let (x, y) = (at / image.channels % image.width, at / image.channels / image.width);
        return Err(Error::data(path, DataProblem::NotFinite { value: values[at].into(), x, y }));
    }
    Ok(image)
}

/// Decodes a mask: a PNG, TIFF or BMP.
///
/// # Errors
/// [`Error::Data`] naming `path` if it is not a whole picture, is compressed with loss, holds other than whole
/// numbers, or is larger than [`MAX_PIXELS`].
pub fn decode_mask(bytes: &[u8], path: &Path) -> Result<StoredMask> {
    match format(bytes, path)? {
        ImageFormat::Png => png_mask(bytes, path),
        ImageFormat::Tiff => tiff_mask(bytes, path),
        ImageFormat::Bmp => {
            let image = picture(bytes, ImageFormat::Bmp, path)?.with_channels(3);
            let (height, width) = (image.height, image.width);
            let Values::Eight(values) = image.values else {
                return Err(not_a_mask(path, "of an unusual number type"));
            };
            Ok(StoredMask { height, width, values: Stored::Rgb(values.as_chunks::<3>().0.to_vec()) })
        }
        ImageFormat::Jpeg => Err(Error::data(path, DataProblem::LossyMask { format: "JPEG" })),
        _ => Err(not_a_mask(path, "in a format that is not read")),
    }
}

fn not_a_mask(path: &Path, found: &str) -> Error {
    Error::data(path, DataProblem::NotAMask { found: found.to_owned() })
}

/// What the `image` crate reads, turned as its EXIF orientation says.
fn picture(bytes: &[u8], format: ImageFormat, path: &Path) -> Result<Image> {
    let failed = |error: image::ImageError| broken(path, &error.to_string());
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(broken(path, "the JPEG ends before its last pixel"));
    }
    if format == ImageFormat::Png {
        // The size first: the decoder below would call a hostile header a lack of memory.
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        let header = decoder.read_header_info().map_err(|error| broken(path, &error.to_string()))?;
        check_size(header.width, header.height, path)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, path)?;
    // Decoders look at the metadata again here; one that is damaged turns nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let colour = picture.color();
    let channels = if colour.has_color() { 3 } else { 1 };
    let deep = colour.bytes_per_pixel() > colour.channel_count();
    let values = match (channels, deep) {
        (3, false) => Values::Eight(picture.into_rgb8().into_raw()),
        (3, true) => Values::Sixteen(picture.into_rgb16().into_raw()),
        (_, false) => Values::Eight(picture.into_luma8().into_raw()),
        (_, true) => Values::Sixteen(picture.into_luma16().into_raw()),
    };
    Ok(Image { height, width, channels, values })
}

/// Whether a JPEG goes on to its end-of-image marker. The decoder itself fills what is missing with grey, in
/// silence. Segments are stepped over by their length, so that the marker of an embedded thumbnail, or of
/// anything after the end, does not count.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const END: u8 = 0xD9;
    const SCAN: u8 = 0xDA;
    // After the start-of-image marker.
    let mut at = 2;
    let mut in_scan = false;
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        let is_marker = first == 0xFF && !matches!(marker, 0x00 | 0xFF);
        match marker {
            END if is_marker => return true,
            // Restarts belong to the scan, and neither they nor a temporary marker have a length.
            0x01 | 0xD0..=0xD8 if is_marker => at += 2,
            _ if is_marker => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
                in_scan = marker == SCAN;
            }
            _ if in_scan || first == 0xFF => at += 1,
            // Not a marker where one must be: for the decoder to judge.
            _ => return true,
        }
    }
    false
}

fn png_mask(bytes: &[u8], path: &Path) -> Result<StoredMask> {
    let failed = |error: png::DecodingError| broken(path, &error.to_string());
    // The decoder is left to its default: no expansion of palettes, no scaling of few-bit greys.
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    let header = decoder.read_header_info().map_err(failed)?;
    let (columns, rows, colour, depth) = (header.width, header.height, header.color_type, header.bit_depth);
    check_size(columns, rows, path)?;
    let (width, height, bits) = (columns as usize, rows as usize, depth as usize);
    let mut reader = decoder.read_info().map_err(failed)?;
    let line = reader.output_line_size(columns).unwrap_or(width * 8);
    let mut data = vec![0; line * height];
    reader.next_frame(&mut data).map_err(failed)?;
    reader.finish().map_err(failed)?;
    let orientation = reader.info().exif_metadata.as_deref().and_then(Orientation::from_exif_chunk);
    if orientation.is_some_and(|orientation| orientation != Orientation::NoTransforms) {
        let problem = "a mask that asks to be turned (its EXIF orientation is not 1); save it upright";
        return Err(Error::data(path, DataProblem::Unsupported(problem.to_owned())));
    }
    let values = match colour {
        png::ColorType::Grayscale => Stored::Grey(match bits {
            16 => data.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect(),
            _ => unpack(&data, line, width, bits).map(u16::from).collect(),
        }),
        png::ColorType::Indexed => {
            let palette = reader.info().palette.as_deref().unwrap_or_default();
            Stored::Palette(unpack(&data, line, width, bits).collect(), palette.as_chunks::<3>().0.to_vec())
        }
        _ if bits == 16 => return Err(not_a_mask(path, "RGB of 16 bits")),
        png::ColorType::Rgb => Stored::Rgb(data.as_chunks::<3>().0.to_vec()),
        png::ColorType::Rgba => Stored::Rgb(data.as_chunks::<4>().0.iter().map(opaque).collect()),
        png::ColorType::GrayscaleAlpha => {
            Stored::Grey(data.as_chunks::<2>().0.iter().map(|pair| pair[0].into()).collect())
        }
    };
    Ok(StoredMask { height, width, values })
}

fn opaque(&[r, g, b, _]: &[u8; 4]) -> [u8; 3] {
    [r, g, b]
}

/// One value per byte, of up to 8 bits: several pixels per byte, the first in the high bits; every row begins a
/// new byte.
fn unpack(bytes: &[u8], line: usize, width: usize, bits: usize) -> impl Iterator<Item = u8> {
    let mask = u8::MAX >> (8 - bits);
    let per_byte = 8 / bits;
    bytes.chunks_exact(line.max(1)).flat_map(move |row| {
        (0..width).map(move |x| row[x / per_byte] >> (8 - bits - x % per_byte * bits) & mask)
    })
}

/// A TIFF as it is stored.
struct TiffPicture {
    height: usize,
    width: usize,
    colour: ColorType,
    values: DecodingResult,
}

fn read_tiff(bytes: &[u8], path: &Path) -> Result<TiffPicture> {
    let failed = |error: tiff::TiffError| broken(path, &error.to_string());
    let refused = |problem: &str| Error::data(path, DataProblem::Unsupported(problem.to_owned()));
    let mut limits = tiff::decoder::Limits::default();
    limits.decoding_buffer_size = MAX_PIXELS as usize * 8;
    limits.intermediate_buffer_size = MAX_PIXELS as usize * 8;
    let mut decoder = tiff::decoder::Decoder::new(Cursor::new(bytes)).map_err(failed)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(failed)?;
    check_size(width, height, path)?;
    let colour = decoder.colortype().map_err(failed)?;
    let (width, height) = (width as usize, height as usize);
    if decoder.more_images() {
        return Err(refused("a TIFF of several pages; save each page as a file of its own"));
    }
    let turned = decoder.find_tag_unsigned::<u16>(Tag::Orientation).map_err(failed)?;
    if turned.is_some_and(|orientation| orientation != 1) {
        return Err(refused("a TIFF that asks to be turned (its orientation is not 1); save it upright"));
    }
    let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(failed)? == Some(2);
    if planar && !matches!(colour, ColorType::Gray(_)) {
        return Err(refused("a TIFF whose channels are stored one after the other; save it interleaved"));
    }
    let values = decoder.read_image().map_err(failed)?;
    let values = match (values, colour) {
        // A bilevel picture comes as it is packed.
        (DecodingResult::U8(packed), ColorType::Gray(bits)) if bits < 8 => {
            let line = (width * usize::from(bits)).div_ceil(8);
            DecodingResult::U8(unpack(&packed, line, width, bits.into()).collect())
        }
        (values, _) => values,
    };
    Ok(TiffPicture { height, width, colour, values })
}

/// How many channels a colour type has, and how many of them are kept.
fn tiff_channels(colour: ColorType, path: &Path) -> Result<(usize, usize)> {
    match colour {
        ColorType::Gray(_) => Ok((1, 1)),
        ColorType::GrayA(_) => Ok((2, 1)),
        ColorType::RGB(_) => Ok((3, 3)),
        ColorType::RGBA(_) => Ok((4, 3)),
        ColorType::Multiband { num_samples, .. } => {
            let problem = format!("a TIFF of {num_samples} bands; images are grey or RGB");
            Err(Error::data(path, DataProblem::Unsupported(problem)))
        }
        _ => {
            Err(Error::data(path, DataProblem::Unsupported("a TIFF that is neither grey nor RGB".to_owned())))
        }
    }
}

fn keep<T: Copy>(values: Vec<T>, (stored, kept): (usize, usize)) -> Vec<T> {
    if stored == kept {
        return values;
    }
    values.chunks_exact(stored).flat_map(|pixel| &pixel[..kept]).copied().collect()
}

fn tiff_image(bytes: &[u8], path: &Path) -> Result<Image> {
    let TiffPicture { height, width, colour, values } = read_tiff(bytes, path)?;
    let channels = tiff_channels(colour, path)?;
    let values = match values {
        DecodingResult::U8(values) if matches!(colour, ColorType::Gray(1)) => {
            Values::Eight(values.into_iter().map(|bit| 255 * bit).collect())
        }
        DecodingResult::U8(values) => Values::Eight(values),
        DecodingResult::U16(values) => Values::Sixteen(values),
        DecodingResult::F32(values) => Values::Float(values),
        DecodingResult::F64(values) => Values::Float(values.into_iter().map(|value| value as f32).collect()),
        DecodingResult::I16(values) => Values::Float(values.into_iter().map(f32::from).collect()),
        DecodingResult::I8(values) => Values::Float(values.into_iter().map(f32::from).collect()),
        _ => {
            let problem =
                "a TIFF of 32-bit or larger integers; images hold 8 or 16 bits or floats".to_owned();
            return Err(Error::data(path, DataProblem::Unsupported(problem)));
        }
    };
    let values = match values {
        Values::Eight(values) => Values::Eight(keep(values, channels)),
        Values::Sixteen(values) => Values::Sixteen(keep(values, channels)),
        Values::Float(values) => Values::Float(keep(values, channels)),
    };
    Ok(Image { height, width, channels: channels.1, values })
}

fn tiff_mask(bytes: &[u8], path: &Path) -> Result<StoredMask> {
    let TiffPicture { height, width, colour, values } = read_tiff(bytes, path)?;
    let channels = tiff_channels(colour, path)?;
    if channels.1 == 3 {
        let DecodingResult::U8(values) = values else {
            return Err(not_a_mask(path, "RGB of more than 8 bits"));
        };
        let values = keep(values, channels);
        return Ok(StoredMask { height, width, values: Stored::Rgb(values.as_chunks::<3>().0.to_vec()) });
    }
    let whole = |value: f64, at: usize| {
        // 16 bits hold the number of every class, and of every cell of a picture.
        let fits = value >= 0.0 && value <= f64::from(u16::MAX) && value.fract() == 0.0;
        let (x, y) = (at % width, at / width);
        if fits { Ok(value as u16) } else { Err(Error::data(path, DataProblem::NotALabel { value, x, y })) }
    };
    macro_rules! whole {
        ($values:expr) => {
            keep($values, channels)
                .into_iter()
                .enumerate()
                .map(|(at, value)| whole(value as f64, at))
                .collect()
        };
    }
    let grey: Result<Vec<u16>> = match values {
        DecodingResult::U8(values) => Ok(keep(values, channels).into_iter().map(u16::from).collect()),
        DecodingResult::U16(values) => Ok(keep(values, channels)),
        DecodingResult::U32(values) => whole!(values),
        DecodingResult::U64(values) => whole!(values),
        DecodingResult::I8(values) => whole!(values),
        DecodingResult::I16(values) => whole!(values),
        DecodingResult::I32(values) => whole!(values),
        DecodingResult::I64(values) => whole!(values),
        DecodingResult::F32(values) => whole!(values),
        DecodingResult::F64(values) => whole!(values),
        DecodingResult::F16(_) => return Err(not_a_mask(path, "of 16-bit floats")),
    };
    Ok(StoredMask { height, width, values: Stored::Grey(grey?) })
}

fn check_size(width: u32, height: u32, path: &Path) -> Result<()> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Error::data(path, DataProblem::TooLarge { width, height, limit: MAX_PIXELS }));
    }
    if width == 0 || height == 0 {
        return Err(broken(path, "a side of no pixel"));
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
    use ::image::codecs::jpeg::JpegEncoder;
    use ::image::{ExtendedColorType, ImageEncoder};
    use png::BitDepth::{Eight, Four, One, Sixteen, Two};
    use png::ColorType::{Grayscale, Indexed};
    use tiff::encoder::{TiffEncoder, colortype};

    const PALETTE: [[u8; 3]; 4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]];

    fn png_bytes(size: (u32, u32), colour: png::ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == Indexed {
            encoder.set_palette(PALETTE.concat());
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    }

    fn tiff_bytes<C: colortype::ColorType>(size: (u32, u32), data: &[C::Inner]) -> Vec<u8>
    where
        [C::Inner]: tiff::encoder::TiffValue,
    {
        let mut bytes = Cursor::new(Vec::new());
        TiffEncoder::new(&mut bytes).unwrap().write_image::<C>(size.0, size.1, data).unwrap();
        bytes.into_inner()
    }

    /// A JPEG of 16 × 8 pixels, black above and white below, that asks to be turned.
    fn jpeg_bytes(orientation: u8) -> Vec<u8> {
        let data: Vec<u8> = (0..128).map(|at| if at < 64 { 0 } else { 255 }).collect();
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95)
            .write_image(&data, 16, 8, ExtendedColorType::L8)
            .unwrap();
        let tiff = [
            b'I',
            b'I',
            42,
            0,
            8,
            0,
            0,
            0,
            1,
            0,
            0x12,
            1,
            3,
            0,
            1,
            0,
            0,
            0,
            orientation,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        let exif = [&[0xFF, 0xE1, 0, 8 + tiff.len() as u8], &b"Exif\0\0"[..], &tiff].concat();
        [&bytes[..2], &exif, &bytes[2..]].concat()
    }

    fn image(bytes: &[u8]) -> Image {
        decode_image(bytes, Path::new("d/x")).unwrap()
    }

    fn mask(bytes: &[u8]) -> Stored {
        decode_mask(bytes, Path::new("d/x")).unwrap().values
    }

    fn problems(bytes: &[u8]) -> [String; 2] {
        let text = |error: Error| {
            let text = error.to_string();
            assert!(text.starts_with("d/x: ") && !text.contains('\n'), "{text}");
            text
        };
        let path = Path::new("d/x");
        [text(decode_image(bytes, path).unwrap_err()), text(decode_mask(bytes, path).unwrap_err())]
    }

    fn mask_problem(bytes: &[u8]) -> String {
        decode_mask(bytes, Path::new("d/x")).unwrap_err().to_string()
    }

    #[test]
    fn grey_values_and_palette_indices_are_kept_verbatim() {
        assert_eq!(mask(&png_bytes((3, 1), Grayscale, Eight, &[0, 11, 255])), Stored::Grey(vec![0, 11, 255]));
        let deep = png_bytes((3, 1), Grayscale, Sixteen, &[0, 7, 1, 0, 255, 255]);
        assert_eq!(mask(&deep), Stored::Grey(vec![7, 256, 65_535]));
        let palette = png_bytes((3, 1), Indexed, Eight, &[2, 0, 3]);
        assert_eq!(mask(&palette), Stored::Palette(vec![2, 0, 3], PALETTE.to_vec()));
        let numbers = decode_mask(&palette, Path::new("m")).unwrap().numbers().unwrap();
        assert_eq!(numbers.data, [2, 0, 3]);
    }

    #[test]
    fn few_bit_masks_are_unpacked_and_not_scaled() {
        // Five pixels of 2 bits: 0 1 2 3 | 1, per row.
        let data = [0b00_01_10_11, 0b01_00_00_00, 0b11_10_01_00, 0b10_00_00_00];
        let expected = [0, 1, 2, 3, 1, 3, 2, 1, 0, 2];
        assert_eq!(
            mask(&png_bytes((5, 2), Grayscale, Two, &data)),
            Stored::Grey(expected.map(u16::from).to_vec())
        );
        let palette = Stored::Palette(expected.to_vec(), PALETTE.to_vec());
        assert_eq!(mask(&png_bytes((5, 2), Indexed, Two, &data)), palette);
        assert_eq!(mask(&png_bytes((3, 1), Grayscale, One, &[0b1010_0000])), Stored::Grey(vec![1, 0, 1]));
        assert_eq!(mask(&png_bytes((3, 1), Grayscale, Four, &[0x3f, 0x10])), Stored::Grey(vec![3, 15, 1]));
    }

    #[test]
    fn colours_are_kept_and_transparency_is_dropped() {
        let rgb = png_bytes((2, 1), png::ColorType::Rgb, Eight, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(mask(&rgb), Stored::Rgb(vec![[1, 2, 3], [4, 5, 6]]));
        let rgba = png_bytes((1, 1), png::ColorType::Rgba, Eight, &[1, 2, 3, 0]);
        assert_eq!(mask(&rgba), Stored::Rgb(vec![[1, 2, 3]]));
        let text = mask_problem(&png_bytes((1, 1), png::ColorType::Rgb, Sixteen, &[0; 6]));
        assert!(text.contains("RGB of 16 bits"), "{text}");
        let tiff = tiff_bytes::<colortype::RGB8>((1, 1), &[7, 8, 9]);
        assert_eq!(mask(&tiff), Stored::Rgb(vec![[7, 8, 9]]));
        let mixed = StoredMask { height: 1, width: 2, values: Stored::Rgb(vec![[5; 3], [1, 2, 3]]) };
        assert_eq!(mixed.numbers(), Err((1, [1, 2, 3])));
    }

    #[test]
    fn masks_in_other_formats_hold_the_same() {
        assert_eq!(mask(&tiff_bytes::<colortype::Gray8>((2, 1), &[3, 255])), Stored::Grey(vec![3, 255]));
        assert_eq!(mask(&tiff_bytes::<colortype::Gray16>((2, 1), &[3, 300])), Stored::Grey(vec![3, 300]));
        assert_eq!(
            mask(&tiff_bytes::<colortype::Gray32Float>((2, 1), &[0.0, 2.0])),
            Stored::Grey(vec![0, 2])
        );
        for bad in [0.5, -1.0, 65_536.0, f32::NAN] {
            let text = mask_problem(&tiff_bytes::<colortype::Gray32Float>((2, 1), &[0.0, bad]));
            assert!(text.contains(&format!("holds {bad} at x=1, y=0")), "{text}");
        }
        let mut bmp = Vec::new();
        ::image::codecs::bmp::BmpEncoder::new(&mut bmp)
            .write_image(&[0, 7, 255], 3, 1, ExtendedColorType::L8)
            .unwrap();
        let numbers = decode_mask(&bmp, Path::new("m")).unwrap().numbers().unwrap();
        assert_eq!(numbers.data, [0, 7, 255]);
        let text = mask_problem(&jpeg_bytes(1));
        assert!(text.contains("must not be a JPEG"), "{text}");
    }

    #[test]
    fn images_keep_their_range() {
        let deep = png_bytes((2, 1), Grayscale, Sixteen, &[1, 0, 0xFF, 0xFF]);
        assert_eq!(image(&deep).values, Values::Sixteen(vec![256, 65_535]));
        let rgb = png_bytes((1, 1), png::ColorType::Rgb, Sixteen, &[0, 1, 0, 2, 1, 0]);
        assert_eq!((image(&rgb).channels, image(&rgb).values), (3, Values::Sixteen(vec![1, 2, 256])));
        let tiff = tiff_bytes::<colortype::Gray16>((2, 1), &[5, 40_000]);
        assert_eq!(image(&tiff).values, Values::Sixteen(vec![5, 40_000]));
        let float = tiff_bytes::<colortype::RGB32Float>((1, 1), &[-0.5, 1e6, 0.25]);
        assert_eq!(image(&float).values, Values::Float(vec![-0.5, 1e6, 0.25]));
        let text = problems(&tiff_bytes::<colortype::Gray32Float>((2, 1), &[0.0, f32::NAN]))[0].clone();
        assert!(text.contains("holds NaN at x=1, y=0"), "{text}");
        let text = problems(&tiff_bytes::<colortype::Gray32>((1, 1), &[1 << 20]))[0].clone();
        assert!(text.contains("32-bit"), "{text}");
    }

    #[test]
    fn the_exif_orientation_is_applied() {
        let rows = |orientation| {
            let image = image(&jpeg_bytes(orientation));
            let first = image.values.get(0);
            let last = image.values.get(image.values.len() - 1);
            ((image.width, image.height), (first > 128.0, last > 128.0))
        };
        assert_eq!(rows(1), ((16, 8), (false, true)));
        // Turned by a half.
        assert_eq!(rows(3), ((16, 8), (true, false)));
        // A quarter clockwise: what was below is now at the left.
        assert_eq!(rows(6), ((8, 16), (true, false)));
        assert_eq!(rows(8), ((8, 16), (false, true)));
    }

    #[test]
    fn a_jpeg_that_was_cut_short_is_refused() {
        let whole = jpeg_bytes(1);
        image(&whole);
        image(&[&whole[..], b"appended"].concat());
        for length in [whole.len() - 1, whole.len() - 2, whole.len() - 20, whole.len() / 2] {
            let text = problems(&whole[..length])[0].clone();
            assert!(text.contains("the JPEG ends before its last pixel"), "{length}: {text}");
        }
        // The end of a thumbnail in the metadata is not the picture's.
        let thumbnail = [&whole[..2], &[0xFF, 0xE2, 0, 4, 0xFF, 0xD9], &whole[2..whole.len() - 2]].concat();
        assert!(!jpeg_is_whole(&thumbnail));
    }

    #[test]
    fn truncated_and_hostile_files_are_one_line() {
        let noise: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let whole = png_bytes((64, 64), Grayscale, Eight, &noise);
        let tiff = tiff_bytes::<colortype::Gray8>((64, 64), &noise);
        for length in [0, 4, 20, 40, whole.len() / 2, whole.len() - 13] {
            for text in problems(&whole[..length]).into_iter().chain(problems(&tiff[..length])) {
                assert!(text.starts_with("d/x: cannot be decoded: "), "{length}: {text}");
            }
        }
        let mut bmp = Vec::new();
        ::image::codecs::bmp::BmpEncoder::new(&mut bmp)
            .write_image(&noise, 64, 64, ExtendedColorType::L8)
            .unwrap();
        problems(&bmp[..bmp.len() / 2]);
        // The header of a picture of 2 · 10⁹ × 2 · 10⁹ pixels.
        let mut hostile = whole;
        hostile[16..24].copy_from_slice(&[0x7f; 8]);
        let crc = crc32(&hostile[12..29]);
        hostile[29..33].copy_from_slice(&crc.to_be_bytes());
        for text in problems(&hostile) {
            assert!(text.contains("at most 67108864 pixels"), "{text}");
        }
        assert!(problems(b"no picture at all")[1].contains("no known format"));
    }

    #[test]
    fn what_is_read_in_part_only_is_refused() {
        let mut pages = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut pages).unwrap();
        for _ in 0..2 {
            encoder.write_image::<colortype::Gray8>(1, 1, &[1]).unwrap();
        }
        for text in problems(&pages.into_inner()) {
            assert!(text.contains("several pages"), "{text}");
        }
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 })
        })
    }
}
