//! The error of a job that needs too much memory.
//!
//! It must not know how memory is counted. Invariant: the message is one line with the field, the value, and the largest value that would
//! fit.

use std::fmt;

/// The part of a request that decides how much memory it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryRequest {
    /// (width, height) in pixels.
    Size((u32, u32)),
    /// (width, height) in pixels of an enlarged image.
    Enlarged((u32, u32)),
    /// Frames that a motion model makes at once, and their (width, height).
    Frames {
        /// The number of frames.
        frames: usize,
        /// Their size in pixels.
        size: (u32, u32),
    },
    /// The number of frames decoded together.
    Chunk(usize),
}

impl MemoryRequest {
    /// The request's field.
    pub fn field(&self) -> &'static str {
        match self {
            // The longer side: the one that a caller would reduce.
            Self::Size((width, height)) if width >= height => "width",
            Self::Size(_) => "height",
            Self::Enlarged(_) => "scale",
            Self::Frames { .. } => "num_frames",
            Self::Chunk(_) => "decode_chunk_size",
        }
    }
}

impl fmt::Display for MemoryRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size((width, height)) | Self::Enlarged((width, height)) => write!(f, "{width} x {height}"),
            Self::Frames { frames, size: (width, height) } => write!(f, "{frames} frames of {width} x {height}"),
            Self::Chunk(frames) => write!(f, "{frames} frames decoded together"),
        }
    }
}

/// A job that needs more memory than there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The requested value.
    pub requested: MemoryRequest,
    /// The estimated peak memory of the process, in bytes.
    pub needed: u64,
    /// The memory that it may use, in bytes.
    pub available: u64,
    /// The largest value of this kind that would fit; `None` if none would.
    pub largest: Option<MemoryRequest>,
}

impl TooLarge {
    pub(super) fn new(requested: MemoryRequest, needed: u64, available: u64, largest: Option<MemoryRequest>) -> Self {
        Self { requested, needed, available, largest }
    }

    /// The request field at fault.
    pub fn field(&self) -> &'static str {
        self.requested.field()
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        write!(f, "{}: {} would need {:.1} GiB of memory", self.field(), self.requested, gib(self.needed))?;
        write!(f, ", but {:.1} GiB are available; ", gib(self.available))?;
        match &self.largest {
            Some(largest) => write!(f, "the largest that fits is {largest}"),
            None => f.write_str("no smaller value fits, because the model itself takes most of it"),
        }
    }
}

impl std::error::Error for TooLarge {}
