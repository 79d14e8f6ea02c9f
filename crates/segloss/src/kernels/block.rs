//! Pixels as kernels want them: class by class, the pixels side by side, in the first cache.
//!
//! Whatever the layout, a block of pixels is copied in, computed and copied out: planes of large images lie whole powers
//! of two apart, where a cache would hold few of them at once.

use super::lines::{self, EDGE, LINE, Lines};
use super::vector::Vector;
use crate::element::Element;
use crate::layout::{Geometry, Layout};
use crate::tiles::TileMut;

/// The most pixels that a kernel computes side by side: a block is whole groups of them.
pub(crate) const LANES: usize = 16;

/// Pixels of a block: logits and gradient of a few dozen classes fit the first cache.
pub(crate) const PIXELS: usize = 64;

/// A number for each pixel of a block.
pub(crate) type Plane<T> = [T; PIXELS];

/// A plane behind the numbers that [wait](lines::write).
pub(crate) type Edged<T> = [T; EDGE + PIXELS];

/// The plane itself.
#[inline(always)]
pub(crate) fn values_mut<T>(plane: &mut Edged<T>) -> &mut Plane<T> {
    match plane.last_chunk_mut() {
        Some(values) => values,
        None => unreachable!("an edged plane is longer than a plane"),
    }
}

/// Where the registers of a plane begin. The mask changes nothing; the compiler sees by it that a register fits, and
/// checks no bounds.
#[inline(always)]
pub(crate) fn steps<V: Vector>() -> impl Iterator<Item = usize> {
    (0..PIXELS).step_by(V::LANES).map(|at| at & (PIXELS - V::LANES))
}

/// A loss, block by block.
pub(crate) trait BlockKernel<T> {
    /// Computes a block. Returns whether all logits of pixels that count, all losses and all of the gradient are finite.
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>) -> bool;
}

/// What a kernel reads and writes: a whole block, whose pixels behind the end of a tile do not count.
pub(crate) struct Planes<'a, T> {
    /// The number of each pixel's class; [`no_class`] of one that does not count, whose logits and weight are 0.
    pub class: &'a Plane<T>,
    /// The weight of each pixel in the map.
    pub m: &'a Plane<T>,
    /// Out: the weighted loss of each pixel; of channels that are problems of their own, each channel's.
    pub loss: &'a mut [Plane<T>],
    /// The logits of each class.
    pub z: &'a [Plane<T>],
    pub gradient: Gradient<'a, T>,
}

/// Out: the gradient of each class.
pub(crate) struct Gradient<'a, T>(&'a mut [Edged<T>]);

impl<T> Gradient<'_, T> {
    #[inline(always)]
    pub fn planes_mut(&mut self) -> impl Iterator<Item = &mut Plane<T>> {
        self.0.iter_mut().map(values_mut)
    }

    /// In groups, and what is left.
    #[inline(always)]
    pub fn chunks_mut<const N: usize>(&mut self) -> (&mut [[Edged<T>; N]], &mut [Edged<T>]) {
        self.0.as_chunks_mut()
    }
}

/// The number of no class.
pub(crate) fn no_class(classes: usize) -> usize {
    // A single channel tells two classes apart.
    classes.max(2)
}

/// The room that a block needs, and what of the last one is still to be written.
#[repr(align(64))]
pub(crate) struct Room<T> {
    class: Plane<T>,
    m: Plane<T>,
    loss: Vec<Plane<T>>,
    /// The logits of each class, the gradient of each, and the gradient pixel by pixel.
    numbers: Lines<T>,
    classes: usize,
    none: T,
}

/// Where a block lies.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub geometry: &'a Geometry,
    /// Of its first logit.
    pub offset: usize,
    pub pixels: usize,
}

impl<T: Element> Room<T> {
    /// With `losses` losses for each pixel.
    pub fn new(geometry: &Geometry, losses: usize) -> Self {
        let classes = geometry.classes;
        let zeros = [T::zero(); PIXELS];
        let rows = match geometry.layout {
            Layout::ChannelsFirst => 0,
            Layout::ChannelsLast => EDGE + PIXELS * classes,
        };
        Self {
            class: zeros,
            m: zeros,
            loss: vec![zeros; losses],
            numbers: Lines::zeros(classes * (PIXELS + EDGE + PIXELS) + rows),
            classes,
            none: T::of(no_class(classes) as f64),
        }
    }

    /// Logits, gradient, and the gradient pixel by pixel.
    #[inline(always)]
    fn parts(numbers: &mut [T], classes: usize) -> (&mut [Plane<T>], &mut [Edged<T>], &mut [T]) {
        let (z, rest) = numbers.split_at_mut(classes * PIXELS);
        let (gradient, rows) = rest.split_at_mut(classes * (EDGE + PIXELS));
        (z.as_chunks_mut().0, gradient.as_chunks_mut().0, rows)
    }

    /// Takes up a block, and returns where the classes and weights of its pixels are to be written: none counts so
    /// far, and each weighs 1.
    #[inline(always)]
    pub fn start(&mut self, pixels: usize) -> (&mut [T], &mut [T]) {
        self.class.fill(self.none);
        self.m.fill(T::one());
        (&mut self.class[..pixels], &mut self.m[..pixels])
    }

    /// Copies the logits in, those of pixels that do not count as 0.
    #[inline(always)]
    pub fn read<V: Vector<Real = T>>(&mut self, logits: &[T], place: Place<'_>, shift: &[T]) {
        let Place { geometry, offset, pixels } = place;
        let classes = geometry.classes;
        let (planes, ..) = Self::parts(&mut self.numbers, classes);
        match geometry.layout {
            Layout::ChannelsFirst => {
                for (c, plane) in planes.iter_mut().enumerate() {
                    let from = &logits[offset + c * geometry.pixels..];
                    match from.as_chunks::<PIXELS>().0 {
                        [from, next, ..] if pixels == PIXELS => {
                            for at in steps::<V>() {
                                V::load(&from[at..]).store(&mut plane[at..]);
                            }
                            // A dozen planes are more than the machine foresees by itself.
                            for line in (0..PIXELS).step_by(LINE / size_of::<T>()) {
                                V::prefetch(&next[line..]);
                            }
                        }
                        _ => plane[..pixels].copy_from_slice(&from[..pixels]),
                    }
                }
            }
            Layout::ChannelsLast => {
                let count = pixels * classes;
                for line in (count..2 * count).step_by(LINE / size_of::<T>()) {
                    V::prefetch(logits.get(offset + line..).unwrap_or_default());
                }
                V::rows_to_columns(&logits[offset..][..count], classes, planes.as_flattened_mut(), PIXELS);
            }
        }
        for (plane, &shift) in planes.iter_mut().zip(shift) {
            plane.iter_mut().for_each(|z| *z = *z - shift);
        }
        // What does not count may be anything.
        let none = V::splat(self.none);
        let mut ignored = false;
        for at in steps::<V>() {
            ignored |= V::any(V::load(&self.class[at..]).equal(none));
        }
        if ignored {
            for numbers in planes.iter_mut().chain([&mut self.m]) {
                for at in steps::<V>() {
                    let ignored = V::load(&self.class[at..]).equal(none);
                    V::select(ignored, V::splat(T::zero()), V::load(&numbers[at..]))
                        .store(&mut numbers[at..]);
                }
            }
        }
    }

    /// What a kernel is given.
    #[inline(always)]
    pub fn planes(&mut self) -> Planes<'_, T> {
        let Self { class, m, loss, numbers, classes, .. } = self;
        let (z, gradient, _) = Self::parts(numbers, *classes);
        Planes { class, m, loss, z, gradient: Gradient(gradient) }
    }

    /// The weighted losses of the pixels, channel by channel.
    pub fn losses(&self, pixels: usize) -> impl Iterator<Item = &[T]> {
        self.loss.iter().map(move |losses| &losses[..pixels])
    }

    /// Copies the gradient out, from pixel number `start` of the tile on. `stream`: past the caches.
    #[inline(always)]
    pub fn write<V: Vector<Real = T>>(
        &mut self,
        out: &mut TileMut<'_, T>,
        start: usize,
        pixels: usize,
        stream: bool,
    ) {
        let (_, gradient, rows) = Self::parts(&mut self.numbers, self.classes);
        match out {
            TileMut::Planes(planes) => {
                for (plane, values) in planes.iter_mut().zip(gradient) {
                    lines::write::<V>(plane, start, values, pixels, stream);
                }
            }
            TileMut::Rows { values, classes } => {
                let count = pixels * *classes;
                let from = &gradient.as_flattened()[EDGE..];
                V::columns_to_rows(from, EDGE + PIXELS, *classes, &mut rows[EDGE..][..count]);
                lines::write::<V>(values, start * *classes, rows, count, stream);
            }
            TileMut::Nothing => {}
        }
    }
}
