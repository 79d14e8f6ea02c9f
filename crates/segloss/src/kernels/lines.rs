//! Numbers in whole cache lines: a register is loaded from one, not from two.

use crate::element::Element;

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Numbers that begin with a cache line.
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
