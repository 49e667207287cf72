//! A given picture on its way into BLIP's image encoder: resized to a square whatever its proportions, normalised.
//!
//! It must not know the encoder beyond the side of its pictures. The invariant: what comes out is what transformers' image processor gives
//! on Pillow's bytes (`BlipImageProcessorPil` in models/blip/image_processing_pil_blip.py; transformers 4 called it `BlipImageProcessor`).

use candle_core::{Device, Tensor};
use image::RgbImage;
use serde_json::Value;

use super::ClipImageProcessorConfig;
use crate::{
    Error, Result,
    imaging::{Filter, resized_by},
};

/// What transformers multiplies bytes by, and what is written as `rescale_factor` with less digits or more.
const RESCALE: f64 = 1.0 / 255.0;

/// preprocessor_config.json, or the `image_processor` in processor_config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct BlipImageProcessorConfig {
    /// Pixels along a side of what comes out.
    pub side: u32,
    /// How the picture is resized.
    pub filter: Filter,
    /// Subtracted from each channel of a picture in [0, 1], and what each channel is then divided by.
    pub normalization: ClipImageProcessorConfig,
}

impl BlipImageProcessorConfig {
    /// Reads the model's own JSON, from the file that messages are to name; absent fields take the class's defaults: 384 pixels, bicubic,
    /// OpenAI's mean and deviation.
    ///
    /// # Errors
    /// [`Error::Config`] naming the field that is malformed, or asks for what is not implemented.
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

/// A picture as the image encoder wants it: [1, 3, side, side], f32, on the CPU.
///
/// # Errors
/// [`Error::Params`] if the picture is empty.
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
    fn absent_fields_are_the_classs_and_a_size_has_three_forms() {
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
    fn what_is_not_implemented_is_refused_by_name() {
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
    fn an_empty_picture_is_an_error() {
        let config = BlipImageProcessorConfig::from_json("", &json!({})).unwrap();
        assert!(matches!(blip_pixels(&RgbImage::new(0, 4), &config), Err(Error::Params { field: "image", .. })));
    }
}
