//! An allocator that keeps large blocks for reuse.
//!
//! A training step allocates and frees the same hundred megabytes of images again and again. A general
//! allocator returns such blocks to the operating system, which clears them page by page before they can
//! be used anew: up to a quarter of a step's time. dfdx has a cache of its own against this, but tensors
//! made from a `Vec`, as all results of this crate are, only ever go into it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A global allocator, for a program that trains: the system's, but freed blocks of 256 KiB and more are
/// kept and handed out again. They are also aligned to 64 bytes, a cache line.
///
/// ```
/// use dfdx_conv::KeepLarge;
///
/// // Keep up to 4 GiB.
/// #[global_allocator]
/// static ALLOCATOR: KeepLarge = KeepLarge::new(4 << 30);
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct KeepLarge {
    limit: AtomicUsize,
    locked: AtomicBool,
    kept: UnsafeCell<Kept>,
}

// SAFETY: `kept` is reached only through `with_kept`, which holds the lock.
unsafe impl Sync for KeepLarge {}

/// The blocks at hand: a plain array, because an allocator cannot allocate.
#[derive(Debug)]
struct Kept {
    blocks: [(*mut u8, usize); Self::MOST],
    count: usize,
    bytes: usize,
}

impl Kept {
    const MOST: usize = 512;

    /// The most recently freed block of that size, the likeliest to be in cache still.
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        let place = self.blocks[..self.count].iter().rposition(|block| block.1 == size)?;
        let (block, _) = self.blocks[place];
        self.blocks.copy_within(place + 1..self.count, place);
        self.count -= 1;
        self.bytes -= size;
        Some(block)
    }

    /// Whether there was room for one more.
    fn put(&mut self, block: *mut u8, size: usize, limit: usize) -> bool {
        if self.count == Self::MOST || self.bytes + size > limit {
            return false;
        }
        self.blocks[self.count] = (block, size);
        self.count += 1;
        self.bytes += size;
        true
    }
}

/// Blocks from this size on are kept.
const LARGE: usize = 1 << 18;

/// The block that a large allocation gets: its size rounded up by at most an eighth, so that images of
/// similar sizes share blocks. `None` for what is not kept. A function of the layout alone, so that
/// freeing finds what allocating chose.
fn block(layout: Layout) -> Option<Layout> {
    const CACHE_LINE: usize = 64;
    if layout.size() < LARGE || layout.align() > CACHE_LINE {
        return None;
    }
    let step = 1 << (layout.size().ilog2() - 3);
    Layout::from_size_align(layout.size().checked_next_multiple_of(step)?, CACHE_LINE).ok()
}

impl KeepLarge {
    /// An allocator that keeps up to `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        let kept = Kept { blocks: [(std::ptr::null_mut(), 0); Kept::MOST], count: 0, bytes: 0 };
        Self { limit: AtomicUsize::new(limit), locked: AtomicBool::new(false), kept: UnsafeCell::new(kept) }
    }

    /// Keeps up to `limit` bytes from now on; what is kept beyond that stays until it is used again.
    pub fn set_limit(&self, limit: usize) {
        // A bound on memory, which orders nothing.
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn with_kept<R>(&self, action: impl FnOnce(&mut Kept) -> R) -> R {
        // A spin lock: `std`'s mutex may allocate. It is held for a search of a short array.
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            std::hint::spin_loop();
        }
        // SAFETY: the lock gives exclusive access until it is released below.
        let result = action(unsafe { &mut *self.kept.get() });
        self.locked.store(false, Ordering::Release);
        result
    }
}

// SAFETY: every block comes from `System` with the layout that `block` computes, is handed to one owner
// at a time (it leaves `kept` when handed out and enters it when freed), is at least as large and as
// aligned as asked for, and goes back to `System` with that same layout.
unsafe impl GlobalAlloc for KeepLarge {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(block) = block(layout) else {
            // SAFETY: the caller's promises are those that `System` asks for.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: `block` is not of size zero.
        self.with_kept(|kept| kept.take(block.size())).unwrap_or_else(|| unsafe { System.alloc(block) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(block) = block(layout) else {
            // SAFETY: the caller's promises are those that `System` asks for.
            return unsafe { System.alloc_zeroed(layout) };
        };
        match self.with_kept(|kept| kept.take(block.size())) {
            Some(memory) => {
                // SAFETY: the block is at least as large as `layout`.
                unsafe { memory.write_bytes(0, layout.size()) };
                memory
            }
            // SAFETY: `block` is not of size zero.
            None => unsafe { System.alloc_zeroed(block) },
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let actual = block(layout);
        if let Some(block) = actual
            && self.with_kept(|kept| kept.put(memory, block.size(), self.limit.load(Ordering::Relaxed)))
        {
            return;
        }
        // SAFETY: this is the layout that `alloc` used for `layout`.
        unsafe { System.dealloc(memory, actual.unwrap_or(layout)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_large_block_comes_back_and_is_zeroed_on_demand() {
        let keep = KeepLarge::new(1 << 24);
        let layout = Layout::array::<f32>(1 << 18).unwrap();
        // SAFETY: layouts are valid and not of size zero; each block is used while allocated only.
        unsafe {
            let first = keep.alloc(layout);
            assert_eq!(first.addr() % 64, 0);
            first.write_bytes(0xFF, layout.size());
            keep.dealloc(first, layout);
            let second = keep.alloc_zeroed(layout);
            assert_eq!(second, first);
            assert!(std::slice::from_raw_parts(second, layout.size()).iter().all(|byte| *byte == 0));
            // A slightly smaller request shares the block, a much smaller one does not.
            keep.dealloc(second, layout);
            let smaller = Layout::array::<f32>((1 << 18) - 100).unwrap();
            let third = keep.alloc(smaller);
            assert_eq!(third, first);
            keep.dealloc(third, smaller);
            let half = Layout::array::<f32>(1 << 17).unwrap();
            let fourth = keep.alloc(half);
            assert_ne!(fourth, first);
            keep.dealloc(fourth, half);
        }
    }

    #[test]
    fn no_more_than_the_limit_is_kept() {
        let keep = KeepLarge::new(3 << 20);
        let layout = Layout::array::<u8>(1 << 20).unwrap();
        // SAFETY: as above.
        unsafe {
            let blocks = [(); 5].map(|()| keep.alloc(layout));
            blocks.iter().for_each(|block| keep.dealloc(*block, layout));
        }
        assert_eq!(keep.with_kept(|kept| (kept.count, kept.bytes)), (3, 3 << 20));
        keep.set_limit(2 << 20);
        // SAFETY: as above.
        unsafe {
            let blocks = [(); 3].map(|()| keep.alloc(layout));
            blocks.iter().for_each(|block| keep.dealloc(*block, layout));
        }
        assert_eq!(keep.with_kept(|kept| (kept.count, kept.bytes)), (2, 2 << 20));
    }
}
