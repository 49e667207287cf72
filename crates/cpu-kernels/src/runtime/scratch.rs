//! Memory that a task works in: aligned to cache lines, kept by its thread from task to task.

use std::cell::RefCell;

/// A cache line, which is also a tile's row.
const LINE: usize = 64;
/// Pages of this size cost one fault where small ones cost 512.
const HUGE_PAGE: usize = 2 << 20;

/// A buffer whose start is aligned to a cache line.
#[derive(Default)]
pub(crate) struct Aligned {
    /// A line more than was asked for.
    bytes: Vec<u8>,
}

impl Aligned {
    /// `bytes` zeros.
    pub(crate) fn zeroed(bytes: usize) -> Self {
        // Fresh from the system, zeros cost nothing until they are touched, and by then the pages are large.
        let mut bytes = vec![0; bytes.checked_add(LINE).expect("a buffer that memory can hold")];
        let room = bytes.as_mut_ptr_range();
        in_huge_pages(room.start, room.end);
        Self { bytes }
    }

    /// At least `bytes` of whatever was there before.
    fn at_least(&mut self, bytes: usize) -> *mut u8 {
        if cfg!(debug_assertions) {
            // Only as long as asked, and NaNs in either precision: what reads beyond it or takes it for zeros does not go unnoticed.
            self.bytes = vec![0xff; bytes + LINE];
        } else if self.bytes.is_empty() || self.len() < bytes {
            *self = Self::zeroed(bytes);
        }
        self.as_mut_ptr()
    }

    fn offset(&self) -> usize {
        self.bytes.as_ptr().align_offset(LINE)
    }

    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.bytes[self.offset()..].as_ptr()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        let offset = self.offset();
        self.bytes[offset..].as_mut_ptr()
    }

    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(LINE)
    }
}

/// Asks the system for large pages where a buffer spans some; nothing is lost where it has none.
pub(crate) fn in_huge_pages<T>(start: *mut T, end: *mut T) {
    let (first, last) = (start.addr().next_multiple_of(HUGE_PAGE), end.addr() / HUGE_PAGE * HUGE_PAGE);
    if first >= last {
        return;
    }
    // Miri has no such call.
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: whole pages within memory that the caller owns; the advice changes nothing of what they hold.
    unsafe {
        libc::madvise(start.with_addr(first).cast(), last - first, libc::MADV_HUGEPAGE);
    }
}

/// Calls `run` with a buffer of this thread of at least `bytes`, holding whatever it held; calls may be nested in `slot`s of
/// different numbers, 0 to 3.
pub(crate) fn with<R>(slot: usize, bytes: usize, run: impl FnOnce(*mut u8) -> R) -> R {
    thread_local! {
        static BUFFERS: [RefCell<Aligned>; 4] = const { [const { RefCell::new(Aligned { bytes: Vec::new() }) }; 4] };
    }
    BUFFERS.with(|buffers| run(buffers[slot].borrow_mut().at_least(bytes)))
}
