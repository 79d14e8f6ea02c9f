//! The gradient of a block on its way to where it is wanted, through the caches or [past](super::stream) them.

use super::block::{BlockKernel, PIXELS, Plane, steps};
use super::stream::{PlaneLines, Stream, whole_block};
use super::vector::{COLUMNS, Vector, quads};
use crate::element::Element;
use crate::tiles::TileMut;

/// Planes that are written side by side: what their pixels share is read once for all.
const TOGETHER: usize = 2;

/// What a kernel has left of the gradient.
pub(crate) struct Gradient<'a, T, K> {
    pub kernel: &'a K,
    pub z: &'a [Plane<T>],
    pub class: &'a Plane<T>,
}

impl<T: Element, K: BlockKernel<T>> Gradient<'_, T, K> {
    /// Writes it, from pixel number `start` of a tile on; `spare` has room for the rows of a block and [`COLUMNS`] numbers.
    #[inline(always)]
    pub fn write<V: Vector<Real = T>>(
        &self,
        out: &mut TileMut<'_, T>,
        start: usize,
        pixels: usize,
        spare: &mut [T],
    ) {
        match out {
            TileMut::Planes(planes) if pixels == PIXELS => {
                let (pairs, rest) = planes.as_chunks_mut::<TOGETHER>();
                let alone = pairs.len() * TOGETHER;
                for (i, [a, b]) in pairs.iter_mut().enumerate() {
                    self.planes::<V, _>(i * TOGETHER, [whole_block(a, start), whole_block(b, start)]);
                }
                for (i, plane) in rest.iter_mut().enumerate() {
                    self.planes::<V, _>(alone + i, [whole_block(plane, start)]);
                }
            }
            TileMut::Planes(planes) => {
                for (c, plane) in planes.iter_mut().enumerate() {
                    let mut whole = [T::zero(); PIXELS];
                    self.planes::<V, _>(c, [&mut whole]);
                    plane[start..].copy_from_slice(&whole[..pixels]);
                }
            }
            TileMut::Rows { values, classes } => {
                let rows = &mut values[start * *classes..];
                let is_inside = rows.len() >= PIXELS * *classes + COLUMNS;
                let to = if is_inside { &mut *rows } else { &mut *spare };
                for at in steps::<V>() {
                    self.rows::<V>(at, to);
                }
                if !is_inside {
                    let numbers = pixels * *classes;
                    rows[..numbers].copy_from_slice(&spare[..numbers]);
                }
            }
            TileMut::Nothing => {}
        }
    }

    /// The same past the caches, of one block after the other.
    #[inline(always)]
    pub fn stream<V: Vector<Real = T>>(
        &self,
        out: &mut TileMut<'_, T>,
        start: usize,
        pixels: usize,
        spare: &mut [T],
        stream: &mut Stream<T>,
    ) {
        // Another tile has begun the first line, and the last block may be short.
        if start == 0 || pixels < PIXELS {
            stream.flush(out, start);
            self.write::<V>(out, start, pixels, spare);
            if pixels == PIXELS {
                stream.take_up(out, PIXELS);
            }
            return;
        }
        match out {
            TileMut::Planes(planes) => {
                let (pairs, rest) = planes.as_chunks_mut::<TOGETHER>();
                let alone = pairs.len() * TOGETHER;
                let mut lines = stream.lines();
                let mut next = |plane| PlaneLines::new(plane, start, lines.next().unwrap_or_default());
                for (i, [a, b]) in pairs.iter_mut().enumerate() {
                    self.lines::<V, _>(i * TOGETHER, [next(a), next(b)]);
                }
                for (i, plane) in rest.iter_mut().enumerate() {
                    self.lines::<V, _>(alone + i, [next(plane)]);
                }
            }
            TileMut::Rows { values, classes } => {
                let first = start * *classes;
                for at in steps::<V>() {
                    self.rows::<V>(at, stream.rows(&values[..first]).1);
                    // A register is loaded faster once all that it is made of has arrived in the cache.
                    if let Some(before) = at.checked_sub(V::LANES) {
                        stream.send::<V>(values, first, before * *classes..at * *classes);
                    }
                }
                stream.send_later();
            }
            TileMut::Nothing => {}
        }
    }

    /// Where what is left of as many classes stands, and their numbers, from number `c` on.
    #[inline(always)]
    fn left<V: Vector<Real = T>, const N: usize>(&self, c: usize) -> ([&Plane<T>; N], [V; N]) {
        let z = &self.z[c..][..N];
        let (mut planes, mut numbers) = ([&z[0]; N], [V::splat(T::zero()); N]);
        for i in 0..N {
            planes[i] = &z[i];
            numbers[i] = V::splat(T::of_class((c + i) as u16));
        }
        (planes, numbers)
    }

    /// That of these classes, of the pixels from `at` on.
    #[inline(always)]
    fn classes<V: Vector<Real = T>, const N: usize>(
        &self,
        (z, numbers): ([&Plane<T>; N], [V; N]),
        at: usize,
    ) -> [V; N] {
        let label = V::load(&self.class[at..]);
        let mut x = numbers;
        for i in 0..N {
            x[i] = self.kernel.gradient(V::load(&z[i][at..]), label, numbers[i], at);
        }
        x
    }

    /// To planes.
    #[inline(always)]
    fn planes<V: Vector<Real = T>, const N: usize>(&self, c: usize, to: [&mut [T; PIXELS]; N]) {
        let left = self.left(c);
        for at in steps::<V>() {
            let x: [V; N] = self.classes(left, at);
            for i in 0..N {
                x[i].store(&mut to[i][at..]);
            }
        }
    }

    /// To the whole lines of planes, the first of which waits for the rest of its numbers.
    #[inline(always)]
    fn lines<V: Vector<Real = T>, const N: usize>(&self, c: usize, to: [PlaneLines<'_, T>; N]) {
        let (lanes, line) = (V::LANES, Stream::<T>::LINE);
        // Of each the last two registers of a line, or the only one.
        let last = line - lanes;
        let last_but_one = last.saturating_sub(lanes);
        let mut newer = [V::splat(T::zero()); N];
        let mut older = newer;
        for i in 0..N {
            newer[i] = V::load(&to[i].waiting[last..]);
            older[i] = V::load(&to[i].waiting[last_but_one..]);
        }
        let left = self.left(c);
        for at in steps::<V>() {
            let x: [V; N] = self.classes(left, at);
            for i in 0..N {
                let whole = match to[i].begun {
                    begun if lanes < line && begun >= lanes => newer[i].behind(older[i], begun - lanes),
                    begun => x[i].behind(newer[i], begun),
                };
                whole.stream(&mut to[i].lines[at..]);
                (older[i], newer[i]) = (newer[i], x[i]);
            }
        }
        for i in 0..N {
            older[i].store(&mut to[i].waiting[last_but_one..]);
            newer[i].store(&mut to[i].waiting[last..]);
        }
    }

    /// To rows of all classes, which need [`COLUMNS`] more numbers behind the last, and change none if there are as many
    /// classes: those of the pixels from `at` on.
    #[inline(always)]
    fn rows<V: Vector<Real = T>>(&self, at: usize, to: &mut [T]) {
        let classes = self.z.len();
        let label = V::load(&self.class[at..]);
        let rows = &mut to[at * classes..];
        for c in quads(classes) {
            let z = &self.z[c..];
            let columns = match z.first_chunk::<COLUMNS>() {
                Some(z) => self.columns(z, c, at, label),
                None => self.columns(z, c, at, label),
            };
            V::put_columns(columns, &mut rows[c..], classes);
        }
    }

    /// That of the classes from number `c` on, whose planes are `z`. Inlined where it is known how many there are, it is no
    /// loop.
    #[inline(always)]
    fn columns<V: Vector<Real = T>>(&self, z: &[Plane<T>], c: usize, at: usize, label: V) -> [V; COLUMNS] {
        let mut columns = [V::splat(T::zero()); COLUMNS];
        let first = V::splat(T::of_class(c as u16));
        for (i, (column, z)) in columns.iter_mut().zip(z).enumerate() {
            // A conversion of each would take longer than the gradient.
            let number = first + V::splat(T::of_class(i as u16));
            *column = self.kernel.gradient(V::load(&z[at..]), label, number, at);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::{Ahead, Planes};
    use super::super::instructions::{InstructionSet, Kernel};
    use super::*;
    use crate::layout::{Geometry, Layout};

    /// Leaves what it is given.
    struct Nothing;

    impl<T: Element> BlockKernel<T> for Nothing {
        fn block<V: Vector<Real = T>>(&mut self, _: Planes<'_, T>, _: &mut Ahead<'_, T>) -> bool {
            true
        }
    }

    /// A tile in the middle of an image, whose gradient is the place in memory, past the caches.
    struct Written<'a, T> {
        geometry: &'a Geometry,
        /// All of the image.
        memory: &'a mut [T],
        /// The pixels of the tile.
        tile: std::ops::Range<usize>,
    }

    impl<T: Element> Kernel<T> for Written<'_, T> {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector<Real = T>>(self) {
            let Self { geometry, memory, tile } = self;
            let Geometry { classes, pixels: all, .. } = *geometry;
            let (stride, pixel) = geometry.strides();
            let mut out = match geometry.layout {
                Layout::ChannelsFirst => {
                    TileMut::Planes(memory.chunks_mut(all).map(|plane| &mut plane[tile.clone()]).collect())
                }
                Layout::ChannelsLast => {
                    TileMut::Rows { values: &mut memory[tile.start * classes..tile.end * classes], classes }
                }
            };
            let mut stream = Stream::new(geometry);
            let mut spare = vec![T::zero(); classes * PIXELS + COLUMNS];
            for start in (0..tile.len()).step_by(PIXELS) {
                let pixels = PIXELS.min(tile.len() - start);
                let mut z = vec![Plane::of(T::zero()); classes];
                for (c, z) in z.iter_mut().enumerate() {
                    for (at, z) in z.iter_mut().enumerate() {
                        *z = T::of((c * stride + (tile.start + start + at) * pixel) as f64);
                    }
                }
                let class = Plane::of(T::zero());
                stream.catch_up::<V>(&mut out, start);
                let gradient = Gradient { kernel: &Nothing, z: &z, class: &class };
                gradient.stream::<V>(&mut out, start, pixels, &mut spare, &mut stream);
            }
            stream.finish::<V>(&mut out, tile.len());
        }
    }

    fn arrives_where_it_belongs<T: Element>(set: InstructionSet, layout: Layout) {
        for classes in [1, 2, 3, 4, 7] {
            for length in [1, 63, 64, 65, 128, 200, 256] {
                let (before, behind) = (11, 13);
                let shape = match layout {
                    Layout::ChannelsFirst => [1, classes, before + length + behind],
                    Layout::ChannelsLast => [1, before + length + behind, classes],
                };
                let geometry = Geometry::new("test", &shape, layout).unwrap();
                let numbers = classes * geometry.pixels;
                for place in 0..16 {
                    let mut memory = vec![T::of(-1.0); numbers + 16];
                    let memory = &mut memory[place..][..numbers];
                    let tile = before..before + length;
                    set.run(Written { geometry: &geometry, memory, tile: tile.clone() });
                    for (at, &x) in memory.iter().enumerate() {
                        let pixel = match layout {
                            Layout::ChannelsFirst => at % geometry.pixels,
                            Layout::ChannelsLast => at / classes,
                        };
                        let right = if tile.contains(&pixel) { at as f64 } else { -1.0 };
                        assert!(
                            x == T::of(right),
                            "{set:?}, {layout:?}, {classes} classes, {length} pixels, {place} numbers off: {at}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_passes_the_caches_arrives_where_it_belongs_and_nowhere_else() {
        // The portable registers never pass the caches.
        let sets = [InstructionSet::Avx2, InstructionSet::Avx512];
        for set in sets.into_iter().filter(|set| set.is_available()) {
            for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
                arrives_where_it_belongs::<f32>(set, layout);
                arrives_where_it_belongs::<f64>(set, layout);
            }
        }
    }
}
