//! A gradient on its way past the caches.
//!
//! A store into a line that is not in the cache reads the line first; one past the caches does not, if whole lines are
//! written: a third of all that is moved. But the gradient of a block begins anywhere in a line. What has begun a line
//! waits here for the next block to fill it.

use super::block::PIXELS;
use super::lines::{LINE, Lines};
use super::vector::{COLUMNS, Vector};
use crate::element::Element;
use crate::layout::{Geometry, Layout};
use crate::tiles::TileMut;
use std::ops::Range;

/// Bytes of logits from which their gradient passes the caches: a smaller one is still there when somebody reads it.
const LARGE: usize = 16 << 20;

/// Classes of rows that are worth being staged.
const LONG_ROW: usize = 16;

/// The last numbers of a tile's gradient so far.
pub(crate) struct Stream<T> {
    /// Of planes, the last line of each. Of rows a line's worth, and behind it room for those of a block: so placed that
    /// what begins a line in memory begins one here.
    numbers: Lines<T>,
    /// Whether the rows of the last pixels of a block have not been sent.
    is_behind: bool,
}

impl<T: Element> Stream<T> {
    /// Numbers of a line.
    pub const LINE: usize = LINE / size_of::<T>();

    /// If that is the better way for such an input on this machine.
    ///
    /// Measured, beside stores into lines that were asked for in time: on a Zen 4 planes of a large input take 10 to 35 % less
    /// time. Rows, which are staged, take up to 15 % less where they are long and computed faster than the lines arrive, else
    /// up to 25 % more. On a Xeon with AVX-512 all took 20 % more. SSE4a is what AMD's processors have, and no others.
    pub fn if_better<V: Vector<Real = T>>(geometry: &Geometry) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        let is_better = V::STREAMS && is_x86_feature_detected!("sse4a");
        #[cfg(not(target_arch = "x86_64"))]
        let is_better = false;
        let is_large = geometry.images * geometry.pixels * geometry.classes * size_of::<T>() >= LARGE;
        let is_worth_it = match geometry.layout {
            Layout::ChannelsFirst => true,
            Layout::ChannelsLast => V::HURRIES && geometry.classes >= LONG_ROW,
        };
        (is_better && is_large && is_worth_it).then(|| Self::new(geometry))
    }

    /// For the gradient of a tile.
    pub fn new(geometry: &Geometry) -> Self {
        let numbers = match geometry.layout {
            Layout::ChannelsFirst => geometry.classes * Self::LINE,
            // Two lines, as the first is seldom whole; and a transpose reaches beyond the last row.
            Layout::ChannelsLast => 2 * Self::LINE + geometry.classes * PIXELS + COLUMNS,
        };
        Self { numbers: Lines::zeros(numbers), is_behind: false }
    }

    /// The last line of each plane.
    #[inline(always)]
    pub fn lines(&mut self) -> impl Iterator<Item = &mut [T]> {
        self.numbers.chunks_exact_mut(Self::LINE)
    }

    /// The last line's worth of rows, and room for those of a block behind these in memory.
    #[inline(always)]
    pub fn rows(&mut self, before: &[T]) -> (&mut [T], &mut [T]) {
        self.numbers[begun(before)..].split_at_mut(Self::LINE)
    }

    /// Sends some numbers of the rows of a block, which begins with number `first` of the tile: whole registers, in order,
    /// a part of a line less than were staged.
    #[inline(always)]
    pub fn send<V: Vector<Real = T>>(&self, tile: &mut [T], first: usize, numbers: Range<usize>) {
        let begun = begun(&tile[..first]);
        let to = &mut tile[first - begun..];
        // What begins a line there begins one here.
        let from = &self.numbers[Self::LINE..];
        for at in numbers.step_by(V::LANES) {
            V::load(&from[at..]).stream(&mut to[at..]);
        }
    }

    /// Leaves the rows of the last pixels, which have just been staged, to [`catch_up`](Self::catch_up).
    #[inline(always)]
    pub fn send_later(&mut self) {
        self.is_behind = true;
    }

    /// Sends what was left when pixel number `start` of the tile had been reached.
    #[inline(always)]
    pub fn catch_up<V: Vector<Real = T>>(&mut self, out: &mut TileMut<'_, T>, start: usize) {
        if let (true, TileMut::Rows { values, classes }) = (self.is_behind, out) {
            let (classes, first) = (*classes, (start - PIXELS) * *classes);
            self.send::<V>(values, first, (PIXELS - V::LANES) * classes..PIXELS * classes);
            let begun = begun(&values[..first]);
            self.numbers.copy_within(begun + PIXELS * classes..begun + PIXELS * classes + Self::LINE, begun);
            self.is_behind = false;
        }
    }

    /// Writes what is left at the end of a tile.
    #[inline(always)]
    pub fn finish<V: Vector<Real = T>>(&mut self, out: &mut TileMut<'_, T>, pixels: usize) {
        let whole = pixels - pixels % PIXELS;
        self.catch_up::<V>(out, whole);
        self.flush(out, whole);
    }

    /// Writes the numbers before pixel number `end` that have begun a line.
    pub fn flush(&mut self, out: &mut TileMut<'_, T>, end: usize) {
        self.each(out, end, |before, waiting| {
            let begun = begun(before).min(before.len());
            let at = before.len() - begun;
            before[at..].copy_from_slice(&waiting[Self::LINE - begun..]);
        });
    }

    /// Takes up the numbers before pixel number `end`, of which there must be a line.
    pub fn take_up(&mut self, out: &mut TileMut<'_, T>, end: usize) {
        self.each(out, end, |before, waiting| waiting.copy_from_slice(&before[before.len() - Self::LINE..]));
    }

    /// Does something with all numbers before pixel number `end`, and with what waits of them: plane after plane.
    fn each(&mut self, out: &mut TileMut<'_, T>, end: usize, mut f: impl FnMut(&mut [T], &mut [T])) {
        match out {
            TileMut::Planes(planes) => {
                planes
                    .iter_mut()
                    .zip(self.lines())
                    .for_each(|(plane, waiting)| f(&mut plane[..end], waiting));
            }
            TileMut::Rows { values, classes } => {
                let rows = &mut values[..end * *classes];
                let (waiting, _) = self.rows(rows);
                f(rows, waiting);
            }
            TileMut::Nothing => {}
        }
    }
}

/// A block of a plane on its way past the caches.
pub(crate) struct PlaneLines<'a, T> {
    /// From the line on in which it begins.
    pub lines: &'a mut [T; PIXELS],
    /// How many numbers have begun that line.
    pub begun: usize,
    /// The line that ends with them, and between two blocks what waits for the rest of its line.
    pub waiting: &'a mut [T],
}

impl<'a, T> PlaneLines<'a, T> {
    /// A block that begins with pixel number `start` of the tile.
    #[inline(always)]
    pub fn new(plane: &'a mut [T], start: usize, waiting: &'a mut [T]) -> Self {
        let begun = begun(&plane[..start]);
        Self { lines: whole_block(plane, start - begun), begun, waiting }
    }
}

/// As many numbers from number `start` on as a block has pixels.
///
/// # Panics
/// If there are fewer.
#[inline(always)]
pub(crate) fn whole_block<T, const P: usize>(plane: &mut [T], start: usize) -> &mut [T; P] {
    plane[start..].first_chunk_mut().expect("a whole block is written")
}

/// How many numbers stand in a line before what follows these.
#[inline(always)]
fn begun<T>(before: &[T]) -> usize {
    before.as_ptr_range().end.addr() % LINE / size_of::<T>()
}
