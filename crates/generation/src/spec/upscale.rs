//! The size of an enlarged picture: what a caller asks for, and its bounds. Every API and the command line ask here.
//!
//! It must not know devices. Invariant: a size that passes has bounded memory and time, whatever the upscaler's own factor is.

use diffusion_core::{
    pipelines::upscale::{MOST_PASSES, largest_pixels},
    weights::UpscalerConfig,
};

use super::field_error::{Bound, FieldError, FieldErrorKind};

/// The bounds of the factor.
pub const SCALE: (f64, f64) = (1.0, 16.0);
/// The longest side of an enlarged picture, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// The largest enlarged picture, in pixels: 8192 x 8192.
pub const MAX_PIXELS: u64 = 1 << 26;
/// The largest picture on the way to it, in pixels: an upscaler may have to make a larger one, which is then reduced.
const MAX_PIXELS_BETWEEN: u64 = 1 << 28;

/// The size of a picture of the size `from`, enlarged by `scale`, or by the upscaler's own factor.
///
/// # Errors
/// [`FieldError`] of the field `scale` if it is outside [`SCALE`], or the picture would become too large; the largest factor is named.
pub fn upscaled_size(config: &UpscalerConfig, from: (u32, u32), scale: Option<f64>) -> Result<(u32, u32), Box<FieldError>> {
    let own = config.scale() as f64;
    let asked = scale.unwrap_or(own);
    let refused = |kind| Err(Box::new(FieldError::new("scale", asked, kind)));
    if !asked.is_finite() {
        return refused(FieldErrorKind::FiniteNumber);
    }
    if asked < SCALE.0 {
        return refused(FieldErrorKind::GreaterThanEqual { ge: Bound::Float(SCALE.0) });
    }
    if asked > SCALE.1 {
        return refused(FieldErrorKind::LessThanEqual { le: Bound::Float(SCALE.1) });
    }
    let size = |scale: f64| (side(from.0, scale), side(from.1, scale));
    let fits = |scale: f64| {
        let (width, height) = size(scale);
        width.max(height) <= MAX_SIDE
            && u64::from(width) * u64::from(height) <= MAX_PIXELS
            && largest_pixels(config, from, (width, height)) <= MAX_PIXELS_BETWEEN
    };
    // A factor of 8 by a network for 2 takes three passes; more would be enlarged by resampling alone.
    let most = if own > 1.0 { own.powi(i32::try_from(MOST_PASSES).unwrap_or(1)) } else { SCALE.1 };
    if asked > most {
        let error = format!("an upscaler for {own} makes pictures at most {most} times as large, in {MOST_PASSES} passes");
        return refused(FieldErrorKind::Value { error });
    }
    if fits(asked) {
        return Ok(size(asked));
    }
    let (width, height) = size(asked);
    let limit = format!("{MAX_SIDE} pixels a side and {MAX_PIXELS} pixels in all");
    let largest = (10..=160).rev().map(|tenths| f64::from(tenths) / 10.0).find(|scale| *scale < asked && fits(*scale));
    let advice = largest.map_or_else(
        || "reduce the picture first".to_owned(),
        |largest| format!("the largest factor for {}x{} is {largest}", from.0, from.1),
    );
    refused(FieldErrorKind::Value { error: format!("the picture would have {width}x{height} pixels, and {limit} are the limit; {advice}") })
}

/// Checks the size of a picture of the size `from`, enlarged to exactly `to`, which may also be smaller.
///
/// # Errors
/// [`FieldError`] of the field `size` if a side is 0, or the picture would become too large.
pub fn check_size(config: &UpscalerConfig, from: (u32, u32), to: (u32, u32)) -> Result<(), Box<FieldError>> {
    let (width, height) = to;
    let shown = format!("{width}x{height}");
    let refused = |error: String| Err(Box::new(FieldError::new("size", &shown, FieldErrorKind::Value { error })));
    if width == 0 || height == 0 {
        return refused("a picture has at least one pixel a side".to_owned());
    }
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return refused(format!(
            "the picture would have {shown} pixels, and {MAX_SIDE} pixels a side and {MAX_PIXELS} pixels in all are the limit"
        ));
    }
    let between = largest_pixels(config, from, to);
    if between > MAX_PIXELS_BETWEEN {
        let reason = format!("an upscaler for {} would make {between} pixels of {}x{}", config.scale(), from.0, from.1);
        return refused(format!(
            "{reason} first, and {MAX_PIXELS_BETWEEN} are the limit; reduce the picture, or choose an upscaler of a smaller factor"
        ));
    }
    Ok(())
}

fn side(side: u32, scale: f64) -> u32 {
    // Bounded: a side has 32 bits and a factor is at most 16. A cast saturates.
    (f64::from(side) * scale).round().max(1.0) as u32
}

/// What AUTOMATIC1111 writes into the file of an enlarged picture.
pub fn parameters(upscaler: &str, from: (u32, u32), to: (u32, u32)) -> String {
    let scale = (f64::from(to.0) / f64::from(from.0.max(1)) * 100.0).round() / 100.0;
    format!("Postprocess upscale by: {scale}, Postprocess upscaler: {upscaler}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const X2: UpscalerConfig = UpscalerConfig::Compact { features: 24, convs: 2, scale: 2 };
    const X4: UpscalerConfig = UpscalerConfig::Compact { features: 24, convs: 2, scale: 4 };

    #[test]
    fn sizes_are_rounded_and_the_default_is_the_upscalers_own() {
        assert_eq!(upscaled_size(&X4, (100, 33), None).unwrap(), (400, 132));
        assert_eq!(upscaled_size(&X4, (100, 33), Some(1.5)).unwrap(), (150, 50));
        assert_eq!(upscaled_size(&X4, (100, 33), Some(1.0)).unwrap(), (100, 33));
        assert_eq!(upscaled_size(&X2, (100, 33), Some(8.0)).unwrap(), (800, 264));
    }

    #[test]
    fn what_is_too_large_is_refused_with_the_limit() {
        let message = |config: &UpscalerConfig, from, scale| upscaled_size(config, from, Some(scale)).unwrap_err().message;
        assert!(message(&X4, (100, 100), 0.5).ends_with("greater than or equal to 1"));
        assert!(message(&X4, (100, 100), 17.0).ends_with("less than or equal to 16"));
        assert!(message(&X4, (100, 100), f64::NAN).contains("finite"));
        assert!(message(&X2, (100, 100), 9.0).contains("an upscaler for 2 makes pictures at most 8 times as large, in 3 passes"));
        let large = message(&X4, (4000, 3000), 4.0);
        assert!(large.contains("16000x12000 pixels, and 16384 pixels a side and 67108864 pixels in all are the limit"), "{large}");
        assert!(large.ends_with("the largest factor for 4000x3000 is 2.3"), "{large}");
        assert!(message(&X4, (8192, 8192), 1.0).ends_with("reduce the picture first"));
    }

    #[test]
    fn a_size_of_its_own_has_the_same_limits() {
        assert!(check_size(&X4, (100, 100), (50, 70)).is_ok());
        let message = |from, to| check_size(&X4, from, to).unwrap_err().message;
        assert!(message((100, 100), (0, 9)).contains("at least one pixel"));
        assert!(message((100, 100), (20_000, 9)).contains("20000x9 pixels, and 16384 pixels a side"));
        assert!(message((8192, 8192), (8192, 8192)).contains("reduce the picture"));
    }

    #[test]
    fn the_file_says_what_was_done() {
        assert_eq!(parameters("4x-UltraSharp", (100, 33), (150, 50)), "Postprocess upscale by: 1.5, Postprocess upscaler: 4x-UltraSharp");
    }
}
