//! A contact sheet: one image of a whole video, with small, evenly spaced frames in rows.
//!
//! The invariant: it keeps small images only, however long the video; the first and the last frame are among them.

use image::{
    Rgb, RgbImage,
    imageops::{self, FilterType},
};

/// Pixels between the images and around them.
const MARGIN: u32 = 4;
const BACKGROUND: Rgb<u8> = Rgb([255, 255, 255]);
/// Maximum number of images on a sheet, and their maximum width.
const MOST: u32 = 400;
const WIDEST: u32 = 1024;

/// A contact sheet under construction.
#[derive(Clone, Debug)]
pub struct ContactSheet {
    announced: u64,
    images: u32,
    columns: u32,
    width: u32,
    seen: u64,
    kept: Vec<RgbImage>,
}

impl ContactSheet {
    /// For a video of `announced` frames: at most `pictures` of them (400), in rows of `columns`, each at most `width` pixels wide (1024).
    /// Out-of-range numbers are clamped.
    pub fn new(announced: u64, images: u32, columns: u32, width: u32) -> Self {
        let images = u32::try_from(announced).unwrap_or(u32::MAX).min(images).clamp(1, MOST);
        Self { announced, images, columns: columns.clamp(1, images), width: width.clamp(1, WIDEST), seen: 0, kept: Vec::new() }
    }

    /// Adds the next frame; keeps a small copy if it is selected.
    pub fn push(&mut self, frame: &RgbImage) {
        let number = self.seen;
        self.seen += 1;
        let (width, height) = match self.kept.first() {
            Some(first) => first.dimensions(),
            None => {
                let width = frame.width().min(self.width);
                let height = u64::from(frame.height()) * u64::from(width) / u64::from(frame.width().max(1));
                (width, u32::try_from(height).unwrap_or(u32::MAX).max(1))
            }
        };
        if frame.width() == 0 || frame.height() == 0 || number != self.chosen(self.kept.len() as u64) {
            return;
        }
        let small = if frame.dimensions() == (width, height) {
            frame.clone()
        } else {
            imageops::resize(frame, width, height, FilterType::Lanczos3)
        };
        self.kept.push(small);
    }

    /// The sheet; None if there was no frame.
    pub fn finish(self) -> Option<RgbImage> {
        let (width, height) = self.kept.first()?.dimensions();
        let columns = self.columns.min(u32::try_from(self.kept.len()).ok()?).max(1);
        let rows = u32::try_from(self.kept.len()).ok()?.div_ceil(columns);
        let side = |count: u32, of_one: u32| count * (of_one + MARGIN) + MARGIN;
        let mut sheet = RgbImage::from_pixel(side(columns, width), side(rows, height), BACKGROUND);
        for (place, image) in (0u32..).zip(&self.kept) {
            let (x, y) = (side(place % columns, width), side(place / columns, height));
            imageops::replace(&mut sheet, image, i64::from(x), i64::from(y));
        }
        Some(sheet)
    }

    /// The frame for this position on the sheet; `u64::MAX` after the last position.
    fn chosen(&self, image: u64) -> u64 {
        let last = u64::from(self.images) - 1;
        match image {
            0 => 0,
            image if image > last => u64::MAX,
            // Rounded to the nearest, so that steps differ by at most one.
            image => (image * (self.announced - 1) + last / 2) / last,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn sheet_of(frames: u8, mut sheet: ContactSheet) -> Option<RgbImage> {
        for frame in 0..frames {
            sheet.push(&RgbImage::from_pixel(40, 20, Rgb([frame; 3])));
        }
        sheet.finish()
    }

    #[test]
    fn frames_are_first_last_and_evenly_between() {
        let sheet = sheet_of(100, ContactSheet::new(100, 5, 3, 20)).unwrap();
        assert_eq!(sheet.dimensions(), (3 * 24 + 4, 2 * 14 + 4));
        let at = |column: u32, row: u32| sheet.get_pixel(column * 24 + 10, row * 14 + 8).0[0];
        assert_eq!([at(0, 0), at(1, 0), at(2, 0), at(0, 1), at(1, 1), at(2, 1)], [0, 25, 50, 74, 99, 255]);
        assert_eq!(sheet.get_pixel(1, 1), &BACKGROUND);
    }

    #[test]
    fn short_videos_and_none() {
        assert_eq!(sheet_of(3, ContactSheet::new(3, 12, 4, 100)).unwrap().dimensions(), (3 * 44 + 4, 28));
        assert_eq!(sheet_of(1, ContactSheet::new(1, 12, 4, 100)).unwrap().dimensions(), (48, 28));
        assert!(sheet_of(0, ContactSheet::new(10, 12, 4, 100)).is_none());
        // A video that ended early shows its actual frames, one that ran longer the announced ones.
        assert_eq!(sheet_of(4, ContactSheet::new(7, 7, 7, 100)).unwrap().width(), 4 * 44 + 4);
        assert_eq!(sheet_of(9, ContactSheet::new(2, 5, 5, 100)).unwrap().width(), 2 * 44 + 4);
        assert!(sheet_of(2, ContactSheet::new(0, 0, 0, 0)).is_some());
    }
}
