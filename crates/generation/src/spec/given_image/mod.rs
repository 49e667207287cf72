//! Reads a caller's picture from the bytes of its file: bounded, upright as the camera intended, and in the colours that diffusers sees.
//!
//! It must not know where the bytes come from or what the file is called: the format is detected from the bytes alone. Invariants: decoding
//! a picture takes no more memory than the limit, however small its file is; the pixels are those of diffusers' `load_image` under Pillow
//! 13, that is `ImageOps.exif_transpose` and then `convert("RGB")`. This drops an alpha channel and shows the colours beneath it; a caller
//! who wants them over white has to flatten the picture. A mask is the same picture in grey, as `VaeImageProcessor` makes it
//! (`convert("L")`). Colour profiles and gamma are ignored, as in Pillow.

mod blocks;
mod exif;
mod orientation;
mod pixels;

use std::{
    io::{Cursor, Read as _},
    path::Path,
};

use diffusion_core::regular_file;
use image::{DynamicImage, GrayImage, ImageDecoder as _, ImageFormat, ImageReader, RgbImage};

/// The maximum side length, in pixels.
pub const MAX_SIDE: u32 = 8192;
/// The maximum memory of a decoded picture: the maximum sides with four bytes per pixel.
pub const MAX_DECODED_BYTES: u64 = 256 << 20;
/// The maximum file length, in bytes: no picture within the limits needs more.
const MAX_FILE_BYTES: u64 = 2 * MAX_DECODED_BYTES;

/// Why a picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GivenImageError {
    /// The file format is not supported.
    #[error("the file is not a PNG, JPEG or WebP{}", .0.map(|kind| format!(": it is {kind}")).unwrap_or_default())]
    Format(Option<&'static str>),
    /// A JPEG that ends before its picture does. The decoder would fill the rest with grey.
    #[error("the file is cut off: it ends before its picture does")]
    Cut,
    /// It is damaged.
    #[error(transparent)]
    Image(#[from] image::ImageError),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file is longer than any permitted picture's.
    #[error("the file has more than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// Decoding it would take too much memory.
    #[error("the picture would take {bytes} bytes of memory, and {MAX_DECODED_BYTES} is the limit")]
    TooLarge {
        /// The bytes that it would take.
        bytes: u64,
    },
}

impl GivenImageError {
    /// The name of an unsupported format, if it was recognised: "a HEIC".
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Format(kind) => *kind,
            Self::Cut | Self::Image(_) | Self::Io(_) | Self::TooLong | Self::TooLarge { .. } => None,
        }
    }
}

/// The bytes of a picture's file.
///
/// # Errors
/// [`GivenImageError`] if the file cannot be read or is too long.
pub fn file(path: &Path) -> Result<Vec<u8>, GivenImageError> {
    let mut bytes = Vec::new();
    regular_file::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES { Err(GivenImageError::TooLong) } else { Ok(bytes) }
}

/// Whether the bytes begin like a supported picture.
pub fn is_image(bytes: &[u8]) -> bool {
    format(bytes).is_ok()
}

/// An RGB picture.
///
/// # Errors
/// [`GivenImageError`] if it is not a picture, or over a limit.
pub fn rgb(file: Vec<u8>) -> Result<RgbImage, GivenImageError> {
    read(file).map(DynamicImage::into_rgb8)
}

/// A picture as a mask: white repaints, black keeps.
///
/// # Errors
/// [`GivenImageError`] if it is not a picture, or over a limit.
pub fn mask(file: Vec<u8>) -> Result<GrayImage, GivenImageError> {
    rgb(file).map(|image| pixels::grey(&image))
}

/// A picture with 8 bits per channel, including its alpha channel if it has one.
///
/// # Errors
/// [`GivenImageError`] if it is not a picture, or over a limit.
pub fn read(mut file: Vec<u8>) -> Result<DynamicImage, GivenImageError> {
    let format = format(&file)?;
    let blocks = blocks::blocks(&file, format);
    if blocks.is_cut {
        return Err(GivenImageError::Cut);
    }
    let orientation = orientation::orientation(&blocks);
    let is_clipped = pixels::is_clipped(&file, format);
    if format == ImageFormat::WebP {
        clear_flags_of_missing_chunks(&mut file);
    }
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder()?;
    let bytes = decoder.total_bytes();
    if bytes > MAX_DECODED_BYTES {
        return Err(GivenImageError::TooLarge { bytes });
    }
    let mut image = pixels::of_eight_bits(DynamicImage::from_decoder(decoder)?, is_clipped);
    image.apply_orientation(orientation);
    Ok(image)
}

/// The format, detected from the first bytes.
fn format(bytes: &[u8]) -> Result<ImageFormat, GivenImageError> {
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) => Ok(format),
        Ok(_) | Err(_) => Err(GivenImageError::Format(other_kind(bytes))),
    }
}

/// The names of other formats that callers send.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => Some("a GIF"),
        [b'B', b'M', ..] => Some("a BMP"),
        [b'I', b'I', 0x2a | 0x2b, 0, ..] | [b'M', b'M', 0, 0x2a | 0x2b, ..] => Some("a TIFF"),
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => Some("a JPEG XL"),
        [0, 0, 0, 0x0c, b'j', b'P', ..] => Some("a JPEG 2000"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => Some("an AVIF"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', b'i' | b'v', ..]
        | [_, _, _, _, b'f', b't', b'y', b'p', b'm', b'i', b'f', b'1', ..] => Some("a HEIC"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF"),
        _ => None,
    }
}

/// Clears flags in a WebP's header whose chunks are missing: the decoder refuses such files, which are left by tools that strip metadata.
fn clear_flags_of_missing_chunks(file: &mut [u8]) {
    let mut announced = blocks::webp_flags(file);
    if announced == 0 {
        return;
    }
    let kinds: Vec<[u8; 4]> = blocks::webp_chunks(file).map(|(kind, _)| *kind).collect();
    let has = |kind: &[u8; 4]| kinds.contains(kind);
    if !has(b"EXIF") {
        announced &= !blocks::WEBP_EXIF;
    }
    if !has(b"XMP ") {
        announced &= !blocks::WEBP_XMP;
    }
    // Lossless pixels include their alpha channel.
    if has(b"VP8 ") && !has(b"ALPH") {
        announced &= !blocks::WEBP_ALPHA;
    }
    if let Some(flags) = file.get_mut(blocks::WEBP_FLAGS) {
        *flags = announced;
    }
}
