//! Numbers in whole cache lines: read from one each, and written past the caches where nobody reads them soon.

use super::vector::Vector;
use crate::element::Element;

/// Numbers of a block before its own: those of the last block that wait until the cache line which they begin is whole.
pub(crate) const EDGE: usize = 16;

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Numbers that begin with a cache line: a register is loaded from one, not from two.
pub(crate) struct Lines<T> {
    numbers: Vec<T>,
    start: usize,
    count: usize,
}

impl<T: Element> Lines<T> {
    pub fn zeros(count: usize) -> Self {
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

/// Copies numbers, register by register: a call would cost more than a block of them.
#[inline(always)]
pub(crate) fn copy<V: Vector>(from: &[V::Real], to: &mut [V::Real]) {
    let mut rest = to.chunks_exact_mut(V::LANES);
    for (to, from) in rest.by_ref().zip(from.chunks_exact(V::LANES)) {
        V::load(from).store(to);
    }
    let rest = rest.into_remainder();
    let done = from.len() - rest.len();
    rest.iter_mut().zip(&from[done..]).for_each(|(to, &from)| *to = from);
}

/// Writes `count` values, which stand behind an edge, to `out` from number `start` on. If they are streamed, a cache line
/// that they only begin waits in the edge for the next ones: half a line costs as much as two.
#[inline(always)]
pub(crate) fn write<V: Vector>(
    out: &mut [V::Real],
    start: usize,
    values: &mut [V::Real],
    count: usize,
    stream: bool,
) {
    let end = start + count;
    if !(stream && V::STREAMS) {
        return copy::<V>(&values[EDGE..][..count], &mut out[start..end]);
    }
    let line = LINE / size_of::<V::Real>();
    // Numbers before the first whole line; the address of numbers never lies between two of them.
    let skew = out.as_ptr().align_offset(LINE).min(out.len());
    // All whole lines of the first n numbers, and what is before them.
    let done = |n: usize| if n < skew { 0 } else { skew + (n - skew) / line * line };
    let is_last = end == out.len();
    let (mut at, to) = (done(start), done(end));
    if at == 0 && to > 0 {
        copy::<V>(&values[EDGE..][..skew], &mut out[..skew]);
        at = skew;
    }
    let whole = to.saturating_sub(at);
    if whole > 0 {
        V::stream(&values[EDGE + at - start..][..whole], &mut out[at..][..whole]);
        at += whole;
    }
    if is_last {
        copy::<V>(&values[EDGE + at - start..][..end - at], &mut out[at..]);
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
                write::<V>(self.out, i * self.block, &mut values, block.len(), true);
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
