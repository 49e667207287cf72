//! Fits an image to Nova Reel's first-frame format: exactly 1280x720, without transparency, PNG or JPEG.
//!
//! An image of another shape is scaled to fill the frame and cropped evenly at two sides: bars would become part of the video and move with
//! it. Transparent parts become white, as on a page. A file that already fits is sent unchanged.

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{
    DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage, codecs::jpeg::JpegEncoder, imageops::FilterType, metadata::Orientation,
};

use super::{invalid, nova_reel::FRAME};
use crate::{ImageFormat, InputImage, Result};

/// The largest file that is sent unchanged, in bytes.
const MAX_FILE: usize = 10 << 20;
/// The largest side of an image to decode, in pixels, and the decoder's memory limit, in bytes.
const MAX_SIDE: u32 = 16_384;
const MAX_MEMORY: u64 = 1 << 30;
/// JPEG quality in percent: losses are invisible in a video.
const QUALITY: u8 = 95;

/// Checks that the file's header is that of an image.
pub(super) fn check(image: &InputImage, field: &str) -> Result<()> {
    let reader = ImageReader::with_format(Cursor::new(&image.bytes), format_of(image));
    let (width, height) = reader.into_dimensions().map_err(|_| unreadable(image, field))?;
    if width.max(height) > MAX_SIDE {
        return Err(invalid(format!("{field} has {width}x{height} pixels; a side has at most {MAX_SIDE}")));
    }
    Ok(())
}

/// The file to send, in base64, in the image's own format. Takes about ten milliseconds of CPU time.
pub(super) fn fit(image: &InputImage, field: &str) -> Result<String> {
    let unreadable = || unreadable(image, field);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height, limits.max_alloc) = (Some(MAX_SIDE), Some(MAX_SIDE), Some(MAX_MEMORY));
    let mut reader = ImageReader::with_format(Cursor::new(&image.bytes), format_of(image));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| unreadable())?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let has_alpha = decoder.color_type().has_alpha();
    let fits = decoder.dimensions() == FRAME && !has_alpha && orientation == Orientation::NoTransforms;
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(|_| unreadable())?;
    if fits && image.bytes.len() <= MAX_FILE {
        return Ok(image.base64());
    }
    decoded.apply_orientation(orientation);
    let opaque = DynamicImage::from(if has_alpha { on_white(&decoded) } else { decoded.into_rgb8() });
    let (width, height) = FRAME;
    let fitted = opaque.resize_to_fill(width, height, FilterType::Lanczos3);
    let mut file = Cursor::new(Vec::new());
    let written = match image.format {
        ImageFormat::Png => fitted.write_to(&mut file, image::ImageFormat::Png),
        ImageFormat::Jpeg => fitted.write_with_encoder(JpegEncoder::new_with_quality(&mut file, QUALITY)),
    };
    written.map_err(|_| unreadable())?;
    Ok(STANDARD.encode(file.into_inner()))
}

/// The image composited over white.
fn on_white(image: &DynamicImage) -> RgbImage {
    let image = image.to_rgba8();
    let over = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        u8::try_from((value * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
    };
    let mut opaque = RgbImage::new(image.width(), image.height());
    for (to, from) in opaque.pixels_mut().zip(image.pixels()) {
        let [red, green, blue, alpha] = from.0;
        *to = Rgb([over(red, alpha), over(green, alpha), over(blue, alpha)]);
    }
    opaque
}

fn format_of(image: &InputImage) -> image::ImageFormat {
    match image.format {
        ImageFormat::Png => image::ImageFormat::Png,
        ImageFormat::Jpeg => image::ImageFormat::Jpeg,
    }
}

fn unreadable(image: &InputImage, field: &str) -> crate::ProviderError {
    invalid(format!("{field} is no {} file that can be read", image.format.name()))
}
