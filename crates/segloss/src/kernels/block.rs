//! A block of pixels as kernels want it: class by class, the pixels side by side, small enough for the first cache.

use crate::element::Element;
use crate::layout::{Geometry, Layout};
use crate::tiles::TileMut;

/// The most pixels that a kernel computes side by side.
const LANES: usize = 16;

/// Pixels of a block.
pub(crate) const PIXELS: usize = 256;

const _: () = assert!(PIXELS.is_multiple_of(LANES));

/// The class of a pixel that does not count.
pub(crate) const NO_CLASS: f64 = -1.0;

/// Up to [`PIXELS`] pixels. The last group is filled up with pixels that do not count.
pub(crate) struct Block<T> {
    /// Pixels in use, the filling with them.
    padded: usize,
    z: Vec<T>,
    class: Vec<T>,
    m: Vec<T>,
    loss: Vec<T>,
}

/// The logits of a block, its classes, the weights of its pixels in the map, and their losses.
pub(crate) type Parts<'a, T> = (&'a mut [T], &'a [T], &'a [T], &'a mut [T]);

impl<T: Element> Block<T> {
    /// With room for [`PIXELS`] pixels, each of weight 1.
    pub fn new(classes: usize) -> Self {
        let zero = T::zero();
        Self {
            padded: 0,
            z: vec![zero; classes * PIXELS],
            class: vec![T::of(NO_CLASS); PIXELS],
            m: vec![T::one(); PIXELS],
            loss: vec![zero; PIXELS],
        }
    }

    /// Takes up `pixels` pixels, and returns where their classes and weights are to be written: none counts so far.
    pub fn start(&mut self, pixels: usize) -> (&mut [T], &mut [T]) {
        self.padded = pixels.next_multiple_of(LANES);
        self.class[..self.padded].fill(T::of(NO_CLASS));
        (&mut self.class[..pixels], &mut self.m[..pixels])
    }

    /// Pixels in use, with those that fill up the last group.
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// What a kernel reads and writes. The logits of class c and pixel i lie at c·padded + i: in, the logits; out, the
    /// gradient. The class of a pixel is a float, as wide as the logits that it decides about, or [`NO_CLASS`].
    pub fn parts(&mut self) -> Parts<'_, T> {
        (&mut self.z, &self.class, &self.m, &mut self.loss)
    }

    /// The classes and the weighted losses of the pixels.
    pub fn losses(&self, pixels: usize) -> (&[T], &[T]) {
        (&self.class[..pixels], &self.loss[..pixels])
    }

    /// Reads the logits of `pixels` pixels from number `start` of an image on.
    pub fn read(&mut self, logits: &[T], geometry: &Geometry, image: usize, start: usize, pixels: usize) {
        let offset = geometry.offset(image, start);
        let planes = self.z.chunks_exact_mut(self.padded).take(geometry.classes);
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
        for (plane, &shift) in self.z.chunks_exact_mut(self.padded).zip(shift) {
            plane.iter_mut().for_each(|z| *z = *z - shift);
        }
    }

    /// Writes the gradient of the tile's pixels from number `at` on.
    pub fn write(&self, gradient: &mut TileMut<'_, T>, at: usize, pixels: usize) {
        let planes = self.z.chunks_exact(self.padded);
        match gradient {
            TileMut::Nothing => {}
            TileMut::Planes(out) => {
                for (out, plane) in out.iter_mut().zip(planes) {
                    out[at..][..pixels].copy_from_slice(&plane[..pixels]);
                }
            }
            TileMut::Rows { values, classes } => {
                let out = &mut values[at * *classes..][..pixels * *classes];
                for (class, plane) in planes.take(*classes).enumerate() {
                    out.chunks_exact_mut(*classes).zip(plane).for_each(|(row, &g)| row[class] = g);
                }
            }
        }
    }
}
