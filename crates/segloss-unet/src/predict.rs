//! From an image to a class for each of its pixels.
//!
//! **Tiles.** A large image is cut into tiles, so that memory does not grow with it. A tile is what the net
//! sees at once: the part that is kept, and around it an overlap as wide as the net's [reach](UNet::reach), rounded
//! up to a multiple of 2^depth so that the pooling windows of a tile are those of the whole image. At the
//! borders of the image a tile ends where the image ends: its mirrored padding and the convolutions' zeros are
//! the whole image's. So every logit that is kept is that of the whole image. All tiles of an image have one
//! size, so that they are computed in the same memory.

use std::ops::Range;
use std::path::Path;

use crate::batch::single;
use crate::checkpoint::Checkpoint;
use crate::classes::Classes;
use crate::dataset::Normalisation;
use crate::decode::decode_image;
use crate::error::{ConfigProblem, Result};
use crate::evaluate::classify;
use crate::files;
use crate::metrics::Rule;
use crate::pixels::Image;
use crate::unet::UNet;

/// What a tile may take in memory, in bytes.
const MEMORY: usize = 800 << 20;

/// Numbers of a tile in memory for each pixel and unit of width, measured: at full resolution on the way up, the
/// skip, the channels from below, both together, the convolutions' results, and the smaller levels.
const NUMBERS_PER_WIDTH: usize = 8;

/// A net with what it needs to judge an image from anywhere.
#[derive(Debug, Clone)]
pub struct Predictor {
    net: UNet<f32>,
    classes: Classes,
    channels: usize,
    normalisation: Normalisation,
    rule: Rule,
    tile: usize,
}

impl Predictor {
    /// The net of a checkpoint. Its tiles take less than 1 GB, unless its own overlap needs more.
    pub fn new(checkpoint: Checkpoint) -> Self {
        let Checkpoint { net, meta, .. } = checkpoint;
        let (classes, channels) = (meta.classes, meta.channels);
        let numbers = NUMBERS_PER_WIDTH * meta.config.model.width + classes.count() + channels;
        let side = (MEMORY / (4 * numbers)).isqrt();
        let tile = smallest_tile(&net).max(side / net.multiple() * net.multiple());
        Self { net, classes, channels, normalisation: meta.normalisation, rule: Rule::default(), tile }
    }

    /// Cuts images of more than `tile` × `tile` pixels into tiles of at most that size; 0: never.
    ///
    /// # Errors
    /// [`ConfigProblem::Contradiction`] with the smallest tile that is larger than its own overlap.
    pub fn with_tile(self, tile: usize) -> Result<Self> {
        let (smallest, multiple) = (smallest_tile(&self.net), self.net.multiple());
        if tile > 0 && tile < smallest {
            let text = format!(
                "a tile of {tile} pixels is too small for this net, which looks {} pixels around each; \
                 use {smallest} or more, or 0 for no tiles",
                self.net.reach()
            );
            return Err(ConfigProblem::Contradiction(text).into());
        }
        Ok(Self { tile: tile / multiple * multiple, ..self })
    }

    /// Decides by a rule other than arg max.
    pub fn with_rule(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// What the indices mean.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The side of a tile, in pixels; 0 if there are none.
    pub fn tile(&self) -> usize {
        self.tile
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
        let Self { net, classes, normalisation, rule, .. } = self;
        let mut indices = vec![0; image.height * image.width];
        for tile in tiles((image.height, image.width), net, self.tile) {
            let part = tile.of(image).with_channels(self.channels);
            logits(net, normalisation, &part, |logits, width| {
                let (rows, columns) = (&tile.rows, &tile.columns);
                let first = (rows.skipped() * width + columns.skipped()) * classes.count();
                let size = (rows.kept.len(), columns.kept.len());
                let found = classify(&logits[first..], width, size, classes, rule);
                for (row, found) in rows.kept.clone().zip(found.chunks_exact(columns.kept.len())) {
                    let start = row * image.width + columns.kept.start;
                    indices[start..start + found.len()].copy_from_slice(found);
                }
            })?;
        }
        Ok(indices)
    }
}

/// The class of each pixel of an image that has the net's channels, as one tile.
///
/// # Errors
/// If a tensor operation fails.
pub fn predict(
    net: &UNet<f32>,
    classes: &Classes,
    normalisation: &Normalisation,
    image: &Image,
    rule: &Rule,
) -> Result<Vec<u8>> {
    let size = (image.height, image.width);
    logits(net, normalisation, image, |logits, width| classify(logits, width, size, classes, rule))
}

/// Gives `take` the logits (1, H, W, C) of an image, padded, and their width W.
fn logits<R>(
    net: &UNet<f32>,
    normalisation: &Normalisation,
    image: &Image,
    take: impl FnOnce(&[f32], usize) -> R,
) -> Result<R> {
    let batch = single(image, normalisation, net.multiple());
    let logits = net.evaluate(net.tensor(batch.images, batch.shape)?)?;
    Ok(take(dfdx_conv::data(&logits)?, batch.shape.2))
}

/// Part of an image.
#[derive(Debug)]
struct Tile {
    rows: Span,
    columns: Span,
}

impl Tile {
    /// What the net sees of an image.
    fn of(&self, image: &Image) -> Image {
        let (rows, columns) = (&self.rows.seen, &self.columns.seen);
        image.crop((rows.start, columns.start), (rows.len(), columns.len()))
    }
}

/// Of one axis.
#[derive(Debug, Clone, PartialEq)]
struct Span {
    /// What the net sees.
    seen: Range<usize>,
    /// What is kept of it.
    kept: Range<usize>,
}

impl Span {
    /// How much of what is seen lies before what is kept.
    fn skipped(&self) -> usize {
        self.kept.start - self.seen.start
    }
}

/// How much of its neighbours a tile sees.
fn overlap(net: &UNet<f32>) -> usize {
    net.reach().next_multiple_of(net.multiple())
}

/// The smallest tile of which something is left between its overlaps.
fn smallest_tile(net: &UNet<f32>) -> usize {
    2 * overlap(net) + net.multiple()
}

/// One tile for an image of at most `side` × `side` pixels, or if `side` is 0; else as many as it takes.
fn tiles((height, width): (usize, usize), net: &UNet<f32>, side: usize) -> Vec<Tile> {
    let whole = side == 0 || height.saturating_mul(width) <= side * side;
    let spans = |length| spans(length, if whole { length } else { side }, overlap(net), net.multiple());
    let columns = spans(width);
    let beside =
        |rows: Span| columns.iter().map(move |columns| Tile { rows: rows.clone(), columns: columns.clone() });
    spans(height).into_iter().flat_map(beside).collect()
}

/// An axis of `length` pixels, padded to a `multiple`, in as few spans as see at most `side` pixels each. They see
/// equally many, the last one up to the end of the padding. `side` (where there are several) and `overlap`
/// are multiples, too, and so is where each span and what is kept of it begin.
///
/// Of n spans that see s pixels, the outer two keep s − overlap, the others s − 2·overlap: enough where
/// n·s − 2·(n − 1)·overlap is no less than the padded length.
fn spans(length: usize, side: usize, overlap: usize, multiple: usize) -> Vec<Span> {
    let padded = length.next_multiple_of(multiple);
    let seen = if length <= side {
        padded
    } else {
        let count = (padded - 2 * overlap).div_ceil(side - 2 * overlap);
        (padded + 2 * (count - 1) * overlap).div_ceil(count).next_multiple_of(multiple)
    };
    let mut spans: Vec<Span> = Vec::new();
    let mut done = 0;
    while done < length {
        let start = done.saturating_sub(overlap).min(padded - seen);
        let end = if start + seen == padded { length } else { start + seen - overlap };
        spans.push(Span { seen: start..(start + seen).min(length), kept: done..end });
        done = end;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ModelConfig, Norm, Up};
    use crate::pixels::{Depth, Values};

    const CLASSES: usize = 3;

    fn image(height: usize, width: usize, channels: usize) -> Image {
        let values = Values::Eight((0..height * width * channels).map(|i| (i * 7919 % 251) as u8).collect());
        Image { height, width, channels, values }
    }

    /// A net that has seen images, so that its statistics are no round numbers.
    fn predictor(model: &ModelConfig, channels: usize) -> Predictor {
        let mut net = UNet::new(model, channels, CLASSES, 7).unwrap();
        let (mean, deviation) = (vec![99.0; channels], vec![40.0; channels]);
        let normalisation = Normalisation { mean, deviation, depth: Depth::Eight };
        let batch = single(&image(32, 32, channels), &normalisation, net.multiple());
        net.forward(net.tensor(batch.images, batch.shape).unwrap()).unwrap();
        let classes = Classes::numbered(CLASSES, None);
        Predictor { net, classes, channels, normalisation, rule: Rule::default(), tile: 0 }
    }

    /// The logits of every pixel, put together of tiles.
    fn all_logits(predictor: &Predictor, image: &Image, side: usize) -> (Vec<f32>, usize) {
        let mut all = vec![f32::NAN; image.height * image.width * CLASSES];
        let tiles = tiles((image.height, image.width), &predictor.net, side);
        for tile in &tiles {
            let (part, Tile { rows, columns }) = (tile.of(image), tile);
            assert!(side == 0 || part.height <= side && part.width <= side || tiles.len() == 1);
            logits(&predictor.net, &predictor.normalisation, &part, |logits, width| {
                for row in rows.kept.clone() {
                    let from = ((row - rows.seen.start) * width + columns.skipped()) * CLASSES;
                    let to = (row * image.width + columns.kept.start) * CLASSES;
                    let n = columns.kept.len() * CLASSES;
                    all[to..to + n].copy_from_slice(&logits[from..from + n]);
                }
            })
            .unwrap();
        }
        (all, tiles.len())
    }

    #[test]
    fn tiles_give_the_logits_of_the_whole_image() {
        for up in [Up::Transposed, Up::Nearest] {
            for norm in [Norm::Batch, Norm::None] {
                for (depth, channels, more, (height, width)) in
                    [(1, 3, 0, (27, 61)), (2, 1, 12, (71, 130)), (3, 1, 16, (131, 203))]
                {
                    let model =
                        ModelConfig { width: 2, depth, norm, up, bias: true, deep_supervision: false };
                    let predictor = predictor(&model, channels);
                    let image = image(height, width, channels);
                    let side = smallest_tile(&predictor.net) + more;
                    let (whole, one) = all_logits(&predictor, &image, 0);
                    let (tiled, many) = all_logits(&predictor, &image, side);
                    let case =
                        format!("{up:?} {norm:?} depth {depth} {height}x{width}, {many} tiles of {side}");
                    assert!(one == 1 && many > 2, "{case}");
                    let differing =
                        whole.iter().zip(&tiled).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
                    assert_eq!(differing, 0, "{case}");

                    let labels = |tile| predictor.clone().with_tile(tile).unwrap().predict(&image).unwrap();
                    assert_eq!(labels(side), labels(0), "{case}");
                }
            }
        }
    }

    #[test]
    fn a_tile_smaller_than_its_overlap_is_refused() {
        let model = ModelConfig { width: 2, depth: 4, ..ModelConfig::default() };
        let predictor = predictor(&model, 1);
        let text = predictor.clone().with_tile(207).unwrap_err().to_string();
        assert!(text.contains("looks 94 pixels around") && text.contains("use 208 or more"), "{text}");
        assert_eq!(predictor.with_tile(223).unwrap().tile(), 208);
    }

    #[test]
    fn spans_cover_an_axis_once() {
        for length in 1..300_usize {
            let spans = spans(length, 48, 16, 4);
            let kept: Vec<usize> = spans.iter().flat_map(|span| span.kept.clone()).collect();
            assert!(kept.into_iter().eq(0..length), "{length}");
            let seen = spans[0].seen.len().next_multiple_of(4);
            assert!(seen <= 48, "{length}");
            for span in &spans {
                let Span { seen: of_span, kept } = span;
                assert!(of_span.start % 4 == 0 && of_span.len().next_multiple_of(4) == seen, "{length}");
                assert!(of_span.start + 16 <= kept.start || of_span.start == 0, "{length}");
                assert!(kept.end + 16 <= of_span.end || of_span.end == length, "{length}");
            }
        }
        // 1536 pixels are two spans of 864 with the overlap of depth 4, not of 1312.
        let seen = spans(1536, 1312, 96, 16).into_iter().map(|span| span.seen);
        assert_eq!(seen.collect::<Vec<_>>(), [0..864, 672..1536]);
    }
}
