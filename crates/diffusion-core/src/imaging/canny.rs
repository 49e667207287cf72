//! The edges of an image after Canny, as OpenCV's `cv2.Canny(image, low, high)` finds them in an image in colour: white lines on black.
//!
//! This module must not depend on models. Invariant: the same bytes as OpenCV with its default aperture and norm, which is what ControlNets
//! for edges were trained on, so OpenCV's thresholds mean the same here. Follows modules/imgproc/src/canny.cpp; the paper is Canny, "A
//! Computational Approach to Edge Detection".

use image::RgbImage;

/// The tangent of 22.5 degrees, times 2^15.
const TANGENT: i64 = 13573;

/// A pixel's gradient, and the sum of both parts' magnitudes.
#[derive(Clone, Copy, Debug, Default)]
struct Gradient {
    x: i64,
    y: i64,
    magnitude: i64,
}

/// The edges of an image: lines whose gradient exceeds `high` somewhere, and `low` everywhere. A flat image has none.
pub fn canny(image: &RgbImage, low: f64, high: f64) -> RgbImage {
    let (low, high) = (low.min(high).floor() as i64, low.max(high).floor() as i64);
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let gradients = gradients(image);
    let index = |x: i64, y: i64| if x < 0 || y < 0 || x >= width || y >= height { None } else { usize::try_from(y * width + x).ok() };
    let at = |x: i64, y: i64| index(x, y).and_then(|index| gradients.get(index)).copied().unwrap_or_default();
    let (mut candidates, mut edges) = (vec![false; gradients.len()], vec![false; gradients.len()]);
    let mut strong = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let here = at(x, y);
            let magnitude = |dx: i64, dy: i64| at(x + dx, y + dy).magnitude;
            if here.magnitude <= low || !is_ridge(here, magnitude) {
                continue;
            }
            if let Some(place) = index(x, y).and_then(|index| candidates.get_mut(index)) {
                *place = true;
            }
            if here.magnitude > high {
                strong.push((x, y));
            }
        }
    }
    while let Some((x, y)) = strong.pop() {
        let Some(place) = index(x, y).filter(|index| candidates.get(*index) == Some(&true)) else { continue };
        if let Some(edge) = edges.get_mut(place).filter(|edge| !**edge) {
            *edge = true;
            strong.extend((-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (x + dx, y + dy))));
        }
    }
    let bytes = edges.into_iter().flat_map(|edge| [if edge { 255 } else { 0 }; 3]).collect();
    RgbImage::from_raw(image.width(), image.height(), bytes).unwrap_or_default()
}

/// Whether the magnitude is largest here across the edge. Of two equal neighbours in a line or a column the first counts.
fn is_ridge(Gradient { x, y, magnitude: here }: Gradient, magnitude: impl Fn(i64, i64) -> i64) -> bool {
    let (steep, flat) = (y.abs() << 15, x.abs() * TANGENT);
    if steep < flat {
        return here > magnitude(-1, 0) && here >= magnitude(1, 0);
    }
    // The tangent of 67.5 degrees is that of 22.5 plus two.
    if steep > flat + (x.abs() << 16) {
        return here > magnitude(0, -1) && here >= magnitude(0, 1);
    }
    let side = if (x ^ y) < 0 { -1 } else { 1 };
    here > magnitude(-side, -1) && here > magnitude(side, 1)
}

/// Sobel's gradients, of each pixel's channel with the largest; the border's pixels are repeated outwards.
fn gradients(image: &RgbImage) -> Vec<Gradient> {
    let (width, height) = image.dimensions();
    let inside = |place: i64, side: u32| u32::try_from(place.max(0)).unwrap_or(0).min(side.saturating_sub(1));
    let pixel = |x: i64, y: i64| image.get_pixel(inside(x, width), inside(y, height)).0.map(i64::from);
    let mut gradients = Vec::with_capacity(width as usize * height as usize);
    for y in 0..i64::from(height) {
        for x in 0..i64::from(width) {
            let [above, here, below] = [-1, 0, 1].map(|dy| [-1, 0, 1].map(|dx| pixel(x + dx, y + dy)));
            let ([a, b, c], [d, _, f], [g, h, i]) = (above, here, below);
            let of_channel = |channel: usize| {
                let value = |pixel: [i64; 3]| pixel.get(channel).copied().unwrap_or_default();
                let across = value(c) + 2 * value(f) + value(i) - value(a) - 2 * value(d) - value(g);
                let down = value(g) + 2 * value(h) + value(i) - value(a) - 2 * value(b) - value(c);
                Gradient { x: across, y: down, magnitude: across.abs() + down.abs() }
            };
            let largest = [1, 2].into_iter().map(of_channel).fold(
                of_channel(0),
                |best, next| {
                    if next.magnitude > best.magnitude { next } else { best }
                },
            );
            gradients.push(largest);
        }
    }
    gradients
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn count(image: &RgbImage) -> usize {
        image.pixels().filter(|pixel| pixel.0 == [255; 3]).count()
    }

    #[test]
    fn an_edge_is_one_pixel_wide_and_needs_both_thresholds() {
        let image = RgbImage::from_fn(20, 10, |x, _| if x < 10 { Rgb([10, 10, 10]) } else { Rgb([10, 90, 10]) });
        // The gradient is 4 * 80 on both sides of the border; the first of the two counts.
        let edges = canny(&image, 100.0, 200.0);
        assert_eq!((count(&edges), edges.get_pixel(9, 5).0), (10, [255; 3]));
        assert_eq!(count(&canny(&image, 200.0, 100.0)), 10);
        assert_eq!(count(&canny(&image, 100.0, 320.0)), 0);
        assert_eq!(count(&canny(&RgbImage::new(5, 5), 0.0, 0.0)), 0);
        assert_eq!(canny(&RgbImage::new(0, 0), 100.0, 200.0).dimensions(), (0, 0));
    }
}
