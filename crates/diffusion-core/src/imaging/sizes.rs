//! The size at which a model is run for a frame of some proportions, where the caller wants another size than the model's own.
//!
//! It must not know models: what they want arrives as numbers. The invariant: both sides are positive multiples of what the model wants,
//! whatever the proportions.

/// Proportions beyond 4:1 are none that a model has seen; what is longer is squeezed for it, and stretched again behind it.
const LONGEST: f64 = 4.0;

/// What both sides of a model's images are best multiples of: each of its levels but the last halves the latents.
pub(crate) fn multiple(pixels_per_latent: u32, levels: usize) -> u32 {
    let halvings = u32::try_from(levels.saturating_sub(1)).unwrap_or(u32::MAX);
    pixels_per_latent.max(8).saturating_mul(2u32.saturating_pow(halvings))
}

/// (width, height) of about so many pixels and about the proportions of `aspect`, both multiples of `multiple`.
pub(crate) fn of_pixels(pixels: f64, aspect: (u32, u32), multiple: u32) -> (u32, u32) {
    let multiple = multiple.max(1);
    let ratio = (f64::from(aspect.0.max(1)) / f64::from(aspect.1.max(1))).clamp(1.0 / LONGEST, LONGEST);
    let side = |pixels: f64| ((pixels.sqrt() / f64::from(multiple)).round() as u32).max(1).saturating_mul(multiple);
    (side(pixels * ratio), side(pixels / ratio))
}

/// The pixels of a frame of the proportions of `aspect` whose longer side is `longer`.
pub(crate) fn pixels_of(longer: u32, aspect: (u32, u32)) -> f64 {
    let (width, height) = (f64::from(aspect.0.max(1)), f64::from(aspect.1.max(1)));
    f64::from(longer).powi(2) * (width.min(height) / width.max(height)).max(1.0 / LONGEST)
}

/// The size, (width, height) in pixels, of (height, width) latents, 64 by 64 where a model states none; `factor` is a latent's side in pixels.
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
    fn a_size_has_about_the_pixels_and_the_proportions() {
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
