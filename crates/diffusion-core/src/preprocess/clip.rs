//! Prepares an image for CLIP's image encoder: blurs and resizes it as in the training of Stable Video Diffusion, and normalises it.
//!
//! This module must not depend on the encoder beyond its image size. Invariant: the output is the input of the image encoder in diffusers'
//! pipeline. Follows `_encode_image` and `_resize_with_antialiasing` of diffusers'
//! `pipelines/stable_video_diffusion/pipeline_stable_video_diffusion.py`: a Gaussian blur with reflected edges, then torch's bicubic
//! interpolation with aligned corners. Both are linear and separable, so each output has one list of weights per axis.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use image::RgbImage;
use serde_json::{Map, Value};

use crate::{Error, Result};

const FILE: &str = "feature_extractor/preprocessor_config.json";

/// Torch's coefficient for the bicubic kernel.
const CUBIC_A: f32 = -0.75;

/// The fields of feature_extractor/preprocessor_config.json that the pipeline uses: it resizes by itself, and needs only these.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipImageProcessorConfig {
    /// The mean that is subtracted from each channel of an image in [0, 1].
    pub image_mean: [f32; 3],
    /// The standard deviation that then divides each channel.
    pub image_std: [f32; 3],
}

impl Default for ClipImageProcessorConfig {
    /// OpenAI's values, which are the class's defaults.
    fn default() -> Self {
        Self { image_mean: [0.481_454_66, 0.457_827_5, 0.408_210_73], image_std: [0.268_629_54, 0.261_302_6, 0.275_777_1] }
    }
}

impl ClipImageProcessorConfig {
    /// Reads the model's own JSON; absent fields take the class's defaults.
    ///
    /// # Errors
    /// [`Error::Config`] naming a field that is neither one number nor three, or a standard deviation that is not positive.
    pub fn from_json(json: &Value) -> Result<Self> {
        let Some(fields) = json.as_object() else { return Err(Error::config(FILE, "(top)", "expected a JSON object")) };
        Self::read(FILE, fields)
    }

    /// Reads the two fields of any image processor's JSON.
    pub(super) fn read(file: &str, fields: &Map<String, Value>) -> Result<Self> {
        let default = Self::default();
        let three = |field: &str, default: [f32; 3]| -> Result<[f32; 3]> {
            let Some(value) = fields.get(field) else { return Ok(default) };
            if let Some(number) = value.as_f64() {
                return Ok([number as f32; 3]);
            }
            let numbers: Option<Vec<f32>> =
                value.as_array().and_then(|values| values.iter().map(|value| value.as_f64().map(|number| number as f32)).collect());
            let numbers = numbers.and_then(|numbers| <[f32; 3]>::try_from(numbers).ok());
            numbers.ok_or_else(|| Error::config(file, field, format!("expected a number or three, found {value}")))
        };
        let config = Self { image_mean: three("image_mean", default.image_mean)?, image_std: three("image_std", default.image_std)? };
        if let Some(std) = config.image_std.iter().find(|std| **std <= 0.0) {
            return Err(Error::config(file, "image_std", format!("expected positive numbers, found {std}")));
        }
        Ok(config)
    }
}

/// The input of the image encoder: [1, 3, `side`, `side`], f32, on the CPU.
///
/// # Errors
/// [`Error::Params`] if the image is empty or the side is 0.
pub fn clip_pixels(image: &RgbImage, side: usize, config: &ClipImageProcessorConfig) -> Result<Tensor> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    if width == 0 || height == 0 || side == 0 {
        let reason = format!("a picture of {width}x{height} pixels cannot be resized to {side}x{side}");
        return Err(Error::Params { field: "image", reason });
    }
    let (columns, lines) = (weights(width, side), weights(height, side));
    let mut pixels = Vec::with_capacity(3 * side * side);
    for (channel, (mean, std)) in config.image_mean.iter().zip(config.image_std).enumerate() {
        // Every row of the source, resampled at the output's columns.
        let mut narrowed = Vec::with_capacity(height * side);
        for line in image.as_raw().chunks_exact(3 * width) {
            // The image is scaled to [-1, 1] for the resize and back afterwards, as in the model's training.
            let values: Vec<f32> = line.iter().skip(channel).step_by(3).map(|byte| 2.0 * (f32::from(*byte) / 255.0) - 1.0).collect();
            narrowed.extend(columns.iter().map(|column| weigh(column, &values, 1, 0)));
        }
        for line in &lines {
            for column in 0..side {
                pixels.push(((weigh(line, &narrowed, side, column) + 1.0) / 2.0 - mean) / std);
            }
        }
    }
    Ok(Tensor::from_vec(pixels, (1, 3, side, side), &Device::Cpu)?)
}

/// The weighted sum of the values at `index * stride + offset`.
fn weigh(weights: &[(usize, f64)], values: &[f32], stride: usize, offset: usize) -> f32 {
    let term = |(index, weight): &(usize, f64)| values.get(index * stride + offset).map_or(0.0, |value| weight * f64::from(*value));
    weights.iter().map(term).sum::<f64>() as f32
}

/// The (input index, weight) pairs of each output along one axis: blur, then bicubic interpolation.
fn weights(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let blur = gaussian(from as f64 / to as f64);
    let (last, half) = (from as i64 - 1, blur.len() as i64 / 2);
    // In f32, as in torch: at a thousand pixels the rounding of positions is visible in the result.
    let scale = if to > 1 { last as f32 / (to - 1) as f32 } else { 0.0 };
    let output = |position: usize| {
        let centre = scale * position as f32;
        let first = centre.floor();
        let mut weights = BTreeMap::new();
        for (tap, share) in cubic((centre - first).clamp(0.0, 1.0)).into_iter().enumerate() {
            let blurred = (first as i64 + tap as i64 - 1).clamp(0, last);
            for (offset, weight) in blur.iter().enumerate() {
                *weights.entry(reflected(blurred + offset as i64 - half, last)).or_insert(0.0) += f64::from(share) * f64::from(*weight);
            }
        }
        weights.into_iter().filter(|(_, weight)| *weight != 0.0).collect()
    };
    (0..to).map(output).collect()
}

/// The blur kernel against aliasing when an image is downscaled by `factor`; it has no effect on an upscaled image.
fn gaussian(factor: f64) -> Vec<f32> {
    let sigma = ((factor - 1.0) / 2.0).max(0.001);
    let size = (4.0 * sigma).max(3.0) as usize;
    let size = if size.is_multiple_of(2) { size + 1 } else { size };
    let sigma = sigma as f32;
    let value = |index: usize| {
        let x = index as f32 - (size / 2) as f32;
        (-(x * x) / (2.0 * (sigma * sigma))).exp()
    };
    let values: Vec<f32> = (0..size).map(value).collect();
    let sum: f32 = values.iter().sum();
    values.into_iter().map(|value| value / sum).collect()
}

/// Mirrors an index beyond either end at the pixel at that end.
fn reflected(index: i64, last: i64) -> usize {
    let index = index.abs();
    let index = if index > last { 2 * last - index } else { index };
    // Only in an image of one or two pixels can the index remain out of range, and there the blur has no effect.
    index.clamp(0, last) as usize
}

/// The bicubic weights (Keys 1981) of pixels -1, 0, 1 and 2 for a position `t` after pixel 0.
fn cubic(t: f32) -> [f32; 4] {
    let near = |x: f32| ((CUBIC_A + 2.0) * x - (CUBIC_A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((CUBIC_A * x - 5.0 * CUBIC_A) * x + 8.0 * CUBIC_A) * x - 4.0 * CUBIC_A;
    [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_flat_image_stays_flat_at_any_size() {
        let config = ClipImageProcessorConfig { image_mean: [0.0; 3], image_std: [1.0, 0.5, 1.0] };
        for (width, height) in [(1, 1), (2, 1), (1, 300), (5, 7), (64, 64), (700, 500)] {
            let image = RgbImage::from_pixel(width, height, image::Rgb([255, 102, 0]));
            let pixels = clip_pixels(&image, 24, &config).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let expected = [1.0, 0.8, 0.0].into_iter().flat_map(|value| std::iter::repeat_n(value, 24 * 24));
            assert!(pixels.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5), "{width}x{height}");
        }
        assert!(matches!(clip_pixels(&RgbImage::new(0, 3), 24, &config), Err(Error::Params { field: "image", .. })));
    }

    #[test]
    fn only_the_normalisation_is_read() {
        let config = json!({ "crop_size": 224, "do_resize": true, "image_mean": [0.5, 0.25, 0], "size": { "shortest_edge": 224 } });
        let config = ClipImageProcessorConfig::from_json(&config).unwrap();
        assert_eq!(config.image_mean, [0.5, 0.25, 0.0]);
        assert_eq!(config.image_std, ClipImageProcessorConfig::default().image_std);
        let all = ClipImageProcessorConfig::from_json(&json!({ "image_mean": 0, "image_std": 1 })).unwrap();
        assert_eq!((all.image_mean, all.image_std), ([0.0; 3], [1.0; 3]));
        let null = Value::Null;
        for (field, value) in [("image_mean", json!([1, 2])), ("image_std", json!(0)), ("image_std", null), ("image_std", json!([1, 0, 1]))]
        {
            let found = ClipImageProcessorConfig::from_json(&json!({ field: value }));
            assert!(matches!(&found, Err(Error::Config { field: found, .. }) if found == field), "{found:?}");
        }
    }
}
