//! A memory allocator that hands large blocks' memory on instead of giving it back.
//!
//! A model makes and drops activations of some megabytes many times a second. The system hands each out as fresh pages, and clearing
//! them took a third of a decode's time. A program that runs models makes this its global allocator; small blocks go to the system's
//! as ever.
//!
//! Large blocks lie in one range of addresses, reserved when the first is asked for. A block is cut from the smallest gap that it
//! fits in, or else from the range's untouched end; a dropped one grows together with the gaps beside it. So memory that a picture's
//! largest layers used serves its smaller ones too, and what is held at most is what was in use at once, and some gaps. The invariant:
//! gaps hold at most `KEPT_BYTES` of the system's memory (counted so that it is rather less), and none
//! after [`Recycler::trim`].
//!
//! Where there is no such range (other systems than Linux, or a limit on addresses), all blocks are the system's.

#![allow(unsafe_code, reason = "an allocator is made of raw pointers; each block says why it is sound")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr::null_mut,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Blocks from this size on are large.
const LARGE: usize = 128 << 10;
/// Blocks and gaps are multiples of this.
const UNIT: usize = 64 << 10;
/// What gaps hold at most. Half of it was too little for a 512x512 decode in bfloat16, whose layers then cleared pages again.
const KEPT_BYTES: usize = if cfg!(miri) { 4 << 20 } else { 1 << 30 };
/// Gaps that are remembered. There are never more than blocks, whose number is a model's tensors.
const GAPS: usize = 4096;
/// Addresses to ask for, the first that the system grants; Miri has memory for all of them.
const RESERVED: [usize; 3] = if cfg!(miri) { [32 << 20; 3] } else { [1 << 40, 64 << 30, 8 << 30] };

/// Memory between blocks, in units.
#[derive(Clone, Copy)]
struct Gap {
    start: usize,
    length: usize,
    /// How much of it the system may have given memory for.
    held: usize,
}

struct Blocks {
    /// The range, aligned to a unit; null until the first block, or where there is none.
    base: *mut u8,
    /// Units of the range; 0 where there is none.
    units: usize,
    asked: bool,
    /// Units from here on have never been used.
    end: usize,
    /// In the order of their addresses; two never touch.
    gaps: [Gap; GAPS],
    count: usize,
    /// Units that the gaps hold.
    held: usize,
    /// Blocks taken so far, and how many there were when [`Recycler::trim_if_idle`] last looked.
    taken: u64,
    seen: u64,
}

// SAFETY: the range belongs to no thread.
unsafe impl Send for Blocks {}

impl Blocks {
    fn reserve(&mut self) {
        self.asked = true;
        #[cfg(target_os = "linux")]
        for bytes in RESERVED {
            // SAFETY: new addresses without memory; the result is checked. The advice changes nothing of what they hold.
            unsafe {
                let reserve = if cfg!(miri) { 0 } else { libc::MAP_NORESERVE };
                let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | reserve);
                let range = libc::mmap(null_mut(), bytes, protection, flags, -1, 0);
                if range != libc::MAP_FAILED {
                    #[cfg(not(miri))]
                    libc::madvise(range, bytes, libc::MADV_HUGEPAGE);
                    // The system aligns to a page, which is less than what blocks are aligned to.
                    let before = range.addr().next_multiple_of(UNIT) - range.addr();
                    (self.base, self.units) = (range.cast::<u8>().add(before), (bytes - before) / UNIT);
                    return;
                }
            }
        }
    }

    /// A block of so many units, and whether it may hold what another left there.
    fn take(&mut self, units: usize) -> Option<(*mut u8, bool)> {
        if !self.asked {
            self.reserve();
        }
        self.taken = self.taken.wrapping_add(1);
        let best = (0..self.count).filter(|index| self.gaps[*index].length >= units).min_by_key(|index| self.gaps[*index].length);
        let (start, used) = if let Some(index) = best {
            let gap = &mut self.gaps[index];
            let start = gap.start;
            // Where in the gap its memory lies is not known: as much as fits may be in what is left.
            let left = gap.held.min(gap.length - units);
            self.held -= gap.held - left;
            *gap = Gap { start: start + units, length: gap.length - units, held: left };
            if gap.length == 0 {
                self.forget(index);
            }
            (start, true)
        } else {
            let start = self.end;
            if self.units - start < units {
                return None;
            }
            self.end += units;
            (start, false)
        };
        // SAFETY: within the range.
        Some((unsafe { self.base.add(start * UNIT) }, used))
    }

    fn forget(&mut self, index: usize) {
        self.gaps.copy_within(index + 1..self.count, index);
        self.count -= 1;
    }

    /// Makes a gap of a block.
    fn give(&mut self, block: *mut u8, units: usize) {
        let start = (block.addr() - self.base.addr()) / UNIT;
        let mut gap = Gap { start, length: units, held: units };
        self.held += units;
        let mut at = self.gaps[..self.count].partition_point(|other| other.start < start);
        if at < self.count && self.gaps[at].start == start + units {
            gap = Gap { length: gap.length + self.gaps[at].length, held: gap.held + self.gaps[at].held, ..gap };
            self.forget(at);
        }
        if at > 0 && self.gaps[at - 1].start + self.gaps[at - 1].length == start {
            at -= 1;
            let before = self.gaps[at];
            gap = Gap { start: before.start, length: before.length + gap.length, held: before.held + gap.held };
            self.forget(at);
        }
        if self.count == GAPS {
            // Its addresses are lost, its memory is not.
            self.empty(&mut gap);
            return;
        }
        self.gaps.copy_within(at..self.count, at + 1);
        self.gaps[at] = gap;
        self.count += 1;
        while self.held > KEPT_BYTES / UNIT {
            let Some(most) = (0..self.count).max_by_key(|index| self.gaps[*index].held) else { return };
            let mut gap = self.gaps[most];
            self.empty(&mut gap);
            self.gaps[most] = gap;
        }
    }

    /// Gives a gap's memory back to the system.
    fn empty(&mut self, gap: &mut Gap) {
        #[cfg(all(target_os = "linux", not(miri)))]
        // SAFETY: nobody uses a gap.
        unsafe {
            libc::madvise(self.base.add(gap.start * UNIT).cast(), gap.length * UNIT, libc::MADV_DONTNEED);
        }
        self.held -= gap.held;
        gap.held = 0;
    }

    /// Whether a block is one of these.
    fn has(&self, block: *mut u8) -> bool {
        block.addr().checked_sub(self.base.addr()).is_some_and(|offset| offset / UNIT < self.units)
    }
}

/// The allocator: `#[global_allocator] static ALLOCATOR: Recycler = Recycler::new();`
pub struct Recycler(Mutex<Blocks>);

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
        let none = Gap { start: 0, length: 0, held: 0 };
        let blocks = Blocks { base: null_mut(), units: 0, asked: false, end: 0, gaps: [none; GAPS], count: 0, held: 0, taken: 0, seen: 0 };
        Self(Mutex::new(blocks))
    }

    /// Bytes that are kept for later.
    pub fn kept_bytes(&self) -> usize {
        self.blocks().held * UNIT
    }

    /// Gives what is kept back to the system: for a program that has nothing to do for a while.
    pub fn trim(&self) {
        let mut blocks = self.blocks();
        for index in 0..blocks.count {
            let mut gap = blocks.gaps[index];
            if gap.held > 0 {
                blocks.empty(&mut gap);
                blocks.gaps[index] = gap;
            }
        }
    }

    /// The same if no large block was asked for since the last call: to be called every few seconds.
    pub fn trim_if_idle(&self) {
        let idle = {
            let mut blocks = self.blocks();
            let idle = blocks.seen == blocks.taken;
            blocks.seen = blocks.taken;
            idle
        };
        if idle {
            self.trim();
        }
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block of the range for a large layout, and whether it may hold what another left there.
    fn take(&self, layout: Layout) -> Option<(*mut u8, bool)> {
        if layout.size() < LARGE || layout.align() > UNIT { None } else { self.blocks().take(layout.size().div_ceil(UNIT)) }
    }
}

// SAFETY: a block is cut from a gap or from the end, and no two overlap; the others are the system's, and go back to it with the
// layout that they came with. Nothing here allocates or panics.
unsafe impl GlobalAlloc for Recycler {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some((block, _)) => block,
            // SAFETY: as the caller vouches for the layout.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above; the block is at least as long.
        unsafe {
            match self.take(layout) {
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
                return blocks.give(block, layout.size().div_ceil(UNIT));
            }
        }
        // SAFETY: the block came from there with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as the caller vouches; a block that is or becomes large is moved by a copy, unless its units stay as many.
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
    fn blocks_keep_what_they_hold() {
        let recycler = Recycler::new();
        // SAFETY: every block is given back once, with the layout that it has.
        unsafe {
            let small = recycler.alloc(layout(100));
            recycler.dealloc(small, layout(100));
            assert_eq!(recycler.kept_bytes(), 0);
            let first = recycler.alloc(layout(LARGE + 5));
            first.write_bytes(7, LARGE + 5);
            recycler.dealloc(first, layout(LARGE + 5));
            let again = recycler.alloc_zeroed(layout(LARGE + 900));
            assert!((0..LARGE + 900).step_by(if cfg!(miri) { 101 } else { 1 }).all(|index| *again.add(index) == 0));
            // Grown, and shrunk to a small one, and grown: what it held stays.
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
    fn gaps_serve_smaller_blocks_and_grow_together() {
        let recycler = Recycler::new();
        let gaps = || recycler.blocks().count;
        // SAFETY: as above.
        unsafe {
            let blocks: Vec<*mut u8> = (0..6).map(|_| recycler.alloc(layout(4 * UNIT))).collect();
            for index in [1, 4, 2, 3] {
                recycler.dealloc(blocks[index], layout(4 * UNIT));
            }
            assert_eq!((gaps(), recycler.kept_bytes()), (1, 16 * UNIT));
            // Two cut from the gap, and one that only fits at the end.
            let (half, rest) = (recycler.alloc(layout(8 * UNIT)), recycler.alloc(layout(8 * UNIT - 1)));
            assert_eq!((half, rest), (blocks[1], blocks[3]));
            let behind = recycler.alloc(layout(3 * UNIT));
            assert!(behind > blocks[5]);
            for (block, units) in [(half, 8), (rest, 8), (behind, 3), (blocks[0], 4), (blocks[5], 4)] {
                recycler.dealloc(block, layout(units * UNIT));
            }
            assert_eq!((gaps(), recycler.kept_bytes()), (1, 27 * UNIT));
            recycler.trim_if_idle();
            assert!(recycler.kept_bytes() > 0, "blocks were taken since the last time");
            recycler.trim_if_idle();
            assert_eq!((gaps(), recycler.kept_bytes()), (1, 0));
        }
    }

    /// A long random life: no two blocks overlap, and no more is kept than is said.
    #[test]
    fn blocks_never_overlap() {
        let recycler = Recycler::new();
        let (mut live, mut state): (Vec<(*mut u8, usize, u8)>, u64) = (Vec::new(), 1);
        let (rounds, most) = if cfg!(miri) { (300, 30) } else { (4000_u32, 100) };
        for round in 0..rounds {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (state >> 33) as usize;
            // SAFETY: as above; each block's first and last byte are its mark.
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
        let recycler = Recycler::new();
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
    fn no_more_is_kept_than_is_said() {
        let recycler = Recycler::new();
        // SAFETY: as above; memory that is never touched costs nothing.
        unsafe {
            let blocks: Vec<*mut u8> = (0..3).map(|_| recycler.alloc(layout(KEPT_BYTES / 2))).collect();
            for block in blocks {
                recycler.dealloc(block, layout(KEPT_BYTES / 2));
                assert!(recycler.kept_bytes() <= KEPT_BYTES);
            }
        }
    }
}
