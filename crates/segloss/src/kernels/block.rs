//! Pixels as kernels want them: class by class, the pixels side by side, in the first cache.
//!
//! Whatever the layout, a block of pixels is copied in, computed and copied out: planes of large images lie whole powers
//! of two apart, where a cache would hold few of them at once.

use super::vector::Vector;
use crate::element::Element;
use crate::layout::{Geometry, Layout};
use crate::tiles::TileMut;

/// The most pixels that a kernel computes side by side: it is given whole groups of them.
pub(crate) const LANES: usize = 16;

/// Pixels of a block: logits and gradient of a few dozen classes fit the first cache.
pub(crate) const PIXELS: usize = 64;

/// Numbers of the last block that wait until the cache line which they begin is whole.
const EDGE: usize = 16;

/// Bytes of a cache line.
const LINE: usize = 64;

/// A loss, block by block.
pub(crate) trait BlockKernel<T> {
    /// Computes a block. Returns whether all logits of pixels that count, all losses and all of the gradient are finite.
    fn block<V: Vector<Real = T>>(&mut self, planes: Planes<'_, T>) -> bool;
}

/// What a kernel reads and writes: whole groups of [`LANES`] pixels.
pub(crate) struct Planes<'a, T> {
    /// The number of each pixel's class; [`no_class`] of one that does not count, whose logits and weight are 0.
    pub class: &'a [T],
    /// The weight of each pixel in the map.
    pub m: &'a [T],
    /// Out: the weighted loss of each pixel; of channels that are problems of their own, each channel's after the other,
    /// [`PIXELS`] apart.
    pub loss: &'a mut [T],
    pub z: Logits<'a, T>,
    pub gradient: Gradient<'a, T>,
}

/// The logits of each class.
#[derive(Clone, Copy)]
pub(crate) struct Logits<'a, T>(&'a [T]);

impl<'a, T> Logits<'a, T> {
    #[inline(always)]
    pub fn planes(self) -> impl Iterator<Item = &'a [T]> {
        self.0.chunks_exact(PIXELS)
    }

    pub fn classes(self) -> usize {
        self.0.len() / PIXELS
    }
}

/// Out: the gradient of each class.
pub(crate) struct Gradient<'a, T>(&'a mut [T]);

impl<T> Gradient<'_, T> {
    #[inline(always)]
    pub fn planes_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        self.0.chunks_exact_mut(EDGE + PIXELS).map(|plane| &mut plane[EDGE..])
    }
}

/// The number of no class.
pub(crate) fn no_class(classes: usize) -> usize {
    // A single channel tells two classes apart.
    classes.max(2)
}

/// The room that a block needs, and what of the last one is still to be written.
pub(crate) struct Room<T> {
    class: Lines<T>,
    m: Lines<T>,
    loss: Lines<T>,
    z: Lines<T>,
    gradient: Lines<T>,
    /// The gradient, pixel by pixel.
    rows: Lines<T>,
    none: T,
}

/// Numbers that begin with a cache line: a register is loaded from one, not from two.
struct Lines<T> {
    numbers: Vec<T>,
    start: usize,
    count: usize,
}

impl<T: Element> Lines<T> {
    fn zeros(count: usize) -> Self {
        let numbers = vec![T::zero(); count + LINE / size_of::<T>()];
        // Where the offset is not known, any start is right.
        let start = numbers.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Self { numbers, start, count }
    }
}

impl<T> std::ops::Deref for Lines<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.numbers[self.start..][..self.count]
    }
}

impl<T> std::ops::DerefMut for Lines<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.numbers[self.start..][..self.count]
    }
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
        let zeros = Lines::zeros;
        let rows = match geometry.layout {
            Layout::ChannelsFirst => 0,
            Layout::ChannelsLast => EDGE + PIXELS * classes,
        };
        Self {
            class: zeros(PIXELS),
            m: zeros(PIXELS),
            loss: zeros(losses * PIXELS),
            z: zeros(classes * PIXELS),
            gradient: zeros(classes * (EDGE + PIXELS)),
            rows: zeros(rows),
            none: T::of(no_class(classes) as f64),
        }
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
        match geometry.layout {
            Layout::ChannelsFirst => {
                for (c, plane) in self.z.chunks_exact_mut(PIXELS).enumerate() {
                    let from = &logits[offset + c * geometry.pixels..];
                    if pixels == PIXELS {
                        for at in (0..PIXELS).step_by(V::LANES) {
                            V::load(&from[at..]).store(&mut plane[at..]);
                        }
                    } else {
                        plane[..pixels].copy_from_slice(&from[..pixels]);
                    }
                    // The next block: a dozen planes are more than the machine foresees by itself.
                    for line in (PIXELS..2 * PIXELS).step_by(LINE / size_of::<T>()) {
                        V::prefetch(from.get(line..).unwrap_or_default());
                    }
                }
            }
            Layout::ChannelsLast => {
                let count = pixels * classes;
                for line in (count..2 * count).step_by(LINE / size_of::<T>()) {
                    V::prefetch(logits.get(offset + line..).unwrap_or_default());
                }
                V::rows_to_columns(&logits[offset..][..count], classes, &mut self.z, PIXELS);
            }
        }
        for (plane, &shift) in self.z.chunks_exact_mut(PIXELS).zip(shift) {
            plane.iter_mut().for_each(|z| *z = *z - shift);
        }
        // What does not count may be anything.
        if self.class.iter().fold(false, |any, &class| any | (class == self.none)) {
            let none = V::splat(self.none);
            for numbers in self.z.chunks_exact_mut(PIXELS).chain([&mut self.m[..]]) {
                for at in (0..PIXELS).step_by(V::LANES) {
                    let ignored = V::load(&self.class[at..]).equal(none);
                    V::select(ignored, V::splat(T::zero()), V::load(&numbers[at..]))
                        .store(&mut numbers[at..]);
                }
            }
        }
    }

    /// What a kernel is given.
    #[inline(always)]
    pub fn planes(&mut self, pixels: usize) -> Planes<'_, T> {
        let padded = pixels.next_multiple_of(LANES);
        let Self { class, m, loss, z, gradient, .. } = self;
        Planes { class: &class[..padded], m: &m[..padded], loss, z: Logits(z), gradient: Gradient(gradient) }
    }

    /// The weighted losses of the pixels, channel by channel.
    pub fn losses(&self, pixels: usize) -> impl Iterator<Item = &[T]> {
        self.loss.chunks_exact(PIXELS).map(move |losses| &losses[..pixels])
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
        match out {
            TileMut::Planes(planes) => {
                for (plane, values) in planes.iter_mut().zip(self.gradient.chunks_exact_mut(EDGE + PIXELS)) {
                    write_lines::<V>(plane, start, values, pixels, stream);
                }
            }
            TileMut::Rows { values, classes } => {
                let rows = &mut self.rows[EDGE..][..pixels * *classes];
                V::columns_to_rows(&self.gradient[EDGE..], EDGE + PIXELS, *classes, rows);
                write_lines::<V>(values, start * *classes, &mut self.rows, pixels * *classes, stream);
            }
            TileMut::Nothing => {}
        }
    }
}

/// Writes `count` values, which stand behind an edge, to `out` from number `start` on. If they are streamed, a cache line
/// that they only begin waits in the edge for the next ones: half a line costs as much as two.
#[inline(always)]
fn write_lines<V: Vector>(
    out: &mut [V::Real],
    start: usize,
    values: &mut [V::Real],
    count: usize,
    stream: bool,
) {
    let end = start + count;
    if !(stream && V::STREAMS) {
        let (to, from) = (&mut out[start..end], &values[EDGE..][..count]);
        let whole = count - count % V::LANES;
        for at in (0..whole).step_by(V::LANES) {
            V::load(&from[at..]).store(&mut to[at..]);
        }
        to[whole..].copy_from_slice(&from[whole..]);
        return;
    }
    let line = LINE / size_of::<V::Real>();
    // Numbers before the first whole line; the address of numbers never lies between two of them.
    let skew = out.as_ptr().align_offset(LINE).min(out.len());
    // All whole lines of the first n numbers, and what is before them.
    let done = |n: usize| if n < skew { 0 } else { skew + (n - skew) / line * line };
    let is_last = end == out.len();
    let (mut at, to) = (done(start), done(end));
    if at == 0 && to > 0 {
        out[..skew].copy_from_slice(&values[EDGE..][..skew]);
        at = skew;
    }
    while at < to {
        for lane in (at..at + line).step_by(V::LANES) {
            V::load(&values[EDGE + lane - start..]).stream(&mut out[lane..]);
        }
        at += line;
    }
    if is_last {
        out[at..].copy_from_slice(&values[EDGE + at - start..][..end - at]);
    } else if to != end {
        values.copy_within(count..count + EDGE, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::instructions::{InstructionSet, Kernel};
    use super::*;

    /// Streams a plane, block by block.
    struct Stream<'a, T> {
        from: &'a [T],
        out: &'a mut [T],
        block: usize,
    }

    impl<T: Element> Kernel<T> for Stream<'_, T> {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector<Real = T>>(self) {
            let mut values = vec![T::zero(); EDGE + self.block];
            for (i, block) in self.from.chunks(self.block).enumerate() {
                values[EDGE..][..block.len()].copy_from_slice(block);
                write_lines::<V>(self.out, i * self.block, &mut values, block.len(), true);
            }
            V::fence();
        }
    }

    fn every_number_arrives<T: Element>() {
        let numbers: Vec<T> = (0..1000).map(|i| T::of(f64::from(i))).collect();
        for set in InstructionSet::ALL {
            for length in [1, 5, 16, 63, 64, 65, 128, 200, 645] {
                for (skew, block) in (0..17).flat_map(|skew| [64, 192].map(|block| (skew, block))) {
                    let mut out = [T::of(-1.0); 700];
                    let (from, out_of) = (&numbers[..length], &mut out[skew..skew + length]);
                    set.run(Stream { from, out: out_of, block });
                    let (before, rest) = out.split_at(skew);
                    assert!(rest[..length] == numbers[..length], "{set:?} {length} {skew} {block}");
                    assert!(before.iter().chain(&rest[length..]).all(|&x| x == T::of(-1.0)));
                }
            }
        }
    }

    #[test]
    fn every_number_arrives_whatever_its_address() {
        every_number_arrives::<f32>();
        every_number_arrives::<f64>();
    }
}
