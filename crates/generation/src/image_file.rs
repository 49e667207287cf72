//! The file of an image: PNG, JPEG or WebP, with the generation parameters inside.
//!
//! It must not know where the file goes. Invariants: the same image, parameters and format give the same bytes; every format carries the
//! parameters where AUTOMATIC1111's tools look for them, a PNG in its text chunk and the others in Exif's `UserComment`.

use std::io;

use image::{
    DynamicImage, ExtendedColorType, ImageEncoder as _, ImageError, RgbImage,
    codecs::{jpeg::JpegEncoder, webp::WebPEncoder},
};
use png::EncodingError;
use serde::{Deserialize, Serialize};

use crate::png as png_file;

/// The format of an image's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// PNG, lossless.
    #[default]
    Png,
    /// JPEG.
    Jpeg {
        /// 1 (smallest) to 100 (best).
        quality: u8,
    },
    /// WebP, lossless.
    #[serde(rename = "webp")]
    WebP,
}

impl ImageFormat {
    /// The media type of its files.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg { .. } => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }

    /// Its name, which also ends the names of its files: "png", "jpeg" or "webp".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg { .. } => "jpeg",
            Self::WebP => "webp",
        }
    }

    /// Whether it is the default.
    pub fn is_png(&self) -> bool {
        *self == Self::Png
    }

    /// The name of the file of a job's image.
    pub fn file_name(self, index: usize) -> String {
        format!("image-{index}.{}", self.name())
    }

    /// Whether a job's image may have this file name.
    pub(crate) fn is_file_name(name: &str) -> bool {
        let formats = [Self::Png, Self::Jpeg { quality: 100 }, Self::WebP];
        let index = name.strip_prefix("image-").and_then(|rest| rest.split_once('.'));
        index.is_some_and(|(_, ending)| formats.into_iter().any(|format| format.name() == ending))
    }

    /// Encodes an image.
    ///
    /// # Errors
    /// If the encoder refuses the image (no pixels, or too many) or the text.
    pub fn encode(self, image: &RgbImage, parameters: &str) -> Result<Vec<u8>, EncodingError> {
        if self.is_png() {
            return png_file::encode(image, parameters);
        }
        self.encode_pixels((image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8), parameters)
    }

    /// Whether its files can have transparency.
    pub fn has_transparency(self) -> bool {
        match self {
            Self::Png | Self::WebP => true,
            Self::Jpeg { .. } => false,
        }
    }

    /// Encodes an image that may have transparency; where the format has none, the colours beneath it remain.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_any(self, image: &DynamicImage, parameters: &str) -> Result<Vec<u8>, EncodingError> {
        match image.as_rgba8() {
            Some(_) if self.is_png() => png_file::encode_any(image, parameters),
            Some(rgba) if self.has_transparency() => {
                self.encode_pixels((rgba.as_raw(), rgba.width(), rgba.height(), ExtendedColorType::Rgba8), parameters)
            }
            Some(_) | None => self.encode(&image.to_rgb8(), parameters),
        }
    }

    /// Encodes as JPEG, or else as WebP.
    fn encode_pixels(
        self,
        (pixels, width, height, colour): (&[u8], u32, u32, ExtendedColorType),
        parameters: &str,
    ) -> Result<Vec<u8>, EncodingError> {
        let mut bytes = Vec::new();
        let of_image = |error: ImageError| EncodingError::IoError(io::Error::other(error));
        match self {
            Self::Jpeg { quality } => {
                let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100));
                encoder.set_exif_metadata(exif(parameters)).map_err(|error| of_image(ImageError::Unsupported(error)))?;
                encoder.write_image(pixels, width, height, colour).map_err(of_image)?;
            }
            Self::Png | Self::WebP => {
                let mut encoder = WebPEncoder::new_lossless(&mut bytes);
                encoder.set_exif_metadata(exif(parameters)).map_err(|error| of_image(ImageError::Unsupported(error)))?;
                encoder.write_image(pixels, width, height, colour).map_err(of_image)?;
            }
        }
        Ok(bytes)
    }
}

/// Exif data with one entry, the comment: a big-endian TIFF header, a directory that points to Exif's, and that with `UserComment`
/// (Exif 2.32, 4.6.5), in UTF-16 as piexif writes it.
fn exif(comment: &str) -> Vec<u8> {
    const LONG: u16 = 4;
    const UNDEFINED: u16 = 7;
    let text: Vec<u8> = comment.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut exif = b"MM\0\x2a\0\0\0\x08".to_vec();
    let mut directory = |tag: u16, kind: u16, count: u32, value: u32| {
        exif.extend(1_u16.to_be_bytes());
        exif.extend(tag.to_be_bytes().into_iter().chain(kind.to_be_bytes()));
        exif.extend(count.to_be_bytes().into_iter().chain(value.to_be_bytes()));
        exif.extend(0_u32.to_be_bytes());
    };
    // Each directory takes 18 bytes after the header's 8.
    directory(0x8769, LONG, 1, 26);
    directory(0x9286, UNDEFINED, u32::try_from(8 + text.len()).unwrap_or(u32::MAX), 44);
    exif.extend_from_slice(b"UNICODE\0");
    exif.extend(text);
    exif
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use image::{ImageDecoder as _, Rgb};

    use super::*;

    const PARAMETERS: &str = "a caf\u{e9} \u{1f98a}\nSteps: 25, Seed: 4";

    fn image() -> RgbImage {
        RgbImage::from_fn(40, 24, |x, y| Rgb([x as u8 * 6, y as u8 * 9, 77]))
    }

    #[test]
    fn every_format_keeps_the_image_and_carries_the_parameters() {
        for (format, most_off) in
            [(ImageFormat::Png, 0), (ImageFormat::WebP, 0), (ImageFormat::Jpeg { quality: 100 }, 8), (ImageFormat::Jpeg { quality: 0 }, 90)]
        {
            let file = format.encode(&image(), PARAMETERS).unwrap();
            assert_eq!(image::guess_format(&file).unwrap().to_mime_type(), format.media_type());
            let mut decoder = image::ImageReader::new(io::Cursor::new(&file)).with_guessed_format().unwrap().into_decoder().unwrap();
            if !format.is_png() {
                assert_eq!(decoder.exif_metadata().unwrap().unwrap(), exif(PARAMETERS), "{format:?}");
            }
            let read = image::DynamicImage::from_decoder(decoder).unwrap().into_rgb8();
            let off = read.as_raw().iter().zip(image().as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(read.dimensions() == (40, 24) && off <= most_off, "{format:?}: {off}");
            // Our own reader of callers' pictures finds it upright.
            assert_eq!(crate::spec::given_image::rgb(file).unwrap(), read);
        }
    }

    #[test]
    fn transparency_is_kept_where_the_format_has_it() {
        let clear = image::RgbaImage::from_fn(9, 7, |x, y| image::Rgba([x as u8 * 20, 200, y as u8 * 30, x as u8 * 28]));
        let clear = DynamicImage::from(clear);
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg { quality: 100 }] {
            let read = crate::spec::given_image::read(format.encode_any(&clear, PARAMETERS).unwrap()).unwrap();
            assert_eq!(read.color().has_alpha(), format.has_transparency(), "{format:?}");
            assert!(!format.has_transparency() || read.to_rgba8() == clear.to_rgba8(), "{format:?}");
            assert_eq!(format.encode_any(&image().into(), PARAMETERS).unwrap(), format.encode(&image(), PARAMETERS).unwrap());
        }
    }

    #[test]
    fn a_lower_quality_is_a_smaller_file() {
        let bytes = |quality| ImageFormat::Jpeg { quality }.encode(&image(), "").unwrap().len();
        assert!(bytes(10) < bytes(60) && bytes(60) < bytes(100));
    }

    #[test]
    fn the_comment_is_what_piexif_writes() {
        // Python: piexif.dump({"Exif": {piexif.ExifIFD.UserComment: piexif.helper.UserComment.dump("ab", "unicode")}})[6:]
        let expected =
            b"MM\0*\0\0\0\x08\0\x01\x87i\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0\0\x01\x92\x86\0\x07\0\0\0\x0c\0\0\0,\0\0\0\0UNICODE\0\0a\0b";
        assert_eq!(exif("ab"), expected);
    }

    #[test]
    fn a_format_is_stored_by_its_name() {
        for (format, stored) in [
            (ImageFormat::Png, "\"png\""),
            (ImageFormat::WebP, "\"webp\""),
            (ImageFormat::Jpeg { quality: 7 }, "{\"jpeg\":{\"quality\":7}}"),
        ] {
            assert_eq!(serde_json::to_string(&format).unwrap(), stored);
            assert_eq!(serde_json::from_str::<ImageFormat>(stored).unwrap(), format);
        }
        assert!(
            ImageFormat::is_file_name("image-0.png")
                && ImageFormat::is_file_name("image-12.jpeg")
                && !ImageFormat::is_file_name("image-0.gif")
        );
    }
}
