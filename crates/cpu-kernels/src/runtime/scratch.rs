//! Scratch memory of tasks: aligned to cache lines, kept by its thread from task to task.

use std::{cell::RefCell, mem::MaybeUninit};

/// A cache line, which is also a tile's row.
const LINE: usize = 64;
/// A page of this size takes one page fault where small pages take 512.
const HUGE_PAGE: usize = 2 << 20;

/// A buffer whose start is aligned to a cache line.
#[derive(Default)]
pub(crate) struct Aligned {
    /// One line longer than requested, for the alignment.
    bytes: Vec<MaybeUninit<u8>>,
}

impl Aligned {
    /// A buffer of `bytes` zeros.
    pub(crate) fn zeroed(bytes: usize) -> Self {
        // Fresh zero pages cost nothing until they are touched, and by then the pages are large.
        Self::advised(Box::new_zeroed_slice(room_for(bytes)).into_vec())
    }

    /// A buffer of `bytes`, to be written before it is read.
    pub(crate) fn unfilled(bytes: usize) -> Self {
        Self::advised(Box::new_uninit_slice(room_for(bytes)).into_vec())
    }

    fn advised(mut bytes: Vec<MaybeUninit<u8>>) -> Self {
        let room = bytes.as_mut_ptr_range();
        in_huge_pages(room.start, room.end);
        Self { bytes }
    }

    /// Grows to at least `bytes`; the contents are unspecified.
    fn at_least(&mut self, bytes: usize) -> *mut u8 {
        if cfg!(debug_assertions) {
            // Exactly as long as requested, and filled with NaNs in either precision, so that a read beyond it or a read of assumed zeros
            // shows up.
            self.bytes = vec![MaybeUninit::new(0xff); bytes + LINE];
        } else if self.bytes.is_empty() || self.len() < bytes {
            *self = Self::zeroed(bytes);
        }
        self.as_mut_ptr()
    }

    fn offset(&self) -> usize {
        self.bytes.as_ptr().align_offset(LINE)
    }

    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.bytes[self.offset()..].as_ptr().cast()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        let offset = self.offset();
        self.bytes[offset..].as_mut_ptr().cast()
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(LINE)
    }
}

/// Bytes of a buffer of `bytes` wherever its first line starts.
fn room_for(bytes: usize) -> usize {
    bytes.checked_add(LINE).expect("a buffer that memory can hold")
}

/// Advises the system to use large pages if the buffer spans any; systems without them ignore it.
pub(crate) fn in_huge_pages<T>(start: *mut T, end: *mut T) {
    let (first, last) = (start.addr().next_multiple_of(HUGE_PAGE), end.addr() / HUGE_PAGE * HUGE_PAGE);
    if first >= last {
        return;
    }
    // Miri does not support this call.
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: whole pages within memory that the caller owns; the advice does not change their contents.
    unsafe {
        libc::madvise(start.with_addr(first).cast(), last - first, libc::MADV_HUGEPAGE);
    }
}

/// Calls `run` with a buffer of this thread of at least `bytes`, with unspecified contents. Calls may be nested if their `slot`s, 0 to 3,
/// differ.
pub(crate) fn with<R>(slot: usize, bytes: usize, run: impl FnOnce(*mut u8) -> R) -> R {
    thread_local! {
        static BUFFERS: [RefCell<Aligned>; 4] = const { [const { RefCell::new(Aligned { bytes: Vec::new() }) }; 4] };
    }
    BUFFERS.with(|buffers| run(buffers[slot].borrow_mut().at_least(bytes)))
}
