//! Prepares images for models: resizes and normalises them and converts them to tensors; binarises masks.
//!
//! This module must not depend on any model or pipeline. Invariant: an image gives the same tensor as in diffusers and transformers
//! (`VaeImageProcessor.preprocess`, and the image processors named in the modules).

mod blip;
mod clip;

use candle_core::{Device, Tensor};
use image::{GrayImage, RgbImage};

pub use blip::{BlipImageProcessorConfig, blip_pixels};
pub use clip::{ClipImageProcessorConfig, clip_pixels};

use crate::{
    Result,
    imaging::{Filter, Part, resize},
};

/// An image as a model's input: [1, 3, height, width], f32 in [-1, 1], on the CPU; resized first if its size differs.
///
/// # Errors
/// [`crate::Error::Params`] if the image or the target size is empty.
pub fn image_tensor(image: &RgbImage, width: u32, height: u32) -> Result<Tensor> {
    planes(image, (width, height), "init_image", |value| 2.0 * value - 1.0)
}

/// A control image as a ControlNet's input: as [`image_tensor`], but in [0, 1].
///
/// # Errors
/// [`crate::Error::Params`] if the image or the target size is empty.
pub fn control_tensor(image: &RgbImage, width: u32, height: u32) -> Result<Tensor> {
    planes(image, (width, height), "control_image", |value| value)
}

/// The planes of an image, resized to (width, height), each value in [0, 1] changed by `change`.
fn planes(image: &RgbImage, (width, height): (u32, u32), field: &'static str, change: impl Fn(f32) -> f32) -> Result<Tensor> {
    let whole = Part::whole(image.width(), image.height());
    let bytes = resize::<3>(image.as_raw(), image.dimensions(), whole, (width, height), Filter::Lanczos, field)?;
    let (width, height) = (width as usize, height as usize);
    let mut planes = vec![0f32; bytes.len()];
    for (pixel_index, pixel) in bytes.chunks_exact(3).enumerate() {
        for (channel, value) in pixel.iter().enumerate() {
            if let Some(slot) = planes.get_mut(channel * width * height + pixel_index) {
                *slot = change(f32::from(*value) / 255.0);
            }
        }
    }
    Ok(Tensor::from_vec(planes, (1, 3, height, width), &Device::Cpu)?)
}

/// A mask of ones (repaint) and zeros (keep), [1, 1, height, width], f32, on the CPU: resized like an image, then thresholded at one half.
///
/// # Errors
/// [`crate::Error::Params`] if the mask or the target size is empty.
pub fn mask_tensor(mask: &GrayImage, width: u32, height: u32) -> Result<Tensor> {
    let whole = Part::whole(mask.width(), mask.height());
    let bytes = resize::<1>(mask.as_raw(), mask.dimensions(), whole, (width, height), Filter::Lanczos, "mask_image")?;
    let values = bytes.iter().map(|value| if f32::from(*value) / 255.0 < 0.5 { 0.0 } else { 1.0 }).collect::<Vec<f32>>();
    Ok(Tensor::from_vec(values, (1, 1, height as usize, width as usize), &Device::Cpu)?)
}

/// Downsamples a mask to the latents' grid by taking every `factor`th pixel, as torch's nearest interpolation does for whole factors.
///
/// # Errors
/// [`crate::Error::Candle`] if `mask` is not [1, 1, h, w] with sides that are multiples of `factor`.
pub fn mask_to_latents(mask: &Tensor, factor: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = mask.dims4()?;
    let (rows, columns) = (height / factor, width / factor);
    Ok(mask
        .reshape((batch, channels, rows, factor, columns, factor))?
        .narrow(3, 0, 1)?
        .narrow(5, 0, 1)?
        .reshape((batch, channels, rows, columns))?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::Error;

    #[test]
    fn an_image_is_normalised_to_minus_one_to_one() {
        let image = RgbImage::from_raw(1, 1, vec![0, 255, 128]).unwrap();
        let values = image_tensor(&image, 1, 1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values, [-1.0, 1.0, 2.0 * (128.0 / 255.0) - 1.0]);
    }

    #[test]
    fn a_mask_is_thresholded_at_one_half_and_sampled_at_each_blocks_first_pixel() {
        let mut bytes = vec![0u8; 16 * 8];
        bytes[0] = 128;
        bytes[1] = 127;
        bytes[9] = 255;
        let mask = mask_tensor(&GrayImage::from_raw(16, 8, bytes).unwrap(), 16, 8).unwrap();
        assert_eq!(mask.sum_all().unwrap().to_scalar::<f32>().unwrap(), 2.0);
        let latents = mask_to_latents(&mask, 8).unwrap();
        assert_eq!(latents.dims(), [1, 1, 1, 2]);
        assert_eq!(latents.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [1.0, 0.0]);
    }

    #[test]
    fn an_empty_image_is_an_error() {
        assert!(matches!(image_tensor(&RgbImage::new(0, 4), 8, 8), Err(Error::Params { field: "init_image", .. })));
    }
}
