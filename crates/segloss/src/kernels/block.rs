//! A block of pixels as kernels want it: class by class, the pixels side by side, small enough for the first cache.

use crate::element::Element;
use crate::layout::{Geometry, Layout};
use crate::tiles::TileMut;

/// Pixels that a kernel computes side by side: a register of the widest instructions, for f32.
pub(crate) const LANES: usize = 16;

/// Pixels of a block.
pub(crate) const PIXELS: usize = 256;

const _: () = assert!(PIXELS.is_multiple_of(LANES));

/// The class of a pixel that does not count.
pub(crate) const NO_CLASS: f64 = -1.0;

/// Up to [`PIXELS`] pixels. The last group is filled up with pixels that do not count.
pub(crate) struct Block<T> {
    /// Groups of [`LANES`] pixels in use.
    pub groups: usize,
    /// In: the logits of class c and group g at c·groups + g. Out: the gradient.
    pub z: Vec<[T; LANES]>,
    /// The largest logit of each pixel: between two passes of a kernel.
    pub max: Vec<[T; LANES]>,
    /// The number of each pixel's class, or [`NO_CLASS`]; a float, as wide as the logits that it decides about.
    pub class: Vec<[T; LANES]>,
    /// The weight of each pixel in the map.
    pub m: Vec<[T; LANES]>,
    /// Out: the weighted loss.
    pub loss: Vec<[T; LANES]>,
}

impl<T: Element> Block<T> {
    /// With room for [`PIXELS`] pixels, each of weight 1.
    pub fn new(classes: usize) -> Self {
        let rows = |value: T, count: usize| vec![[value; LANES]; count * PIXELS / LANES];
        let zero = T::zero();
        Self {
            groups: 0,
            z: rows(zero, classes),
            max: rows(zero, 1),
            class: rows(T::of(NO_CLASS), 1),
            m: rows(T::one(), 1),
            loss: rows(zero, 1),
        }
    }

    /// Takes up `pixels` pixels of `classes` classes, and returns where their classes and weights are to be written:
    /// none counts so far.
    pub fn start(&mut self, pixels: usize, classes: usize) -> (&mut [T], &mut [T]) {
        self.groups = pixels.div_ceil(LANES);
        self.z.resize(classes * self.groups, [T::zero(); LANES]);
        self.class[..self.groups].fill([T::of(NO_CLASS); LANES]);
        (&mut self.class.as_flattened_mut()[..pixels], &mut self.m.as_flattened_mut()[..pixels])
    }

    /// Reads the logits of `pixels` pixels from number `start` of an image on.
    pub fn read(&mut self, logits: &[T], geometry: &Geometry, image: usize, start: usize, pixels: usize) {
        let offset = geometry.offset(image, start);
        let planes = self.z.as_flattened_mut().chunks_exact_mut(self.groups * LANES);
        for (class, plane) in planes.enumerate() {
            let (values, filling) = plane.split_at_mut(pixels);
            match geometry.layout {
                Layout::ChannelsFirst => {
                    values.copy_from_slice(&logits[offset + class * geometry.pixels..][..pixels]);
                }
                Layout::ChannelsLast => {
                    let rows = logits[offset..][..pixels * geometry.classes].chunks_exact(geometry.classes);
                    values.iter_mut().zip(rows).for_each(|(value, row)| *value = row[class]);
                }
            }
            filling.fill(T::zero());
        }
    }

    /// Takes `shift` from the logits of each class.
    pub fn shift(&mut self, shift: &[T]) {
        for (plane, &shift) in self.z.chunks_exact_mut(self.groups).zip(shift) {
            plane.as_flattened_mut().iter_mut().for_each(|z| *z = *z - shift);
        }
    }

    /// Writes the gradient of the tile's pixels from number `at` on.
    pub fn write(&self, gradient: &mut TileMut<'_, T>, at: usize, pixels: usize) {
        let planes = self.z.as_flattened().chunks_exact(self.groups * LANES);
        match gradient {
            TileMut::Nothing => {}
            TileMut::Planes(out) => {
                for (out, plane) in out.iter_mut().zip(planes) {
                    out[at..][..pixels].copy_from_slice(&plane[..pixels]);
                }
            }
            TileMut::Rows { values, classes } => {
                let out = &mut values[at * *classes..][..pixels * *classes];
                for (class, plane) in planes.enumerate() {
                    out.chunks_exact_mut(*classes).zip(plane).for_each(|(row, &g)| row[class] = g);
                }
            }
        }
    }
}
