//! The encoder's public interface: frames are pushed one by one into the container of the settings.
//!
//! It knows neither pixel formats nor packets. The invariant: a video is in place only after [`VideoEncoder::finish`] has returned `Ok`;
//! after an error nothing is left to clean up, and nothing more can be pushed.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use image::RgbImage;
use tempfile::NamedTempFile;

use crate::{Container, EncoderSettings, Error, FrameRate, PngFolder, Result, movie::Movie};

/// A video that is being written.
///
/// Dropping it deletes the incomplete video; only [`VideoEncoder::finish`] creates the file. (A folder of PNG files keeps its frames: each
/// is complete.)
pub struct VideoEncoder {
    // None after an error.
    sink: Option<Sink>,
    path: PathBuf,
    settings: EncoderSettings,
    frames: u64,
}

enum Sink {
    Movie(Box<Movie>),
    PngFolder(PngFolder),
}

/// A finished video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFile {
    /// The file or folder.
    pub path: PathBuf,
    /// Number of frames.
    pub frames: u64,
    /// Size in bytes; of a folder, of the frames that were pushed.
    pub bytes: u64,
    /// Duration: frames / frame rate. (GIF rounds to hundredths of a second, WebM and WebP to thousandths.)
    pub duration: Duration,
    /// Width in pixels, after padding.
    pub width: u32,
    /// Height in pixels, after padding.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: FrameRate,
    /// The container format.
    pub container: Container,
    /// FFmpeg's name of the encoder: `libx264`, `libvpx-vp9`, ...; `png` for a folder.
    pub codec: &'static str,
}

impl VideoEncoder {
    /// Opens the encoder and a staged file beside `path`, creating the folder if necessary; an existing file at `path` stays until the end.
    ///
    /// # Errors
    /// Everything that can be detected before the first frame: invalid settings, a missing encoder, a folder that is not writable.
    pub fn open(path: &Path, settings: &EncoderSettings) -> Result<Self> {
        settings.check()?;
        // In lowest terms, which fit FFmpeg's fractions.
        let frame_rate = FrameRate::new(settings.frame_rate.numerator, settings.frame_rate.denominator)?;
        let settings = EncoderSettings { frame_rate, ..settings.clone() };
        let sink = match settings.container {
            Container::PngFolder => Sink::PngFolder(PngFolder::open(path, settings.width, settings.height, 0)?),
            Container::Mp4 | Container::WebM | Container::Gif | Container::WebP | Container::Apng => {
                Sink::Movie(Box::new(Movie::open(path, &settings)?))
            }
        };
        Ok(Self { sink: Some(sink), path: path.to_owned(), settings, frames: 0 })
    }

    /// FFmpeg's name of the opened encoder: `libx264`, `libvpx-vp9`, ...; `png` for a folder.
    pub fn codec(&self) -> &'static str {
        match &self.sink {
            Some(Sink::Movie(movie)) => movie.encoder(),
            Some(Sink::PngFolder(_)) | None => "png",
        }
    }

    /// Adds the next frame.
    ///
    /// # Errors
    /// [`Error::FrameSize`], or an error of the encoder or the disk. The video is abandoned: its file is deleted, and every later call
    /// returns [`Error::Abandoned`].
    pub fn push(&mut self, frame: &RgbImage) -> Result<()> {
        let mut sink = self.sink.take().ok_or_else(|| Error::Abandoned { path: self.path.clone() })?;
        let expected = (self.settings.width, self.settings.height);
        if frame.dimensions() != expected {
            return Err(Error::FrameSize { expected, found: frame.dimensions() });
        }
        match &mut sink {
            Sink::Movie(movie) => movie.push(frame)?,
            Sink::PngFolder(folder) => folder.push(frame)?,
        }
        // Only a sink that accepted the frame is put back.
        self.sink = Some(sink);
        self.frames += 1;
        Ok(())
    }

    /// Writes the remaining frames and puts the file in place.
    ///
    /// # Errors
    /// [`Error::Empty`] without a frame, [`Error::Abandoned`] after an error, or an error of the encoder or the disk. No file is left.
    pub fn finish(self) -> Result<VideoFile> {
        self.finish_sealed(|_| Ok(None))
    }

    /// As [`Self::finish`], but shows the complete file to `seal` before it is in place. A file that `seal` returns, [staged](crate::staged_in)
    /// in the same folder, is put in place instead. A folder of PNG files is not shown.
    ///
    /// # Errors
    /// As [`Self::finish`]; [`Error::File`] if `seal` fails. No file is left.
    pub fn finish_sealed(self, seal: impl FnOnce(&Path) -> io::Result<Option<NamedTempFile>>) -> Result<VideoFile> {
        let sink = self.sink.ok_or_else(|| Error::Abandoned { path: self.path.clone() })?;
        if self.frames == 0 {
            return Err(Error::Empty { path: self.path });
        }
        let (bytes, codec) = match sink {
            Sink::Movie(movie) => {
                let codec = movie.encoder();
                (movie.finish(seal)?, codec)
            }
            Sink::PngFolder(folder) => (folder.finish()?, "png"),
        };
        let (width, height) = self.settings.written_size();
        let frame_rate = self.settings.frame_rate;
        Ok(VideoFile {
            path: self.path,
            frames: self.frames,
            bytes,
            duration: frame_rate.duration_of(self.frames),
            width,
            height,
            frame_rate,
            container: self.settings.container,
            codec,
        })
    }
}

impl fmt::Debug for VideoEncoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("VideoEncoder");
        debug.field("path", &self.path).field("settings", &self.settings).field("frames", &self.frames).finish_non_exhaustive()
    }
}
