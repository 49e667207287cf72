//! Pixel conversions as in Pillow 13's `Image.convert`: 16 bits to 8, colour to grey.
//!
//! It must not know files, except for one byte of a PNG's header. Reference: Pillow's `Convert.c`, and the modes that `PngImagePlugin`
//! assigns to each kind of PNG.

use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Pixel, RgbImage};

/// Whether a file's 16-bit values are clipped at 255 instead of divided by 256.
///
/// Pillow reads 16-bit grey as its mode `I;16`, which `convert` clips, so that all but the 256 darkest of 65,536 greys become white; the
/// same applies if one grey is marked as transparent (tRNS). Of 16-bit colour, and of grey with an alpha channel, it takes the high bytes.
pub(super) fn is_clipped(file: &[u8], format: ImageFormat) -> bool {
    /// The offset of the colour type in a PNG's header; 0 is grey.
    const COLOUR_TYPE: usize = 25;
    format == ImageFormat::Png && file.get(COLOUR_TYPE) == Some(&0)
}

/// The picture with 8 bits per channel.
pub(super) fn of_eight_bits(image: DynamicImage, is_clipped: bool) -> DynamicImage {
    let narrowed = |value: u16| if is_clipped { value.min(255) as u8 } else { (value >> 8) as u8 };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the enum is another crate's and may grow; all other variants have 8 bits per channel"
    )]
    match image {
        DynamicImage::ImageLuma16(image) => DynamicImage::ImageLuma8(mapped(&image, narrowed)),
        // The alpha values beside a clipped grey are either 0 or the maximum.
        DynamicImage::ImageLumaA16(image) => DynamicImage::ImageLumaA8(mapped(&image, narrowed)),
        DynamicImage::ImageRgb16(image) => DynamicImage::ImageRgb8(mapped(&image, narrowed)),
        DynamicImage::ImageRgba16(image) => DynamicImage::ImageRgba8(mapped(&image, narrowed)),
        image => image,
    }
}

fn mapped<From, To>(image: &ImageBuffer<From, Vec<u16>>, narrowed: impl Fn(u16) -> u8) -> ImageBuffer<To, Vec<u8>>
where
    From: Pixel<Subpixel = u16>,
    To: Pixel<Subpixel = u8>,
{
    let mut into = ImageBuffer::new(image.width(), image.height());
    for (byte, value) in into.iter_mut().zip(image.as_raw()) {
        *byte = narrowed(*value);
    }
    into
}

/// Converts to grey by ITU-R 601-2 with Pillow's 16-bit coefficients.
pub(super) fn grey(image: &RgbImage) -> GrayImage {
    let grey = |[red, green, blue]: [u8; 3]| (u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16;
    GrayImage::from_fn(image.width(), image.height(), |x, y| image::Luma([grey(image.get_pixel(x, y).0) as u8]))
}
