//! The seam between two windows of an image in motion: what the second window lost of the first one's last frame when it read that, added
//! to its frames in shares that fade to nothing.
//!
//! It must not know models. A window begins with the last frame of the one before as the model understands it, a little softer and of a
//! little other colours; shown as it is, every window would begin with a jerk. The invariants: the window's first frame becomes the last
//! of the one before to the byte, so that only the motion is seen at the seam; its own last frame stays as the model made it, for that is
//! what the next window begins with; in between the difference fades evenly.

use image::RgbImage;

/// What a window's first frame lacks of the frame that it should have been.
pub(crate) struct Seam {
    /// For each byte, what is missing: wanted less found.
    missing: Vec<i16>,
    /// Frames until nothing of it is left.
    frames: usize,
}

impl Seam {
    /// Between the last frame of a window and what the next one, of so many new frames, made of it. Frames of different sizes have no
    /// seam that could be mended.
    pub(crate) fn new(wanted: &RgbImage, found: &RgbImage, frames: usize) -> Self {
        let missing = if wanted.dimensions() == found.dimensions() {
            wanted.iter().zip(found.iter()).map(|(wanted, found)| i16::from(*wanted) - i16::from(*found)).collect()
        } else {
            Vec::new()
        };
        Self { missing, frames }
    }

    /// The `index`th frame of the window, from 0, with its share of what is missing.
    pub(crate) fn mended(&self, frame: &RgbImage, index: usize) -> RgbImage {
        let mut mended = frame.clone();
        let all = i32::try_from(self.frames.max(1)).unwrap_or(i32::MAX);
        let left = i32::try_from(self.frames.saturating_sub(index)).unwrap_or(i32::MAX);
        if left > 0 {
            for (byte, missing) in mended.iter_mut().zip(&self.missing) {
                // Rounded half up, as a mix of two frames is.
                let share = (2 * i64::from(*missing) * i64::from(left) + i64::from(all)).div_euclid(2 * i64::from(all));
                *byte = (i64::from(*byte) + share).clamp(0, 255) as u8;
            }
        }
        mended
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn what_is_missing_fades_evenly() {
        let pixel = |bytes: [u8; 3]| RgbImage::from_pixel(1, 1, Rgb(bytes));
        let seam = Seam::new(&pixel([100, 40, 255]), &pixel([60, 48, 0]), 4);
        let at = |index| seam.mended(&pixel([60, 48, 0]), index).into_raw();
        assert_eq!(
            [at(0), at(1), at(2), at(3), at(4), at(9)],
            [vec![100, 40, 255], vec![90, 42, 191], vec![80, 44, 128], vec![70, 46, 64], vec![60, 48, 0], vec![60, 48, 0]]
        );
        // Bytes stay bytes.
        assert_eq!(seam.mended(&pixel([240, 3, 250]), 0).into_raw(), [255, 0, 255]);
    }

    #[test]
    fn frames_of_different_sizes_are_left_as_they_are() {
        let seam = Seam::new(&RgbImage::from_pixel(2, 1, Rgb([9; 3])), &RgbImage::new(1, 1), 4);
        assert_eq!(seam.mended(&RgbImage::new(1, 1), 1), RgbImage::new(1, 1));
    }
}
