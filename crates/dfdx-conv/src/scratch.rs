//! Work buffers that a thread keeps between calls, so that the inner loops never allocate.
//!
//! A convolution works through blocks of rows small enough for the second-level cache. Padded copies
//! of such a block live here; a fresh allocation for each would cost page faults.

use crate::Element;

/// Work buffers of one thread. What they hold between two uses is unspecified.
#[derive(Default)]
pub struct Scratch<E> {
    /// A zero-bordered copy of rows of the input.
    pub(crate) input: Vec<E>,
    /// A zero-bordered copy of rows of the output's gradient.
    pub(crate) gradient: Vec<E>,
    /// A matrix product on its way to its place.
    pub(crate) product: Vec<E>,
}

/// Runs `work` with this thread's buffers.
///
/// `work` must not hand tasks to rayon: a thread that waits for them may be given another task of
/// this crate, which would find its buffers taken.
pub(crate) fn with_scratch<E: Element, R>(work: impl FnOnce(&mut Scratch<E>) -> R) -> R {
    E::scratch().with_borrow_mut(work)
}

/// The first `len` elements of `buffer`, grown when it is too short, with unspecified contents.
pub(crate) fn reuse<E: Element>(buffer: &mut Vec<E>, len: usize) -> &mut [E] {
    if buffer.len() < len {
        buffer.resize(len, E::zero());
    }
    &mut buffer[..len]
}
