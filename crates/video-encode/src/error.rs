//! Why a video is not written.
//!
//! The invariant: a message says what was being done and to which file, and the library's or the system's reason is kept as the source.

use std::{fmt, io, path::PathBuf};

use crate::{Codec, Container, FrameRate, InvalidFrameRate, Quality};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a video is not written. None leaves a file behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rate is none.
    #[error(transparent)]
    FrameRate(#[from] InvalidFrameRate),
    /// The size is nothing, or over the limits.
    #[error("{width}x{height}: sides must be from 1 to {}, and a frame may have {} pixels", crate::MAX_SIDE, crate::MAX_PIXELS)]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The codec keeps colour for blocks of 2x2 pixels, and padding was not allowed.
    #[error("{width}x{height}: this codec asks for an even width and height")]
    OddSize {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// GIF at more than 50 frames a second.
    #[error("GIF cannot play {rate} frames a second: it counts hundredths of a second, and browsers slow down delays under two")]
    TooFast {
        /// What was asked for.
        rate: FrameRate,
    },
    /// The number of encoder threads is out of range.
    #[error("{found} encoder threads: from 1 to {}", crate::settings::MAX_THREADS)]
    Threads {
        /// What was asked for.
        found: u32,
    },
    /// The container does not hold what the codec makes.
    #[error("{container} does not hold {codec}")]
    Combination {
        /// What was asked for.
        codec: Codec,
        /// What was asked for.
        container: Container,
    },
    /// The codec does not know this kind of quality, or not this value.
    #[error("{container} with the codec {codec} has no quality {quality:?}")]
    Quality {
        /// What was asked for.
        quality: Quality,
        /// What was asked for.
        codec: Codec,
        /// What was asked for.
        container: Container,
    },
    /// No container goes by the file's ending.
    #[error("{}: the ending must be .mp4, .m4v, .webm, .gif, .webp, .png or .apng, or the path a folder (it gets numbered PNG files)", path.display())]
    UnknownEnding {
        /// The file.
        path: PathBuf,
    },
    /// Nothing goes by this name.
    #[error("no {what} is called {name:?}; there are {known}")]
    UnknownName {
        /// `codec`, `container`.
        what: &'static str,
        /// What was given.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// None of the encoders that would do can be opened here.
    #[error("no encoder for {wanted} can be opened: {}; install {package}", list(tried))]
    NoEncoder {
        /// The codec as it was asked for.
        wanted: Codec,
        /// Each encoder and its reason, in order.
        tried: Vec<Tried>,
        /// What to install, by the names of Debian's packages.
        package: &'static str,
    },
    /// FFmpeg failed.
    #[error("{}: {doing}: {source}{detail}", path.display())]
    Ffmpeg {
        /// The file that was being written.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What FFmpeg logged about it; empty, or starts with ` (`.
        detail: String,
        /// FFmpeg's code.
        source: ffmpeg_next::Error,
    },
    /// The file system failed: no such folder, no permission, no space.
    #[error("{}: {doing}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// FFmpeg takes names in UTF-8 only.
    #[error("{}: the path is not UTF-8", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// A picture could not be written or read.
    #[error("{}: {source}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: image::ImageError,
    },
    /// A frame has another size than the encoder was opened for.
    #[error("a frame of {}x{} in a video of {}x{}", found.0, found.1, expected.0, expected.1)]
    FrameSize {
        /// Width and height of the video.
        expected: (u32, u32),
        /// Width and height of the frame.
        found: (u32, u32),
    },
    /// A file that came from elsewhere is no whole MP4 video.
    #[error("{}: {reason}", path.display())]
    NotAVideo {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as a sentence about it.
        reason: String,
    },
    /// A video was finished that has no frame.
    #[error("{}: a video needs a frame at least", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The encoder gave back another number of frames than it took.
    #[error("{}: the encoder took {pushed} frames and wrote {written}", path.display())]
    Lost {
        /// The file.
        path: PathBuf,
        /// Frames that it took.
        pushed: u64,
        /// Frames that came out.
        written: u64,
    },
    /// An earlier call failed, with an error of its own; nothing more can be written.
    #[error("{}: the video was given up after an earlier error", path.display())]
    GivenUp {
        /// The file.
        path: PathBuf,
    },
}

/// An encoder that could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// FFmpeg's name of it.
    pub encoder: &'static str,
    /// Why not.
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
