//! Masks of a part that is repainted: blurring their edges, filling the part with the colours around it, and putting the part back.
//!
//! This module must not depend on models. Invariant: where a mask is black, the composed image is the original, byte for byte. The blur is
//! OpenCV's `GaussianBlur` and the fill Pillow's `GaussianBlur` of wide radii, as AUTOMATIC1111's web UI calls them, up to rounding.

use image::{GrayImage, Luma, Rgb, RgbImage};

/// The radii of the blurs that fill a part, and how often each is laid over the others: the widest reaches everywhere.
const FILLS: [(f32, usize); 6] = [(256.0, 1), (64.0, 1), (16.0, 2), (4.0, 4), (2.0, 2), (0.0, 1)];
/// Box blurs in a row that come close to a Gaussian one, as in Pillow.
const BOXES: usize = 3;

/// A mask with blurred edges; `sigma` in pixels.
pub fn blurred_mask(mask: &GrayImage, sigma: f64) -> GrayImage {
    if sigma <= 0.0 {
        return mask.clone();
    }
    let radius = (2.5 * sigma + 0.5) as i64;
    let weight = |x: i64| (-(x * x) as f64 / (2.0 * sigma * sigma)).exp();
    let total: f64 = (-radius..=radius).map(weight).sum();
    let kernel: Vec<(i64, f64)> = (-radius..=radius).map(|x| (x, weight(x) / total)).collect();
    let pass = |mask: &GrayImage, (across, down): (i64, i64)| {
        let (width, height) = (i64::from(mask.width()), i64::from(mask.height()));
        GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
            let at = |step: i64| {
                let (x, y) = (mirrored(i64::from(x) + step * across, width), mirrored(i64::from(y) + step * down, height));
                f64::from(mask.get_pixel(x, y).0[0])
            };
            let sum: f64 = kernel.iter().map(|(step, weight)| at(*step) * weight).sum();
            Luma([sum.round().clamp(0.0, 255.0) as u8])
        })
    };
    pass(&pass(mask, (1, 0)), (0, 1))
}

/// A position beyond an edge, reflected at the outermost pixel.
fn mirrored(position: i64, length: i64) -> u32 {
    let period = (2 * (length - 1)).max(1);
    let place = position.rem_euclid(period);
    u32::try_from(if place < length { place } else { period - place }).unwrap_or(0)
}

/// The image with its masked part in colours from around it; both have one size. Where everything is masked, the image itself.
pub fn filled(image: &RgbImage, mask: &GrayImage) -> RgbImage {
    let (width, height) = (image.width() as usize, image.height() as usize);
    // Premultiplied colours and their opacity, a plane each.
    let mut planes: [Vec<f32>; 4] = std::array::from_fn(|_| Vec::with_capacity(width * height));
    for (pixel, mask) in image.pixels().zip(mask.pixels()) {
        let opacity = f32::from(255 - mask.0[0]) / 255.0;
        for (plane, value) in planes.iter_mut().zip(pixel.0.map(f32::from).into_iter().chain([255.0])) {
            plane.push(value * opacity / 255.0);
        }
    }
    let mut laid: [Vec<f32>; 4] = std::array::from_fn(|_| vec![0.0; width * height]);
    for (radius, times) in FILLS {
        let blurred = planes.each_ref().map(|plane| box_blurred(plane, (width, height), radius));
        for _ in 0..times {
            for index in 0..width * height {
                let above = blurred[3].get(index).copied().unwrap_or(0.0);
                for (below, over) in laid.iter_mut().zip(&blurred) {
                    if let (Some(below), Some(over)) = (below.get_mut(index), over.get(index)) {
                        *below = over + *below * (1.0 - above);
                    }
                }
            }
        }
    }
    let mut result = image.clone();
    for (index, pixel) in result.pixels_mut().enumerate() {
        let [red, green, blue, opacity] = laid.each_ref().map(|plane| plane.get(index).copied().unwrap_or(0.0));
        if opacity > 1e-6 {
            *pixel = Rgb([red, green, blue].map(|value| (value / opacity * 255.0).round().clamp(0.0, 255.0) as u8));
        }
    }
    result
}

/// A plane after several box blurs of the variance of a Gaussian one; beyond the edges the outermost values continue.
fn box_blurred(plane: &[f32], (width, height): (usize, usize), radius: f32) -> Vec<f32> {
    if radius <= 0.0 {
        return plane.to_vec();
    }
    // The side of a box whose variance, three times, is the Gaussian's.
    let half = (((12.0 * radius * radius / BOXES as f32 + 1.0).sqrt() - 1.0) / 2.0).round() as usize;
    let mut current = plane.to_vec();
    for _ in 0..BOXES {
        current = box_rows(&current, width, half);
        current = transposed(&current, width, height);
        current = box_rows(&current, height, half);
        current = transposed(&current, height, width);
    }
    current
}

fn box_rows(plane: &[f32], width: usize, half: usize) -> Vec<f32> {
    let mut result = Vec::with_capacity(plane.len());
    for row in plane.chunks_exact(width.max(1)) {
        let at = |x: isize| f64::from(row.get(x.clamp(0, width as isize - 1) as usize).copied().unwrap_or(0.0));
        let half = half as isize;
        let mut sum: f64 = (-half..=half).map(at).sum();
        for x in 0..width as isize {
            result.push((sum / (2 * half + 1) as f64) as f32);
            sum += at(x + half + 1) - at(x - half);
        }
    }
    result
}

fn transposed(plane: &[f32], width: usize, height: usize) -> Vec<f32> {
    (0..width).flat_map(|x| (0..height).map(move |y| plane.get(y * width + x).copied().unwrap_or(0.0))).collect()
}

/// The original where the mask is black, the other image where it is white, and a mixture between; all have one size.
pub fn composed(original: &RgbImage, made: &RgbImage, mask: &GrayImage) -> RgbImage {
    let mut result = original.clone();
    for ((pixel, made), mask) in result.pixels_mut().zip(made.pixels()).zip(mask.pixels()) {
        let share = u32::from(mask.0[0]);
        for (value, made) in pixel.0.iter_mut().zip(made.0) {
            *value = ((u32::from(*value) * (255 - share) + u32::from(made) * share + 127) / 255) as u8;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blurred_edge_is_half_at_the_edge_and_keeps_flat_parts() {
        let mask = GrayImage::from_fn(40, 20, |x, _| Luma([if x < 20 { 0 } else { 255 }]));
        let blurred = blurred_mask(&mask, 2.0);
        let at = |x| blurred.get_pixel(x, 10).0[0];
        assert_eq!((at(5), at(35)), (0, 255));
        // OpenCV 4.12.0: cv2.GaussianBlur(mask, (11, 1), 2), and of that (1, 11).
        assert_eq!([at(17), at(18), at(19), at(20), at(21), at(22)], [26, 57, 102, 153, 198, 229]);
        assert_eq!(blurred_mask(&mask, 0.0), mask);
    }

    #[test]
    fn a_filled_part_has_the_colours_around_it_and_the_rest_stays() {
        let image = RgbImage::from_fn(48, 32, |x, _| if (16..32).contains(&x) { Rgb([0, 255, 0]) } else { Rgb([200, 10, 60]) });
        let mask = GrayImage::from_fn(48, 32, |x, _| Luma([if (16..32).contains(&x) { 255 } else { 0 }]));
        let result = filled(&image, &mask);
        assert_eq!(result.get_pixel(2, 9), &Rgb([200, 10, 60]));
        assert!(
            result.pixels().all(|pixel| pixel.0.iter().zip([200_u8, 10, 60]).all(|(a, b)| a.abs_diff(b) <= 1)),
            "one colour is all there is"
        );
        let all = GrayImage::from_pixel(48, 32, Luma([255]));
        assert_eq!(filled(&image, &all), image);
    }

    #[test]
    fn a_composed_image_is_the_original_where_the_mask_is_black() {
        let (original, made) = (RgbImage::from_pixel(3, 1, Rgb([9, 90, 200])), RgbImage::from_pixel(3, 1, Rgb([255, 0, 1])));
        let mask = GrayImage::from_fn(3, 1, |x, _| Luma([[0, 128, 255][x as usize]]));
        let result = composed(&original, &made, &mask);
        assert_eq!([0, 1, 2].map(|x| result.get_pixel(x, 0).0), [[9, 90, 200], [132, 45, 100], [255, 0, 1]]);
    }
}
