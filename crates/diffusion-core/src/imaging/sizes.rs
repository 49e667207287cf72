//! Model image sizes: the size at which to run a model for a frame whose size is not the model's native one.
//!
//! This module must not depend on models: their requirements arrive as numbers. Invariant: both sides are positive multiples of the model's
//! multiple, for every aspect ratio.

/// The maximum aspect ratio: models have not seen longer images, so a longer image is squeezed for the model and stretched afterwards.
const MAX_ASPECT_RATIO: f64 = 4.0;

/// The preferred multiple of both sides of a model's images: each level except the last halves the latents.
pub(crate) fn multiple(pixels_per_latent: u32, levels: usize) -> u32 {
    let halvings = u32::try_from(levels.saturating_sub(1)).unwrap_or(u32::MAX);
    pixels_per_latent.max(8).saturating_mul(2u32.saturating_pow(halvings))
}

/// The (width, height) with about this many pixels and about the aspect ratio `aspect`, both multiples of `multiple`.
pub(crate) fn of_pixels(pixels: f64, aspect: (u32, u32), multiple: u32) -> (u32, u32) {
    let multiple = multiple.max(1);
    let ratio = (f64::from(aspect.0.max(1)) / f64::from(aspect.1.max(1))).clamp(1.0 / MAX_ASPECT_RATIO, MAX_ASPECT_RATIO);
    let side = |pixels: f64| ((pixels.sqrt() / f64::from(multiple)).round() as u32).max(1).saturating_mul(multiple);
    (side(pixels * ratio), side(pixels / ratio))
}

/// The number of pixels of a frame with the aspect ratio `aspect` and a longer side of `longer` pixels.
pub(crate) fn pixels_of(longer: u32, aspect: (u32, u32)) -> f64 {
    let (width, height) = (f64::from(aspect.0.max(1)), f64::from(aspect.1.max(1)));
    f64::from(longer).powi(2) * (width.min(height) / width.max(height)).max(1.0 / MAX_ASPECT_RATIO)
}

/// The size, (width, height) in pixels, of (height, width) latents, 64 by 64 if a model states none; `factor` is a latent's side in pixels.
pub(crate) fn of_latents(sample_size: Option<(usize, usize)>, factor: usize) -> (u32, u32) {
    let (height, width) = sample_size.unwrap_or((64, 64));
    let factor = u32::try_from(factor).unwrap_or(8);
    let side = |latents: usize| u32::try_from(latents).unwrap_or(64).saturating_mul(factor);
    (side(width), side(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_about_the_given_pixels_and_aspect_ratio() {
        let svd = 1024.0 * 576.0;
        assert_eq!(of_pixels(svd, (1920, 1080), 64), (1024, 576));
        assert_eq!(of_pixels(svd, (1080, 1920), 64), (576, 1024));
        assert_eq!(of_pixels(svd, (1, 1), 64), (768, 768));
        assert_eq!(of_pixels(128.0 * 128.0, (1920, 1080), 16), (176, 96));
        assert_eq!(of_pixels(128.0 * 128.0, (5000, 1), 16), (256, 64));
        assert_eq!(of_pixels(1.0, (0, 3), 64), (64, 64));
        assert_eq!(of_pixels(pixels_of(512, (1920, 1080)), (1920, 1080), 64), (512, 320));
        assert_eq!(of_pixels(pixels_of(1024, (3, 4)), (3, 4), 64), (768, 1024));
    }
}
