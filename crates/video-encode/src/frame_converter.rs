//! Converts frames from `RgbImage` to an encoder's pixel format.
//!
//! The invariant: the encoder sees every pixel once; if its sides must be even and the frame's are not, the last column or row is repeated.
//! One source and one converted frame are reused, so memory does not grow with the video's length, and a frame like the one before it, as in a
//! scene that stands still, is not converted again.

use ffmpeg_next::{self as ffmpeg, format::Pixel, frame};
use image::RgbImage;

use crate::ffi::{self, Converter};

/// Converts frames of one size to one pixel format.
pub(crate) struct FrameConverter {
    source: frame::Video,
    converted: frame::Video,
    converter: Converter,
    /// Whether the converted frame is that of the source.
    is_converted: bool,
}

impl FrameConverter {
    /// Converts to `width` x `height`, which may exceed the frames' own size by one.
    pub(crate) fn new(width: u32, height: u32, format: Pixel) -> Result<Self, ffmpeg::Error> {
        Ok(Self {
            source: ffi::new_frame(Pixel::RGB24, width, height)?,
            converted: ffi::new_frame(format, width, height)?,
            converter: Converter::from_rgb24(width, height, format)?,
            is_converted: false,
        })
    }

    /// The frame in the encoder's format, ready for a timestamp.
    pub(crate) fn convert(&mut self, frame: &RgbImage) -> Result<&mut frame::Video, ffmpeg::Error> {
        // Its timestamp will change, whatever its pixels are.
        ffi::make_writable(&mut self.converted)?;
        if !(self.is_converted && self.holds(frame)) {
            self.is_converted = false;
            self.fill(frame);
            self.converter.run(&self.source, &mut self.converted)?;
            self.is_converted = true;
        }
        Ok(&mut self.converted)
    }

    /// Whether the source has this frame.
    fn holds(&self, frame: &RgbImage) -> bool {
        let (stride, row_bytes) = (self.source.stride(0), frame.width() as usize * 3);
        let sources = self.source.data(0).chunks_exact(stride.max(1));
        let mut rows = frame.as_raw().chunks_exact(row_bytes.max(1)).zip(sources);
        rows.all(|(pixels, source)| source.get(..row_bytes) == Some(pixels))
    }

    /// Copies into FFmpeg's own memory, whose rows are aligned and padded: its fast loops read beyond the end of a row.
    fn fill(&mut self, frame: &RgbImage) {
        let stride = self.source.stride(0);
        let height = self.source.height() as usize;
        let row_bytes = frame.width() as usize * 3;
        let used_bytes = self.source.width() as usize * 3;
        let rows = frame.as_raw().chunks_exact(row_bytes.max(1));
        let last = rows.clone().next_back();
        let targets = self.source.data_mut(0).chunks_exact_mut(stride.max(1)).take(height);
        for (target, pixels) in targets.zip(rows.chain(last)) {
            let Some((inside, beyond)) = target.split_at_mut_checked(row_bytes) else { continue };
            inside.copy_from_slice(pixels);
            let repeated = pixels.last_chunk::<3>().copied().unwrap_or_default();
            for pixel in beyond.chunks_exact_mut(3).take(used_bytes.saturating_sub(row_bytes) / 3) {
                pixel.copy_from_slice(&repeated);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_odd_image_repeats_its_edge() {
        let frame = RgbImage::from_fn(3, 3, |x, y| image::Rgb([(10 * x + y) as u8, 1, 2]));
        let mut converter = FrameConverter::new(4, 4, Pixel::BGRA).unwrap();
        let converted = converter.convert(&frame).unwrap();
        for y in 0..4usize {
            let row = &converted.data(0)[y * converted.stride(0)..];
            let red: Vec<usize> = (0..4).map(|x| usize::from(row[4 * x + 2])).collect();
            let y = y.min(2);
            assert_eq!(red, [y, 10 + y, 20 + y, 20 + y]);
        }
    }

    #[test]
    fn a_repeated_frame_is_the_same_and_the_next_one_is_not() {
        let frame = |number: u8| RgbImage::from_fn(5, 3, |x, y| image::Rgb([(10 * x + y) as u8, number, 2]));
        let mut converter = FrameConverter::new(6, 4, Pixel::YUV420P).unwrap();
        let mut seen = Vec::new();
        for (pts, number) in [1, 1, 2, 2, 1, 1].into_iter().enumerate() {
            let repeated = converter.convert(&frame(number)).unwrap();
            repeated.set_pts(Some(pts as i64));
            let planes: Vec<Vec<u8>> = (0..3).map(|plane| repeated.data(plane).to_vec()).collect();
            let mut alone = FrameConverter::new(6, 4, Pixel::YUV420P).unwrap();
            let alone = alone.convert(&frame(number)).unwrap();
            for (plane, bytes) in planes.iter().enumerate() {
                let (width, height, stride) = (alone.plane_width(plane) as usize, alone.plane_height(plane) as usize, alone.stride(plane));
                let rows = |data: &[u8]| data.chunks(stride).take(height).map(|row| row[..width].to_vec()).collect::<Vec<_>>();
                assert_eq!(rows(bytes), rows(alone.data(plane)), "{pts}");
            }
            seen.push(planes);
        }
        assert!(seen[0] != seen[2] && seen[3] != seen[4]);
    }

    /// BT.709's definition in numbers, limited range.
    fn bt709([red, green, blue]: [u8; 3]) -> [f64; 3] {
        let [red, green, blue] = [red, green, blue].map(|value| f64::from(value) / 255.0);
        let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        [16.0 + 219.0 * luma, 128.0 + 224.0 * (blue - luma) / 1.8556, 128.0 + 224.0 * (red - luma) / 1.5748]
    }

    #[test]
    fn colours_are_those_of_bt709() {
        let mut worst = 0f64;
        for code in 0..125u32 {
            let colour = [code % 5, code / 5 % 5, code / 25].map(|step| (step * 255 / 4) as u8);
            let mut converter = FrameConverter::new(32, 16, Pixel::YUV420P).unwrap();
            let converted = converter.convert(&RgbImage::from_pixel(32, 16, image::Rgb(colour))).unwrap();
            for (plane, expected) in bt709(colour).into_iter().enumerate() {
                let (width, height) = (converted.plane_width(plane) as usize, converted.plane_height(plane) as usize);
                for row in converted.data(plane).chunks(converted.stride(plane)).take(height) {
                    for value in &row[..width] {
                        worst = worst.max((f64::from(*value) - expected).abs());
                    }
                }
            }
        }
        // Half a level is rounding; the rest is the scaler's 15-bit arithmetic.
        assert!(worst < 0.8, "{worst}");
    }
}
