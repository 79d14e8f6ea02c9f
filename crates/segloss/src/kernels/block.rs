//! A block of pixels as kernels want it: class by class, the pixels side by side, small enough for the first cache.

use crate::element::Element;
use crate::layout::{Geometry, Layout};
use crate::tiles::TileMut;

/// Pixels that a kernel computes side by side: a register of the widest instructions, for f32.
pub(crate) const LANES: usize = 16;

/// Pixels of a block.
pub(crate) const PIXELS: usize = 256;

/// The label of a pixel that does not count: no class is −1.
const NO_CLASS: f64 = -1.0;

/// Up to [`PIXELS`] pixels. The last group is filled up with pixels that do not count.
pub(crate) struct Block<T> {
    /// Groups of [`LANES`] pixels in use.
    pub groups: usize,
    /// In: the logits of class c and group g at c·groups + g. Out: the gradient.
    pub z: Vec<[T; LANES]>,
    /// The number of each pixel's class, as a number that compares with others of its kind.
    pub label: Vec<[T; LANES]>,
    /// The weight of the pixel in the value; 0 if it does not count.
    pub w_loss: Vec<[T; LANES]>,
    /// The same divided by the denominator.
    pub w_gradient: Vec<[T; LANES]>,
    /// Out: the weighted loss.
    pub loss: Vec<[T; LANES]>,
}

impl<T: Element> Block<T> {
    pub fn new(classes: usize) -> Self {
        let rows = |count: usize| vec![[T::zero(); LANES]; count * PIXELS / LANES];
        Self {
            groups: 0,
            z: rows(classes),
            label: rows(1),
            w_loss: rows(1),
            w_gradient: rows(1),
            loss: rows(1),
        }
    }

    /// Makes room for `pixels` pixels of `classes` classes, none of which counts so far.
    pub fn clear(&mut self, pixels: usize, classes: usize) {
        self.groups = pixels.div_ceil(LANES);
        self.z.resize(classes * self.groups, [T::zero(); LANES]);
        self.label[..self.groups].fill([T::of(NO_CLASS); LANES]);
        self.w_loss[..self.groups].fill([T::zero(); LANES]);
        self.w_gradient[..self.groups].fill([T::zero(); LANES]);
    }

    /// Says what a pixel counts for.
    pub fn set(&mut self, at: usize, class: usize, w_loss: T, w_gradient: T) {
        let (group, lane) = (at / LANES, at % LANES);
        self.label[group][lane] = T::of(class as f64);
        self.w_loss[group][lane] = w_loss;
        self.w_gradient[group][lane] = w_gradient;
    }

    /// Reads the logits of `pixels` pixels from number `start` of an image on.
    pub fn read(&mut self, logits: &[T], geometry: &Geometry, image: usize, start: usize, pixels: usize) {
        let offset = geometry.offset(image, start);
        let room = self.groups * LANES;
        for (class, plane) in self.z.as_flattened_mut().chunks_exact_mut(room).enumerate() {
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

    /// Whether all logits are finite.
    pub fn logits_are_finite(&self) -> bool {
        are_finite(&self.z)
    }

    /// Whether gradient and loss are finite.
    pub fn results_are_finite(&self) -> bool {
        are_finite(&self.z) && are_finite(&self.loss[..self.groups])
    }

    /// Takes the logits of pixels that do not count for 0. Returns whether all others are finite.
    pub fn silence(&mut self) -> bool {
        let ignored = T::of(NO_CLASS);
        for plane in self.z.chunks_exact_mut(self.groups) {
            for (z, label) in plane.as_flattened_mut().iter_mut().zip(self.label.as_flattened()) {
                *z = if *label == ignored { T::zero() } else { *z };
            }
        }
        self.logits_are_finite()
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

/// Without a branch for each number: x − x is 0 for every finite one, and NaN for the others.
fn are_finite<T: Element>(rows: &[[T; LANES]]) -> bool {
    let mut sums = [T::zero(); LANES];
    for row in rows {
        for i in 0..LANES {
            sums[i] = sums[i] + (row[i] - row[i]);
        }
    }
    sums.iter().all(|&sum| sum == T::zero())
}
