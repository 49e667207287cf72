//! Resizes images with Pillow's filters.
//!
//! This module must not depend on models. Invariant: a resized image has the same bytes as the result of `PIL.Image.resize`, because
//! diffusers applies Pillow's Lanczos filter before the autoencoder (`VaeImageProcessor.preprocess`), and transformers its bicubic filter
//! before a captioner. Pillow's 8-bit resampling works in two passes, rows first, with coefficients rounded to 22 fractional bits, and
//! rounds to bytes in between. Rows come first at every size here, as in every Pillow before 13, which resizes columns first if the height
//! shrinks much more than the width, and so rounds some bytes differently.

use image::RgbImage;

use super::Filter;
use crate::{Error, Result};

/// Fractional bits of a resampling coefficient: 32 of the accumulator, minus 8 for a byte and 2 of headroom for the negative lobes.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// One half in the fixed-point format of the sums, so that truncation rounds.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// Tolerance for a part's edge outside its image, for rounding errors in the caller's arithmetic.
const ROUNDING: f64 = 1e-6;

/// Resizes an image with Pillow's Lanczos filter.
///
/// # Errors
/// [`Error::Params`] if the image or the target size is empty.
pub fn resized(image: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    resized_by(image, width, height, Filter::Lanczos)
}

/// Resizes an image with the given Pillow filter.
///
/// # Errors
/// [`Error::Params`] if the image or the target size is empty.
pub fn resized_by(image: &RgbImage, width: u32, height: u32, filter: Filter) -> Result<RgbImage> {
    part_by(image, Part::whole(image.width(), image.height()), width, height, filter)
}

/// A rectangular part of an image, in pixels from the top left corner; its edges may lie between pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// The left edge.
    pub left: f64,
    /// The top edge.
    pub top: f64,
    /// The width.
    pub width: f64,
    /// The height.
    pub height: f64,
}

impl Part {
    /// The whole of an image of this size.
    pub fn whole(width: u32, height: u32) -> Self {
        Self { left: 0.0, top: 0.0, width: f64::from(width), height: f64::from(height) }
    }

    /// The largest centred part of an image with the aspect ratio of `to`: what remains visible when the image covers a frame without being
    /// stretched. The whole image if a side of either is 0.
    pub fn covering(image: (u32, u32), to: (u32, u32)) -> Self {
        let whole = Self::whole(image.0, image.1);
        let (across, down) = (whole.width * f64::from(to.1), whole.height * f64::from(to.0));
        if across <= 0.0 || down <= 0.0 {
            return whole;
        }
        // One of the two is exactly the image's own.
        let (width, height) = if across > down { (down / f64::from(to.1), whole.height) } else { (whole.width, across / f64::from(to.0)) };
        Self { left: (whole.width - width) / 2.0, top: (whole.height - height) / 2.0, width, height }
    }
}

/// Resizes a part of an image with Pillow's Lanczos filter, as with its `box` argument: pixels outside the part's edges contribute to those
/// inside, as in the whole image.
///
/// # Errors
/// [`Error::Params`] if the part or the target size is empty, or the part is not inside the image.
pub fn resized_part(image: &RgbImage, part: Part, width: u32, height: u32) -> Result<RgbImage> {
    part_by(image, part, width, height, Filter::Lanczos)
}

fn part_by(image: &RgbImage, part: Part, width: u32, height: u32, filter: Filter) -> Result<RgbImage> {
    let bytes = resize::<3>(image.as_raw(), image.dimensions(), part, (width, height), filter, "image")?;
    RgbImage::from_raw(width, height, bytes).ok_or_else(|| Error::Params { field: "image", reason: format!("no {width}x{height} pixels") })
}

/// One output pixel's window: its first source pixel, and its weights.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

/// Resizes an image of `CHANNELS` bytes per pixel; `field` names it in errors.
pub(crate) fn resize<const CHANNELS: usize>(
    bytes: &[u8],
    from: (u32, u32),
    part: Part,
    to: (u32, u32),
    filter: Filter,
    field: &'static str,
) -> Result<Vec<u8>> {
    let ((width, height), (to_width, to_height)) = ((from.0 as usize, from.1 as usize), (to.0 as usize, to.1 as usize));
    if width == 0 || height == 0 || to_width == 0 || to_height == 0 {
        let reason = format!("a picture of {width}x{height} pixels cannot be resized to {to_width}x{to_height}");
        return Err(Error::Params { field, reason });
    }
    let (across, down) = ((part.left, part.left + part.width), (part.top, part.top + part.height));
    let inside = |(start, end): (f64, f64), side: u32| start >= 0.0 && start < end && end <= f64::from(side) + ROUNDING;
    if !inside(across, from.0) || !inside(down, from.1) {
        let reason = format!("{part:?} is no part of a picture of {width}x{height} pixels");
        return Err(Error::Params { field, reason });
    }
    let mut current = bytes.to_vec();
    if to_width != width || across != (0.0, f64::from(from.0)) {
        let windows = windows(width, across, to_width, filter);
        let mut next = Vec::with_capacity(to_width * height * CHANNELS);
        for row in current.chunks_exact(width * CHANNELS) {
            for window in &windows {
                let mut sums = [HALF; CHANNELS];
                for (pixel, weight) in row.chunks_exact(CHANNELS).skip(window.start).zip(&window.weights) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum = sum.wrapping_add(weight * i32::from(*value));
                    }
                }
                next.extend(sums.map(to_byte));
            }
        }
        current = next;
    }
    if to_height != height || down != (0.0, f64::from(from.1)) {
        let stride = to_width * CHANNELS;
        let mut next = Vec::with_capacity(stride * to_height);
        let mut sums = vec![HALF; stride];
        for window in windows(height, down, to_height, filter) {
            // A row at a time, which the compiler vectorises.
            sums.fill(HALF);
            for (row, weight) in current.chunks_exact(stride).skip(window.start).zip(&window.weights) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(weight * i32::from(*value));
                }
            }
            next.extend(sums.iter().map(|sum| to_byte(*sum)));
        }
        current = next;
    }
    Ok(current)
}

/// Rounds a sum of weighted bytes.
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// The window of every output position along one axis, for the `part` of `from` source pixels.
fn windows(from: usize, part: (f64, f64), to: usize, filter: Filter) -> Vec<Window> {
    let scale = (part.1 - part.0) / to as f64;
    let filter_scale = scale.max(1.0);
    let support = filter.support() * filter_scale;
    let one = f64::from(1u32 << PRECISION_BITS);
    (0..to)
        .map(|position| {
            let center = part.0 + (position as f64 + 0.5) * scale;
            // Casting a negative float to usize gives 0, which is the intended clamp.
            let start = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weights = (start..end).map(|x| filter.weight((x as f64 - center + 0.5) / filter_scale)).collect::<Vec<f64>>();
            let total = weights.iter().sum::<f64>();
            let weights = weights.iter().map(|weight| (weight / total * one).round() as i32).collect();
            Window { start, weights }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn pattern(width: usize, height: usize, channels: usize) -> Vec<u8> {
        (0..width * height * channels).map(|index| ((index * 7919 + index / 5 * 131) % 256) as u8).collect()
    }

    /// FNV-1a, to compare whole images by a single number.
    fn digest(bytes: &[u8]) -> u32 {
        bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    }

    /// Digests of Pillow 13.0's results for the four cases below: `Image.frombytes(mode, (37, 23), pattern).resize(size, LANCZOS)`.
    const PILLOW: [u32; 4] = [0xf16a_6768, 0x29ca_3ec2, 0xccac_eb8d, 0x5b2f_0281];

    #[test]
    fn an_equal_size_keeps_every_byte() {
        let bytes = pattern(16, 8, 3);
        assert_eq!(resize::<3>(&bytes, (16, 8), Part::whole(16, 8), (16, 8), Filter::Lanczos, "init_image").unwrap(), bytes);
    }

    #[test]
    fn lanczos_gives_pillows_bytes() {
        let rgb = pattern(37, 23, 3);
        let gray = pattern(37, 23, 1);
        let whole = Part::whole(37, 23);
        let small = resize::<3>(&rgb, (37, 23), whole, (16, 8), Filter::Lanczos, "init_image").unwrap();
        let large = resize::<3>(&rgb, (37, 23), whole, (64, 48), Filter::Lanczos, "init_image").unwrap();
        let mask = resize::<1>(&gray, (37, 23), whole, (24, 40), Filter::Lanczos, "mask_image").unwrap();
        let wide = resize::<1>(&gray, (37, 23), whole, (80, 23), Filter::Lanczos, "mask_image").unwrap();
        let found = [&small, &large, &mask, &wide].map(|bytes| digest(bytes));
        assert_eq!(found, PILLOW, "first bytes {:?}", &small[..12]);
    }

    #[test]
    fn a_part_gives_pillows_bytes() {
        let image = RgbImage::from_raw(37, 23, pattern(37, 23, 3)).unwrap();
        let digest = |part: [f64; 4], size: (u32, u32)| {
            let [left, top, right, bottom] = part;
            let part = Part { left, top, width: right - left, height: bottom - top };
            digest(resized_part(&image, part, size.0, size.1).unwrap().as_raw())
        };
        // `image.resize(size, LANCZOS, box=part)`, Pillow 13.0.
        assert_eq!(digest([2.25, 1.5, 30.75, 20.125], (37, 23)), 0x03f7_4ac0);
        assert_eq!(digest([0.0, 0.0, 18.5, 23.0], (64, 48)), 0xd75b_6f83);
        assert_eq!(digest([11.125, 3.0, 37.0, 20.0], (16, 8)), 0x9389_a0e9);
    }

    #[test]
    fn a_covering_part_has_the_frames_aspect_ratio_and_is_centred() {
        let part = Part::covering;
        assert_eq!(part((100, 50), (20, 10)), Part::whole(100, 50));
        assert_eq!(part((100, 50), (10, 10)), Part { left: 25.0, top: 0.0, width: 50.0, height: 50.0 });
        assert_eq!(part((50, 100), (16, 9)), Part { left: 0.0, top: 35.9375, width: 50.0, height: 28.125 });
        // At every size it is a valid part.
        for side in 1..60 {
            let image = RgbImage::new(61 - side, side);
            let part = part(image.dimensions(), (1920, 1000 + side));
            assert_eq!(resized_part(&image, part, 4, 3).unwrap().dimensions(), (4, 3), "{part:?}");
        }
    }

    #[test]
    fn an_invalid_part_is_an_error() {
        let image = RgbImage::new(8, 8);
        let whole = Part::whole(8, 8);
        for part in [
            Part { left: -0.5, ..whole },
            Part { top: 1.0, ..whole },
            Part { width: 0.0, ..whole },
            Part { height: f64::NAN, ..whole },
            Part { width: f64::INFINITY, ..whole },
        ] {
            assert!(matches!(resized_part(&image, part, 4, 4), Err(Error::Params { field: "image", .. })), "{part:?}");
        }
    }
}
