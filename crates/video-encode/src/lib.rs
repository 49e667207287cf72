//! Encodes frames, one by one, into a video.
//!
//! [`EncoderSettings`] say what to write: size, [`FrameRate`] (an exact fraction), [`Container`], [`Codec`], [`Quality`].
//! [`VideoEncoder::open`] does everything that can fail before there is a frame; [`VideoEncoder::push`] takes one frame after another, of
//! which memory holds only the encoder's lookahead; [`VideoEncoder::finish`] puts the file in place and describes it as a [`VideoFile`].
//! [`PngFolder`] is a sink that another run can resume, [`ContactSheet`] and [`poster()`] create still images of a video, [`probe`] lists
//! the usable encoders of a machine, [`inspect()`] examines an MP4 file from elsewhere, and [`decode()`] returns its frames.
//!
//! Invariants: a file appears whole or not at all; an error names the operation and the file; the same frames and settings give the same
//! bytes with the same libraries, on any number of cores. Nothing here knows a model, a request or a server. All calls block.
//!
//! ```
//! use image::{Rgb, RgbImage};
//! use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("fade.mp4");
//! let rate: FrameRate = "29.97".parse()?;
//! let mut encoder = VideoEncoder::open(&path, &EncoderSettings::new(64, 48, rate, Container::from_path(&path)?))?;
//! for brightness in 0..30 {
//!     encoder.push(&RgbImage::from_pixel(64, 48, Rgb([brightness * 8; 3])))?;
//! }
//! let video = encoder.finish()?;
//! assert_eq!((video.frames, video.frame_rate.to_string().as_str()), (30, "30000/1001"));
//! # Ok(())
//! # }
//! ```

mod clock;
mod contact_sheet;
mod container;
mod encoder;
mod encoders;
mod error;
mod ffi;
mod frame_converter;
mod gif;
mod inspect;
mod movie;
mod png_folder;
mod poster;
mod rate;
mod settings;
mod staging;

pub use contact_sheet::ContactSheet;
pub use container::Container;
pub use encoder::{VideoEncoder, VideoFile};
pub use encoders::{Probed, probe};
pub use error::{Error, Result, Tried};
pub use ffi::ignore_file_size_signal;
pub use inspect::{VideoFacts, decode, inspect};
pub use png_folder::PngFolder;
pub use poster::{poster, poster_sealed};
pub use rate::{FrameRate, InvalidFrameRate};
pub use settings::{Codec, EncoderSettings, MAX_PIXELS, MAX_SIDE, OddSize, Quality};
pub use staging::{staged_in, sweep_staged};
