//! Errors of writing a video.
//!
//! The invariant: a message names the operation and the file, and the library's or the system's reason is kept as the source.

use std::{fmt, io, path::PathBuf};

use crate::{Codec, Container, FrameRate, InvalidFrameRate, Quality};

/// The result type of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a video was not written. No variant leaves a file behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The frame rate is invalid.
    #[error(transparent)]
    FrameRate(#[from] InvalidFrameRate),
    /// The size is zero or exceeds the limits.
    #[error("{width}x{height}: sides must be from 1 to {}, and a frame may have {} pixels", crate::MAX_SIDE, crate::MAX_PIXELS)]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The codec stores colour for blocks of 2x2 pixels, and padding was not allowed.
    #[error("{width}x{height}: this codec asks for an even width and height")]
    OddSize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// GIF at more than 50 frames a second.
    #[error("GIF cannot play {rate} frames a second: it counts hundredths of a second, and browsers slow down delays under two")]
    TooFast {
        /// The requested rate.
        rate: FrameRate,
    },
    /// The number of encoder threads is out of range.
    #[error("{found} encoder threads: from 1 to {}", crate::settings::MAX_THREADS)]
    Threads {
        /// The requested number.
        found: u32,
    },
    /// The container cannot hold the codec.
    #[error("{container} does not hold {codec}")]
    Combination {
        /// The requested codec.
        codec: Codec,
        /// The requested container.
        container: Container,
    },
    /// The codec does not support this kind of quality, or this value.
    #[error("{container} with the codec {codec} has no quality {quality:?}")]
    Quality {
        /// The requested quality.
        quality: Quality,
        /// The codec.
        codec: Codec,
        /// The container.
        container: Container,
    },
    /// No container has the file's extension.
    #[error("{}: the ending must be .mp4, .m4v, .webm, .gif, .webp, .png or .apng, or the path a folder (it gets numbered PNG files)", path.display())]
    UnknownExtension {
        /// The file.
        path: PathBuf,
    },
    /// The name is unknown.
    #[error("no {what} is called {name:?}; there are {known}")]
    UnknownName {
        /// `codec`, `container`.
        what: &'static str,
        /// The unknown name.
        name: String,
        /// The known names.
        known: String,
    },
    /// None of the candidate encoders can be opened here.
    #[error("no encoder for {wanted} can be opened: {}; install {package}", list(tried))]
    NoEncoder {
        /// The requested codec.
        wanted: Codec,
        /// Each encoder and its reason, in order of preference.
        tried: Vec<Tried>,
        /// What to install, as names of Debian packages.
        package: &'static str,
    },
    /// FFmpeg failed.
    #[error("{}: {doing}: {source}{detail}", path.display())]
    Ffmpeg {
        /// The target file.
        path: PathBuf,
        /// The operation.
        doing: &'static str,
        /// FFmpeg's log messages about it; empty, or starts with ` (`.
        detail: String,
        /// FFmpeg's error code.
        source: ffmpeg_next::Error,
    },
    /// The file system failed: no such folder, no permission, no space.
    #[error("{}: {doing}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operation.
        doing: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// FFmpeg accepts UTF-8 names only.
    #[error("{}: the path is not UTF-8", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// A still image could not be written or read.
    #[error("{}: {source}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: image::ImageError,
    },
    /// A frame's size differs from the size that the encoder was opened for.
    #[error("a frame of {}x{} in a video of {}x{}", found.0, found.1, expected.0, expected.1)]
    FrameSize {
        /// Width and height of the video.
        expected: (u32, u32),
        /// Width and height of the frame.
        found: (u32, u32),
    },
    /// A file from elsewhere is not a complete MP4 video.
    #[error("{}: {reason}", path.display())]
    NotAVideo {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as a sentence about it.
        reason: String,
    },
    /// A video without frames was finished.
    #[error("{}: a video needs a frame at least", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The encoder returned a different number of frames than it took.
    #[error("{}: the encoder took {pushed} frames and wrote {written}", path.display())]
    Lost {
        /// The file.
        path: PathBuf,
        /// Frames pushed.
        pushed: u64,
        /// Frames written.
        written: u64,
    },
    /// An earlier call failed with its own error; nothing more can be written.
    #[error("{}: the video was given up after an earlier error", path.display())]
    Abandoned {
        /// The file.
        path: PathBuf,
    },
}

/// An encoder that could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// FFmpeg's name of the encoder.
    pub encoder: &'static str,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.encoder, self.reason)
    }
}

fn list(tried: &[Tried]) -> String {
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
