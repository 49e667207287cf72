//! Writes one frame as an image file, shown before the video plays.
//!
//! The invariant: the file appears whole or not at all.

use std::{
    io::{self, BufWriter},
    path::Path,
};

use image::{
    ImageEncoder as _, RgbImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
    error::{ImageError, ImageFormatHint, UnsupportedError},
};
use tempfile::NamedTempFile;

use crate::{Error, Result, ffi, staging::Staged};

/// JPEG quality, of 100.
const JPEG_QUALITY: u8 = 92;

/// Writes a frame as PNG, JPEG or (lossless) WebP, by the extension `.png`, `.jpg`, `.jpeg` or `.webp`; returns the size in bytes.
///
/// # Errors
/// [`Error::Size`] for a frame without pixels, [`Error::Image`] for another extension or a frame that the format cannot hold,
/// [`Error::File`] if it cannot be written.
pub fn poster(frame: &RgbImage, path: &Path) -> Result<u64> {
    poster_sealed(frame, path, |_| Ok(None))
}

/// As [`poster`], but shows the complete file to `seal` before it is in place. A file that `seal` returns, [staged](crate::staged_in) in the
/// same folder, is put in place instead.
///
/// # Errors
/// As [`poster`]; [`Error::File`] if `seal` fails.
pub fn poster_sealed(frame: &RgbImage, path: &Path, seal: impl FnOnce(&Path) -> io::Result<Option<NamedTempFile>>) -> Result<u64> {
    ffi::ignore_file_size_signal();
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let (width, height) = frame.dimensions();
    if width == 0 || height == 0 {
        return Err(Error::Size { width, height });
    }
    let staged = Staged::create(path)?;
    let (writer, record) = staged.writer()?;
    let mut writer = BufWriter::new(writer);
    let colour = image::ExtendedColorType::Rgb8;
    let written = match ending.to_str() {
        Some("png") => PngEncoder::new(&mut writer).write_image(frame, width, height, colour),
        Some("jpg" | "jpeg") => JpegEncoder::new_with_quality(&mut writer, JPEG_QUALITY).write_image(frame, width, height, colour),
        Some("webp") => WebPEncoder::new_lossless(&mut writer).write_image(frame, width, height, colour),
        _ => Err(ImageError::Unsupported(UnsupportedError::from(ImageFormatHint::PathExtension(ending.into())))),
    };
    let flushed = written.and_then(|()| writer.into_inner().map(drop).map_err(|error| ImageError::IoError(error.into_error())));
    match (flushed, record.take()) {
        (_, Some(source)) | (Err(ImageError::IoError(source)), None) => {
            Err(Error::File { path: path.to_owned(), doing: "writing", source })
        }
        (Err(source), None) => Err(Error::Image { path: path.to_owned(), source }),
        (Ok(()), None) => staged.sealed(seal)?.persist(),
    }
}
