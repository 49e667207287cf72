//! The seam between two windows of an image in motion: the difference between the first window's last frame and the model's reconstruction
//! of it, which is added to the second window's frames and fades to zero.
//!
//! This module must not depend on models. A window starts with the model's reconstruction of the previous window's last frame, a little
//! softer and with slightly different colours; without a correction, every window would start with a visible jump. Invariants: the window's
//! first frame becomes byte-identical to the previous window's last, so that only the motion is visible at the seam; its own last frame is
//! unchanged, because the next window starts from it; in between, the difference fades linearly.

use image::RgbImage;

/// The difference between a window's first frame and the frame that it should repeat.
pub(crate) struct Seam {
    /// `wanted - found` for each byte.
    missing: Vec<i16>,
    /// The number of frames until the difference has faded to zero.
    frames: usize,
}

impl Seam {
    /// The seam between `wanted`, the last frame of a window, and `found`, the first frame of the next, which has `frames` new frames.
    /// Frames of different sizes are not corrected.
    pub(crate) fn new(wanted: &RgbImage, found: &RgbImage, frames: usize) -> Self {
        let missing = if wanted.dimensions() == found.dimensions() {
            wanted.iter().zip(found.iter()).map(|(wanted, found)| i16::from(*wanted) - i16::from(*found)).collect()
        } else {
            Vec::new()
        };
        Self { missing, frames }
    }

    /// The `index`th frame of the window, from 0, with its share of the difference added.
    pub(crate) fn blended(&self, frame: &RgbImage, index: usize) -> RgbImage {
        let mut blended = frame.clone();
        let all = i32::try_from(self.frames.max(1)).unwrap_or(i32::MAX);
        let left = i32::try_from(self.frames.saturating_sub(index)).unwrap_or(i32::MAX);
        if left > 0 {
            for (byte, missing) in blended.iter_mut().zip(&self.missing) {
                // Rounded half up, as in `blend`.
                let share = (2 * i64::from(*missing) * i64::from(left) + i64::from(all)).div_euclid(2 * i64::from(all));
                *byte = (i64::from(*byte) + share).clamp(0, 255) as u8;
            }
        }
        blended
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn the_difference_fades_linearly() {
        let pixel = |bytes: [u8; 3]| RgbImage::from_pixel(1, 1, Rgb(bytes));
        let seam = Seam::new(&pixel([100, 40, 255]), &pixel([60, 48, 0]), 4);
        let at = |index| seam.blended(&pixel([60, 48, 0]), index).into_raw();
        assert_eq!(
            [at(0), at(1), at(2), at(3), at(4), at(9)],
            [vec![100, 40, 255], vec![90, 42, 191], vec![80, 44, 128], vec![70, 46, 64], vec![60, 48, 0], vec![60, 48, 0]]
        );
        // Values are clamped to a byte.
        assert_eq!(seam.blended(&pixel([240, 3, 250]), 0).into_raw(), [255, 0, 255]);
    }

    #[test]
    fn frames_of_different_sizes_are_unchanged() {
        let seam = Seam::new(&RgbImage::from_pixel(2, 1, Rgb([9; 3])), &RgbImage::new(1, 1), 4);
        assert_eq!(seam.blended(&RgbImage::new(1, 1), 1), RgbImage::new(1, 1));
    }
}
