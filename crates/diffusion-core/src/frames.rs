//! Conversion of a decoded tensor to an `RgbImage`, and the sink that receives images.
//!
//! This module must not depend on any model or pipeline. Invariant: a tensor gives the same bytes as in diffusers
//! (`VaeImageProcessor.postprocess` and `numpy_to_pil`), and a tensor with infinities or NaNs is an error, never a black image.

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use crate::{Error, Result, error::BoxError};

/// The destination of a pipeline's frames, one by one: an encoder, a folder, a list.
///
/// A pipeline pushes a frame as soon as it is complete, in the order of the video, all of the same size. An error stops the pipeline with
/// [`Error::Sink`]; no frame is pushed after it. The owner finishes the sink: a pipeline does not signal the last frame.
pub trait FrameSink {
    /// Takes the next frame.
    ///
    /// # Errors
    /// Any error of the sink: a full disk, a failing encoder.
    fn push(&mut self, frame: RgbImage) -> std::result::Result<(), BoxError>;
}

/// A sink that keeps every frame in memory.
impl FrameSink for Vec<RgbImage> {
    fn push(&mut self, frame: RgbImage) -> std::result::Result<(), BoxError> {
        Self::push(self, frame);
        Ok(())
    }
}

/// Converts a decoded image, [1, 3, height, width] of any float type with the range [-1, 1], to bytes; values outside the range are
/// clamped.
///
/// # Errors
/// If the tensor has another shape: [`Error::Shape`]; if it contains an infinity or a NaN: [`Error::NonFinite`].
pub fn to_rgb_image(decoded: &Tensor) -> Result<RgbImage> {
    let shape = || Error::Shape { what: "decoded picture", expected: "[1, 3, height, width]".into(), found: decoded.dims().to_vec() };
    let (1, 3, height, width) = decoded.dims4().map_err(|_| shape())? else { return Err(shape()) };
    let planes = decoded.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    check_finite(&planes, || "the decoded picture".into())?;
    let pixels = width * height;
    let mut bytes = vec![0u8; planes.len()];
    for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
        for (pixel, value) in bytes.iter_mut().skip(channel).step_by(3).zip(plane) {
            *pixel = to_byte(*value);
        }
    }
    let side = |side: usize| u32::try_from(side).map_err(|_| shape());
    RgbImage::from_raw(side(width)?, side(height)?, bytes).ok_or_else(shape)
}

/// Checks that all values are finite.
///
/// # Errors
/// [`Error::NonFinite`] with the text of `what` if any value is infinite or NaN.
pub fn check_finite(values: &[f32], what: impl FnOnce() -> String) -> Result<()> {
    if values.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(Error::NonFinite { what: what() }) }
}

/// Ties round to even, as in numpy's `round`.
fn to_byte(value: f32) -> u8 {
    ((value * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn channels_become_pixels_and_values_are_clamped() {
        let planes = vec![-1f32, 1.0, 2.0, -3.0, 0.0, 0.5];
        let image = to_rgb_image(&Tensor::from_vec(planes, (1, 3, 1, 2), &Device::Cpu).unwrap()).unwrap();
        assert_eq!(image.dimensions(), (2, 1));
        // 0.0 is exactly between 127 and 128: the even one.
        assert_eq!(image.as_raw(), &[0, 255, 128, 255, 0, 191]);
    }

    #[test]
    fn a_tie_goes_to_the_even_byte() {
        let tie = |byte: f32| (byte + 0.5) / 255.0 * 2.0 - 1.0;
        assert_eq!([to_byte(tie(126.0)), to_byte(tie(127.0))], [126, 128]);
    }

    #[test]
    fn nan_is_an_error_and_not_a_black_image() {
        let planes = vec![0f32, f32::NAN, 0.0];
        let found = to_rgb_image(&Tensor::from_vec(planes, (1, 3, 1, 1), &Device::Cpu).unwrap());
        assert!(matches!(found, Err(Error::NonFinite { .. })));
        assert!(found.unwrap_err().to_string().contains("--precision f32"));
    }

    #[test]
    fn another_shape_is_an_error() {
        let found = to_rgb_image(&Tensor::zeros((1, 4, 2, 2), DType::F32, &Device::Cpu).unwrap());
        assert!(matches!(found, Err(Error::Shape { .. })));
    }
}
