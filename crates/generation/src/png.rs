//! A picture as PNG, with its generation parameters in a `parameters` chunk.
//!
//! Invariant: the same picture and the same text give the same bytes, so there is no timestamp, and no compression level that depends on
//! load.

use image::{DynamicImage, RgbImage};
use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

/// The keyword under which AUTOMATIC1111's tools look for the text.
pub const PARAMETERS_KEYWORD: &str = "parameters";

/// Encodes an 8-bit RGB picture. The text goes into a `tEXt` chunk if it is Latin-1, otherwise into `iTXt`, which holds UTF-8.
///
/// # Errors
/// If the encoder refuses the picture (no pixels) or the text.
pub fn encode(image: &RgbImage, parameters: &str) -> Result<Vec<u8>, EncodingError> {
    encode_pixels(image.as_raw(), image.dimensions(), ColorType::Rgb, parameters)
}

/// The same for a picture that may have transparency; one of another kind than RGBA is encoded as RGB.
///
/// # Errors
/// As [`encode`].
pub fn encode_any(image: &DynamicImage, parameters: &str) -> Result<Vec<u8>, EncodingError> {
    match image.as_rgba8() {
        Some(image) => encode_pixels(image.as_raw(), image.dimensions(), ColorType::Rgba, parameters),
        None => encode(&image.to_rgb8(), parameters),
    }
}

fn encode_pixels(pixels: &[u8], (width, height): (u32, u32), colour: ColorType, parameters: &str) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    if parameters.chars().all(|character| u32::from(character) < 256) {
        encoder.add_text_chunk(PARAMETERS_KEYWORD.into(), parameters.into())?;
    } else {
        encoder.add_itxt_chunk(PARAMETERS_KEYWORD.into(), parameters.into())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// Encodes an 8-bit RGB picture without text, with the fastest compression: for pictures that are viewed once.
///
/// # Errors
/// If the encoder refuses the picture (no pixels).
pub fn encode_fast(image: &RgbImage) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fastest);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(image.as_raw())?;
    writer.finish()?;
    Ok(bytes)
}
