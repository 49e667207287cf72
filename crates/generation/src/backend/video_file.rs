//! A video's output: where it goes, and writing it frame by frame.
//!
//! It must not know models. Invariants: the encoder is open before the first frame is made, so a missing encoder is found at once; at most
//! one frame is held; the file appears only when it is complete.

use std::{
    io,
    path::{Path, PathBuf},
};

use diffusion_core::{error::BoxError, frames::FrameSink, pipelines::clip::NativeFrames};
use image::RgbImage;
use provenance::MediaFormat;
use tempfile::NamedTempFile;
use video_encode::{Codec, ContactSheet, Container, EncoderSettings, FrameRate, OddSize, PngFolder, Quality, VideoEncoder};

use super::{
    BackendError,
    parts::PartCounts,
    seal::{self, Seal},
};
use crate::model_info::TruncatedText;

/// The contact sheet: the number of frames, frames per row, and the width of each in pixels.
const SHEET_IMAGES: u32 = 24;
const SHEET_COLUMNS: u32 = 6;
const SHEET_WIDTH: u32 = 192;

/// Which files a video is written to, and how.
#[derive(Clone, Debug)]
pub struct VideoOutput {
    /// The file, or the folder of PNG files.
    pub path: PathBuf,
    /// Its kind.
    pub container: Container,
    /// Its encoder.
    pub codec: Codec,
    /// The quality.
    pub quality: Quality,
    /// How odd sides are handled.
    pub odd_size: OddSize,
    /// Where to write the first frame as a picture as well.
    pub poster: Option<PathBuf>,
    /// Where to write a contact sheet of some of the frames as well.
    pub contact_sheet: Option<PathBuf>,
    /// Frames of this video that a folder of PNG files already has, and that are kept; `None` starts anew.
    pub resume: Option<u64>,
}

impl VideoOutput {
    /// A file whose kind follows from its extension, with that kind's default encoder.
    ///
    /// # Errors
    /// [`video_encode::Error`] if the extension is not known.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, video_encode::Error> {
        let path = path.into();
        let container = Container::from_path(&path)?;
        Ok(Self {
            path,
            container,
            codec: Codec::Auto,
            quality: Quality::Auto,
            odd_size: OddSize::Pad,
            poster: None,
            contact_sheet: None,
            resume: None,
        })
    }

    /// The encoder's settings for frames of this shape.
    pub fn settings(&self, shape: &VideoShape) -> EncoderSettings {
        let settings = EncoderSettings::new(shape.width, shape.height, shape.fps, self.container);
        EncoderSettings { codec: self.codec, quality: self.quality, odd_size: self.odd_size, ..settings }
    }
}

/// A video's properties that are known before its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoShape {
    /// Pixels across a frame.
    pub width: u32,
    /// Pixels down a frame.
    pub height: u32,
    /// Frames per second.
    pub fps: FrameRate,
    /// The number of frames.
    pub frames: usize,
    /// A clip's frames as the motion model makes them, before conversion to the video's rate and size; `None` for other videos.
    pub native: Option<NativeFrames>,
}

/// A finished video.
#[derive(Clone, Debug)]
pub struct GeneratedVideo {
    /// The file, or the folder of PNG files.
    pub path: PathBuf,
    /// Number, size and rate of the frames; in the file, odd sides may be one larger.
    pub shape: VideoShape,
    /// The file's length in bytes; for a folder, that of the frames written this time.
    pub bytes: u64,
    /// The encoder's name.
    pub codec: String,
    /// The seed.
    pub seed: u64,
    /// The request's texts that were truncated because the model reads only so many tokens; empty if none was.
    pub truncated: Vec<TruncatedText>,
    /// How many parts of a local video of scenes were made for it; `None` for other videos.
    pub parts: Option<PartCounts>,
}

/// Writes a video while its frames are made.
///
/// Dropping it leaves no file; a folder of PNG files keeps its complete frames.
#[derive(Debug)]
pub struct VideoWriter {
    sink: Sink,
    shape: VideoShape,
    output: VideoOutput,
    first_frame: usize,
    sheet: Option<ContactSheet>,
    seal: Option<Seal>,
}

#[derive(Debug)]
enum Sink {
    Encoder(VideoEncoder),
    /// A folder that already has frames.
    Folder(PngFolder),
}

impl VideoWriter {
    /// Opens the encoder and its file.
    ///
    /// # Errors
    /// [`BackendError::Video`] if the encoder is missing or cannot write this, or the folder cannot be written to.
    pub fn open(output: &VideoOutput, shape: &VideoShape) -> Result<Self, BackendError> {
        let mut first_frame = 0;
        let sink = if let Some(existing) = output.resume.filter(|_| output.container == Container::PngFolder) {
            first_frame = usize::try_from(existing).unwrap_or(usize::MAX).min(shape.frames);
            Sink::Folder(PngFolder::open(&output.path, shape.width, shape.height, first_frame as u64)?)
        } else {
            Sink::Encoder(VideoEncoder::open(&output.path, &output.settings(shape))?)
        };
        let sheet = |_| ContactSheet::new(shape.frames as u64, SHEET_IMAGES, SHEET_COLUMNS, SHEET_WIDTH);
        let sheet = output.contact_sheet.as_ref().map(sheet);
        Ok(Self { sink, shape: *shape, output: output.clone(), first_frame, sheet, seal: None })
    }

    /// Signs the video, its first frame and its contact sheet; the numbered files of a folder are not signed.
    pub(crate) fn sealed_by(self, seal: Option<Seal>) -> Self {
        Self { seal, ..self }
    }

    /// The first frame that is still to be written; 0 unless a folder already has frames.
    pub fn first_frame(&self) -> usize {
        self.first_frame
    }

    /// Flushes the encoder and puts the file in place.
    ///
    /// # Errors
    /// [`BackendError::Video`] if the encoder or the disk fails; then there is no file.
    pub(crate) fn finish(self, seed: u64, truncated: Vec<TruncatedText>) -> Result<GeneratedVideo, BackendError> {
        let Self { sink, shape, output, sheet, seal, .. } = self;
        let (bytes, codec) = match sink {
            Sink::Encoder(encoder) => {
                let format = seal::format_of(output.container);
                let file = encoder.finish_sealed(|staged| sealed(seal.as_ref(), format, staged, &output.path))?;
                (file.bytes, file.codec)
            }
            Sink::Folder(folder) => (folder.finish()?, "png"),
        };
        if let (Some(path), Some(sheet)) = (&output.contact_sheet, sheet.and_then(ContactSheet::finish)) {
            write_still(&sheet, path, seal.as_ref())?;
        }
        Ok(GeneratedVideo { path: output.path, shape, bytes, codec: codec.to_owned(), seed, truncated, parts: None })
    }

    fn write_frame(&mut self, frame: &RgbImage) -> Result<(), video_encode::Error> {
        match &mut self.sink {
            Sink::Encoder(encoder) => encoder.push(frame)?,
            Sink::Folder(folder) => folder.push(frame)?,
        }
        if let Some(path) = self.output.poster.take() {
            write_still(frame, &path, self.seal.as_ref())?;
        }
        if let Some(sheet) = &mut self.sheet {
            sheet.push(frame);
        }
        Ok(())
    }
}

/// Writes an image beside the video, by the ending of its name.
fn write_still(image: &RgbImage, path: &Path, seal: Option<&Seal>) -> Result<u64, video_encode::Error> {
    video_encode::poster_sealed(image, path, |staged| sealed(seal, MediaFormat::of_path(path), staged, path))
}

/// The file to put at `path` instead of the staged one, if there is a seal.
fn sealed(seal: Option<&Seal>, format: Option<MediaFormat>, staged: &Path, path: &Path) -> io::Result<Option<NamedTempFile>> {
    seal.map_or(Ok(None), |seal| seal.file(format, staged, path))
}

impl FrameSink for VideoWriter {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        Ok(self.write_frame(&frame)?)
    }
}

/// Unwraps the encoder's own error from the sink error of a pipeline.
pub(crate) fn unwrapped(error: BackendError) -> BackendError {
    match error {
        BackendError::Model(diffusion_core::Error::Sink(source)) => match source.downcast::<video_encode::Error>() {
            Ok(source) => BackendError::Video(*source),
            Err(source) => BackendError::Model(diffusion_core::Error::Sink(source)),
        },
        BackendError::NotLoaded { .. }
        | BackendError::Cancelled
        | BackendError::Model(_)
        | BackendError::Encode(_)
        | BackendError::Video(_)
        | BackendError::Remote(_)
        | BackendError::Internal(_) => error,
    }
}
