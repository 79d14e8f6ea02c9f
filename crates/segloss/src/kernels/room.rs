//! Blocks of pixels on their way from the logits to a kernel, and on to the gradient.
//!
//! Whatever the layout, a block is copied in, computed and copied out: planes of large images lie whole powers of two
//! apart, where a cache would hold few of them at once.

use super::block::{Ahead, BlockKernel, PIXELS, Plane, Planes, Turns, no_class, steps};
use super::gradient::Gradient;
use super::stream::Stream;
use super::vector::{COLUMNS, Vector, quads};
use crate::element::Element;
use crate::layout::{Geometry, Layout};
use crate::tiles::TileMut;

/// The room that a block needs.
pub(crate) struct Room<T> {
    class: Plane<T>,
    m: Plane<T>,
    largest: Plane<T>,
    loss: Vec<Plane<T>>,
    /// The planes of the classes.
    z: Vec<Plane<T>>,
    /// A block as memory has it, where it is not whole, or where a transpose would reach beyond its end.
    spare: Vec<T>,
    none: T,
    /// Where the gradient is written past the caches.
    stream: Option<Stream<T>>,
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
    /// With `losses` losses for each pixel; for registers and a kernel of a kind.
    pub fn new<V: Vector<Real = T>, K: BlockKernel<T>>(geometry: &Geometry, losses: usize) -> Self {
        let classes = geometry.classes;
        let zeros = Plane::of(T::zero());
        Self {
            class: zeros,
            m: Plane::of(T::one()),
            largest: zeros,
            loss: vec![zeros; losses],
            z: vec![zeros; classes],
            spare: vec![T::zero(); classes * PIXELS + COLUMNS],
            none: T::of(no_class(classes) as f64),
            stream: if K::IS_READ_SOON { None } else { Stream::if_better::<V>(geometry) },
        }
    }

    /// Takes up a block, and returns where the classes of its pixels are to be written: none counts so far.
    #[inline(always)]
    pub fn start(&mut self, pixels: usize) -> &mut [T] {
        if pixels < PIXELS {
            self.class.fill(self.none);
        }
        &mut self.class[..pixels]
    }

    /// Takes the weight of each pixel from a map, if there is one: 1 without, and 0 of a pixel that does not count.
    #[inline(always)]
    pub fn weigh<V: Vector<Real = T>>(&mut self, map: Option<&[T]>) {
        if let Some(map) = map {
            self.m[..map.len()].copy_from_slice(map);
        }
        for at in steps::<V>() {
            let counts = V::load(&self.class[at..]).differs(V::splat(self.none));
            // In a map, what does not count may be anything.
            let m = if map.is_some() { V::load(&self.m[at..]) } else { V::splat(T::one()) };
            V::select(counts, m, V::splat(T::zero())).store(&mut self.m[at..]);
        }
    }

    /// Where what is read next lies, while a block is computed whose gradient begins at pixel number `start` of a tile: the
    /// block behind it, or of planes whose registers [hurry](Vector::HURRIES) the one behind that.
    #[inline(always)]
    pub fn ahead<'a, V: Vector<Real = T>>(
        &self,
        logits: &'a [T],
        place: Place<'_>,
        out: &'a TileMut<'_, T>,
        start: usize,
    ) -> Ahead<'a, T> {
        let Place { geometry, offset, .. } = place;
        let (stride, pixel) = geometry.strides();
        let in_turn = V::HURRIES && geometry.layout == Layout::ChannelsFirst;
        let distance = if in_turn { 2 * PIXELS } else { PIXELS };
        let ahead = |numbers: &'a [T], first: usize| &numbers[numbers.len().min(first + distance * pixel)..];
        let from = ahead(logits, offset);
        let to = match out {
            _ if self.stream.is_some() => None,
            TileMut::Planes(planes) => Some(ahead(planes[0], start)),
            TileMut::Rows { values, classes } => Some(ahead(values, start * classes)),
            TileMut::Nothing => None,
        };
        let stride = match geometry.layout {
            Layout::ChannelsFirst => stride,
            Layout::ChannelsLast => PIXELS,
        };
        let planes = geometry.classes;
        let turns = in_turn.then_some(Turns { planes, left: planes, line: 0 });
        Ahead { from, to, stride, next: 0, turns }
    }

    /// Copies the logits in, those of pixels that do not count as 0, and finds the largest of each pixel.
    #[inline(always)]
    pub fn read<V: Vector<Real = T>>(&mut self, logits: &[T], place: Place<'_>, shift: &[T]) {
        let Place { geometry, offset, pixels } = place;
        let classes = geometry.classes;
        let Self { z, spare, .. } = self;
        let logits = &logits[offset..];
        let mut reader =
            Reader { z, largest: &mut self.largest, class: &self.class, none: V::splat(self.none) };
        match geometry.layout {
            Layout::ChannelsFirst if pixels == PIXELS => reader.planes(logits, geometry.pixels),
            Layout::ChannelsFirst => {
                let planes = logits.chunks(geometry.pixels);
                for (plane, from) in spare.chunks_exact_mut(PIXELS).zip(planes).take(classes) {
                    plane[..pixels].copy_from_slice(&from[..pixels]);
                }
                reader.planes(spare, PIXELS);
            }
            Layout::ChannelsLast if pixels == PIXELS && logits.len() >= PIXELS * classes + COLUMNS => {
                reader.rows(logits);
            }
            Layout::ChannelsLast => {
                spare[..pixels * classes].copy_from_slice(&logits[..pixels * classes]);
                reader.rows(spare);
            }
        }
        if !shift.is_empty() {
            reader.shift(shift);
        }
    }

    /// What a kernel is given.
    #[inline(always)]
    pub fn planes(&mut self) -> Planes<'_, T> {
        let Self { class, m, largest, loss, z, .. } = self;
        Planes { class, m, largest, loss, z }
    }

    /// The weighted losses of the pixels, channel by channel.
    pub fn losses(&self, pixels: usize) -> impl Iterator<Item = &[T]> {
        self.loss.iter().map(move |losses| &losses[..pixels])
    }

    /// Sends what was left of the gradient of the last block, when pixel number `start` of the tile is reached.
    #[inline(always)]
    pub fn catch_up<V: Vector<Real = T>>(&mut self, out: &mut TileMut<'_, T>, start: usize) {
        if let Some(stream) = &mut self.stream {
            stream.catch_up::<V>(out, start);
        }
    }

    /// Writes what is left of the gradient at the end of a tile.
    #[inline(always)]
    pub fn finish<V: Vector<Real = T>>(&mut self, out: &mut TileMut<'_, T>, pixels: usize) {
        if let Some(stream) = &mut self.stream {
            stream.finish::<V>(out, pixels);
        }
    }

    /// Copies the gradient out, from pixel number `start` of the tile on.
    #[inline(always)]
    pub fn write<V: Vector<Real = T>>(
        &mut self,
        kernel: &impl BlockKernel<T>,
        out: &mut TileMut<'_, T>,
        start: usize,
        pixels: usize,
    ) {
        let Self { z, spare, class, stream, .. } = self;
        let gradient = Gradient { kernel, z, class };
        match stream {
            Some(stream) => gradient.stream::<V>(out, start, pixels, spare, stream),
            None => gradient.write::<V>(out, start, pixels, spare),
        }
    }
}

/// Planes that are read side by side: as many lines at the same place of a page as the first cache surely holds.
const TOGETHER: usize = 4;

/// Where logits are read to.
struct Reader<'a, V: Vector> {
    z: &'a mut [Plane<V::Real>],
    largest: &'a mut Plane<V::Real>,
    class: &'a Plane<V::Real>,
    none: V,
}

impl<V: Vector> Reader<'_, V> {
    /// From planes, `stride` apart.
    #[inline(always)]
    fn planes(&mut self, logits: &[V::Real], stride: usize) {
        let Self { z, largest, class, none } = self;
        largest.fill(num_traits::Float::min_value());
        let (fours, rest) = z.as_chunks_mut::<TOGETHER>();
        let alone = fours.len() * TOGETHER;
        for (i, z) in fours.iter_mut().enumerate() {
            let from = std::array::from_fn(|c| plane(logits, (i * TOGETHER + c) * stride));
            together(from, z, largest, class, *none);
        }
        for (c, z) in rest.iter_mut().enumerate() {
            let from = [plane(logits, (alone + c) * stride)];
            together(from, std::array::from_mut(z), largest, class, *none);
        }
    }

    /// From rows of all classes; [`COLUMNS`] more numbers follow the last.
    #[inline(always)]
    fn rows(&mut self, logits: &[V::Real]) {
        let classes = self.z.len();
        for at in steps::<V>() {
            let counts = V::load(&self.class[at..]).differs(self.none);
            let rows = &logits[at * classes..];
            let mut largest = V::splat(num_traits::Float::min_value());
            for c in quads(classes) {
                let columns = V::columns(&rows[c..], classes);
                let z = &mut self.z[c..];
                match z.first_chunk_mut::<COLUMNS>() {
                    Some(z) => take_in(columns, z, at, counts, &mut largest),
                    None => take_in(columns, z, at, counts, &mut largest),
                }
            }
            largest.store(&mut self.largest[at..]);
        }
    }

    /// Takes a threshold of each class off.
    #[inline(always)]
    fn shift(&mut self, shift: &[V::Real]) {
        for at in steps::<V>() {
            let mut largest = V::splat(num_traits::Float::min_value());
            for (z, &shift) in self.z.iter_mut().zip(shift) {
                let x = V::load(&z[at..]) - V::splat(shift);
                x.store(&mut z[at..]);
                largest = largest.max(x);
            }
            largest.store(&mut self.largest[at..]);
        }
    }
}

/// Puts columns where their planes have them, and finds the largest of what was known and of theirs. Inlined where it is
/// known how many planes there are, it is no loop.
#[inline(always)]
fn take_in<V: Vector>(
    columns: [V; COLUMNS],
    z: &mut [Plane<V::Real>],
    at: usize,
    counts: V::Mask,
    largest: &mut V,
) {
    for (x, z) in columns.into_iter().zip(z) {
        let x = V::select(counts, x, V::splat(V::Real::of(0.0)));
        x.store(&mut z[at..]);
        *largest = largest.max(x);
    }
}

/// The pixels of a block from logit number `start` on.
///
/// # Panics
/// If there are fewer.
#[inline(always)]
fn plane<T>(logits: &[T], start: usize) -> &[T; PIXELS] {
    logits[start..].first_chunk().expect("a whole block was asked for")
}

/// Copies planes in, and finds the largest of what was known and of theirs.
#[inline(always)]
fn together<V: Vector, const N: usize>(
    from: [&[V::Real; PIXELS]; N],
    z: &mut [Plane<V::Real>; N],
    largest: &mut Plane<V::Real>,
    class: &Plane<V::Real>,
    none: V,
) {
    for at in steps::<V>() {
        let counts = V::load(&class[at..]).differs(none);
        let mut max = V::load(&largest[at..]);
        for (z, from) in z.iter_mut().zip(from) {
            let x = V::select(counts, V::load(&from[at..]), V::splat(V::Real::of(0.0)));
            x.store(&mut z[at..]);
            max = max.max(x);
        }
        max.store(&mut largest[at..]);
    }
}
