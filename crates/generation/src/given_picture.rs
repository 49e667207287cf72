//! A caller's picture, read from its file's bytes: bounded, and upright as its camera meant it.
//!
//! It must not know where the bytes come from. The invariant: no more memory is taken for a picture than the limit, however few bytes
//! its file has.

use std::io::{BufRead, Seek};

use image::{DynamicImage, ImageDecoder as _, ImageReader};

/// The longest side, in pixels.
pub const MAX_SIDE: u32 = 8192;
/// The most memory that a picture may take when it is read: the longest sides with four bytes a pixel.
pub const MAX_DECODED_BYTES: u64 = 256 << 20;

/// Why a picture is not read.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It is no file of a kind that is known, or it is damaged.
    #[error(transparent)]
    Image(#[from] image::ImageError),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It would take too much memory.
    #[error("the picture would take {bytes} bytes of memory, and {MAX_DECODED_BYTES} is the limit")]
    TooLarge {
        /// What it would take.
        bytes: u64,
    },
}

/// Reads a picture.
///
/// # Errors
/// [`PictureError`] if it is none, or over a limit.
pub fn read(reader: ImageReader<impl BufRead + Seek>) -> Result<DynamicImage, PictureError> {
    let mut reader = reader.with_guessed_format()?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let bytes = decoder.total_bytes();
    if bytes > MAX_DECODED_BYTES {
        return Err(PictureError::TooLarge { bytes });
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}
