//! Prepares an image for BLIP's image encoder: resizes it to a square regardless of its aspect ratio, and normalises it.
//!
//! This module must not depend on the encoder beyond its image size. Invariant: the output is that of transformers' image processor with
//! Pillow (`BlipImageProcessorPil` in `models/blip/image_processing_pil_blip.py`; `BlipImageProcessor` in transformers 4).

use candle_core::{Device, Tensor};
use image::RgbImage;
use serde_json::Value;

use super::ClipImageProcessorConfig;
use crate::{
    Error, Result,
    imaging::{Filter, resized_by},
};

/// The factor by which transformers multiplies bytes; files state it as `rescale_factor`, with varying precision.
const RESCALE: f64 = 1.0 / 255.0;

/// preprocessor_config.json, or the `image_processor` in processor_config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct BlipImageProcessorConfig {
    /// The side of the output in pixels.
    pub side: u32,
    /// The resampling filter.
    pub filter: Filter,
    /// The mean that is subtracted from each channel of an image in [0, 1], and the standard deviation that divides it.
    pub normalization: ClipImageProcessorConfig,
}

impl BlipImageProcessorConfig {
    /// Reads the model's own JSON; `file` names it in errors. Absent fields take the class's defaults: 384 pixels, bicubic, OpenAI's mean
    /// and standard deviation.
    ///
    /// # Errors
    /// [`Error::Config`] naming the field that is malformed or not implemented.
    pub fn from_json(file: &str, json: &Value) -> Result<Self> {
        let Some(fields) = json.as_object() else { return Err(Error::config(file, "(top)", "expected a JSON object")) };
        let refuse = |field: &str, value: &Value, supported: &str| {
            Error::config(file, field, format!("unsupported value {value}; supported: {supported}"))
        };
        for field in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
            if let Some(value) = fields.get(field).filter(|value| **value != true) {
                return Err(refuse(field, value, "true"));
            }
        }
        for field in ["do_center_crop", "do_pad"] {
            if let Some(value) = fields.get(field).filter(|value| !value.is_null() && **value != false) {
                return Err(refuse(field, value, "false"));
            }
        }
        if let Some(value) = fields.get("rescale_factor")
            && value.as_f64().is_none_or(|factor| (factor - RESCALE).abs() > 1e-9)
        {
            return Err(refuse("rescale_factor", value, "1/255"));
        }
        let filter = match fields.get("resample") {
            None => Filter::Bicubic,
            Some(value) => match value.as_u64() {
                Some(3) => Filter::Bicubic,
                Some(1) => Filter::Lanczos,
                Some(_) | None => return Err(refuse("resample", value, "3 (bicubic), 1 (Lanczos)")),
            },
        };
        let side = match fields.get("size") {
            None => 384,
            Some(size) => {
                let extent = |name| size.get(name).unwrap_or(size).as_u64().and_then(|extent| u32::try_from(extent).ok());
                match (extent("height"), extent("width")) {
                    (Some(height), Some(width)) if height == width && height > 0 => height,
                    _ => return Err(refuse("size", size, "a square's side, or its height and width")),
                }
            }
        };
        Ok(Self { side, filter, normalization: ClipImageProcessorConfig::read(file, fields)? })
    }
}

/// The input of the image encoder: [1, 3, side, side], f32, on the CPU.
///
/// # Errors
/// [`Error::Params`] if the image is empty.
pub fn blip_pixels(image: &RgbImage, config: &BlipImageProcessorConfig) -> Result<Tensor> {
    let resized = resized_by(image, config.side, config.side, config.filter)?;
    let side = config.side as usize;
    let ClipImageProcessorConfig { image_mean, image_std } = config.normalization;
    let mut pixels = Vec::with_capacity(3 * side * side);
    for (channel, (mean, std)) in image_mean.into_iter().zip(image_std).enumerate() {
        let bytes = resized.as_raw().iter().skip(channel).step_by(3);
        pixels.extend(bytes.map(|byte| ((f64::from(*byte) * RESCALE) as f32 - mean) / std));
    }
    Ok(Tensor::from_vec(pixels, (1, 3, side, side), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn absent_fields_take_the_defaults_and_a_size_has_three_forms() {
        let read = |json: Value| BlipImageProcessorConfig::from_json("preprocessor_config.json", &json);
        let default = read(json!({})).unwrap();
        assert_eq!((default.side, default.filter), (384, Filter::Bicubic));
        assert_eq!(default.normalization, ClipImageProcessorConfig::default());
        assert_eq!(read(json!({ "size": 96 })).unwrap().side, 96);
        assert_eq!(read(json!({ "size": { "height": 48, "width": 48 }, "resample": 1 })).unwrap().filter, Filter::Lanczos);
        assert_eq!(
            read(json!({ "rescale_factor": 0.003_921_568_627_450_98, "image_processor_type": "BlipImageProcessor" })).unwrap(),
            default
        );
    }

    #[test]
    fn unsupported_values_are_refused_by_name() {
        for (field, value) in [
            ("do_resize", json!(false)),
            ("do_normalize", json!(null)),
            ("do_center_crop", json!(true)),
            ("do_pad", json!(true)),
            ("rescale_factor", json!(1)),
            ("resample", json!(2)),
            ("resample", json!("bicubic")),
            ("size", json!({ "shortest_edge": 384 })),
            ("size", json!({ "height": 384, "width": 224 })),
            ("size", json!(0)),
            ("image_std", json!(0)),
        ] {
            let found = BlipImageProcessorConfig::from_json("preprocessor_config.json", &json!({ field: value }));
            assert!(matches!(&found, Err(Error::Config { field: found, .. }) if found == field), "{field}: {found:?}");
        }
    }

    #[test]
    fn an_empty_image_is_an_error() {
        let config = BlipImageProcessorConfig::from_json("", &json!({})).unwrap();
        assert!(matches!(blip_pixels(&RgbImage::new(0, 4), &config), Err(Error::Params { field: "image", .. })));
    }
}
