//! Cuts images into tiles of a fixed number of pixels: the unit of work of a thread.
//!
//! The cut depends on the shape alone, and sums are taken tile by tile in order, so that a result has
//! the same bits for any number of threads.

use crate::geometry::Geometry;
use crate::layout::Layout;
use rayon::prelude::*;

/// Pixels per tile. Large enough to hide the cost of a task, small enough that its logits stay in the
/// second-level cache.
const TILE: usize = 8192;

/// A run of pixels of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub image: usize,
    pub pixels: std::ops::Range<usize>,
}

impl Tile {
    /// That of this number: image after image, each from its first pixel to its last.
    pub fn new(geometry: &Geometry, number: usize) -> Self {
        let of_image = Self::of_image(geometry);
        let (image, start) = (number / of_image, number % of_image * TILE);
        Self { image, pixels: start..geometry.pixels.min(start + TILE) }
    }

    /// How many there are.
    pub fn count(geometry: &Geometry) -> usize {
        geometry.images * Self::of_image(geometry)
    }

    /// How many an image has.
    fn of_image(geometry: &Geometry) -> usize {
        geometry.pixels.div_ceil(TILE)
    }
}

/// Numbers of an input that one thread has computed before another has woken up.
const FEW: usize = 1 << 15;

/// Computes something of every piece of work on an input and its number, by several threads if that pays; the results
/// come in the order of the work.
pub(crate) fn each<W: Send, R: Send>(
    geometry: &Geometry,
    work: Vec<W>,
    compute: impl Fn((usize, W)) -> R + Sync,
) -> Vec<R> {
    match geometry.images * geometry.pixels * geometry.classes <= FEW {
        true => work.into_iter().enumerate().map(compute).collect(),
        false => work.into_par_iter().enumerate().map(&compute).collect(),
    }
}

/// The part of an output buffer that belongs to one tile; tiles share no element.
pub(crate) enum TileMut<'a, T> {
    /// One slice per class, a value per pixel in each.
    Planes(Vec<&'a mut [T]>),
    /// The classes of a pixel side by side.
    Rows { values: &'a mut [T], classes: usize },
    /// Nobody asked for this output.
    Nothing,
}

impl<T: Copy> TileMut<'_, T> {
    /// What was written of a class.
    pub fn class(&self, class: usize) -> Vec<T> {
        match self {
            Self::Planes(planes) => planes[class].to_vec(),
            Self::Rows { values, classes } => values.chunks_exact(*classes).map(|row| row[class]).collect(),
            Self::Nothing => Vec::new(),
        }
    }

    /// Reads what was written of a class of the tile's pixels from number `at` on.
    pub fn read_class(&self, class: usize, at: usize, pixels: &mut [T]) {
        match self {
            Self::Planes(planes) => pixels.copy_from_slice(&planes[class][at..][..pixels.len()]),
            Self::Rows { values, classes } => {
                let rows = values[at * *classes..].chunks_exact(*classes);
                pixels.iter_mut().zip(rows).for_each(|(pixel, row)| *pixel = row[class]);
            }
            Self::Nothing => {}
        }
    }

    /// Writes a class of the tile's pixels from number `at` on.
    pub fn put_class(&mut self, class: usize, at: usize, pixels: &[T]) {
        match self {
            Self::Planes(planes) => planes[class][at..][..pixels.len()].copy_from_slice(pixels),
            Self::Rows { values, classes } => {
                let rows = values[at * *classes..].chunks_exact_mut(*classes);
                rows.zip(pixels).for_each(|(row, &value)| row[class] = value);
            }
            Self::Nothing => {}
        }
    }
}

/// Cuts a buffer of the logits' shape and layout into what belongs to each [`Tile`].
pub(crate) fn split<'a, T>(buffer: Option<&'a mut [T]>, geometry: &Geometry) -> Vec<TileMut<'a, T>> {
    let Geometry { classes, pixels, layout, .. } = *geometry;
    let count = Tile::count(geometry);
    let Some(buffer) = buffer else { return (0..count).map(|_| TileMut::Nothing).collect() };
    let mut tiles = Vec::with_capacity(count);
    for image in buffer.chunks_mut(classes * pixels) {
        match layout {
            Layout::ChannelsLast => {
                tiles
                    .extend(image.chunks_mut(TILE * classes).map(|values| TileMut::Rows { values, classes }));
            }
            Layout::ChannelsFirst => {
                let mut planes: Vec<_> =
                    image.chunks_mut(pixels).map(|plane| plane.chunks_mut(TILE)).collect();
                tiles.extend((0..Tile::of_image(geometry)).map(|_| {
                    let mut here = Vec::with_capacity(classes);
                    here.extend(planes.iter_mut().filter_map(Iterator::next));
                    TileMut::Planes(here)
                }));
            }
        }
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_belongs_to_its_tile() {
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            let shape = match layout {
                Layout::ChannelsFirst => [2, 3, 140, 71],
                Layout::ChannelsLast => [2, 140, 71, 3],
            };
            let geometry = Geometry::new("test", &shape, layout).unwrap();
            assert!(geometry.pixels > TILE);
            let mut buffer = vec![usize::MAX; 2 * 3 * 140 * 71];
            for (number, mut output) in split(Some(&mut buffer), &geometry).into_iter().enumerate() {
                let tile = Tile::new(&geometry, number);
                for (at, pixel) in tile.pixels.enumerate() {
                    let offset = geometry.offset(tile.image, pixel);
                    let stride = geometry.strides().0;
                    (0..3).for_each(|c| output.put_class(c, at, &[offset + c * stride]));
                }
            }
            assert!(buffer.iter().enumerate().all(|(at, &value)| at == value), "{layout:?}");
        }
    }
}
