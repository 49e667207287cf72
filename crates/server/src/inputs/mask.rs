//! Masks: pictures that say where another one is repainted.
//!
//! The invariant: a mask has the size of its picture before anything is done with either.

use diffusion_core::imaging::{Part, resized_mask};
use image::{DynamicImage, GrayImage, Luma, Rgba};

/// The mask of a picture: its opacity if it is transparent anywhere, else its brightness.
pub(crate) fn mask_of(mask: DynamicImage) -> GrayImage {
    let is_transparent = mask.color().has_alpha() && mask.to_rgba8().pixels().any(|pixel| pixel.0[3] < 255);
    if is_transparent {
        let rgba = mask.into_rgba8();
        let opaque = |pixel: &Rgba<u8>| if pixel.0[3] > 128 { 255 } else { 0 };
        return GrayImage::from_fn(rgba.width(), rgba.height(), |x, y| Luma([opaque(rgba.get_pixel(x, y))]));
    }
    mask.into_luma8()
}

/// A mask at its picture's size, which a large picture was reduced to.
///
/// # Errors
/// A sentence, if either is empty.
pub(crate) fn mask_for(mask: DynamicImage, (width, height): (u32, u32)) -> Result<GrayImage, String> {
    let mask = mask_of(mask);
    if mask.dimensions() == (width, height) {
        return Ok(mask);
    }
    resized_mask(&mask, Part::whole(mask.width(), mask.height()), width, height).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use image::RgbaImage;

    use super::*;

    #[test]
    fn a_mask_is_opacity_if_there_is_any_else_brightness() {
        let opaque = RgbaImage::from_fn(2, 1, |x, _| if x == 0 { Rgba([255; 4]) } else { Rgba([0, 0, 0, 255]) });
        assert_eq!(mask_of(DynamicImage::from(opaque)).into_raw(), [255, 0]);
        let transparent = RgbaImage::from_fn(2, 1, |x, _| Rgba([255, 255, 255, if x == 0 { 0 } else { 200 }]));
        assert_eq!(mask_of(DynamicImage::from(transparent)).into_raw(), [0, 255]);
        assert_eq!(mask_of(DynamicImage::from(GrayImage::from_pixel(1, 1, Luma([77])))).into_raw(), [77]);
    }

    #[test]
    fn a_mask_gets_the_size_of_its_picture() {
        let mask = GrayImage::from_fn(2, 1, |x, _| Luma([if x == 0 { 255 } else { 0 }]));
        let sized = mask_for(DynamicImage::from(mask), (16, 8)).unwrap();
        assert_eq!((sized.dimensions(), sized.get_pixel(1, 4).0[0], sized.get_pixel(14, 4).0[0]), ((16, 8), 255, 0));
    }
}
