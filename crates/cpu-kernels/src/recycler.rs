//! A memory allocator that keeps a few large blocks instead of giving them back.
//!
//! A model makes and drops activations of some megabytes many times a second. The system hands each out as fresh pages, and clearing
//! them took a third of a decode's time. A program that runs models makes this its global allocator; small blocks go to the system's
//! as ever.
//!
//! Sizes are rounded up to one of eight in each power of two, so that a block's real size follows from what was asked for. The invariant:
//! at most [`KEPT_BYTES`] are kept, the longest unused go first.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr::null_mut,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::scratch::in_huge_pages;

/// Blocks from this size on are kept.
const LARGE: usize = 1 << 20;
/// How much is kept at most: two of the largest activations of a 512x512 decode in bfloat16.
const KEPT_BYTES: usize = 288 << 20;
/// How many blocks are kept at most.
const SLOTS: usize = 64;

/// A block that nobody uses.
#[derive(Clone, Copy)]
struct Slot {
    start: *mut u8,
    layout: Layout,
}

/// The blocks, the longest unused first.
struct Kept {
    slots: [Slot; SLOTS],
    count: usize,
    bytes: usize,
}

// SAFETY: a kept block belongs to nobody else, whichever thread dropped it.
unsafe impl Send for Kept {}

impl Kept {
    fn remove(&mut self, index: usize) -> Slot {
        let slot = self.slots[index];
        self.slots.copy_within(index + 1..self.count, index);
        self.count -= 1;
        self.bytes -= slot.layout.size();
        slot
    }

    /// The block of that layout that was used last.
    fn take(&mut self, layout: Layout) -> Option<*mut u8> {
        let index = self.slots[..self.count].iter().rposition(|slot| slot.layout == layout)?;
        Some(self.remove(index).start)
    }
}

/// The allocator: `#[global_allocator] static ALLOCATOR: Recycler = Recycler::new();`
pub struct Recycler(Mutex<Kept>);

impl std::fmt::Debug for Recycler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recycler")
    }
}

impl Default for Recycler {
    fn default() -> Self {
        Self::new()
    }
}

impl Recycler {
    /// With nothing kept.
    pub const fn new() -> Self {
        let empty = Slot { start: null_mut(), layout: Layout::new::<u8>() };
        Self(Mutex::new(Kept { slots: [empty; SLOTS], count: 0, bytes: 0 }))
    }

    /// Bytes that are kept for later.
    pub fn kept_bytes(&self) -> usize {
        self.kept().bytes
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The layout that a large block really has; `None` for a small one, or one too large to round.
    fn class(layout: Layout) -> Option<Layout> {
        if layout.size() < LARGE {
            return None;
        }
        let step = layout.size().checked_next_power_of_two()? / 16;
        Layout::from_size_align(layout.size().checked_next_multiple_of(step)?, layout.align()).ok()
    }
}

// SAFETY: blocks come from the system's allocator and go back to it with the layout that they came with, which follows from the layout
// that was asked for; a kept block is handed out once. Nothing here allocates or panics.
unsafe impl GlobalAlloc for Recycler {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches for the layout; a class is no smaller.
        unsafe {
            let Some(class) = Self::class(layout) else { return System.alloc(layout) };
            if let Some(start) = self.kept().take(class) {
                return start;
            }
            let start = System.alloc(class);
            if !start.is_null() {
                in_huge_pages(start, start.add(class.size()));
            }
            start
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            let Some(class) = Self::class(layout) else { return System.alloc_zeroed(layout) };
            if let Some(start) = self.kept().take(class) {
                start.write_bytes(0, layout.size());
                return start;
            }
            System.alloc_zeroed(class)
        }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the block came from `alloc` with this layout, so it has the class's.
        unsafe {
            let Some(class) = Self::class(layout) else { return System.dealloc(start, layout) };
            if class.size() > KEPT_BYTES {
                return System.dealloc(start, class);
            }
            let mut kept = self.kept();
            while kept.count == SLOTS || kept.bytes + class.size() > KEPT_BYTES {
                let oldest = kept.remove(0);
                System.dealloc(oldest.start, oldest.layout);
            }
            let count = kept.count;
            kept.slots[count] = Slot { start, layout: class };
            kept.count += 1;
            kept.bytes += class.size();
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as the caller vouches; blocks change between small and large, or from class to class, by a copy.
        unsafe {
            let Ok(new) = Layout::from_size_align(new_size, layout.align()) else { return null_mut() };
            match (Self::class(layout), Self::class(new)) {
                (None, None) => System.realloc(start, layout, new_size),
                (Some(old_class), Some(new_class)) if old_class == new_class => start,
                (Some(old_class), Some(new_class)) => System.realloc(start, old_class, new_class.size()),
                _ => {
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(start, layout.size().min(new_size));
                        self.dealloc(start, layout);
                    }
                    moved
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn large_blocks_come_back_and_small_ones_go() {
        let recycler = Recycler::new();
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        // SAFETY: every block is given back once, with the layout that it was asked for.
        unsafe {
            let small = recycler.alloc(layout(100));
            recycler.dealloc(small, layout(100));
            assert_eq!(recycler.kept_bytes(), 0);
            let first = recycler.alloc(layout(LARGE + 5));
            first.write_bytes(7, LARGE + 5);
            recycler.dealloc(first, layout(LARGE + 5));
            assert!(recycler.kept_bytes() > LARGE);
            // The same class of sizes, zeroed.
            let again = recycler.alloc_zeroed(layout(LARGE + 900));
            assert_eq!((again, recycler.kept_bytes()), (first, 0));
            assert!((0..LARGE + 900).all(|index| *again.add(index) == 0));
            // Grown past its class, and shrunk to a small one: what it held stays.
            again.add(99).write(3);
            let grown = recycler.realloc(again, layout(LARGE + 900), 5 * LARGE);
            assert_eq!(*grown.add(99), 3);
            let shrunk = recycler.realloc(grown, layout(5 * LARGE), 100);
            assert_eq!(*shrunk.add(99), 3);
            let regrown = recycler.realloc(shrunk, layout(100), 2 * LARGE);
            assert_eq!(*regrown.add(99), 3);
            recycler.dealloc(regrown, layout(2 * LARGE));
        }
    }

    #[test]
    fn no_more_is_kept_than_is_said() {
        let recycler = Recycler::new();
        let layout = |size| Layout::from_size_align(size, 64).unwrap();
        let sizes: Vec<usize> = (0..200).map(|index| LARGE + index * 70_001).collect();
        // SAFETY: as above.
        unsafe {
            let blocks: Vec<*mut u8> = sizes.iter().map(|size| recycler.alloc(layout(*size))).collect();
            for (block, size) in blocks.into_iter().zip(&sizes) {
                recycler.dealloc(block, layout(*size));
                assert!(recycler.kept_bytes() <= KEPT_BYTES);
            }
            let huge = recycler.alloc(layout(KEPT_BYTES + 1));
            recycler.dealloc(huge, layout(KEPT_BYTES + 1));
            assert!(recycler.kept_bytes() > 0);
            while recycler.0.lock().unwrap().count > 0 {
                let slot = recycler.kept().remove(0);
                System.dealloc(slot.start, slot.layout);
            }
        }
    }
}
