//! A picture inside a stored spec: its PNG as base64, for fields with `#[serde(with = "stored_image::rgb")]` or `gray`.
//!
//! It must not know specs or stores. Invariant: reading returns the pixels that were written; a text without a picture, or with one that
//! [`given_image`](crate::given_image) would not read, is an error, never a panic.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use png::{BitDepth, ColorType, Compression, Encoder};
use serde::{Deserialize as _, Deserializer, Serializer, de, ser};

use crate::spec::given_image::{GivenImageError, MAX_SIDE};

/// The picture as text. Fast rather than small: a spec is written once, and read only after a restart.
fn write<S: Serializer>(bytes: &[u8], (width, height): (u32, u32), color: ColorType, serializer: S) -> Result<S::Ok, S::Error> {
    if width.max(height) > MAX_SIDE {
        let reason = format!("a picture of {width}x{height} pixels would not be read back: {MAX_SIDE} is the longest side");
        return Err(ser::Error::custom(reason));
    }
    let encoded = || -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, width, height);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(bytes)?;
        writer.finish()?;
        Ok(file)
    };
    let file = encoded().map_err(ser::Error::custom)?;
    serializer.serialize_str(&STANDARD.encode(file))
}

fn read<'de, P, D: Deserializer<'de>>(deserializer: D, decoded: fn(Vec<u8>) -> Result<P, GivenImageError>) -> Result<P, D::Error> {
    let file = STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)?;
    decoded(file).map_err(de::Error::custom)
}

/// For a field of type [`image::RgbImage`].
pub(crate) mod rgb {
    use image::RgbImage;
    use png::ColorType;
    use serde::{Deserializer, Serializer};

    use crate::spec::given_image;

    pub(crate) fn serialize<S: Serializer>(image: &RgbImage, serializer: S) -> Result<S::Ok, S::Error> {
        super::write(image.as_raw(), image.dimensions(), ColorType::Rgb, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RgbImage, D::Error> {
        super::read(deserializer, given_image::rgb)
    }
}

/// For a field of type [`image::DynamicImage`] with 8 bits per channel, in colour; its transparency is kept.
pub(crate) mod whole {
    use image::DynamicImage;
    use png::ColorType;
    use serde::{Deserializer, Serializer};

    use crate::spec::given_image;

    pub(crate) fn serialize<S: Serializer>(image: &DynamicImage, serializer: S) -> Result<S::Ok, S::Error> {
        let size = (image.width(), image.height());
        if image.color().has_alpha() {
            super::write(image.to_rgba8().as_raw(), size, ColorType::Rgba, serializer)
        } else {
            super::write(image.to_rgb8().as_raw(), size, ColorType::Rgb, serializer)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DynamicImage, D::Error> {
        super::read(deserializer, given_image::read)
    }
}

/// For a field of type [`image::GrayImage`].
pub(crate) mod gray {
    use image::GrayImage;
    use png::ColorType;
    use serde::{Deserializer, Serializer};

    use crate::spec::given_image;

    pub(crate) fn serialize<S: Serializer>(image: &GrayImage, serializer: S) -> Result<S::Ok, S::Error> {
        super::write(image.as_raw(), image.dimensions(), ColorType::Grayscale, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GrayImage, D::Error> {
        super::read(deserializer, given_image::mask)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use image::{GrayImage, RgbImage};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Images {
        #[serde(with = "super::rgb")]
        image: RgbImage,
        #[serde(with = "super::gray")]
        mask: GrayImage,
    }

    fn images() -> Images {
        let bytes = |count: usize| (0..count).map(|index| (index * 7919 % 256) as u8).collect();
        Images { image: RgbImage::from_raw(5, 3, bytes(45)).unwrap(), mask: GrayImage::from_raw(3, 7, bytes(21)).unwrap() }
    }

    #[test]
    fn images_round_trip() {
        let read: Images = serde_json::from_str(&serde_json::to_string(&images()).unwrap()).unwrap();
        assert_eq!(read.image, images().image);
        assert_eq!(read.mask, images().mask);
    }

    #[test]
    fn a_text_without_an_image_is_an_error() {
        let whole = serde_json::to_value(images()).unwrap();
        for text in ["", "no base64!", "bm8gcGljdHVyZQ==", &whole["image"].as_str().unwrap()[..40]] {
            let broken = serde_json::json!({ "image": text, "mask": whole["mask"] });
            assert!(serde_json::from_value::<Images>(broken).is_err(), "{text}");
        }
    }

    #[test]
    fn an_image_that_could_not_be_read_back_is_not_written() {
        for (width, height) in [(MAX_SIDE + 1, 1), (0, 0)] {
            let image = RgbImage::new(width, height);
            assert!(serde_json::to_string(&Images { image, ..images() }).is_err(), "{width}x{height}");
        }
    }
}
