//! Ways to bring an image to a size of other proportions, and the simplest enlargement.
//!
//! This module must not depend on models. Invariant: the result has the requested size.

use image::{GrayImage, RgbImage};

use super::{Part, resize::resize, resized};
use crate::{Result, imaging::Filter};

/// Resizes an image with Pillow's nearest filter: blocks of one colour.
///
/// # Errors
/// [`crate::Error::Params`] if the image or the target size is empty.
pub fn nearest(image: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    // Judges the sizes.
    resized(&RgbImage::new(image.width().min(1), image.height().min(1)), width.min(1), height.min(1))?;
    let at = |position: u32, from: u32, to: u32| (((f64::from(position) + 0.5) * f64::from(from) / f64::from(to)) as u32).min(from - 1);
    Ok(RgbImage::from_fn(width, height, |x, y| *image.get_pixel(at(x, image.width(), width), at(y, image.height(), height))))
}

/// The size of a whole image inside a frame, and where its left and upper edges are there: as large as fits, about the middle.
fn inside((width, height): (u32, u32), frame: (u32, u32)) -> ((u32, u32), (u32, u32)) {
    let (across, down) = (u64::from(width) * u64::from(frame.1), u64::from(height) * u64::from(frame.0));
    let share = |side: u32, of: u32, by: u32| u32::try_from(u64::from(side) * u64::from(of) / u64::from(by.max(1))).unwrap_or(of).max(1);
    let size = if across > down { (frame.0, share(height, frame.0, width)) } else { (share(width, frame.1, height), frame.1) };
    (size, ((frame.0 - size.0.min(frame.0)) / 2, (frame.1 - size.1.min(frame.1)) / 2))
}

/// Resizes an image to fit into a size, and continues its outermost pixels to the edges.
///
/// # Errors
/// [`crate::Error::Params`] if the image or the target size is empty.
pub fn padded(image: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    let ((across, down), (left, top)) = inside(image.dimensions(), (width, height));
    let small = resized(image, across, down)?;
    let at = |position: u32, from: u32, length: u32| position.saturating_sub(from).min(length - 1);
    Ok(RgbImage::from_fn(width, height, |x, y| *small.get_pixel(at(x, left, across), at(y, top, down))))
}

/// As [`padded`], for a mask.
///
/// # Errors
/// As [`padded`].
pub fn padded_mask(mask: &GrayImage, width: u32, height: u32) -> Result<GrayImage> {
    let ((across, down), (left, top)) = inside(mask.dimensions(), (width, height));
    let small = resized_mask(mask, Part::whole(mask.width(), mask.height()), across, down)?;
    let at = |position: u32, from: u32, length: u32| position.saturating_sub(from).min(length - 1);
    Ok(GrayImage::from_fn(width, height, |x, y| *small.get_pixel(at(x, left, across), at(y, top, down))))
}

/// Resizes a part of a mask with Pillow's Lanczos filter.
///
/// # Errors
/// [`crate::Error::Params`] if the part or the target size is empty, or the part is not inside the mask.
pub fn resized_mask(mask: &GrayImage, part: Part, width: u32, height: u32) -> Result<GrayImage> {
    let bytes = resize::<1>(mask.as_raw(), mask.dimensions(), part, (width, height), Filter::Lanczos, "mask_image")?;
    Ok(GrayImage::from_raw(width, height, bytes).unwrap_or_else(|| GrayImage::new(width, height)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use image::Rgb;

    use super::*;

    #[test]
    fn nearest_repeats_and_picks_pixels() {
        let image = RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8 * 100, 1, 2]));
        let large = nearest(&image, 5, 2).unwrap();
        // Image.resize((5, 2), NEAREST), Pillow 13.0.
        assert_eq!([0, 1, 2, 3, 4].map(|x| large.get_pixel(x, 1).0[0]), [0, 0, 100, 100, 100]);
        assert!(nearest(&image, 0, 2).is_err() && nearest(&RgbImage::new(0, 0), 2, 2).is_err());
    }

    #[test]
    fn a_padded_image_is_whole_and_its_edges_continue() {
        let image = RgbImage::from_fn(8, 4, |x, _| Rgb([if x < 4 { 10 } else { 250 }, 0, 0]));
        let tall = padded(&image, 8, 12).unwrap();
        assert_eq!(tall.dimensions(), (8, 12));
        for y in [0, 4, 7, 11] {
            assert_eq!([tall.get_pixel(0, y).0[0], tall.get_pixel(7, y).0[0]], [10, 250], "{y}");
        }
        let mask = padded_mask(&GrayImage::from_pixel(4, 8, image::Luma([255])), 12, 8).unwrap();
        assert_eq!(mask, GrayImage::from_pixel(12, 8, image::Luma([255])));
    }
}
