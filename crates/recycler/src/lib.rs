//! A memory allocator that reuses the memory of large blocks instead of returning it to the system.
//!
//! A model allocates and drops activations of some megabytes many times a second. The system hands out each one as fresh pages, and
//! clearing them took a third of a decode's time. A program that runs models makes this its global allocator; small blocks still go to the
//! system's.
//!
//! Large blocks lie in one range of addresses, reserved on the first large allocation. A block is cut from the smallest gap that it fits
//! in, or else from the unused end of the range with the gap before it, if there is one; then other gaps give back as much memory as the
//! block newly takes. A freed block is merged with the gaps beside it. So memory of an image's largest layers serves its smaller ones too,
//! and peak memory is little more than what was in use at once. Invariant: gaps hold at most `KEPT_BYTES` of
//! the system's memory (the count is an upper bound), and none after [`CachingAllocator::trim`].
//!
//! If there is no such range (on systems other than Linux, or under a limit on addresses), all blocks are the system's.

#![allow(unsafe_code, reason = "an allocator works with raw pointers; each block says why it is sound")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr::null_mut,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Blocks of at least this size are large.
const LARGE: usize = 128 << 10;
/// The size of blocks and gaps is a multiple of this.
const UNIT: usize = 64 << 10;
/// The most memory that gaps hold. Half of it was too little for a 512x512 decode in bfloat16, whose layers then cleared pages again.
const KEPT_BYTES: usize = if cfg!(miri) { 4 << 20 } else { 1 << 30 };
/// How much free memory at its end the system's allocator keeps. By default it gives back what exceeds 128 KiB, and a small model then asks for
/// fresh pages 16 times a step.
#[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
const KEPT_BY_SYSTEM: libc::c_int = 32 << 20;
/// The most gaps to keep track of. There are never more gaps than blocks, whose number is that of a model's tensors.
const GAPS: usize = 4096;
/// Sizes of the address range to try, until the system grants one; Miri has memory for all of them.
const RESERVED: [usize; 3] = if cfg!(miri) { [32 << 20; 3] } else { [1 << 40, 64 << 30, 8 << 30] };

/// Memory between blocks, in units.
#[derive(Clone, Copy)]
struct Gap {
    start: usize,
    length: usize,
    /// Upper bound of the memory that the system holds for this gap.
    held: usize,
}

struct Blocks {
    /// The range, aligned to a unit; null before the first block, or if there is no range.
    base: *mut u8,
    /// Units of the range; 0 if there is no range.
    units: usize,
    reserve_attempted: bool,
    /// Units from here on have never been used.
    end: usize,
    /// Ordered by address; no two gaps touch.
    gaps: [Gap; GAPS],
    count: usize,
    /// Units of memory that the gaps hold.
    held: usize,
    /// Blocks allocated so far, and the number of them at the last [`CachingAllocator::trim_if_idle`].
    allocated: u64,
    seen: u64,
    /// The number of them at the last [`CachingAllocator::trim`].
    trimmed: u64,
}

// SAFETY: the range belongs to no thread.
unsafe impl Send for Blocks {}

impl Blocks {
    fn reserve(&mut self) {
        self.reserve_attempted = true;
        #[cfg(target_os = "linux")]
        for bytes in RESERVED {
            // SAFETY: new addresses without memory; the result is checked. The advice does not change their contents.
            unsafe {
                let reserve = if cfg!(miri) { 0 } else { libc::MAP_NORESERVE };
                let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | reserve);
                let range = libc::mmap(null_mut(), bytes, protection, flags, -1, 0);
                if range != libc::MAP_FAILED {
                    #[cfg(not(miri))]
                    libc::madvise(range, bytes, libc::MADV_HUGEPAGE);
                    // Only with a range: this also stops the system's allocator from learning to reuse large blocks. It is in no call of this thread.
                    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
                    libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BY_SYSTEM);
                    // The system aligns to a page, which is smaller than the blocks' alignment.
                    let before = range.addr().next_multiple_of(UNIT) - range.addr();
                    (self.base, self.units) = (range.cast::<u8>().add(before), (bytes - before) / UNIT);
                    return;
                }
            }
        }
    }

    /// Allocates a block of `units` units; also returns whether it may contain a former block's data.
    fn allocate(&mut self, units: usize) -> Option<(*mut u8, bool)> {
        if !self.reserve_attempted {
            self.reserve();
        }
        self.allocated = self.allocated.wrapping_add(1);
        let best = (0..self.count).filter(|index| self.gaps[*index].length >= units).min_by_key(|index| self.gaps[*index].length);
        let (start, used) = if let Some(index) = best {
            let gap = &mut self.gaps[index];
            let start = gap.start;
            // Where in the gap its memory lies is unknown: assume that the rest holds as much as fits.
            let left = gap.held.min(gap.length - units);
            self.held -= gap.held - left;
            *gap = Gap { start: start + units, length: gap.length - units, held: left };
            if gap.length == 0 {
                self.remove_gap(index);
            }
            (start, true)
        } else {
            self.extend(units)?
        };
        // SAFETY: within the range.
        Some((unsafe { self.base.add(start * UNIT) }, used))
    }

    /// Takes a block that fits in no gap from the end of what has been used, including a gap there; also returns whether it may contain a
    /// former block's data. Other gaps give back as much memory as the block newly takes, so that a model whose layers grow holds little
    /// more than what is in use.
    fn extend(&mut self, units: usize) -> Option<(usize, bool)> {
        let last = self.count.checked_sub(1).filter(|last| self.gaps[*last].start + self.gaps[*last].length == self.end);
        let start = last.map_or(self.end, |last| self.gaps[last].start);
        if self.units - start < units {
            return None;
        }
        let mut new = units;
        if let Some(last) = last {
            new -= self.gaps[last].held;
            self.held -= self.gaps[last].held;
            self.remove_gap(last);
        }
        self.end = start + units;
        while new > 0
            && let Some(fullest) = self.fullest_gap()
        {
            new = new.saturating_sub(self.gaps[fullest].held);
            self.release(fullest);
        }
        Some((start, last.is_some()))
    }

    /// The gap that holds the most memory, unless none holds any.
    fn fullest_gap(&self) -> Option<usize> {
        (0..self.count).filter(|index| self.gaps[*index].held > 0).max_by_key(|index| self.gaps[*index].held)
    }

    fn remove_gap(&mut self, index: usize) {
        self.gaps.copy_within(index + 1..self.count, index);
        self.count -= 1;
    }

    /// Frees a block: makes it a gap, merged with its neighbours.
    fn free(&mut self, block: *mut u8, units: usize) {
        let start = (block.addr() - self.base.addr()) / UNIT;
        let mut gap = Gap { start, length: units, held: units };
        self.held += units;
        let mut at = self.gaps[..self.count].partition_point(|other| other.start < start);
        if at < self.count && self.gaps[at].start == start + units {
            gap = Gap { length: gap.length + self.gaps[at].length, held: gap.held + self.gaps[at].held, ..gap };
            self.remove_gap(at);
        }
        if at > 0 && self.gaps[at - 1].start + self.gaps[at - 1].length == start {
            at -= 1;
            let before = self.gaps[at];
            gap = Gap { start: before.start, length: before.length + gap.length, held: before.held + gap.held };
            self.remove_gap(at);
        }
        if self.count == GAPS {
            // Its addresses are lost, but its memory is not.
            self.give_back(gap);
            return;
        }
        self.gaps.copy_within(at..self.count, at + 1);
        self.gaps[at] = gap;
        self.count += 1;
        while self.held > KEPT_BYTES / UNIT
            && let Some(fullest) = self.fullest_gap()
        {
            self.release(fullest);
        }
    }

    /// Returns the memory of the gap at `index` to the system.
    fn release(&mut self, index: usize) {
        self.give_back(self.gaps[index]);
        self.gaps[index].held = 0;
    }

    fn give_back(&mut self, gap: Gap) {
        #[cfg(all(target_os = "linux", not(miri)))]
        // SAFETY: a gap is not in use.
        unsafe {
            libc::madvise(self.base.add(gap.start * UNIT).cast(), gap.length * UNIT, libc::MADV_DONTNEED);
        }
        self.held -= gap.held;
    }

    /// Whether a block lies in the range.
    fn has(&self, block: *mut u8) -> bool {
        block.addr().checked_sub(self.base.addr()).is_some_and(|offset| offset / UNIT < self.units)
    }
}

/// Gives back free pages of the system's allocator, which walks through all it has: not for every tick of an idle program.
fn trim_system() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: no call of the system's allocator is open in this thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The allocator: `#[global_allocator] static ALLOCATOR: CachingAllocator = CachingAllocator::new();`
pub struct CachingAllocator(Mutex<Blocks>);

impl std::fmt::Debug for CachingAllocator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recycler")
    }
}

impl Default for CachingAllocator {
    fn default() -> Self {
        Self::new()
    }
}

impl CachingAllocator {
    /// An allocator that keeps no memory yet.
    pub const fn new() -> Self {
        let none = Gap { start: 0, length: 0, held: 0 };
        let blocks = Blocks {
            base: null_mut(),
            units: 0,
            reserve_attempted: false,
            end: 0,
            gaps: [none; GAPS],
            count: 0,
            held: 0,
            allocated: 0,
            seen: 0,
            trimmed: 0,
        };
        Self(Mutex::new(blocks))
    }

    /// Bytes of memory kept for reuse.
    pub fn kept_bytes(&self) -> usize {
        self.blocks().held * UNIT
    }

    /// Returns the kept memory to the system, also what the system's own allocator keeps of small blocks: for an idle program.
    pub fn trim(&self) {
        let was_busy = {
            let mut blocks = self.blocks();
            let was_busy = blocks.held > 0 || blocks.trimmed != blocks.allocated;
            blocks.trimmed = blocks.allocated;
            for index in 0..blocks.count {
                if blocks.gaps[index].held > 0 {
                    blocks.release(index);
                }
            }
            was_busy
        };
        if was_busy {
            trim_system();
        }
    }

    /// [`Self::trim`], if no large block has been allocated since the last call: for a call every few seconds.
    pub fn trim_if_idle(&self) {
        let idle = {
            let mut blocks = self.blocks();
            let idle = blocks.seen == blocks.allocated;
            blocks.seen = blocks.allocated;
            idle
        };
        if idle {
            self.trim();
        }
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allocates a block of the range for a large layout; also returns whether it may contain a former block's data.
    fn allocate(&self, layout: Layout) -> Option<(*mut u8, bool)> {
        if layout.size() < LARGE || layout.align() > UNIT { None } else { self.blocks().allocate(layout.size().div_ceil(UNIT)) }
    }
}

// SAFETY: a block is cut from a gap or from the end, and no two overlap; the others are the system's, and are returned to it with the
// layout that they were allocated with. Nothing here allocates or panics.
unsafe impl GlobalAlloc for CachingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.allocate(layout) {
            Some((block, _)) => block,
            // SAFETY: the caller guarantees the layout.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above; the block is at least as long.
        unsafe {
            match self.allocate(layout) {
                Some((block, used)) => {
                    if used {
                        block.write_bytes(0, layout.size());
                    }
                    block
                }
                None => System.alloc_zeroed(layout),
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() >= LARGE {
            let mut blocks = self.blocks();
            if blocks.has(block) {
                return blocks.free(block, layout.size().div_ceil(UNIT));
            }
        }
        // SAFETY: the block was allocated there with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: guaranteed by the caller; a block that is or becomes large is moved by a copy, unless its number of units stays the same.
        unsafe {
            let Ok(new) = Layout::from_size_align(new_size, layout.align()) else { return null_mut() };
            if layout.size() < LARGE && new_size < LARGE {
                return System.realloc(block, layout, new_size);
            }
            let same = layout.size().div_ceil(UNIT) == new_size.div_ceil(UNIT);
            if same && layout.size().min(new_size) >= LARGE && self.blocks().has(block) {
                return block;
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 16).unwrap()
    }

    #[test]
    fn blocks_keep_their_contents() {
        let recycler = CachingAllocator::new();
        // SAFETY: every block is freed once, with its layout.
        unsafe {
            let small = recycler.alloc(layout(100));
            recycler.dealloc(small, layout(100));
            assert_eq!(recycler.kept_bytes(), 0);
            let first = recycler.alloc(layout(LARGE + 5));
            first.write_bytes(7, LARGE + 5);
            recycler.dealloc(first, layout(LARGE + 5));
            let again = recycler.alloc_zeroed(layout(LARGE + 900));
            assert!((0..LARGE + 900).step_by(if cfg!(miri) { 101 } else { 1 }).all(|index| *again.add(index) == 0));
            // Grow, shrink to a small block, and grow again: the contents stay.
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

    #[cfg(target_os = "linux")]
    #[test]
    fn gaps_serve_smaller_blocks_and_merge() {
        let recycler = CachingAllocator::new();
        let gaps = || recycler.blocks().count;
        // SAFETY: as above.
        unsafe {
            let blocks: Vec<*mut u8> = (0..6).map(|_| recycler.alloc(layout(4 * UNIT))).collect();
            for index in [1, 4, 2, 3] {
                recycler.dealloc(blocks[index], layout(4 * UNIT));
            }
            assert_eq!((gaps(), recycler.kept_bytes()), (1, 16 * UNIT));
            // Two are cut from the gap, and the third fits only at the end.
            let (half, rest) = (recycler.alloc(layout(8 * UNIT)), recycler.alloc(layout(8 * UNIT - 1)));
            assert_eq!((half, rest), (blocks[1], blocks[3]));
            let behind = recycler.alloc(layout(3 * UNIT));
            assert!(behind > blocks[5]);
            for (block, units) in [(half, 8), (rest, 8), (behind, 3), (blocks[0], 4), (blocks[5], 4)] {
                recycler.dealloc(block, layout(units * UNIT));
            }
            assert_eq!((gaps(), recycler.kept_bytes()), (1, 27 * UNIT));
            recycler.trim_if_idle();
            assert!(recycler.kept_bytes() > 0, "blocks were allocated since the last call");
            recycler.trim_if_idle();
            assert_eq!((gaps(), recycler.kept_bytes()), (1, 0));
        }
    }

    /// Layers that double: the memory of the smaller ones is not kept beside that of the larger ones.
    #[cfg(target_os = "linux")]
    #[test]
    fn growing_blocks_take_the_last_gap_and_empty_the_others() {
        let recycler = CachingAllocator::new();
        // SAFETY: as above.
        unsafe {
            let [first, between, last] = [4, 2, 4].map(|units| recycler.alloc(layout(units * UNIT)));
            recycler.dealloc(first, layout(4 * UNIT));
            recycler.dealloc(last, layout(4 * UNIT));
            assert_eq!(recycler.kept_bytes(), 8 * UNIT);
            // It lies where the last block was, and takes as much new memory as the first gap gives back.
            let larger = recycler.alloc(layout(8 * UNIT));
            assert_eq!((larger, recycler.kept_bytes()), (last, 0));
            // The first gap's addresses serve a smaller block.
            let smaller = recycler.alloc_zeroed(layout(3 * UNIT));
            assert_eq!((smaller, *smaller), (first, 0));
            for (block, units) in [(between, 2), (larger, 8), (smaller, 3)] {
                recycler.dealloc(block, layout(units * UNIT));
            }
            let blocks = recycler.blocks();
            assert_eq!((blocks.count, blocks.end), (1, 14));
        }
    }

    /// A long random sequence: no two blocks overlap, and gaps keep no more than the limit.
    #[test]
    fn blocks_never_overlap() {
        let recycler = CachingAllocator::new();
        let (mut live, mut state): (Vec<(*mut u8, usize, u8)>, u64) = (Vec::new(), 1);
        let (rounds, most) = if cfg!(miri) { (300, 30) } else { (4000_u32, 100) };
        for round in 0..rounds {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (state >> 33) as usize;
            // SAFETY: as above; each block's first and last byte hold its mark.
            unsafe {
                if random.is_multiple_of(2) && live.len() < most {
                    let size = LARGE / 2 + random % (4 * LARGE);
                    let block = recycler.alloc(layout(size));
                    let mark = round as u8;
                    block.write(mark);
                    block.add(size - 1).write(mark);
                    live.push((block, size, mark));
                } else if !live.is_empty() {
                    let (block, size, mark) = live.swap_remove(random % live.len());
                    assert_eq!((*block, *block.add(size - 1)), (mark, mark));
                    recycler.dealloc(block, layout(size));
                    assert!(recycler.kept_bytes() <= KEPT_BYTES);
                }
            }
        }
        for (block, size, _) in live {
            // SAFETY: as above.
            unsafe { recycler.dealloc(block, layout(size)) };
        }
    }

    #[test]
    fn blocks_are_aligned() {
        let recycler = CachingAllocator::new();
        for align in [16, 4096, UNIT, 4 * UNIT] {
            let layout = Layout::from_size_align(LARGE, align).unwrap();
            // SAFETY: as above.
            unsafe {
                let block = recycler.alloc(layout);
                assert!(block.addr().is_multiple_of(align), "{block:?} for {align}");
                recycler.dealloc(block, layout);
            }
        }
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let recycler = CachingAllocator::new();
        // SAFETY: as above; untouched memory costs nothing.
        unsafe {
            let blocks: Vec<*mut u8> = (0..3).map(|_| recycler.alloc(layout(KEPT_BYTES / 2))).collect();
            for block in blocks {
                recycler.dealloc(block, layout(KEPT_BYTES / 2));
                assert!(recycler.kept_bytes() <= KEPT_BYTES);
            }
        }
    }
}
