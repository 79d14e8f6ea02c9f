//! Writing an operation's result in parallel, chunk by chunk.
//!
//! The chunks are a function of shapes alone. Which thread takes which one never matters.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::Element;

/// A vector that consists of one chunk for each of `lengths`. `fill(i, chunk)` gets every chunk once,
/// **zeroed**, on some thread.
///
/// A chunk is zeroed by the task that fills it, just before: so the zeros are written to cache and not
/// to memory, and the page faults of a fresh allocation are shared out among the threads.
pub(crate) fn build<E: Element>(lengths: &[usize], fill: impl Fn(usize, &mut [E]) + Sync) -> Vec<E> {
    let len = lengths.iter().sum();
    let mut vec = Vec::with_capacity(len);
    split(&mut vec.spare_capacity_mut()[..len], lengths)
        .into_par_iter()
        .enumerate()
        .for_each(|(i, chunk)| fill(i, zeroed(chunk)));
    // SAFETY: the capacity is at least `len`, and the chunks, which cover the first `len` elements,
    // have all been initialised by `zeroed` (a panic in `fill` does not get as far as this line).
    unsafe { vec.set_len(len) };
    vec
}

/// Calls `update(i, chunk)` for each of the consecutive chunks of `buffer` with the given lengths.
pub(crate) fn update<E: Element>(
    buffer: &mut [E],
    lengths: &[usize],
    update: impl Fn(usize, &mut [E]) + Sync,
) {
    split(buffer, lengths).into_par_iter().enumerate().for_each(|(i, chunk)| update(i, chunk));
}

/// `items` things of `item_len` elements each, cut into runs of a few tens of thousands of elements.
pub(crate) struct Runs {
    items: usize,
    item_len: usize,
    per_run: usize,
}

impl Runs {
    pub(crate) fn new(items: usize, item_len: usize) -> Self {
        // Enough work to outweigh handing it to a thread, small enough to stay in the L2 cache.
        const ELEMENTS: usize = 1 << 15;
        Self { items, item_len, per_run: (ELEMENTS / item_len.max(1)).max(1) }
    }

    /// Elements in each run, for [`build`] and [`update`].
    pub(crate) fn lengths(&self) -> Vec<usize> {
        (0..self.count()).map(|run| self.items(run).len() * self.item_len).collect()
    }

    /// The items of one run.
    pub(crate) fn items(&self, run: usize) -> Range<usize> {
        run * self.per_run..((run + 1) * self.per_run).min(self.items)
    }

    /// The elements of one run.
    pub(crate) fn elements(&self, run: usize) -> Range<usize> {
        let items = self.items(run);
        items.start * self.item_len..items.end * self.item_len
    }

    /// How many runs there are.
    pub(crate) fn count(&self) -> usize {
        self.items.div_ceil(self.per_run)
    }
}

fn split<'a, V>(mut rest: &'a mut [V], lengths: &[usize]) -> Vec<&'a mut [V]> {
    let mut chunks = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let (chunk, after) = rest.split_at_mut(length);
        chunks.push(chunk);
        rest = after;
    }
    assert!(rest.is_empty(), "the chunks must cover everything");
    chunks
}

/// Writes zeros into uninitialised memory.
fn zeroed<E: Element>(chunk: &mut [MaybeUninit<E>]) -> &mut [E] {
    chunk.fill(MaybeUninit::new(E::zero()));
    // SAFETY: every element has just been initialised, and `MaybeUninit<E>` has the layout of `E`.
    unsafe { &mut *(std::ptr::from_mut(chunk) as *mut [E]) }
}
