//! Blends two images, for crossfades and for intermediate frames.
//!
//! This module must not depend on scenes or models. Invariant: weights are exact fractions, and a blend is rounded once, half up.

use image::RgbImage;

/// `from * (1 - i / n) + to * (i / n)` for each byte. Images of different sizes cannot be blended: `from` is returned.
pub(crate) fn blend(from: &RgbImage, to: &RgbImage, i: usize, n: usize) -> RgbImage {
    let mut mixed = from.clone();
    if from.dimensions() != to.dimensions() || n == 0 {
        return mixed;
    }
    let (i, n) = (i as u64, n as u64);
    for (byte, other) in mixed.iter_mut().zip(to.iter()) {
        let sum = u64::from(*byte) * n.saturating_sub(i) + u64::from(*other) * i;
        *byte = u8::try_from((2 * sum + n) / (2 * n)).unwrap_or(u8::MAX);
    }
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn weights_are_i_of_n_and_sums_are_rounded_half_up() {
        let (black, white) = (RgbImage::from_pixel(1, 1, Rgb([0, 10, 255])), RgbImage::from_pixel(1, 1, Rgb([255, 20, 0])));
        let at = |i, n| blend(&black, &white, i, n).as_raw().clone();
        assert_eq!(at(0, 12), [0, 10, 255]);
        assert_eq!(at(6, 12), [128, 15, 128]);
        assert_eq!(at(1, 3), [85, 13, 170]);
        assert_eq!(at(1, 1), [255, 20, 0]);
    }
}
